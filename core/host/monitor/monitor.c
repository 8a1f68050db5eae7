/* monitor.c - monitor.h: the parent's side, which reads no byte of the monitor's
 *
 * What must stay true: a reply of the child is worth as much as the monitor's own word: its numbers are
 * checked, its text is escaped.  What the child doesn't answer in time, or answers wrongly, ends it.
 */
#include "host/monitor/monitor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/problem.h"
#include "host/confine.h"
#include "host/monitor/private.h"

/* How much longer than the child's own deadline is waited for it; and for it to start. */
#define MARGIN_MS 1000u
#define START_MS 10000u
#define MAX_SHOWN 200u /* characters of the monitor's own words */

struct _SpMonitor {
  GPid pid;   /* 0: there is no child any more */
  int socket; /* to it */
  gboolean human;
};

/* ---- errors ---------------------------------------------------------------------------------------------- */

/* Printable ASCII, on one line, of at most @MAX_SHOWN characters. */
static char *
escape (const char *text, gsize length)
{
  GString *out = g_string_new (NULL);

  for (gsize i = 0; i < length; i++) {
    gsize before = out->len;

    if (text[i] == '\\')
      g_string_append (out, "\\\\");
    else if (g_ascii_isprint (text[i]))
      g_string_append_c (out, text[i]);
    else
      g_string_append_printf (out, "\\x%02x", (guchar) text[i]);
    if (out->len > MAX_SHOWN) {
      g_string_append (g_string_truncate (out, before), "...");
      break;
    }
  }
  return g_string_free (out, FALSE);
}

typedef struct {
  SpProblemCode code;
  const char *what;
  const char *advice; /* NULL: the verb's */
} Failure;

static const Failure failures[SP_MONITOR_N_RESULTS] = {
  [SP_MONITOR_REFUSED] = { SP_PROBLEM_CONFLICT, "refused", NULL },
  [SP_MONITOR_CLOSED] = { SP_PROBLEM_UNREACHABLE, "the other end closed",
                          "see whether the agent's VM still runs, then start again" },
  [SP_MONITOR_SILENT] = { SP_PROBLEM_TIMED_OUT, "no answer in time",
                          "see whether the agent's VM hangs, or something else is connected to its "
                          "monitor, then start again" },
  [SP_MONITOR_BAD] = { SP_PROBLEM_INTEGRITY, "what came back is not what a monitor says",
                       "look at what the agent has put there before you start again" },
};

static void
set_failure (const SpMonitorReply *reply, const char *advice, GError **error)
{
  const Failure *failure = &failures[reply->result];
  g_autofree char *said = escape (reply->text, reply->length);

  g_set_error (error, SP_PROBLEM, (int) failure->code, "%s%s%s%s; %s", failure->what,
               *said ? " (" : "", said, *said ? ")" : "",
               failure->advice ? failure->advice : advice);
}

/* ---- the child --------------------------------------------------------------------------------------------- */

/* Returns how it ended, as of waitpid(2). */
static int
end_child (SpMonitor *monitor)
{
  int status = monitor->pid != 0 ? sp_confined_end (monitor->pid) : 0;

  monitor->pid = 0;
  return status;
}

static gboolean
start_child (SpMonitor *monitor, int in, int out, GError **error)
{
  const char *argv[] = { NULL, "--monitor-child", NULL };
  int pair[2];
  gboolean started;

  if (socketpair (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTERNAL, "cannot make a socket pair: %s",
                 g_strerror (errno));
    return FALSE;
  }
  monitor->socket = pair[0];
  started = sp_confined_spawn (argv, (const int[]){ pair[1], in, out }, 3, &monitor->pid, error);
  (void) close (pair[1]);
  return started;
}

/* The child has said nothing, and nothing more will come. */
static void
set_child_failure (int status, GError **error)
{
  if (WIFSIGNALED (status))
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY,
                 "the process that reads the answers was ended by signal %d, as a hostile monitor "
                 "may bring about; %s",
                 WTERMSIG (status), failures[SP_MONITOR_BAD].advice);
  else
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_INTERNAL,
                         "the process that reads the answers could not give up its rights, so it "
                         "did not begin; the kernel must allow close_range, setrlimit and, for "
                         "root, to become another user");
}

static gboolean
is_sound (const SpMonitorReply *reply, gssize n)
{
  return n == sizeof *reply && reply->result >= SP_MONITOR_ANSWERED &&
         reply->result < SP_MONITOR_N_RESULTS && reply->length <= sizeof reply->text;
}

/* FALSE: no reply; then the child is no more. */
static gboolean
receive_reply (SpMonitor *monitor, guint timeout_ms, SpMonitorReply *ret_reply, GError **error)
{
  gint64 deadline = g_get_monotonic_time () + (gint64) timeout_ms * 1000;
  struct pollfd poll_fd = { .fd = monitor->socket, .events = POLLIN };
  gssize n;
  int ready;

  do {
    gint64 left = MAX (deadline - g_get_monotonic_time (), 0);

    ready = poll (&poll_fd, 1, (int) MIN (left / 1000 + 1, G_MAXINT));
  } while (ready < 0 && errno == EINTR);
  if (ready <= 0) {
    const SpMonitorReply late = { .result = SP_MONITOR_SILENT };

    (void) end_child (monitor);
    set_failure (&late, NULL, error);
    return FALSE;
  }
  n = recv (monitor->socket, ret_reply, sizeof *ret_reply, MSG_DONTWAIT | MSG_TRUNC);
  if (is_sound (ret_reply, n))
    return TRUE;
  /* If it has ended by itself, that is what its status tells. */
  set_child_failure (end_child (monitor), error);
  return FALSE;
}

/* Wait for the result of what was asked for last. */
static gboolean
conclude (SpMonitor *monitor, guint timeout_ms, const char *advice, GError **error)
{
  SpMonitorReply reply;

  if (!receive_reply (monitor, timeout_ms, &reply, error))
    return FALSE;
  monitor->human = monitor->human || reply.human;
  if (reply.result == SP_MONITOR_ANSWERED)
    return TRUE;
  if (reply.result != SP_MONITOR_REFUSED)
    (void) end_child (monitor);
  set_failure (&reply, advice, error);
  return FALSE;
}

/* ---- the whole ------------------------------------------------------------------------------------------------ */

SpMonitor *
sp_monitor_open (int in, int out, GError **error)
{
  g_autoptr (SpMonitor) monitor = g_new0 (SpMonitor, 1);
  gboolean started;

  monitor->socket = -1;
  started = start_child (monitor, in, out, error);
  (void) close (in);
  if (out != in)
    (void) close (out);
  if (started && conclude (monitor, SP_MONITOR_GREETING_MS + START_MS,
                           "let nothing else use the monitor, then start again", error))
    return g_steal_pointer (&monitor);
  g_prefix_error (error, "cannot use the monitor of the agent's VM: ");
  return NULL;
}

void
sp_monitor_free (SpMonitor *monitor)
{
  if (monitor == NULL)
    return;
  (void) end_child (monitor);
  if (monitor->socket >= 0)
    (void) close (monitor->socket);
  g_free (monitor);
}

const char *
sp_monitor_dialect (const SpMonitor *monitor)
{
  return monitor->human ? "human monitor" : "QMP";
}

static gboolean
ask (SpMonitor *monitor, const SpMonitorAsk *what, GError **error)
{
  gssize n;

  if (monitor->pid == 0) {
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_UNREACHABLE,
                         "it is of no use any more, as it has ended or failed before; start "
                         "again");
    return FALSE;
  }
  do
    n = send (monitor->socket, what, sizeof *what, MSG_NOSIGNAL);
  while (n < 0 && errno == EINTR);
  if (n == sizeof *what)
    return TRUE;
  set_child_failure (end_child (monitor), error);
  return FALSE;
}

gboolean
sp_monitor_do (SpMonitor *monitor, SpMonitorVerb verb, const char *argument, guint timeout_ms,
               GError **error)
{
  const SpMonitorVerbRow *row = sp_monitor_verb_row (verb);
  g_autofree char *line = sp_monitor_command_line (verb, argument);
  SpMonitorAsk what = { .verb = verb, .timeout_ms = timeout_ms };
  gboolean done;

  if (!sp_monitor_argument_is_good (verb, argument)) {
    sp_problem_set_invalid (error, NULL, "%s is no command for a monitor", line);
    return FALSE;
  }
  (void) g_strlcpy (what.argument, argument ? argument : "", sizeof what.argument);
  done =
      ask (monitor, &what, error) && conclude (monitor, timeout_ms + MARGIN_MS, row->advice, error);
  /* There is nobody at the other end any more. */
  if (done && row->ends)
    (void) end_child (monitor);
  if (!done)
    g_prefix_error (error, "monitor of the agent's VM: %s: ", line);
  return done;
}
