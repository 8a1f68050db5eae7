/* secret-proxy/vm.h - makes, runs and removes virtual machines
 *
 * This table goes with one release of the core until it is declared stable.
 *
 * A plugin of this kind runs on the host (or, for the role PROVISION, in the agent's VM), in a plugin
 * host process of its own.  A machine is known by an id that the core chose; what an id stands for is
 * kept by the plugin for the life of its process, and in what create() wrote where the plugin says so.
 *
 * Every call may be made again after a crash: a second one finds the work done and succeeds.
 *
 * Well-known options: a plugin declares those of these that it supports, with its own defaults, and
 * leaves reading them to the core, which puts them into the specification:
 *
 *      memory      SIZE     of the machine
 *      cpus        INT
 *      network     CHOICE   among "user|bridge|tap|named"
 *      bridge      STRING   name of the bridge, of the tap device, or of the network
 *      address     STRING   "10.0.0.5/24": the machine's own address; for all but user
 *      gateway     STRING   numeric
 *      dns         STRING   numeric
 *      disk-size   SIZE     of the data volume; raised later, it grows at the next start
 */
#pragma once

#include <secret-proxy/plugin.h>

G_BEGIN_DECLS

#define SP_VM_ABI 1u

/* The name of the virtio-serial port of the admin channel. */
#define SP_VM_ADMIN_PORT "org.secret-proxy.admin"

typedef enum {
  SP_VM_ABSENT = 1,
  SP_VM_STOPPED,
  SP_VM_RUNNING,
  SP_VM_PAUSED,
  SP_VM_FAILED, /* it ended in another way than by stop() or by itself; see why */
} SpVmState;

typedef enum {
  /* The agent's machine, before takeover: it outlives the plugin host, its monitor is a socket that
   * the host can be led to, its disk takes snapshots. */
  SP_VM_PROVISION = 1,
  /* The host's: it dies with the plugin host, its monitor is on no path, nothing in it may be read by
   * another user. */
  SP_VM_OWNED,
} SpVmRole;

typedef enum {
  SP_VM_NONE = 0,
  SP_VM_KVM = 1,  /* hardware */
  SP_VM_EMULATED, /* no security boundary */
} SpVmAcceleration;

typedef enum {
  SP_VM_RAW = 1,
  SP_VM_QCOW2,
} SpVmFormat;

typedef enum {
  SP_VM_NETWORK_USER = 1, /* outbound by address translation, inbound by forwards */
  SP_VM_NETWORK_BRIDGE,
  SP_VM_NETWORK_TAP,
  SP_VM_NETWORK_NAMED, /* one that what runs machines here knows by a name */
} SpVmNetwork;

typedef struct {
  const char *path; /* absolute */
  const char *name; /* at most 20 characters: the serial number by which the guest finds it */
  guint32
      format; /* SpVmFormat; never guessed.  Of an OWNED machine's qcow2 no other file is opened */
  guint32 read_only;
} SpVmDisk;

typedef struct {
  const char *address; /* of this machine, numeric */
  guint16 port;
  guint16 guest_port;
} SpVmForward;

typedef struct {
  gsize size;
  const char *id;   /* a UUID */
  const char *name; /* for people: of the process, of the domain */
  guint32 role;     /* SpVmRole */
  /* Direct boot: absolute paths, and the command line as it is.  All NULL: the firmware boots the first
   * disk, and nothing else. */
  const char *kernel, *initrd, *cmdline;
  const SpVmDisk *disks;
  gsize n_disks;
  guint64 memory; /* bytes */
  guint32 cpus;
  guint32 acceleration; /* SpVmAcceleration wanted; SP_VM_NONE: the best that works */
  guint32 network;      /* SpVmNetwork */
  const char *bridge;   /* of the bridge, the tap device or the network; NULL for USER */
  const char *mac;      /* NULL: the plugin's default */
  const SpVmForward *forwards;
  gsize n_forwards;
  /* Where the port SP_VM_ADMIN_PORT comes out: the machine listens on this path, 0600.  NULL: there is
   * no such port. */
  const char *admin_socket;
  const char *log;   /* console output, appended; NULL: none */
  guint64 log_limit; /* bytes that the log may grow to; older output makes room */
  /* PROVISION only. */
  const char *monitor;  /* path of the QMP socket */
  const char *pid_file; /* written by the machine's process */
} SpVmSpec;

typedef struct {
  gsize size;
  guint32 acceleration; /* SpVmAcceleration: what start() would choose where nothing is wanted */
  char *why;            /* one sentence: what was tried, what came of it */
  char *version;        /* of what runs machines here */
} SpVmProbe;

typedef struct {
  gsize size;
  guint32 state;        /* SpVmState */
  guint32 acceleration; /* what it got; SP_VM_NONE while it does not run */
  gint64 pid;           /* 0: none, or not known */
  char *address;        /* "10.0.0.5" where it is known; NULL otherwise */
  char *why;            /* of FAILED; NULL otherwise */
} SpVmInfo;

/* Return FALSE to stop. */
typedef gboolean (*SpVmFunc) (const char *id, guint32 state, gpointer data);

struct _SpVmOps {
  guint32 flags; /* none yet */

  /* What this machine can really do: not whether a device opens but whether a guest runs.  Fills
   * @ret_probe, whose strings are then the core's. */
  gboolean (*probe) (gpointer self, SpVmProbe *ret_probe, GCancellable *cancellable,
                     GError **error);
  /* Check and take the specification; nothing runs yet.  For an id that is there: replaces it where it
   * does not run, SP_ERROR_CONFLICT where it does with another specification. */
  gboolean (*create) (gpointer self, const SpVmSpec *spec, GCancellable *cancellable,
                      GError **error);
  /* TRUE: it runs (a guest executes), with the acceleration that was wanted. */
  gboolean (*start) (gpointer self, const char *id, GCancellable *cancellable, GError **error);
  /* Ask the guest to power off and wait; @force: end it at once.  TRUE: it does not run. */
  gboolean (*stop) (gpointer self, const char *id, gboolean force, GCancellable *cancellable,
                    GError **error);
  /* End it and forget it.  Files of the specification stay. */
  gboolean (*destroy) (gpointer self, const char *id, GCancellable *cancellable, GError **error);
  /* An unknown id is no error: its state is SP_VM_ABSENT. */
  gboolean (*inspect) (gpointer self, const char *id, SpVmInfo *ret_info, GCancellable *cancellable,
                       GError **error);
  gboolean (*list) (gpointer self, SpVmFunc each, gpointer data, GCancellable *cancellable,
                    GError **error);
};

#define SP_VM_PLUGIN(ops, ...) SP_PLUGIN_DEFINE_ (SP_KIND_VM, ops, SP_VM_ABI, __VA_ARGS__)

G_END_DECLS
