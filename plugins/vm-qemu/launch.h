/* launch.h - one QEMU, from a specification to a process with all that it needs */
#pragma once

#include <secret-proxy/vm.h>

#include "machines.h"
#include "process.h"

/* The plugin: what all machines share. */
typedef struct {
  SpQemuMachines machines; /* first */
  SpHost *host;
  const char *program;      /* QEMU */
  const char *const *ports; /* of the host's loopback, that guests may reach */
  guint32 acceleration;     /* what the last probe chose; SP_VM_NONE: not probed yet */
} SpQemu;

/* The ends of what it was given; -1: none. */
typedef struct {
  SpQemuProcess *process;
  int qmp, console; /* of an owned machine */
  int guard;        /* with network = user */
} SpQemuLaunch;

/* Open everything and start it, paused.  @spec: checked. */
gboolean
sp_qemu_launch (const SpQemu *qemu, const SpVmSpec *spec, guint32 acceleration, SpQemuEnded ended,
                gpointer data, SpQemuLaunch *ret_launch, GError **error);

/* Its monitor is gone: where QEMU has ended, too, put that and what it said into @error. */
void sp_qemu_launch_explain (SpQemuProcess *process, GError **error);
