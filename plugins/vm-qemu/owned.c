/* owned.c - machine.h: a machine that is a child of this process */
#include <string.h>
#include <unistd.h>

#include "guard.h"
#include "machine.h"

#define GREETING_MS 30000u

/* How the guest ended it, in words; NULL: it powered off. */
static char *
judge_end (SpQemuMachine *machine)
{
  const char *reason = NULL;

  if (machine->qmp != NULL) {
    sp_qemu_monitor_drain (machine->qmp);
    reason = sp_qemu_monitor_shutdown (machine->qmp);
  }
  if (sp_qemu_process_status (machine->process) != 0)
    return sp_qemu_process_how (machine->process);
  if (g_strcmp0 (reason, "guest-shutdown") == 0)
    return NULL;
  if (g_strcmp0 (reason, "guest-reset") == 0)
    return g_strdup (
        "ended because the guest reset itself, as a kernel does after a panic; its log "
        "may say why");
  return g_strdup_printf ("ended by itself (%s)", reason != NULL ? reason : "no reason given");
}

static void
on_ended (gpointer data)
{
  SpQemuMachine *machine = data;
  g_autofree char *how = machine->busy ? NULL : judge_end (machine);

  sp_qemu_machine_has_ended (machine, how);
}

/* It would wait for ever for somebody who looks at it: who does, learns of the state. */
static void
on_disk_error (gpointer data)
{
  SpQemuMachine *machine = data;

  machine->qemu->host->api->vm_changed (machine->qemu->host, machine->any.spec->id);
}

static gboolean
owned_runs (SpQemuMachine *machine)
{
  return machine->process != NULL && !sp_qemu_process_has_ended (machine->process);
}

static void
owned_forget (SpQemuMachine *machine)
{
  g_clear_pointer (&machine->qmp, sp_qemu_monitor_free);
  g_clear_pointer (&machine->console, sp_qemu_console_free);
  g_clear_pointer (&machine->process, sp_qemu_process_free);
}

static void
owned_kill (SpQemuMachine *machine)
{
  if (machine->process != NULL)
    sp_qemu_process_kill (machine->process);
}

static gboolean
begin (SpQemuMachine *machine, int *guard, GCancellable *cancellable, GError **error)
{
  if (!sp_qemu_monitor_begin (machine->qmp, GREETING_MS, cancellable, error)) {
    sp_qemu_launch_explain (machine->process, error);
    return FALSE;
  }
  return *guard < 0 || sp_qemu_guard_is_there (*guard, error);
}

static gboolean
owned_launch (SpQemuMachine *machine, guint32 acceleration, GCancellable *cancellable,
              GError **error)
{
  const SpVmSpec *spec = machine->any.spec;
  g_autoptr (SpQemuLog) log =
      spec->log != NULL ? sp_qemu_log_open (spec->log, spec->log_limit, error) : NULL;
  SpQemuLaunch launch;
  gboolean ok;

  if (spec->log != NULL && log == NULL)
    return FALSE;
  if (!sp_qemu_launch (machine->qemu, spec, acceleration, on_ended, machine, &launch, error))
    return FALSE;
  machine->process = launch.process;
  machine->qmp = sp_qemu_monitor_new (machine->qemu->host, launch.qmp);
  sp_qemu_monitor_on_disk_error (machine->qmp, on_disk_error, machine);
  machine->console = sp_qemu_console_new (launch.console, g_steal_pointer (&log));
  ok = begin (machine, &launch.guard, cancellable, error);
  if (launch.guard >= 0)
    (void) close (launch.guard);
  if (!ok) {
    owned_kill (machine);
    owned_forget (machine);
  }
  return ok;
}

static SpQemuMonitor *
owned_monitor (SpQemuMachine *machine, GCancellable *cancellable, GError **error)
{
  if (machine->qmp == NULL)
    g_set_error_literal (error, SP_ERROR, SP_ERROR_UNAVAILABLE, "QEMU does not run");
  return machine->qmp;
}

static void
owned_done (SpQemuMachine *machine, SpQemuMonitor *monitor)
{
}

static gint64
owned_pid (SpQemuMachine *machine)
{
  return sp_qemu_process_pid (machine->process);
}

static void
owned_settle (SpQemuMachine *machine)
{
  if (machine->process != NULL)
    on_ended (machine);
}

/* A child's end is heard of in any case. */
static void
owned_watch (SpQemuMachine *machine)
{
}

const SpQemuRole sp_qemu_owned = {
  .launch = owned_launch,
  .runs = owned_runs,
  .monitor = owned_monitor,
  .done = owned_done,
  .kill = owned_kill,
  .pid = owned_pid,
  .watch = owned_watch,
  .settle = owned_settle,
  .forget = owned_forget,
};
