/* machine.c - machine.h: start, stop, inspect, and what happens by itself
 *
 * What must stay true: where start() succeeds a guest executes; where it fails nothing runs and libvirt knows
 * nothing of it.
 */
#include "machine.h"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "boot.h"
#include "errors.h"
#include "host-facts.h"
#include "live.h"
#include "process.h"
#include "spec.h"
#include "wait.h"

#define END_MS 3000u /* until an end is heard of */
#define KILL_MS 2000 /* until a killed QEMU has ended */
#define FOREVER_MS G_MAXINT

static gpointer
machine_make (gpointer plugin, const SpVmSpec *spec)
{
  SpLibvirtMachine *machine = g_new0 (SpLibvirtMachine, 1);

  machine->libvirt = plugin;
  machine->any.spec = sp_qemu_spec_copy (spec);
  machine->any.ended = SP_VM_STOPPED;
  machine->pidfd = -1;
  return machine;
}

static void
machine_free (gpointer data)
{
  SpLibvirtMachine *machine = data;

  machine->busy = TRUE;
  sp_libvirt_machine_end (machine);
  sp_qemu_spec_free (machine->any.spec);
  g_free (machine->any.why);
  g_free (machine);
}

static gboolean
machine_runs (gpointer machine)
{
  return ((SpLibvirtMachine *) machine)->domain != NULL;
}

static gboolean
does_not_run (gpointer machine)
{
  return !machine_runs (machine);
}

/* ---- its end -------------------------------------------------------------------------------------------- */

/* Let go of what belonged to the run. */
static void
forget (SpLibvirtMachine *machine)
{
  if (machine->domain != NULL)
    (void) virDomainFree (machine->domain);
  if (machine->pidfd >= 0)
    (void) close (machine->pidfd);
  g_clear_pointer (&machine->console, sp_qemu_console_free);
  g_clear_pointer (&machine->live, g_free);
  sp_libvirt_boot_remove (machine->libvirt->boot_folder, machine->any.spec->id);
  machine->domain = NULL;
  machine->pidfd = -1;
  machine->pid = 0;
  machine->acceleration = SP_VM_NONE;
  machine->launched = machine->settled = machine->ending = FALSE;
  machine->cause = SP_LIBVIRT_NO_CAUSE;
}

static void
tell (SpLibvirtMachine *machine)
{
  SpHost *host = machine->libvirt->host;

  if (!machine->busy)
    host->api->vm_changed (host, machine->any.spec->id);
}

static const struct {
  int detail; /* virDomainEventStoppedDetailType */
  const char *why;
} ends[] = {
  { VIR_DOMAIN_EVENT_STOPPED_DESTROYED, "was destroyed by another program, by virsh perhaps" },
  { VIR_DOMAIN_EVENT_STOPPED_CRASHED, "ended because its guest crashed; its log may say why" },
  { VIR_DOMAIN_EVENT_STOPPED_MIGRATED, "was moved away by another program" },
  { VIR_DOMAIN_EVENT_STOPPED_SAVED, "was saved and ended by another program" },
  { VIR_DOMAIN_EVENT_STOPPED_FAILED, "ended because its QEMU was killed or failed" },
  { VIR_DOMAIN_EVENT_STOPPED_FROM_SNAPSHOT, "was ended by another program with a snapshot" },
};

/* Of a shut-down. */
static const char *const causes[SP_LIBVIRT_N_CAUSES] = {
  [SP_LIBVIRT_GUEST_RESET] =
      "ended because the guest reset itself, as a kernel does after a panic; its log may say why",
  [SP_LIBVIRT_OTHERS_RESET] = "was reset by another program, by virsh perhaps",
  [SP_LIBVIRT_OTHERS_BUTTON] = "was asked to power off by another program, by virsh perhaps",
  [SP_LIBVIRT_SIGNAL] = "ended because its QEMU was ended by a signal",
};

/* NULL: it powered off, or its end was wanted. */
static const char *
judge_end (const SpLibvirtMachine *machine, int detail)
{
  if (machine->ending)
    return NULL;
  for (gsize i = 0; i < G_N_ELEMENTS (ends); i++)
    if (ends[i].detail == detail)
      return ends[i].why;
  return causes[machine->cause];
}

static void
has_ended (SpLibvirtMachine *machine, const char *how)
{
  g_autofree char *why =
      how != NULL ? g_strdup_printf ("libvirt's domain '%s' %s", machine->any.spec->name, how)
                  : NULL;

  sp_qemu_set_ended (&machine->any, why != NULL ? SP_VM_FAILED : SP_VM_STOPPED, why);
  forget (machine);
  tell (machine);
}

static void
kill_process (const SpLibvirtMachine *machine)
{
  struct pollfd end = { .fd = machine->pidfd, .events = POLLIN };

  if (machine->pidfd >= 0 && syscall (SYS_pidfd_send_signal, machine->pidfd, SIGKILL, NULL, 0) == 0)
    (void) poll (&end, 1, KILL_MS);
}

/* Nobody would end it with us any more. */
static void
connection_was_lost (SpLibvirtMachine *machine)
{
  kill_process (machine);
  has_ended (machine, "was ended, as the connection to libvirt's daemon was lost");
}

void
sp_libvirt_machine_event (SpLibvirtMachine *machine, SpLibvirtEvent event, int detail)
{
  if (event == SP_LIBVIRT_STOPPED && machine->domain == NULL)
    machine->stale = FALSE;
  if (machine->domain == NULL)
    return;
  switch (event) {
  case SP_LIBVIRT_STOPPED:
    has_ended (machine, judge_end (machine, detail));
    return;
  case SP_LIBVIRT_LOST:
    connection_was_lost (machine);
    return;
  case SP_LIBVIRT_CAUSE:
    /* The first has led to what follows. */
    if (machine->cause == SP_LIBVIRT_NO_CAUSE && !machine->ending)
      machine->cause = detail;
    return;
  case SP_LIBVIRT_CHANGED:
  case SP_LIBVIRT_RESUMED:
    if (machine->settled)
      tell (machine);
    /* The last thing of a start. */
    machine->settled = machine->settled || event == SP_LIBVIRT_RESUMED;
  }
}

/* A daemon that died while it started QEMU has left it running and can't say so. */
static void
find_orphan (SpLibvirtMachine *machine)
{
  if (machine->pidfd < 0 && machine->launched)
    machine->pidfd = sp_libvirt_process_open (machine->any.spec->id, machine->user, &machine->pid);
}

void
sp_libvirt_machine_end (SpLibvirtMachine *machine)
{
  gboolean heard = FALSE;

  machine->ending = TRUE;
  if (machine->domain != NULL && virDomainDestroy (machine->domain) == 0)
    heard = sp_qemu_wait (NULL, END_MS, does_not_run, machine);
  if (!heard) {
    find_orphan (machine);
    kill_process (machine);
  }
  forget (machine);
}

/* ---- start ---------------------------------------------------------------------------------------------- */

static gboolean
choose (SpLibvirtMachine *machine, guint32 *ret_acceleration, GCancellable *cancellable,
        GError **error)
{
  SpVmProbe probe = { .size = sizeof probe };

  *ret_acceleration = machine->any.spec->acceleration;
  if (*ret_acceleration == SP_VM_NONE)
    *ret_acceleration = machine->libvirt->acceleration;
  if (*ret_acceleration != SP_VM_NONE)
    return TRUE;
  if (!sp_libvirt_probe (machine->libvirt, &probe, cancellable, error))
    return FALSE;
  *ret_acceleration = probe.acceleration;
  g_free (probe.why);
  g_free (probe.version);
  return TRUE;
}

static gboolean
start (SpLibvirtMachine *machine, GCancellable *cancellable, GError **error)
{
  SpHost *host = machine->libvirt->host;
  guint32 acceleration;

  if (!choose (machine, &acceleration, cancellable, error))
    return FALSE;
  host->api->progress (host, acceleration == SP_VM_KVM ? "starting a domain with KVM"
                                                       : "starting a domain, emulated");
  return sp_libvirt_launch (machine, acceleration, cancellable, error);
}

static gboolean
machine_start (gpointer data, GCancellable *cancellable, GError **error)
{
  SpLibvirtMachine *machine = data;
  g_autoptr (GError) why = NULL;
  gboolean ok;

  if (machine_runs (machine))
    return TRUE;
  machine->busy = TRUE;
  ok = start (machine, cancellable, &why);
  if (!ok) {
    sp_libvirt_explain_loss (machine->libvirt, &why);
    sp_libvirt_machine_end (machine);
  }
  machine->busy = FALSE;
  if (ok)
    return TRUE;
  sp_qemu_set_ended (&machine->any, SP_VM_FAILED, why->message);
  g_propagate_prefixed_error (error, g_steal_pointer (&why),
                              "cannot start %s: ", machine->any.spec->name);
  return FALSE;
}

/* ---- stop ----------------------------------------------------------------------------------------------- */

static gboolean
power_off (SpLibvirtMachine *machine, GCancellable *cancellable, GError **error)
{
  g_autoptr (GError) why = NULL;
  gboolean ok;

  machine->ending = TRUE;
  ok = virDomainShutdownFlags (machine->domain, VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN) == 0 ||
       sp_libvirt_fail (&why, "the guest can't be asked to power off");
  /* One that is ending takes no requests. */
  if (sp_qemu_wait (cancellable, ok ? FOREVER_MS : END_MS, does_not_run, machine))
    return TRUE;
  machine->ending = FALSE;
  if (why != NULL)
    g_propagate_error (error, g_steal_pointer (&why));
  else
    g_set_error (error, SP_ERROR, SP_ERROR_UNAVAILABLE,
                 "the guest of %s did not power off in time; it can be ended by force",
                 machine->any.spec->name);
  return FALSE;
}

static gboolean
machine_stop (gpointer data, gboolean force, GCancellable *cancellable, GError **error)
{
  SpLibvirtMachine *machine = data;
  gboolean ok = TRUE;

  if (!machine_runs (machine))
    return TRUE;
  machine->busy = TRUE;
  if (force)
    sp_libvirt_machine_end (machine);
  else
    ok = power_off (machine, cancellable, error);
  machine->busy = FALSE;
  if (ok)
    sp_qemu_set_ended (&machine->any, SP_VM_STOPPED, NULL);
  return ok;
}

/* ---- inspect -------------------------------------------------------------------------------------------- */

static guint32
state_of (int state, int reason)
{
  if (state == VIR_DOMAIN_PAUSED)
    return reason == VIR_DOMAIN_PAUSED_IOERROR || reason == VIR_DOMAIN_PAUSED_CRASHED
               ? SP_VM_FAILED
               : SP_VM_PAUSED;
  return state == VIR_DOMAIN_CRASHED ? SP_VM_FAILED : SP_VM_RUNNING;
}

/* What somebody did to it, in words; NULL: nothing. */
static char *
find_change (const SpLibvirtMachine *machine, const char *xml)
{
  g_autofree char *now = sp_libvirt_live_form (xml);
  g_autofree char *difference =
      now != NULL ? sp_libvirt_live_difference (machine->live, now) : NULL;

  if (difference != NULL)
    return g_strdup_printf (
        "the definition of libvirt's domain '%s' was changed by another program: %s",
        machine->any.spec->name, difference);
  if (virDomainIsPersistent (machine->domain) == 1)
    return g_strdup_printf ("another program has defined libvirt's domain '%s' anew, to last: run "
                            "virsh undefine %s",
                            machine->any.spec->name, machine->any.spec->name);
  return NULL;
}

/* libvirt hears of it later than the kernel. */
static gboolean
check_process (const SpLibvirtMachine *machine, GError **error)
{
  struct pollfd end = { .fd = machine->pidfd, .events = POLLIN };

  if (poll (&end, 1, 0) == 0)
    return TRUE;
  g_set_error (error, SP_ERROR, SP_ERROR_UNAVAILABLE,
               "the QEMU of %s has ended, and libvirt does not say why", machine->any.spec->name);
  return FALSE;
}

static gboolean
look (SpLibvirtMachine *machine, SpVmInfo *info, GError **error)
{
  int state = VIR_DOMAIN_NOSTATE, reason = 0;
  g_autofree char *xml = NULL;

  if (!check_process (machine, error))
    return FALSE;
  if (virDomainGetState (machine->domain, &state, &reason, 0) != 0)
    return sp_libvirt_fail (error, "libvirt does not say how %s is", machine->any.spec->name);
  if (state == VIR_DOMAIN_SHUTDOWN || state == VIR_DOMAIN_SHUTOFF) {
    g_set_error (error, SP_ERROR, SP_ERROR_UNAVAILABLE, "%s is ending", machine->any.spec->name);
    return FALSE;
  }
  xml = virDomainGetXMLDesc (machine->domain, 0);
  if (xml == NULL)
    return sp_libvirt_fail (error, "libvirt does not describe %s", machine->any.spec->name);
  info->state = state_of (state, reason);
  info->why = info->state == SP_VM_FAILED
                  ? g_strdup ("the guest has stopped with an error: its disk can't be written, "
                              "perhaps because the host's is full")
                  : find_change (machine, xml);
  if (info->why != NULL)
    info->state = SP_VM_FAILED;
  return TRUE;
}

/* Of one that is ending, or whose daemon does not answer. */
static gboolean
has_ended_meanwhile (SpLibvirtMachine *machine, GCancellable *cancellable)
{
  if (machine->domain != NULL && virConnectIsAlive (machine->libvirt->connection) != 1)
    connection_was_lost (machine);
  return sp_qemu_wait (cancellable, END_MS, does_not_run, machine);
}

static gboolean
machine_inspect (gpointer data, SpVmInfo *info, GCancellable *cancellable, GError **error)
{
  SpLibvirtMachine *machine = data;
  g_autoptr (GError) why = NULL;
  gboolean ok;

  machine->busy = TRUE;
  ok = !machine_runs (machine) || look (machine, info, &why) ||
       has_ended_meanwhile (machine, cancellable);
  machine->busy = FALSE;
  if (!ok) {
    g_propagate_error (error, g_steal_pointer (&why));
    return FALSE;
  }
  if (!machine_runs (machine))
    return TRUE;
  info->pid = machine->pid;
  info->acceleration = machine->acceleration;
  return TRUE;
}

const SpQemuKind sp_libvirt_kind = {
  .make = machine_make,
  .free = machine_free,
  .runs = machine_runs,
  .start = machine_start,
  .stop = machine_stop,
  .inspect = machine_inspect,
};
