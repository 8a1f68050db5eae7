/* run.c - room.h: one process in the sandbox, with its deadline
 *
 * As image/sandbox.c, for what must write to a folder and takes long.
 *
 * What must stay true: when a run is freed nothing of it lives on: the first process of its own world of
 * processes is killed, and takes all others with it.
 */
#include "host/audit/room.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/problem.h"
#include "base/text.h"
#include "base/user.h"
#include "host/image/sandbox-child.h"

#define GIB (G_GUINT64_CONSTANT (1) << 30)
/* The machine's memory, the emulator's own code cache, and libraries. */
#define MAX_MEMORY (6 * GIB)
#define MAX_FILE (64 * GIB)
#define MAX_FILES 512u
#define MAX_COMPLAINT (16u * 1024u)
#define MAX_QUOTE 3000u

/* clang-format off */
static const char *const own_words[] = {
  "--symlink", "usr/sbin", "/sbin",
  "--dev", "/dev", "--dev-bind-try", "/dev/kvm", "/dev/kvm",
};
static const char *const environment[] = {
  "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "HOME=/room", "XDG_RUNTIME_DIR=/room",
  "LIBGUESTFS_PATH=/room/appliance", "LIBGUESTFS_TMPDIR=/room", "LIBGUESTFS_CACHEDIR=/room", NULL,
};
/* clang-format on */

struct _SpAuditRun {
  pid_t pid;
  int in, out, complaint; /* -1: closed */
  GString *text, *said;
  gint64 end;
  guint max_seconds;
  char *name;
};

/* ---- starting ---------------------------------------------------------------------------------------------- */

static GPtrArray *
argv_of (const SpAuditJob *job)
{
  GPtrArray *argv = g_ptr_array_new ();
  const char *const room[] = { "--bind", job->folder, "/room" };
  const char *const program[] = { "--ro-bind", job->program, "/audit" };
  const char *const last[] = { "--remount-ro", "/", "--chdir", "/", "--" };

  if (job->folder != NULL) {
    sp_sandbox_begin (argv);
    sp_sandbox_add (argv, own_words, G_N_ELEMENTS (own_words));
    sp_sandbox_add (argv, room, G_N_ELEMENTS (room));
    sp_sandbox_add (argv, program, job->program != NULL ? G_N_ELEMENTS (program) : 0);
    sp_sandbox_add (argv, last, G_N_ELEMENTS (last));
  }
  sp_sandbox_add (argv, job->argv, g_strv_length ((char **) job->argv) + 1);
  return argv;
}

SpAuditRun *
sp_audit_run_start (const SpAuditJob *job, guint max_seconds, GError **error)
{
  g_autoptr (GPtrArray) argv = argv_of (job);
  g_auto (GStrv) words = g_environ_setenv (g_strdupv ((char **) environment), "TMPDIR",
                                           job->folder ? "/room" : job->scratch, TRUE);
  g_autoptr (SpAuditRun) run = g_new0 (SpAuditRun, 1);
  SpSandboxBounds bounds = { .uid = sp_user_for ("audit"),
                             .parent = getpid (),
                             .max_memory = MAX_MEMORY,
                             .max_file = MAX_FILE,
                             .max_files = MAX_FILES,
                             .max_seconds = max_seconds };

  run->in = run->out = run->complaint = -1;
  run->text = g_string_new (NULL);
  run->said = g_string_new (NULL);
  run->max_seconds = max_seconds;
  run->end = g_get_monotonic_time () + (gint64) max_seconds * G_USEC_PER_SEC;
  run->name = g_path_get_basename (job->argv[0]);
  if (g_spawn_async_with_pipes_and_fds ("/", (const char *const *) argv->pdata,
                                        (const char *const *) words, G_SPAWN_DO_NOT_REAP_CHILD,
                                        sp_sandbox_in_child, &bounds, -1, -1, -1, NULL, NULL, 0,
                                        &run->pid, &run->in, &run->out, &run->complaint, error))
    return g_steal_pointer (&run);
  g_prefix_error (error, "cannot run %s: ", (const char *) argv->pdata[0]);
  return NULL;
}

/* ---- speaking with it ---------------------------------------------------------------------------------------- */

static void
close_it (int *fd)
{
  if (*fd >= 0)
    (void) close (*fd);
  *fd = -1;
}

/* FALSE: there is more than @most; what is beyond is thrown away. */
static gboolean
take (int *fd, GString *text, gsize most)
{
  char buffer[65536];
  gssize n = read (*fd, buffer, sizeof buffer);

  if (n < 0 && errno == EINTR)
    return TRUE;
  if (n <= 0)
    close_it (fd);
  else
    g_string_append_len (text, buffer, MIN (n, (gssize) (most - MIN (most, text->len))));
  return n <= 0 || text->len < most;
}

static gboolean
fail_late (const SpAuditRun *run, GError **error)
{
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_TIMED_OUT, "%s took more than %u s", run->name,
               run->max_seconds);
  return FALSE;
}

/* One event, whatever it is. */
static gboolean
step (SpAuditRun *run, gsize most, GError **error)
{
  struct pollfd fds[] = { { run->out, POLLIN, 0 }, { run->complaint, POLLIN, 0 } };
  gint64 left = (run->end - g_get_monotonic_time ()) / 1000;

  if (left <= 0)
    return fail_late (run, error);
  if (poll (fds, G_N_ELEMENTS (fds), (int) MIN (left + 1, G_MAXINT)) <= 0)
    return TRUE;
  if (fds[1].revents != 0)
    (void) take (&run->complaint, run->said, MAX_COMPLAINT);
  if (fds[0].revents == 0 || take (&run->out, run->text, most))
    return TRUE;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_TOO_LARGE,
               "%s printed more than %" G_GSIZE_FORMAT " bytes", run->name, most);
  return FALSE;
}

/* Whether the last whole line begins with @end. */
static gboolean
has_end (const GString *text, const char *end)
{
  const char *line = text->str + text->len;

  if (end == NULL || text->len == 0 || line[-1] != '\n')
    return FALSE;
  for (line--; line > text->str && line[-1] != '\n';)
    line--;
  return g_str_has_prefix (line, end);
}

char *
sp_audit_run_read (SpAuditRun *run, const char *end, gsize most, GError **error)
{
  char *text;

  while ((run->out >= 0 || run->complaint >= 0) && !has_end (run->text, end))
    if (!step (run, most, error))
      return NULL;
  if (end != NULL && !has_end (run->text, end)) {
    (void) sp_audit_run_end (run, error);
    if (error != NULL && *error == NULL)
      g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY, "%s ended too early", run->name);
    return NULL;
  }
  text = g_string_free (run->text, FALSE);
  run->text = g_string_new (NULL);
  return text;
}

gboolean
sp_audit_run_write (SpAuditRun *run, const char *text, GError **error)
{
  const char *end = text + strlen (text);

  while (text < end) {
    struct pollfd one = { run->in, POLLOUT, 0 };
    gint64 left = (run->end - g_get_monotonic_time ()) / 1000;
    gssize n;

    if (left <= 0)
      return fail_late (run, error);
    if (poll (&one, 1, (int) MIN (left + 1, G_MAXINT)) <= 0)
      continue;
    n = write (run->in, text, MIN ((gsize) (end - text), 4096));
    if (n < 0 && errno != EINTR) {
      g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTERNAL, "%s does not listen", run->name);
      return FALSE;
    }
    text += MAX (n, 0);
  }
  close_it (&run->in);
  return TRUE;
}

/* ---- its end ------------------------------------------------------------------------------------------------- */

static int
reap (SpAuditRun *run)
{
  int status = 0;

  while (waitpid (run->pid, &status, 0) < 0 && errno == EINTR)
    continue;
  run->pid = 0;
  return WIFEXITED (status) ? WEXITSTATUS (status) : 128 + WTERMSIG (status);
}

gboolean
sp_audit_run_end (SpAuditRun *run, GError **error)
{
  g_autofree char *valid = NULL;
  g_autofree char *said = NULL;
  int status;

  close_it (&run->in);
  while (run->out >= 0 || run->complaint >= 0)
    if (!step (run, MAX_COMPLAINT, error))
      return FALSE;
  status = reap (run);
  if (status == 0)
    return TRUE;
  valid = g_utf8_make_valid (run->said->str, -1);
  said = sp_text_clean (valid, MAX_QUOTE);
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY, "%s failed: %s", run->name,
               *said ? said : "it did not say why");
  return FALSE;
}

void
sp_audit_run_free (SpAuditRun *run)
{
  if (run == NULL)
    return;
  if (run->pid > 0) {
    (void) kill (run->pid, SIGKILL);
    (void) reap (run);
  }
  close_it (&run->in);
  close_it (&run->out);
  close_it (&run->complaint);
  g_string_free (run->text, TRUE);
  g_string_free (run->said, TRUE);
  g_free (run->name);
  g_free (run);
}
