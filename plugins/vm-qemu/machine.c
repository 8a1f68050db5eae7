/* machine.c - machine.h: start, stop, inspect
 *
 * What must stay true: where start() succeeds a guest executes, with the acceleration that was wanted and,
 * with network = user, behind the guard; where it fails nothing runs.
 */
#include "machine.h"

#include <unistd.h>

#include "guard.h"
#include "probe.h"
#include "spec.h"
#include "wait.h"

#define END_MS 2000u /* for QEMU to end when told */
#define FOREVER_MS G_MAXINT

static gpointer
machine_make (gpointer plugin, const SpVmSpec *spec)
{
  SpQemuMachine *machine = g_new0 (SpQemuMachine, 1);

  machine->qemu = plugin;
  machine->any.spec = sp_qemu_spec_copy (spec);
  machine->role = spec->role == SP_VM_OWNED ? &sp_qemu_owned : &sp_qemu_provision;
  machine->any.ended = SP_VM_STOPPED;
  machine->pidfd = -1;
  if (machine->role->runs (machine))
    machine->role->watch (machine);
  return machine;
}

static void
machine_free (gpointer data)
{
  SpQemuMachine *machine = data;

  machine->busy = TRUE;
  machine->role->forget (machine);
  sp_qemu_spec_free (machine->any.spec);
  g_free (machine->any.why);
  g_free (machine);
}

static gboolean
machine_runs (gpointer data)
{
  SpQemuMachine *machine = data;

  return machine->role->runs (machine);
}

static gboolean
does_not_run (gpointer machine)
{
  return !machine_runs (machine);
}

static void
set_ended (SpQemuMachine *machine, guint32 ended, const char *why)
{
  machine->acceleration = SP_VM_NONE;
  sp_qemu_set_ended (&machine->any, ended, why);
}

void
sp_qemu_machine_has_ended (SpQemuMachine *machine, const char *how)
{
  g_autofree char *why = how != NULL ? g_strconcat ("QEMU ", how, NULL) : NULL;

  if (machine->busy)
    return;
  set_ended (machine, how != NULL ? SP_VM_FAILED : SP_VM_STOPPED, why);
  machine->role->forget (machine);
  machine->qemu->host->api->vm_changed (machine->qemu->host, machine->any.spec->id);
}

static void
begin_call (SpQemuMachine *machine)
{
  machine->busy = TRUE;
}

static void
end_call (SpQemuMachine *machine)
{
  machine->busy = FALSE;
  if (!machine_runs (machine))
    machine->role->settle (machine);
}

/* End it, whatever it takes; nothing of the run is left. */
static void
end_now (SpQemuMachine *machine)
{
  g_autoptr (GError) ignored = NULL;
  SpQemuMonitor *monitor = machine->role->monitor (machine, NULL, &ignored);

  /* First in its own way, so that what it has of the disks is written. */
  if (monitor != NULL) {
    (void) sp_qemu_monitor_do (monitor, "quit", NULL, NULL);
    (void) sp_qemu_wait (NULL, END_MS, does_not_run, machine);
    machine->role->done (machine, monitor);
  }
  if (machine_runs (machine)) {
    machine->role->kill (machine);
    (void) sp_qemu_wait (NULL, END_MS, does_not_run, machine);
  }
  machine->role->forget (machine);
}

/* ---- start ------------------------------------------------------------------------------------------------ */

/* What to start with: what is wanted, or the best that works. */
static gboolean
choose (SpQemuMachine *machine, guint32 *ret_acceleration, GCancellable *cancellable,
        GError **error)
{
  SpQemu *qemu = machine->qemu;
  SpVmProbe probe = { .size = sizeof probe };

  *ret_acceleration = machine->any.spec->acceleration;
  if (*ret_acceleration != SP_VM_NONE)
    return TRUE;
  if (qemu->acceleration == SP_VM_NONE) {
    if (!sp_qemu_probe (qemu->host, qemu->program, NULL, &probe, cancellable, error))
      return FALSE;
    qemu->acceleration = probe.acceleration;
    g_free (probe.why);
    g_free (probe.version);
  }
  *ret_acceleration = qemu->acceleration;
  return TRUE;
}

static gboolean
is_running (SpQemuMonitor *monitor, GCancellable *cancellable, GError **error)
{
  guint32 state;

  if (!sp_qemu_monitor_state (monitor, &state, cancellable, error))
    return FALSE;
  if (state == SP_VM_RUNNING)
    return TRUE;
  g_set_error_literal (error, SP_ERROR, SP_ERROR_UNAVAILABLE, "the guest does not execute");
  return FALSE;
}

static gboolean
release (SpQemuMachine *machine, guint32 wanted, GCancellable *cancellable, GError **error)
{
  SpQemuMonitor *monitor = machine->role->monitor (machine, cancellable, error);
  gboolean ok;

  if (monitor == NULL)
    return FALSE;
  ok = sp_qemu_monitor_acceleration (monitor, &machine->acceleration, cancellable, error);
  if (ok && wanted != SP_VM_NONE && machine->acceleration != wanted) {
    g_set_error_literal (error, SP_ERROR, SP_ERROR_UNSUPPORTED,
                         "QEMU does not use the acceleration that was wanted");
    ok = FALSE;
  }
  ok = ok && sp_qemu_monitor_do (monitor, "cont", cancellable, error) &&
       is_running (monitor, cancellable, error);
  machine->role->done (machine, monitor);
  return ok;
}

static gboolean
start (SpQemuMachine *machine, GCancellable *cancellable, GError **error)
{
  guint32 acceleration = SP_VM_NONE;

  if (!machine_runs (machine)) {
    if (!choose (machine, &acceleration, cancellable, error))
      return FALSE;
    machine->role->forget (machine);
    machine->qemu->host->api->progress (machine->qemu->host, acceleration == SP_VM_KVM
                                                                 ? "starting QEMU with KVM"
                                                                 : "starting QEMU, emulated");
    if (!machine->role->launch (machine, acceleration, cancellable, error))
      return FALSE;
  }
  if (release (machine, acceleration, cancellable, error))
    return TRUE;
  end_now (machine);
  return FALSE;
}

static gboolean
machine_start (gpointer data, GCancellable *cancellable, GError **error)
{
  SpQemuMachine *machine = data;
  g_autoptr (GError) why = NULL;
  gboolean ok;

  begin_call (machine);
  ok = start (machine, cancellable, &why);
  end_call (machine);
  if (ok) {
    machine->role->watch (machine);
    return TRUE;
  }
  set_ended (machine, SP_VM_FAILED, why->message);
  g_propagate_prefixed_error (error, g_steal_pointer (&why),
                              "cannot start %s: ", machine->any.spec->name);
  return FALSE;
}

/* ---- stop ------------------------------------------------------------------------------------------------- */

static gboolean
power_off (SpQemuMachine *machine, GCancellable *cancellable, GError **error)
{
  SpQemuMonitor *monitor = machine->role->monitor (machine, cancellable, error);
  gboolean ok =
      monitor != NULL && sp_qemu_monitor_do (monitor, "system_powerdown", cancellable, error);

  if (monitor != NULL)
    machine->role->done (machine, monitor);
  if (sp_qemu_wait (cancellable, ok ? FOREVER_MS : END_MS, does_not_run, machine)) {
    /* One that is ending gives up its monitor first. */
    g_clear_error (error);
    machine->role->forget (machine);
    return TRUE;
  }
  if (!ok)
    return FALSE;
  g_set_error (error, SP_ERROR, SP_ERROR_UNAVAILABLE,
               "the guest of %s did not power off in time; it can be ended by force",
               machine->any.spec->name);
  return FALSE;
}

static gboolean
machine_stop (gpointer data, gboolean force, GCancellable *cancellable, GError **error)
{
  SpQemuMachine *machine = data;
  gboolean ok = TRUE;

  if (!machine_runs (machine))
    return TRUE;
  begin_call (machine);
  if (force)
    end_now (machine);
  else
    ok = power_off (machine, cancellable, error);
  end_call (machine);
  if (ok && machine_runs (machine)) {
    g_set_error (error, SP_ERROR, SP_ERROR_INTERNAL,
                 "%s can't be ended: its QEMU hangs in the kernel", machine->any.spec->name);
    return FALSE;
  }
  if (ok)
    set_ended (machine, SP_VM_STOPPED, NULL);
  return ok;
}

/* ---- inspect ---------------------------------------------------------------------------------------------- */

static gboolean
ask (SpQemuMachine *machine, SpVmInfo *info, GCancellable *cancellable, GError **error)
{
  SpQemuMonitor *monitor = machine->role->monitor (machine, cancellable, error);
  gboolean ok;

  if (monitor == NULL)
    return FALSE;
  ok = sp_qemu_monitor_state (monitor, &info->state, cancellable, error) &&
       sp_qemu_monitor_acceleration (monitor, &machine->acceleration, cancellable, error);
  machine->role->done (machine, monitor);
  return ok;
}

/* Of one whose QEMU runs, but not the guest. */
static const char *
why_stopped (const SpQemuMachine *machine)
{
  const char *why = machine->qmp != NULL ? sp_qemu_monitor_disk_error (machine->qmp) : NULL;

  return why != NULL ? why : "the guest has stopped with an error that QEMU does not go on after";
}

static gboolean
machine_inspect (gpointer data, SpVmInfo *info, GCancellable *cancellable, GError **error)
{
  SpQemuMachine *machine = data;
  g_autoptr (GError) why = NULL;
  gboolean ok;

  begin_call (machine);
  /* One that is ending gives up its monitor first. */
  ok = !machine_runs (machine) || ask (machine, info, cancellable, &why) ||
       sp_qemu_wait (cancellable, END_MS, does_not_run, machine);
  end_call (machine);
  if (!ok) {
    g_propagate_error (error, g_steal_pointer (&why));
    return FALSE;
  }
  if (!machine_runs (machine))
    return TRUE;
  info->pid = machine->role->pid (machine);
  info->acceleration = machine->acceleration;
  if (info->state == SP_VM_FAILED)
    info->why = g_strdup (why_stopped (machine));
  return TRUE;
}

const SpQemuKind sp_qemu_kind = {
  .make = machine_make,
  .free = machine_free,
  .runs = machine_runs,
  .start = machine_start,
  .stop = machine_stop,
  .inspect = machine_inspect,
};
