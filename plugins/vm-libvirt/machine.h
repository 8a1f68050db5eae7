/* machine.h - one machine: a domain that exists while it runs
 *
 * It is transient and ends with the connection (autodestroy), so that libvirt has nothing of it before and
 * after.  What somebody else does to it meanwhile is noticed: an end that was not asked for, and any difference
 * between what libvirt describes now and what it described at the start.
 */
#pragma once

#include "connection.h"
#include "console.h"
#include "machines.h"

typedef struct {
  SpQemuAny any;
  SpLibvirt *libvirt; /* the plugin's */
  gboolean busy;      /* a call works on it: the core learns what came of it from that */

  /* Of a run. */
  virDomainPtr domain;  /* NULL: it does not run */
  guint32 acceleration; /* of the domain */
  char *live;           /* its description at the start, in live.h's form */
  SpQemuConsole *console;
  uid_t user;        /* that QEMU runs as, once libvirt is to start it */
  gboolean launched; /* libvirt may have started it, whatever it answered */
  gint64 pid;        /* of QEMU; 0: not known */
  int pidfd;         /* the same, so that no other is meant; -1: none */
  gboolean settled;  /* what is still heard of the start has been heard */
  gboolean ending;   /* its end is wanted */
  int cause;         /* SpLibvirtCause */
  gboolean stale;    /* the end of an earlier run is still to be heard of */
} SpLibvirtMachine;

/* One that is freed ends. */
extern const SpQemuKind sp_libvirt_kind;

/* Something was heard of it. */
void sp_libvirt_machine_event (SpLibvirtMachine *machine, SpLibvirtEvent event, int detail);

/* ---- for its parts (start.c) ---------------------------------------------------------------------------- */

/* Make the domain, with everything around it, up to a guest that executes.  FALSE: what is left of it goes with
 * sp_libvirt_machine_end(). */
gboolean sp_libvirt_launch (SpLibvirtMachine *machine, guint32 acceleration,
                            GCancellable *cancellable, GError **error);
/* End it, whatever it takes, or what is left of a start. */
void sp_libvirt_machine_end (SpLibvirtMachine *machine);
