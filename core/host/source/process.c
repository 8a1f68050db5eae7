/* process.c - source-process.h on g_spawn, poll(2) and a pidfd
 *
 * What must stay true: the process is not reaped before its group was killed, so that the number can't
 * mean another group by then; after the deadline nothing waits for what the process does.
 */
#include "host/source/process.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/harden.h"
#include "base/problem.h"
#include "base/text.h"

#define MAX_COMPLAINT 4096u
#define MAX_COMPLAINT_SHOWN 300u
#define PIECE (256u * 1024u)
#define KILL_MS 2000
/* Where the programs of exec prefixes are: multipass is a snap. */
#define PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin"

enum { IN, OUT, ERR, END, N_FDS };

struct _SpSourceProcess {
  pid_t pid;      /* 0: reaped */
  int fds[N_FDS]; /* END: the pidfd; -1: closed */
  int status;
  gint64 quiet_us,
      heard; /* how long it may say nothing, 0: for ever; when it last said something */
  GByteArray *complaint;
  guint8 *piece;
};

/* ---- starting ------------------------------------------------------------------------------------- */

/* In the child, after fork: only what is safe there. */
static void
in_child (gpointer data)
{
  const SpSourceUser *user = data;

  (void) signal (SIGPIPE, SIG_DFL);
  if (setsid () < 0)
    _exit (126);
  if (user == NULL)
    return;
  if (geteuid () == 0 &&
      (setgroups (0, NULL) != 0 || setresgid (user->gid, user->gid, user->gid) != 0 ||
       setresuid (user->uid, user->uid, user->uid) != 0))
    _exit (126);
  if (geteuid () != user->uid || prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    _exit (126);
}

/* A command that reaches another machine finds its keys and sockets by these. */
static char **
environment_for (const SpSourceUser *user)
{
  static const char *const own[] = { "HOME", "LOGNAME", "SSH_AUTH_SOCK", "USER",
                                     "XDG_RUNTIME_DIR" };
  char **environment = g_environ_setenv (sp_clean_environment (), "PATH", PATH, TRUE);

  for (gsize i = 0; user == NULL && i < G_N_ELEMENTS (own); i++) {
    const char *value = g_getenv (own[i]);

    if (value != NULL)
      environment = g_environ_setenv (environment, own[i], value, TRUE);
  }
  return environment;
}

static gboolean
watch (SpSourceProcess *process, GError **error)
{
  process->fds[END] = pidfd_open (process->pid, 0);
  if (process->fds[END] >= 0 && g_unix_set_fd_nonblocking (process->fds[IN], TRUE, NULL) &&
      g_unix_set_fd_nonblocking (process->fds[OUT], TRUE, NULL) &&
      g_unix_set_fd_nonblocking (process->fds[ERR], TRUE, NULL))
    return TRUE;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTERNAL, "cannot watch a process: %s",
               g_strerror (errno));
  return FALSE;
}

static void
fail_start (const char *program, const GError *why, GError **error)
{
  gboolean missing = g_error_matches (why, G_SPAWN_ERROR, G_SPAWN_ERROR_NOENT);

  g_set_error (error, SP_PROBLEM, missing ? SP_PROBLEM_NOT_FOUND : SP_PROBLEM_UNREACHABLE,
               missing ? "there is no program '%s'" : "'%s' can't be run: %s", program,
               why->message);
}

SpSourceProcess *
sp_source_process_start (const char *const *argv, const SpSourceUser *user, GError **error)
{
  g_autoptr (SpSourceProcess) process = g_new0 (SpSourceProcess, 1);
  g_auto (GStrv) environment = environment_for (user);
  g_autoptr (GError) local = NULL;
  SpSourceUser copy = user ? *user : (SpSourceUser){ 0, 0 };

  memset (process->fds, -1, sizeof process->fds);
  process->complaint = g_byte_array_new ();
  if (!g_spawn_async_with_pipes_and_fds ("/", argv, (const char *const *) environment,
                                         G_SPAWN_SEARCH_PATH_FROM_ENVP | G_SPAWN_DO_NOT_REAP_CHILD,
                                         in_child, user ? &copy : NULL, -1, -1, -1, NULL, NULL, 0,
                                         &process->pid, &process->fds[IN], &process->fds[OUT],
                                         &process->fds[ERR], &local)) {
    process->pid = 0;
    fail_start (argv[0], local, error);
    return NULL;
  }
  return watch (process, error) ? g_steal_pointer (&process) : NULL;
}

/* ---- ending --------------------------------------------------------------------------------------- */

static void
close_one (SpSourceProcess *process, guint which)
{
  if (process->fds[which] >= 0)
    (void) close (process->fds[which]);
  process->fds[which] = -1;
}

/* Of a process that has ended, with what it left behind in its session's group. */
static void
reap (SpSourceProcess *process, int flags)
{
  int status = 0;

  (void) kill (-process->pid, SIGKILL);
  if (waitpid (process->pid, &status, flags) != process->pid)
    return;
  process->status = WIFEXITED (status) ? WEXITSTATUS (status) : -1;
  process->pid = 0;
}

/* What runs as another user by a set-user-ID program may outlive this; nobody waits for it. */
static void
end (SpSourceProcess *process)
{
  struct pollfd ended = { process->fds[END], POLLIN, 0 };

  (void) kill (-process->pid, SIGKILL);
  (void) kill (process->pid, SIGKILL);
  if (process->fds[END] >= 0)
    (void) poll (&ended, 1, KILL_MS);
  reap (process, WNOHANG);
}

void
sp_source_process_free (SpSourceProcess *process)
{
  if (process == NULL)
    return;
  for (guint i = IN; i <= ERR; i++)
    close_one (process, i);
  if (process->pid != 0)
    end (process);
  close_one (process, END);
  g_byte_array_unref (process->complaint);
  g_free (process->piece);
  g_free (process);
}

/* ---- pipes ---------------------------------------------------------------------------------------- */

static gboolean
collect_complaint (gpointer data, const guint8 *bytes, gsize length, GError **error)
{
  GByteArray *complaint = data;

  g_byte_array_append (complaint, bytes, (guint) MIN (length, MAX_COMPLAINT - complaint->len));
  return TRUE;
}

/* One piece.  The pipe is closed at its end. */
static gboolean
read_piece (SpSourceProcess *process, guint which, SpSourceTake take, gpointer data,
            gboolean *ret_more, GError **error)
{
  gssize n;

  if (process->piece == NULL)
    process->piece = g_malloc (PIECE);
  n = read (process->fds[which], process->piece, PIECE);
  process->heard = g_get_monotonic_time ();
  *ret_more = n > 0 || (n < 0 && errno == EINTR);
  if (n > 0)
    return take (data, process->piece, (gsize) n, error);
  if (n == 0 || (errno != EAGAIN && errno != EINTR))
    close_one (process, which);
  return TRUE;
}

/* One that does not read has its reasons; its exit status tells. */
static void
write_piece (SpSourceProcess *process, const guint8 **input, gsize *length)
{
  gssize n = *length > 0 ? write (process->fds[IN], *input, *length) : 0;

  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  *length = n < 0 ? 0 : *length - (gsize) n;
  *input += MAX (n, 0);
  if (*length == 0)
    close_one (process, IN);
}

/* ---- running -------------------------------------------------------------------------------------- */

static gboolean
time_is_up (gint64 deadline, GError **error)
{
  if (g_get_monotonic_time () < deadline)
    return FALSE;
  g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_TIMED_OUT, "it has not ended in time");
  return TRUE;
}

void
sp_source_process_expect_talk (SpSourceProcess *process, guint quiet_ms)
{
  process->quiet_us = (gint64) quiet_ms * 1000;
  process->heard = g_get_monotonic_time ();
}

/* Wait for any of the descriptors that are open; FALSE: the deadline. */
static gboolean
wait_for_any (SpSourceProcess *process, struct pollfd polls[N_FDS], gboolean writing,
              gint64 deadline, GError **error)
{
  gint64 left;

  if (process->quiet_us > 0)
    deadline = MIN (deadline, process->heard + process->quiet_us);
  left = (deadline - g_get_monotonic_time ()) / 1000 + 1;
  for (guint i = 0; i < N_FDS; i++)
    polls[i] =
        (struct pollfd){ i != IN || writing ? process->fds[i] : -1, i == IN ? POLLOUT : POLLIN, 0 };
  if (time_is_up (deadline, error))
    return FALSE;
  if (poll (polls, N_FDS, (int) CLAMP (left, 0, G_MAXINT)) < 0)
    for (guint i = 0; i < N_FDS; i++)
      polls[i].revents = 0;
  return TRUE;
}

/* What is left in the pipes; one that another process holds open has no end to wait for. */
static gboolean
drain (SpSourceProcess *process, gint64 deadline, SpSourceTake take, gpointer data, GError **error)
{
  gboolean more = TRUE;

  for (; more && process->fds[OUT] >= 0;)
    if (time_is_up (deadline, error) || !read_piece (process, OUT, take, data, &more, error))
      return FALSE;
  if (process->fds[ERR] < 0)
    return TRUE;
  return read_piece (process, ERR, collect_complaint, process->complaint, &more, error);
}

gboolean
sp_source_process_run (SpSourceProcess *process, gconstpointer input, gsize length, gint64 deadline,
                       SpSourceTake take, gpointer data, GError **error)
{
  const guint8 *left = input;
  struct pollfd polls[N_FDS];
  gboolean more;

  if (length == 0)
    close_one (process, IN);
  for (;;) {
    if (!wait_for_any (process, polls, TRUE, deadline, error))
      return FALSE;
    if (polls[IN].revents != 0)
      write_piece (process, &left, &length);
    if (polls[OUT].revents != 0 && !read_piece (process, OUT, take, data, &more, error))
      return FALSE;
    if (polls[ERR].revents != 0)
      (void) read_piece (process, ERR, collect_complaint, process->complaint, &more, NULL);
    if (polls[END].revents != 0)
      break;
  }
  if (!drain (process, deadline, take, data, error))
    return FALSE;
  reap (process, 0);
  return TRUE;
}

gboolean
sp_source_process_wait (SpSourceProcess *process, gint64 deadline, gboolean *ret_ended,
                        GError **error)
{
  struct pollfd polls[N_FDS];
  gboolean more;

  *ret_ended = FALSE;
  for (;;) {
    if (!wait_for_any (process, polls, FALSE, deadline, error))
      return FALSE;
    if (polls[ERR].revents != 0)
      (void) read_piece (process, ERR, collect_complaint, process->complaint, &more, NULL);
    if (polls[END].revents != 0)
      break;
    if ((polls[OUT].revents & POLLIN) != 0)
      return TRUE;
    if (polls[OUT].revents != 0)
      close_one (process, OUT);
  }
  reap (process, 0);
  return *ret_ended = TRUE;
}

static int
take_pipe (SpSourceProcess *process, guint which)
{
  int fd = process->fds[which];

  process->fds[which] = -1;
  (void) g_unix_set_fd_nonblocking (fd, FALSE, NULL);
  return fd;
}

void
sp_source_process_take_pipes (SpSourceProcess *process, int *ret_out, int *ret_in)
{
  *ret_out = take_pipe (process, OUT);
  *ret_in = take_pipe (process, IN);
}

/* ---- what is left of it --------------------------------------------------------------------------- */

int
sp_source_process_status (const SpSourceProcess *process)
{
  return process->status;
}

char *
sp_source_process_complaint (const SpSourceProcess *process)
{
  const char *bytes = (const char *) process->complaint->data;
  g_autofree char *text = g_utf8_make_valid (bytes ? bytes : "", process->complaint->len);
  g_autofree char *line = sp_text_clean (text, MAX_COMPLAINT_SHOWN);

  return *line != 0 ? g_strconcat (": ", line, NULL) : g_strdup ("");
}
