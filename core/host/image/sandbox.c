/* sandbox.c - sandbox.h with bwrap(1), rlimits and a clock
 *
 * The file is a sealed memfd, which every process that holds it may open through /proc and none can
 * write to: no name, no owner, no mount is needed for it.
 *
 * What must stay true: nothing of ours is inherited but that descriptor and the two pipes.
 */
#include "host/image/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/problem.h"
#include "base/text.h"
#include "base/user.h"
#include "host/image/sandbox-child.h"

#define IN_FD 3
#define IN_PATH "/proc/self/fd/" G_STRINGIFY (IN_FD)
#define SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK)
#define MAX_FILES 256u
#define MAX_QUOTE 200u
/* How a shell, and bwrap, tell of a signal. */
#define BY_SIGNAL 128

static const char *const own_words[] = {
  "--dir",        "/dev", "--dev-bind", "/dev/null", "/dev/null",
  "--remount-ro", "/",    "--chdir",    "/",         "--",
};
static const char *const environment[] = { "PATH=/usr/bin", "HOME=/", "LC_ALL=C.UTF-8", NULL };

void
sp_sandbox_result_free (SpSandboxResult *result)
{
  if (result == NULL)
    return;
  g_free (result->out);
  g_free (result->err);
  g_free (result);
}

/* ---- starting ---------------------------------------------------------------------------------------------- */

/* What is shown to a tool, no one can write to. */
static gboolean
check_sealed (int fd, GError **error)
{
  int seals = fcntl (fd, F_GET_SEALS);

  if (seals >= 0 && (seals & SEALS) == SEALS)
    return TRUE;
  g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_INTERNAL,
                       "a file for a sandbox is not sealed");
  return FALSE;
}

static GPtrArray *
argv_of (const SpSandboxJob *job)
{
  GPtrArray *argv = g_ptr_array_new ();

  sp_sandbox_begin (argv);
  sp_sandbox_add (argv, own_words, G_N_ELEMENTS (own_words));
  for (gsize i = 0; job->argv[i] != NULL; i++)
    g_ptr_array_add (argv,
                     (gpointer) (g_str_equal (job->argv[i], "{in}") ? IN_PATH : job->argv[i]));
  g_ptr_array_add (argv, NULL);
  return argv;
}

/* ---- waiting ------------------------------------------------------------------------------------------------ */

typedef struct {
  pid_t pid;
  int pidfd;
  int fds[2]; /* stdout and stderr; -1: ended */
  GString *texts[2];
} Run;

static void
run_clear (Run *run)
{
  for (guint i = 0; i < 2; i++) {
    if (run->fds[i] >= 0)
      (void) close (run->fds[i]);
    g_string_free (run->texts[i], TRUE);
  }
  if (run->pidfd >= 0)
    (void) close (run->pidfd);
  if (run->pid > 0) {
    (void) kill (run->pid, SIGKILL);
    while (waitpid (run->pid, NULL, 0) < 0 && errno == EINTR)
      continue;
  }
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Run, run_clear)

static gboolean
run_start (Run *run, const SpSandboxJob *job, GError **error)
{
  g_autoptr (GPtrArray) argv = argv_of (job);
  SpSandboxBounds bounds = { .uid = sp_user_for ("tool"),
                             .parent = getpid (),
                             .max_memory = job->max_memory,
                             .max_files = MAX_FILES,
                             .max_seconds = job->max_seconds };
  const int source = job->in_fd, target = IN_FD;

  if (!g_spawn_async_with_pipes_and_fds ("/", (const gchar *const *) argv->pdata, environment,
                                         G_SPAWN_DO_NOT_REAP_CHILD, sp_sandbox_in_child, &bounds,
                                         -1, -1, -1, &source, &target, source >= 0 ? 1 : 0,
                                         &run->pid, NULL, &run->fds[0], &run->fds[1], error)) {
    g_prefix_error (error, "cannot run %s (package %s): ", SP_SANDBOX_BWRAP, SP_SANDBOX_PACKAGE);
    return FALSE;
  }
  run->pidfd = (int) syscall (SYS_pidfd_open, run->pid, 0);
  if (run->pidfd >= 0)
    return TRUE;
  g_set_error (error, G_IO_ERROR, (gint) g_io_error_from_errno (errno),
               "cannot watch a process: pidfd_open: %s", g_strerror (errno));
  return FALSE;
}

/* Some of what it printed. */
static gboolean
take (Run *run, guint i, const SpSandboxJob *job, GError **error)
{
  char buffer[8192];
  gssize got = read (run->fds[i], buffer, sizeof buffer);

  if (got < 0 && errno == EINTR)
    return TRUE;
  if (got <= 0) {
    (void) close (run->fds[i]);
    run->fds[i] = -1;
    return TRUE;
  }
  if ((gsize) got > job->max_output - MIN (run->texts[i]->len, job->max_output)) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_TOO_LARGE,
                 "%s printed more than %" G_GSIZE_FORMAT " bytes", job->argv[0], job->max_output);
    return FALSE;
  }
  g_string_append_len (run->texts[i], buffer, got);
  return TRUE;
}

static gboolean
fail_timed_out (const SpSandboxJob *job, GError **error)
{
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_TIMED_OUT, "%s took more than %u s", job->argv[0],
               job->max_seconds);
  return FALSE;
}

/* Until it has ended and everything that it printed is read. */
static gboolean
run_wait (Run *run, const SpSandboxJob *job, GError **error)
{
  gint64 end = g_get_monotonic_time () + (gint64) job->max_seconds * G_USEC_PER_SEC;
  gboolean ended = FALSE;

  while (!ended || run->fds[0] >= 0 || run->fds[1] >= 0) {
    gint64 left = end - g_get_monotonic_time ();
    struct pollfd fds[] = { { .fd = run->fds[0], .events = POLLIN },
                            { .fd = run->fds[1], .events = POLLIN },
                            { .fd = ended ? -1 : run->pidfd, .events = POLLIN } };

    if (left <= 0)
      return fail_timed_out (job, error);
    if (poll (fds, G_N_ELEMENTS (fds), (int) MIN (left / 1000 + 1, G_MAXINT)) < 0)
      continue;
    for (guint i = 0; i < 2; i++)
      if (fds[i].revents != 0 && !take (run, i, job, error))
        return FALSE;
    ended = ended || fds[2].revents != 0;
  }
  return TRUE;
}

/* ---- the end ------------------------------------------------------------------------------------------------ */

/* Its exit status; -1 with @error where a signal ended it, or it never began. */
static int
judge (Run *run, const SpSandboxJob *job, GError **error)
{
  int status = 0, code;

  while (waitpid (run->pid, &status, 0) < 0 && errno == EINTR)
    continue;
  run->pid = 0;
  code = WIFEXITED (status) ? WEXITSTATUS (status) : BY_SIGNAL + WTERMSIG (status);
  if (code == BY_SIGNAL + SIGXCPU) {
    (void) fail_timed_out (job, error);
    return -1;
  }
  if (code >= BY_SIGNAL) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY, "%s was ended by signal %d", job->argv[0],
                 code - BY_SIGNAL);
    return -1;
  }
  if (code != 0 && g_str_has_prefix (run->texts[1]->str, SP_SANDBOX_COMPLAINS)) {
    g_autofree char *valid = g_utf8_make_valid (run->texts[1]->str, -1);
    g_autofree char *text = sp_text_clean (valid, MAX_QUOTE);

    g_set_error (
        error, SP_PROBLEM, SP_PROBLEM_INTERNAL,
        "cannot make a sandbox for %s: %s (is it installed, and are user namespaces allowed?)",
        job->argv[0], text);
    return -1;
  }
  return code;
}

SpSandboxResult *
sp_sandbox_run (const SpSandboxJob *job, GError **error)
{
  g_auto (Run) run = { .pidfd = -1,
                       .fds = { -1, -1 },
                       .texts = { g_string_new (NULL), g_string_new (NULL) } };
  g_autoptr (SpSandboxResult) result = g_new0 (SpSandboxResult, 1);

  if (job->in_fd >= 0 && !check_sealed (job->in_fd, error))
    return NULL;
  if (!run_start (&run, job, error) || !run_wait (&run, job, error))
    return NULL;
  result->status = judge (&run, job, error);
  if (result->status < 0)
    return NULL;
  result->out = g_strdup (run.texts[0]->str);
  result->err = g_strdup (run.texts[1]->str);
  return g_steal_pointer (&result);
}
