/* provision.c - machine.h: a machine that outlives this process
 *
 * Its monitor serves one client at a time, and the host's takeover is to be one: so each connection is given
 * back at once.  Its console goes into a ring buffer of QEMU, since there is nobody who could bound a file
 * when this process is gone; what the buffer has is appended to the log when somebody looks at the machine
 * or ends it.
 */
#include <glib-unix.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "argv.h"
#include "guard.h"
#include "machine.h"
#include "pid.h"
#include "wait.h"

#define GREETING_MS 3000u
#define START_MS 30000u
#define CONSOLE_ARGUMENTS \
  "{\"device\":\"" SP_QEMU_CONSOLE \
  "\",\"size\":" G_STRINGIFY (SP_QEMU_CONSOLE_SIZE) "," \
                                                    "\"format\":\"base64\"}"

/* ---- its process ------------------------------------------------------------------------------------------ */

static gboolean
provision_runs (SpQemuMachine *machine)
{
  gint64 pid;

  if (machine->pidfd < 0)
    machine->pidfd = sp_qemu_pid_open (machine->any.spec, &pid);
  return machine->pidfd >= 0 && !sp_qemu_pid_has_ended (machine->pidfd);
}

static void
provision_forget (SpQemuMachine *machine)
{
  if (machine->pid_source != NULL) {
    g_source_destroy (machine->pid_source);
    g_clear_pointer (&machine->pid_source, g_source_unref);
  }
  if (machine->pidfd >= 0)
    (void) close (machine->pidfd);
  machine->pidfd = -1;
}

static void
provision_settle (SpQemuMachine *machine)
{
  if (machine->pidfd < 0)
    return;
  /* An orderly end takes the pid file along. */
  sp_qemu_machine_has_ended (machine, access (machine->any.spec->pid_file, F_OK) == 0
                                          ? "ended without an orderly shutdown"
                                          : NULL);
}

static gboolean
on_ended (int fd, GIOCondition condition, gpointer data)
{
  provision_settle (data);
  return G_SOURCE_REMOVE;
}

static void
provision_watch (SpQemuMachine *machine)
{
  if (machine->pid_source != NULL || machine->pidfd < 0)
    return;
  machine->pid_source = g_unix_fd_source_new (machine->pidfd, G_IO_IN);
  g_source_set_callback (machine->pid_source, G_SOURCE_FUNC (on_ended), machine, NULL);
  g_source_attach (machine->pid_source, g_main_context_get_thread_default ());
}

static void
provision_kill (SpQemuMachine *machine)
{
  if (machine->pidfd >= 0)
    sp_qemu_pid_kill (machine->pidfd);
}

static gint64
provision_pid (SpQemuMachine *machine)
{
  gint64 pid;
  int pidfd = sp_qemu_pid_open (machine->any.spec, &pid);

  if (pidfd >= 0)
    (void) close (pidfd);
  return pid;
}

/* ---- its monitor and console ------------------------------------------------------------------------------ */

static SpQemuMonitor *
provision_monitor (SpQemuMachine *machine, GCancellable *cancellable, GError **error)
{
  g_autoptr (SpQemuMonitor) monitor =
      sp_qemu_monitor_connect (machine->qemu->host, machine->any.spec->monitor, error);

  if (monitor != NULL && sp_qemu_monitor_begin (monitor, GREETING_MS, cancellable, error))
    return g_steal_pointer (&monitor);
  return NULL;
}

static void
keep_console (SpQemuMachine *machine, SpQemuMonitor *monitor)
{
  g_autoptr (JsonNode) value = NULL;
  g_autoptr (SpQemuLog) log = NULL;
  g_autofree guchar *bytes = NULL;
  gsize length;

  if (machine->any.spec->log == NULL)
    return;
  value = sp_qemu_monitor_call (monitor, "ringbuf-read", CONSOLE_ARGUMENTS, NULL, NULL);
  if (value == NULL || json_node_get_value_type (value) != G_TYPE_STRING)
    return;
  bytes = g_base64_decode (json_node_get_string (value), &length);
  log = length > 0 ? sp_qemu_log_open (machine->any.spec->log, machine->any.spec->log_limit, NULL)
                   : NULL;
  if (log != NULL)
    sp_qemu_log_write (log, bytes, length);
}

static void
provision_done (SpQemuMachine *machine, SpQemuMonitor *monitor)
{
  if (provision_runs (machine))
    keep_console (machine, monitor);
  sp_qemu_monitor_free (monitor);
}

/* ---- starting --------------------------------------------------------------------------------------------- */

static gboolean
begin (SpQemuMachine *machine, const SpQemuLaunch *launch, GCancellable *cancellable,
       GError **error)
{
  g_autoptr (SpQemuMonitor) monitor =
      sp_qemu_monitor_connect (machine->qemu->host, machine->any.spec->monitor, error);

  if (monitor == NULL || !sp_qemu_monitor_begin (monitor, START_MS, cancellable, error)) {
    sp_qemu_launch_explain (launch->process, error);
    return FALSE;
  }
  if (launch->guard >= 0 && !sp_qemu_guard_is_there (launch->guard, error))
    return FALSE;
  if (provision_runs (machine))
    return TRUE;
  g_set_error (error, SP_ERROR, SP_ERROR_INTERNAL, "QEMU did not write %s",
               machine->any.spec->pid_file);
  return FALSE;
}

static gboolean
provision_launch (SpQemuMachine *machine, guint32 acceleration, GCancellable *cancellable,
                  GError **error)
{
  /* Freed here, it lives on. */
  g_autoptr (SpQemuProcess) process = NULL;
  SpQemuLaunch launch;
  gboolean ok;

  (void) unlink (machine->any.spec->pid_file);
  if (!sp_qemu_launch (machine->qemu, machine->any.spec, acceleration, NULL, NULL, &launch, error))
    return FALSE;
  process = launch.process;
  ok = begin (machine, &launch, cancellable, error);
  if (launch.guard >= 0)
    (void) close (launch.guard);
  if (!ok)
    sp_qemu_process_kill (process);
  return ok;
}

const SpQemuRole sp_qemu_provision = {
  .launch = provision_launch,
  .runs = provision_runs,
  .monitor = provision_monitor,
  .done = provision_done,
  .kill = provision_kill,
  .pid = provision_pid,
  .watch = provision_watch,
  .settle = provision_settle,
  .forget = provision_forget,
};
