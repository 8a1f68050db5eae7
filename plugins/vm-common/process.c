/* process.c - process.h on GSubprocess
 *
 * What must stay true: QEMU never has a right more than its user, gets no core dump, and what it writes is
 * bounded and shown without control characters.
 */
#include "process.h"

#include <errno.h>
#include <glib-unix.h>
#include <grp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <secret-proxy/plugin.h>

#define MAX_SAID 4096
#define MAX_LINE 300

typedef struct {
  int fd, to;
} Given;

/* For the child between fork and exec: no memory of GLib's, no locks. */
typedef struct {
  uid_t user;
  gid_t device;
  gboolean bound;
  pid_t parent;
} Setup;

struct _SpQemuProcess {
  GSubprocess *child;
  GCancellable *cancellable; /* cancelled when this is freed */
  gboolean bound;
  gboolean has_ended;
  SpQemuEnded ended;
  gpointer data;
  int out; /* what it writes; -1: at its end */
  GSource *source;
  GString *said;
};

/* ---- what it is started with ---------------------------------------------------------------------------- */

static void
close_given (gpointer data)
{
  const Given *given = data;

  if (given->fd >= 0)
    (void) close (given->fd);
}

SpQemuSpawn *
sp_qemu_spawn_new (uid_t user)
{
  SpQemuSpawn *spawn = g_new0 (SpQemuSpawn, 1);

  spawn->user = user;
  spawn->environment = g_environ_setenv (NULL, "PATH", "/usr/sbin:/usr/bin:/sbin:/bin", TRUE);
  spawn->given = g_array_new (FALSE, FALSE, sizeof (Given));
  g_array_set_clear_func (spawn->given, close_given);
  return spawn;
}

void
sp_qemu_spawn_free (SpQemuSpawn *spawn)
{
  if (spawn == NULL)
    return;
  g_strfreev (spawn->argv);
  g_strfreev (spawn->environment);
  g_array_unref (spawn->given);
  g_free (spawn);
}

void
sp_qemu_spawn_give (SpQemuSpawn *spawn, int fd, int to)
{
  const Given given = { fd, to };

  g_array_append_val (spawn->given, given);
}

void
sp_qemu_spawn_allow_kvm (SpQemuSpawn *spawn)
{
  struct stat st;

  if (stat ("/dev/kvm", &st) == 0)
    spawn->device = st.st_gid;
}

/* ---- in the child ----------------------------------------------------------------------------------------- */

static void
give_up (const char *why)
{
  (void) !write (STDERR_FILENO, why, strlen (why));
  _exit (126);
}

static void
become (const Setup *setup)
{
  gsize n = setup->device != 0 ? 1 : 0;

  if (geteuid () != 0 || setup->user == 0)
    return;
  if (setgroups (n, &setup->device) != 0 ||
      setresgid (setup->user, setup->user, setup->user) != 0 ||
      setresuid (setup->user, setup->user, setup->user) != 0)
    give_up ("cannot become another user\n");
}

static void
in_child (gpointer data)
{
  const Setup *setup = data;
  const struct rlimit none = { 0, 0 };

  if (setrlimit (RLIMIT_CORE, &none) != 0)
    give_up ("cannot forbid core dumps\n");
  become (setup);
  if (prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    give_up ("cannot give up new privileges\n");
  if (!setup->bound) {
    /* No signal of our terminal reaches it. */
    (void) setsid ();
    return;
  }
  /* Only now: changing the user clears it. */
  if (prctl (PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid () != setup->parent)
    give_up ("cannot be bound to the plugin host\n");
}

/* ---- what it says ----------------------------------------------------------------------------------------- */

/* FALSE: it says nothing more. */
static gboolean
hear (SpQemuProcess *process)
{
  char chunk[1024];
  gssize n = read (process->out, chunk, sizeof chunk);

  if (n < 0)
    return errno == EAGAIN || errno == EINTR;
  g_string_append_len (process->said, chunk, n);
  if (process->said->len > MAX_SAID)
    g_string_erase (process->said, 0, (gssize) (process->said->len - MAX_SAID));
  return n > 0;
}

static void
hear_no_more (SpQemuProcess *process)
{
  if (process->source != NULL) {
    g_source_destroy (process->source);
    g_clear_pointer (&process->source, g_source_unref);
  }
  if (process->out >= 0)
    (void) close (process->out);
  process->out = -1;
}

static gboolean
on_said (int fd, GIOCondition condition, gpointer data)
{
  SpQemuProcess *process = data;

  if (hear (process))
    return G_SOURCE_CONTINUE;
  hear_no_more (process);
  return G_SOURCE_REMOVE;
}

/* The last line that is not empty, as it may be shown. */
static char *
last_words (SpQemuProcess *process)
{
  g_autofree char *valid = g_utf8_make_valid (process->said->str, (gssize) process->said->len);
  char *start;

  g_strchomp (valid);
  start = strrchr (valid, '\n');
  start = start != NULL ? start + 1 : valid;
  for (char *p = start; *p != '\0'; p++)
    if (g_ascii_iscntrl (*p))
      *p = ' ';
  return g_utf8_strlen (start, -1) > MAX_LINE ? g_utf8_substring (start, 0, MAX_LINE)
                                              : g_strdup (start);
}

/* ---- its end ---------------------------------------------------------------------------------------------- */

static void
on_ended (GObject *child, GAsyncResult *result, gpointer data)
{
  g_autoptr (GError) cancelled = NULL;
  SpQemuProcess *process = data;

  /* Where it was cancelled @data is no more. */
  if (!g_subprocess_wait_finish (G_SUBPROCESS (child), result, &cancelled))
    return;
  while (process->out >= 0 && hear (process) && errno != EAGAIN)
    errno = 0;
  hear_no_more (process);
  process->has_ended = TRUE;
  if (process->ended != NULL)
    process->ended (process->data);
}

gboolean
sp_qemu_process_has_ended (const SpQemuProcess *process)
{
  return process->has_ended;
}

int
sp_qemu_process_status (const SpQemuProcess *process)
{
  return g_subprocess_get_if_exited (process->child) ? g_subprocess_get_exit_status (process->child)
                                                     : -1;
}

char *
sp_qemu_process_how (SpQemuProcess *process)
{
  g_autofree char *words = last_words (process);
  const char *colon = *words != '\0' ? ": " : "";
  int number;

  if (g_subprocess_get_if_exited (process->child))
    return g_strdup_printf ("ended with status %d%s%s",
                            g_subprocess_get_exit_status (process->child), colon, words);
  number = g_subprocess_get_term_sig (process->child);
  return g_strdup_printf ("was ended by signal %d (%s)%s%s", number, g_strsignal (number), colon,
                          words);
}

gint64
sp_qemu_process_pid (const SpQemuProcess *process)
{
  const char *pid = g_subprocess_get_identifier (process->child);

  return pid != NULL ? g_ascii_strtoll (pid, NULL, 10) : 0;
}

void
sp_qemu_process_kill (SpQemuProcess *process)
{
  g_subprocess_force_exit (process->child);
}

/* ---- life ------------------------------------------------------------------------------------------------- */

static GSubprocess *
start (SpQemuSpawn *spawn, int out, GError **error)
{
  g_autoptr (GSubprocessLauncher) launcher = g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_NONE);
  Setup setup = { spawn->user, spawn->device, spawn->bound, getpid () };
  int second = fcntl (out, F_DUPFD_CLOEXEC, 3);

  g_subprocess_launcher_set_environ (launcher, spawn->environment);
  g_subprocess_launcher_take_stderr_fd (launcher, out);
  if (second >= 0)
    g_subprocess_launcher_take_stdout_fd (launcher, second);
  for (guint i = 0; i < spawn->given->len; i++) {
    Given *given = &g_array_index (spawn->given, Given, i);

    g_subprocess_launcher_take_fd (launcher, given->fd, given->to);
    given->fd = -1;
  }
  g_subprocess_launcher_set_child_setup (launcher, in_child, &setup, NULL);
  return g_subprocess_launcher_spawnv (launcher, (const char *const *) spawn->argv, error);
}

SpQemuProcess *
sp_qemu_process_start (SpQemuSpawn *spawn, SpQemuEnded ended, gpointer data, GError **error)
{
  SpQemuProcess *process;
  g_autoptr (GError) why = NULL;
  GSubprocess *child;
  int pipe_fds[2];

  if (!g_unix_open_pipe (pipe_fds, FD_CLOEXEC, error))
    return NULL;
  child = start (spawn, pipe_fds[1], &why);
  if (child == NULL) {
    (void) close (pipe_fds[0]);
    g_set_error (error, SP_ERROR, SP_ERROR_CONFIG,
                 "cannot start %s: %s; install the Debian package qemu-system-x86, or set `qemu`",
                 spawn->argv[0], why->message);
    return NULL;
  }
  process = g_new0 (SpQemuProcess, 1);
  process->child = child;
  process->bound = spawn->bound;
  process->cancellable = g_cancellable_new ();
  process->ended = ended;
  process->data = data;
  process->said = g_string_new (NULL);
  process->out = pipe_fds[0];
  (void) g_unix_set_fd_nonblocking (process->out, TRUE, NULL);
  process->source = g_unix_fd_source_new (process->out, G_IO_IN | G_IO_HUP);
  g_source_set_callback (process->source, G_SOURCE_FUNC (on_said), process, NULL);
  g_source_attach (process->source, g_main_context_get_thread_default ());
  g_subprocess_wait_async (child, process->cancellable, on_ended, process);
  return process;
}

void
sp_qemu_process_free (SpQemuProcess *process)
{
  if (process == NULL)
    return;
  g_cancellable_cancel (process->cancellable);
  g_object_unref (process->cancellable);
  if (process->bound && !process->has_ended)
    g_subprocess_force_exit (process->child);
  hear_no_more (process);
  g_object_unref (process->child);
  g_string_free (process->said, TRUE);
  g_free (process);
}
