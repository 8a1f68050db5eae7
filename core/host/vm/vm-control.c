/* vm-control.c - vm-control.h */
#include "host/vm/vm-control.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gunixinputstream.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/problem.h"
#include "base/state.h"
#include "host/resident/admin-socket.h"
#include "host/vm/last-line.h"
#include "host/self.h"
#include "host/vm/vault-record.h"

#define START_MS 240000
#define CLOUD_START_MS 960000
#define STOP_MS 90000
#define END_MS 10000
#define KILL_MS 5000
#define MAX_LINE 4096u
#define MAX_LOG (1024 * 1024)
#define SYSTEMCTL "/usr/bin/systemctl"
#define UNIT "secret-proxy@"

gboolean
sp_vm_control_runs (const char *folder)
{
  int fd = sp_admin_connect (folder, NULL);

  if (fd >= 0)
    (void) close (fd);
  return fd >= 0;
}

/* ---- by systemd ------------------------------------------------------------------------------------- */

static gboolean
is_usual (const SpVmRunOptions *options)
{
  g_autofree char *state = sp_state_dir ();
  g_autofree char *usual = g_build_filename (state, options->vault, NULL);

  return options->config == NULL && options->plugin_dir == NULL && options->vault != NULL &&
         g_getenv ("SECRET_PROXY_STATE_DIR") == NULL && g_str_equal (usual, options->dir);
}

/* FALSE: it is no unit's business. */
static gboolean
run_systemctl (const char *verb, const char *vault, GError **error)
{
  g_autofree char *unit = g_strconcat (UNIT, vault, ".service", NULL);
  g_autoptr (GSubprocess) process =
      g_subprocess_new (G_SUBPROCESS_FLAGS_STDOUT_SILENCE | G_SUBPROCESS_FLAGS_STDERR_SILENCE,
                        error, SYSTEMCTL, verb, unit, NULL);

  return process != NULL && g_subprocess_wait_check (process, NULL, error);
}

static gboolean
has_unit (const SpVmRunOptions *options)
{
  return geteuid () == 0 && access ("/run/systemd/system", F_OK) == 0 &&
         access (SYSTEMCTL, X_OK) == 0 && is_usual (options) &&
         run_systemctl ("cat", options->vault, NULL);
}

static gboolean
start_unit (const SpVmRunOptions *options, GError **error)
{
  g_autoptr (GError) local = NULL;

  if (run_systemctl ("start", options->vault, &local))
    return TRUE;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_UNREACHABLE,
               UNIT "%s.service did not start: see 'journalctl -u " UNIT "%s'", options->vault,
               options->vault);
  return FALSE;
}

/* ---- here ------------------------------------------------------------------------------------------- */

/* Until it is ready (ready-line.c) it must not outlive whoever waits for it: a takeover that dies in
 * this step would leave a vault behind that nobody asked for. */
static void
in_child (gpointer parent)
{
  (void) setsid ();
  (void) prctl (PR_SET_PDEATHSIG, SIGTERM);
  if (getppid () != GPOINTER_TO_INT (parent))
    _exit (1);
}

/* Appended to; begun anew where it has grown too long. */
static int
open_log (const SpVmRunOptions *options, GError **error)
{
  g_autofree char *path = g_build_filename (options->dir, SP_VAULT_LOG, NULL);
  int fd = open (path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
  struct stat st;

  if (fd >= 0 && fstat (fd, &st) == 0 && (st.st_size <= MAX_LOG || ftruncate (fd, 0) == 0))
    return fd;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG, "cannot write %s: %s", path,
               g_strerror (errno));
  if (fd >= 0)
    (void) close (fd);
  return -1;
}

static void
add_option (GPtrArray *argv, const char *name, const char *value)
{
  if (value == NULL)
    return;
  g_ptr_array_add (argv, (gpointer) name);
  g_ptr_array_add (argv, (gpointer) value);
}

static GSubprocess *
spawn (const SpVmRunOptions *options, GError **error)
{
  g_autoptr (GSubprocessLauncher) launcher =
      g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_STDOUT_PIPE);
  g_auto (GStrv) environment = sp_self_environment (NULL);
  g_autoptr (GPtrArray) argv = g_ptr_array_new ();
  g_autofree char *self = sp_self_path (error);
  g_autofree char *folder = g_strconcat (options->dir, "/", NULL);
  int fd = self ? open_log (options, error) : -1;

  if (fd < 0)
    return NULL;
  g_subprocess_launcher_take_stderr_fd (launcher, fd);
  g_subprocess_launcher_set_environ (launcher, environment);
  g_subprocess_launcher_set_child_setup (launcher, in_child, GINT_TO_POINTER (getpid ()), NULL);
  g_ptr_array_add (argv, self);
  add_option (argv, "--config", options->config);
  add_option (argv, "--plugin-dir", options->plugin_dir);
  add_option (argv, "--vault", folder);
  g_ptr_array_add (argv, (gpointer) "vm");
  g_ptr_array_add (argv, (gpointer) "run");
  if (options->vault != NULL)
    g_ptr_array_add (argv, (gpointer) options->vault);
  if (options->maintenance)
    g_ptr_array_add (argv, (gpointer) "--maintenance");
  g_ptr_array_add (argv, NULL);
  return g_subprocess_launcher_spawnv (launcher, (const char *const *) argv->pdata, error);
}

/* A distribution boots for longer than an appliance. */
static guint
start_ms_of (const SpVmRunOptions *options)
{
  int folder = open (options->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  g_autoptr (SpVaultRecord) record = folder >= 0 ? sp_vault_record_read (folder, NULL) : NULL;

  if (folder >= 0)
    (void) close (folder);
  if (options->start_ms != 0)
    return options->start_ms;
  return record != NULL && record->base != NULL ? CLOUD_START_MS : START_MS;
}

/* Its first line, or nothing where it ended before. */
static gboolean
wait_ready (GSubprocess *process, guint start_ms, gboolean *ret_late)
{
  GInputStream *out = g_subprocess_get_stdout_pipe (process);
  int fd = g_unix_input_stream_get_fd (G_UNIX_INPUT_STREAM (out));
  gint64 end = g_get_monotonic_time () + (gint64) start_ms * G_TIME_SPAN_MILLISECOND;
  char line[MAX_LINE];
  gsize length = 0;

  while (length < sizeof line) {
    struct pollfd one = { fd, POLLIN, 0 };
    gint64 left = (end - g_get_monotonic_time ()) / G_TIME_SPAN_MILLISECOND;
    gssize n;

    *ret_late = left <= 0;
    if (left <= 0)
      return FALSE;
    if (poll (&one, 1, (int) left) <= 0)
      continue;
    n = read (fd, line + length, sizeof line - length);
    if (n <= 0)
      return FALSE;
    length += (gsize) n;
    if (memchr (line, '\n', length) != NULL)
      return TRUE;
  }
  return FALSE;
}

/* The last line of its log after @from, which is why it ended. */
static char *
last_words (const char *path, goffset from)
{
  static const char prefix[] = "secret-proxy: ";
  g_autofree char *line = sp_last_line (path, from, prefix);

  if (line == NULL)
    return g_strdup ("it left no message");
  return g_strdup (g_str_has_prefix (line, prefix) ? line + strlen (prefix) : line);
}

static SpProblemCode
code_of (GSubprocess *process)
{
  int status = g_subprocess_get_if_exited (process) ? g_subprocess_get_exit_status (process) : 1;

  return sp_problem_from_exit (status);
}

/* Its end closes its stdout, which no child of it has. */
static void
end_child (GSubprocess *process)
{
  GInputStream *out = g_subprocess_get_stdout_pipe (process);
  struct pollfd one = { g_unix_input_stream_get_fd (G_UNIX_INPUT_STREAM (out)), 0, 0 };

  g_subprocess_send_signal (process, SIGTERM);
  if (poll (&one, 1, END_MS) <= 0)
    g_subprocess_force_exit (process);
  (void) g_subprocess_wait (process, NULL, NULL);
}

static gboolean
start_here (const SpVmRunOptions *options, GError **error)
{
  g_autofree char *log = g_build_filename (options->dir, SP_VAULT_LOG, NULL);
  goffset mark = sp_last_line_mark (log);
  g_autoptr (GSubprocess) process = spawn (options, error);
  g_autofree char *why = NULL;
  gboolean late = FALSE;

  if (process == NULL)
    return FALSE;
  if (wait_ready (process, start_ms_of (options), &late))
    return TRUE;
  end_child (process);
  if (!late && g_subprocess_get_successful (process)) {
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_CONFLICT, "it was stopped while it started");
    return FALSE;
  }
  why = last_words (log, mark);
  g_set_error (error, SP_PROBLEM, late ? SP_PROBLEM_TIMED_OUT : code_of (process), "%s%s",
               late ? "the vault was not unlocked in time: " : "", why);
  return FALSE;
}

gboolean
sp_vm_control_start (const SpVmRunOptions *options, GError **error)
{
  if (sp_vm_control_runs (options->dir)) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFLICT, "the vault in %s runs already",
                 options->dir);
    return FALSE;
  }
  /* What the unit runs again by itself must be what it always runs. */
  return has_unit (options) && !options->maintenance ? start_unit (options, error)
                                                     : start_here (options, error);
}

/* ---- stop ------------------------------------------------------------------------------------------- */

static gboolean
end_by (int pid_fd, int number, int ms, GError **error)
{
  struct pollfd one = { pid_fd, POLLIN, 0 };

  (void) syscall (SYS_pidfd_send_signal, pid_fd, number, NULL, 0);
  if (poll (&one, 1, ms) > 0)
    return TRUE;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_TIMED_OUT,
               "the vault's resident process has not ended for %d s", ms / 1000);
  return FALSE;
}

/* A descriptor of the process that holds the vault's lock, so that no other can take its number. */
static int
open_holder (int folder)
{
  pid_t pid = sp_admin_lock_holder (folder);
  int fd = pid != 0 ? (int) syscall (SYS_pidfd_open, pid, 0) : -1;

  if (fd >= 0 && sp_admin_lock_holder (folder) == pid)
    return fd;
  if (fd >= 0)
    (void) close (fd);
  return -1;
}

/* -1: none runs. */
static int
open_holder_at (const char *path)
{
  int folder = open (path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  int holder = folder >= 0 ? open_holder (folder) : -1;

  if (folder >= 0)
    (void) close (folder);
  return holder;
}

gboolean
sp_vm_control_stop (const char *path, gboolean *ret_ran, GError **error)
{
  int holder = open_holder_at (path);
  gboolean gone = TRUE;

  *ret_ran = holder >= 0;
  if (holder >= 0) {
    gone = end_by (holder, SIGTERM, STOP_MS, error);
    (void) close (holder);
  }
  return gone;
}

gboolean
sp_vm_control_end (const char *path, GError **error)
{
  int holder = open_holder_at (path);
  gboolean gone = TRUE;

  if (holder >= 0) {
    gone = end_by (holder, SIGTERM, END_MS, NULL) || end_by (holder, SIGKILL, KILL_MS, error);
    (void) close (holder);
  }
  return gone;
}
