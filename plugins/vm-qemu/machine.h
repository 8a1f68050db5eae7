/* machine.h - one machine: what is known of it, and what can be done with it
 *
 * machine.c has what both roles share.  An owned machine (owned.c) is a child of this process, with a
 * monitor and a console on sockets without a name.  One to be provisioned (provision.c) is a process of its
 * own, found by its pid file and its monitor's path, so that the host can take it over and a later plugin
 * host finds it again.
 */
#pragma once

#include "console.h"
#include "launch.h"
#include "machines.h"
#include "monitor.h"

typedef struct _SpQemuMachine SpQemuMachine;

/* What the roles do differently. */
typedef struct {
  /* Start it, paused, up to a monitor that answers.  FALSE: nothing runs. */
  gboolean (*launch) (SpQemuMachine *machine, guint32 acceleration, GCancellable *cancellable,
                      GError **error);
  gboolean (*runs) (SpQemuMachine *machine);
  /* A monitor that has begun; the caller gives it back with done(). */
  SpQemuMonitor *(*monitor) (SpQemuMachine *machine, GCancellable *cancellable, GError **error);
  void (*done) (SpQemuMachine *machine, SpQemuMonitor *monitor);
  void (*kill) (SpQemuMachine *machine);
  gint64 (*pid) (SpQemuMachine *machine);
  /* It runs: hear when it ends. */
  void (*watch) (SpQemuMachine *machine);
  /* It does not run: where it ended while a call worked on it, say so now. */
  void (*settle) (SpQemuMachine *machine);
  /* Let go of what belonged to the run. */
  void (*forget) (SpQemuMachine *machine);
} SpQemuRole;

struct _SpQemuMachine {
  SpQemuAny any;
  SpQemu *qemu; /* the plugin's */
  const SpQemuRole *role;
  guint32 acceleration; /* what it runs with, as far as is known */
  gboolean busy;        /* a call works on it, and may not lose what it works with */

  /* Of a run.  Owned: */
  SpQemuProcess *process;
  SpQemuMonitor *qmp;
  SpQemuConsole *console;
  /* To be provisioned: */
  int pidfd; /* -1: none */
  GSource *pid_source;
};

extern const SpQemuRole sp_qemu_owned, sp_qemu_provision;

/* An owned machine ends when it is freed, one to be provisioned goes on. */
extern const SpQemuKind sp_qemu_kind;

/* ---- for the roles ------------------------------------------------------------------------------ */

/* It has ended: @how says how where that was not orderly (NULL otherwise).  Tells the core, unless a call
 * works on it. */
void sp_qemu_machine_has_ended (SpQemuMachine *machine, const char *how);
