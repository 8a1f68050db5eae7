/* process.h - a QEMU as a child: who it runs as, what it is given, what it says, how it ended */
#pragma once

#include <gio/gio.h>
#include <sys/types.h>

typedef struct _SpQemuProcess SpQemuProcess;

/* What a process is started with.  Its descriptors are closed with it unless they were given away. */
typedef struct {
  char **argv;
  char **environment;
  uid_t user;     /* ours: no change */
  gid_t device;   /* a group beside it, for /dev/kvm; 0: none */
  gboolean bound; /* it is killed with its SpQemuProcess, and when this process ends */
  GArray *given;  /* of descriptors and where they go */
} SpQemuSpawn;

/* @user: see user.h. */
SpQemuSpawn *sp_qemu_spawn_new (uid_t user);
void sp_qemu_spawn_free (SpQemuSpawn *spawn);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpQemuSpawn, sp_qemu_spawn_free)
/* The process finds @fd (taken) as @to. */
void sp_qemu_spawn_give (SpQemuSpawn *spawn, int fd, int to);
/* Let it use /dev/kvm, which belongs to a group as a rule. */
void sp_qemu_spawn_allow_kvm (SpQemuSpawn *spawn);

typedef void (*SpQemuEnded) (gpointer data);

/* @ended is called once, on the thread-default context; may be NULL. */
SpQemuProcess *
sp_qemu_process_start (SpQemuSpawn *spawn, SpQemuEnded ended, gpointer data, GError **error);
gboolean sp_qemu_process_has_ended (const SpQemuProcess *process);
gint64 sp_qemu_process_pid (const SpQemuProcess *process);
void sp_qemu_process_kill (SpQemuProcess *process);

/* After its end: its exit status, or -1 where a signal ended it. */
int sp_qemu_process_status (const SpQemuProcess *process);
/* The same in words, and the last line that it wrote: "was ended by signal 9 (Killed)". */
char *sp_qemu_process_how (SpQemuProcess *process);

/* Kills it, too, where it is bound and has not ended. */
void sp_qemu_process_free (SpQemuProcess *process);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpQemuProcess, sp_qemu_process_free)
