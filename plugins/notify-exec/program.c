/* program.c - program.h on GSubprocess and three pipes
 *
 * What must stay true: no shell; nothing that the program does or leaves undone blocks this thread; its
 * process group is killed only while its leader has not been waited for, so the number is still its own.
 */
#include "program.h"

#include <errno.h>
#include <glib-unix.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

/* What a child that it left behind may still write, we don't wait for. */
#define DRAIN_MS 200u
#define MAX_ERR 1024u
#define MAX_LAST 200

typedef struct {
  int fd; /* -1: closed */
  GSource *source;
} Pipe;

struct _NxProgram {
  GMainContext *context;
  GSubprocess *process;
  GCancellable *cancellable; /* cancelled when this is freed */
  NxEnded ended;
  gpointer data;
  Pipe in, out, err;
  char *input;
  gsize input_done;
  char out_text[NX_MAX_OUT + 2]; /* one more than is allowed, and a NUL */
  gsize out_length;
  char err_text[MAX_ERR + 1]; /* the end of it */
  gsize err_length;
  gboolean exited;
  GSource *drain;
};

static void
source_clear (GSource **source)
{
  if (*source == NULL)
    return;
  g_source_destroy (*source);
  g_clear_pointer (source, g_source_unref);
}

static void
pipe_close (Pipe *pipe)
{
  source_clear (&pipe->source);
  if (pipe->fd >= 0)
    (void) close (pipe->fd);
  pipe->fd = -1;
}

/* ---- its surroundings ------------------------------------------------------------------------------- */

char **
nx_environment (const char *const *more)
{
  static const char *const kept[] = { "LANG", "LC_ALL", "TZ" };
  char **environment = g_environ_setenv (NULL, "PATH", "/usr/local/bin:/usr/bin:/bin", TRUE);
  const struct passwd *user = getpwuid (geteuid ());

  for (gsize i = 0; i < G_N_ELEMENTS (kept); i++)
    if (g_getenv (kept[i]) != NULL)
      environment = g_environ_setenv (environment, kept[i], g_getenv (kept[i]), TRUE);
  environment = g_environ_setenv (environment, "HOME", user ? user->pw_dir : "/", TRUE);
  if (user != NULL) {
    environment = g_environ_setenv (environment, "USER", user->pw_name, TRUE);
    environment = g_environ_setenv (environment, "LOGNAME", user->pw_name, TRUE);
  }
  for (; more != NULL && *more != NULL; more++) {
    g_auto (GStrv) pair = g_strsplit (*more, "=", 2);

    environment = g_environ_setenv (environment, pair[0], pair[1], TRUE);
  }
  return environment;
}

/* ---- its end ---------------------------------------------------------------------------------------- */

static char *
clean_line (const char *line)
{
  g_autofree char *valid = g_utf8_make_valid (line, -1);
  GString *out = g_string_new (NULL);
  gsize n = 0;

  for (const char *p = valid; *p != '\0' && n < MAX_LAST; p = g_utf8_next_char (p), n++)
    if (g_unichar_isprint (g_utf8_get_char (p)))
      g_string_append_unichar (out, g_utf8_get_char (p));
  return g_string_free (out, FALSE);
}

static char *
last_line (const char *text)
{
  g_auto (GStrv) lines = g_strsplit_set (text, "\r\n", -1);

  for (guint i = g_strv_length (lines); i > 0; i--)
    if (*g_strstrip (lines[i - 1]) != '\0')
      return clean_line (lines[i - 1]);
  return g_strdup ("");
}

static void
tell_end (NxProgram *program)
{
  g_autofree char *last = NULL;
  NxEnd end = { .status = -1, .out = program->out_text, .out_length = program->out_length };

  source_clear (&program->drain);
  pipe_close (&program->in);
  pipe_close (&program->out);
  pipe_close (&program->err);
  program->out_text[MIN (program->out_length, NX_MAX_OUT)] = '\0';
  program->err_text[program->err_length] = '\0';
  end.last = last = last_line (program->err_text);
  if (g_subprocess_get_if_exited (program->process))
    end.status = g_subprocess_get_exit_status (program->process);
  program->ended (program, &end, program->data);
}

/* Whatever comes first: both pipes at their end, or the time for them over. */
static gboolean
maybe_end (NxProgram *program)
{
  if (!program->exited || program->out.fd >= 0 || program->err.fd >= 0)
    return FALSE;
  tell_end (program);
  return TRUE;
}

static gboolean
on_drained (gpointer data)
{
  tell_end (data);
  return G_SOURCE_REMOVE;
}

static void
on_program_exit (GObject *object, GAsyncResult *result, gpointer data)
{
  g_autoptr (GError) cancelled = NULL;
  NxProgram *program = data;

  /* Where it was cancelled @data is no more. */
  if (!g_subprocess_wait_finish (G_SUBPROCESS (object), result, &cancelled))
    return;
  program->exited = TRUE;
  if (maybe_end (program))
    return;
  program->drain = g_timeout_source_new (DRAIN_MS);
  g_source_set_callback (program->drain, on_drained, program, NULL);
  g_source_attach (program->drain, program->context);
}

/* ---- its pipes -------------------------------------------------------------------------------------- */

/* TRUE: there may be more. */
static gboolean
goes_on (gssize n)
{
  return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static gboolean
on_out (int fd, GIOCondition condition, gpointer data)
{
  NxProgram *program = data;
  char rest[512];
  gsize room = NX_MAX_OUT + 1 - program->out_length;
  gssize n = read (fd, room > 0 ? program->out_text + program->out_length : rest,
                   room > 0 ? room : sizeof rest);

  if (n > 0 && room > 0)
    program->out_length += (gsize) n;
  if (goes_on (n))
    return G_SOURCE_CONTINUE;
  pipe_close (&program->out);
  (void) maybe_end (program);
  return G_SOURCE_REMOVE;
}

static gboolean
on_err (int fd, GIOCondition condition, gpointer data)
{
  NxProgram *program = data;
  gssize n;

  if (program->err_length == MAX_ERR) {
    memmove (program->err_text, program->err_text + MAX_ERR / 2, MAX_ERR / 2);
    program->err_length = MAX_ERR / 2;
  }
  n = read (fd, program->err_text + program->err_length, MAX_ERR - program->err_length);
  if (n > 0)
    program->err_length += (gsize) n;
  if (goes_on (n))
    return G_SOURCE_CONTINUE;
  pipe_close (&program->err);
  (void) maybe_end (program);
  return G_SOURCE_REMOVE;
}

/* One that does not want to know all of it is free to close its stdin. */
static gboolean
on_in (int fd, GIOCondition condition, gpointer data)
{
  NxProgram *program = data;
  gssize n = write (fd, program->input + program->input_done,
                    strlen (program->input) - program->input_done);

  if (n > 0)
    program->input_done += (gsize) n;
  if (goes_on (n) && program->input[program->input_done] != '\0')
    return G_SOURCE_CONTINUE;
  pipe_close (&program->in);
  return G_SOURCE_REMOVE;
}

static void
watch (NxProgram *program, Pipe *pipe, GIOCondition condition, GUnixFDSourceFunc func)
{
  (void) g_unix_set_fd_nonblocking (pipe->fd, TRUE, NULL);
  pipe->source = g_unix_fd_source_new (pipe->fd, condition);
  g_source_set_callback (pipe->source, G_SOURCE_FUNC (func), program, NULL);
  g_source_attach (pipe->source, program->context);
}

/* ---- its start -------------------------------------------------------------------------------------- */

/* In the child, after fork: only what is safe there. */
static void
in_child (gpointer parent)
{
  (void) setsid ();
  (void) signal (SIGPIPE, SIG_DFL);
  (void) prctl (PR_SET_PDEATHSIG, SIGKILL);
  if (getppid () != GPOINTER_TO_INT (parent))
    _exit (EXIT_FAILURE);
}

/* The child's end goes to the launcher, and with it. */
static gboolean
make_pipe (Pipe *ours, gboolean we_read, int *ret_theirs, GError **error)
{
  int ends[2];

  if (!g_unix_open_pipe (ends, FD_CLOEXEC, error))
    return FALSE;
  ours->fd = ends[we_read ? 0 : 1];
  *ret_theirs = ends[we_read ? 1 : 0];
  return TRUE;
}

static gboolean
make_pipes (NxProgram *program, GSubprocessLauncher *launcher, GError **error)
{
  const struct {
    Pipe *pipe;
    gboolean we_read;
    void (*take) (GSubprocessLauncher *launcher, gint fd);
  } pipes[] = { { &program->in, FALSE, g_subprocess_launcher_take_stdin_fd },
                { &program->out, TRUE, g_subprocess_launcher_take_stdout_fd },
                { &program->err, TRUE, g_subprocess_launcher_take_stderr_fd } };

  for (gsize i = 0; i < G_N_ELEMENTS (pipes); i++) {
    int theirs;

    if (!make_pipe (pipes[i].pipe, pipes[i].we_read, &theirs, error))
      return FALSE;
    pipes[i].take (launcher, theirs);
  }
  return TRUE;
}

static gboolean
spawn (NxProgram *program, const NxCommand *command, GError **error)
{
  g_autoptr (GSubprocessLauncher) launcher = g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_NONE);
  g_autoptr (GError) why = NULL;

  g_subprocess_launcher_set_environ (launcher, command->environment);
  g_subprocess_launcher_set_cwd (launcher, "/");
  g_subprocess_launcher_set_child_setup (launcher, in_child, GINT_TO_POINTER (getpid ()), NULL);
  if (make_pipes (program, launcher, &why))
    program->process = g_subprocess_launcher_spawnv (launcher, command->argv, &why);
  if (program->process != NULL)
    return TRUE;
  g_set_error (error, SP_ERROR, SP_ERROR_CONFIG, "cannot start %s: %s", command->argv[0],
               why->message);
  return FALSE;
}

NxProgram *
nx_program_start (const NxCommand *command, const char *input, NxEnded ended, gpointer data,
                  GError **error)
{
  g_autoptr (NxProgram) program = g_new0 (NxProgram, 1);

  program->in.fd = program->out.fd = program->err.fd = -1;
  program->context = g_main_context_ref_thread_default ();
  program->cancellable = g_cancellable_new ();
  program->ended = ended;
  program->data = data;
  program->input = g_strdup (input);
  if (!spawn (program, command, error))
    return NULL;
  watch (program, &program->in, G_IO_OUT, on_in);
  watch (program, &program->out, G_IO_IN | G_IO_HUP, on_out);
  watch (program, &program->err, G_IO_IN | G_IO_HUP, on_err);
  g_subprocess_wait_async (program->process, program->cancellable, on_program_exit, program);
  return g_steal_pointer (&program);
}

static void
kill_group (NxProgram *program)
{
  const char *text =
      program->process && !program->exited ? g_subprocess_get_identifier (program->process) : NULL;
  int pid = text != NULL ? atoi (text) : 0;

  if (pid > 1)
    (void) kill (-pid, SIGKILL);
}

void
nx_program_free (NxProgram *program)
{
  if (program == NULL)
    return;
  kill_group (program);
  g_cancellable_cancel (program->cancellable);
  g_object_unref (program->cancellable);
  source_clear (&program->drain);
  pipe_close (&program->in);
  pipe_close (&program->out);
  pipe_close (&program->err);
  g_clear_object (&program->process);
  g_main_context_unref (program->context);
  g_free (program->input);
  g_free (program);
}
