/* listen.c - listen.h: three descriptors and a clock
 *
 * The child runs code that nobody has looked at: what it says is bounded and read line by line, and its
 * process group is killed once it has ended, or when time is up.
 */
#include "plugin/check/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <glib-unix.h>

#include "base/problem.h"
#include "plugin/check/report.h"

#define MAX_SAID 200u
#define MAX_LINE 8192u
#define MAX_BLAMES 64u

static void
blame_free (gpointer data)
{
  SpCheckBlame *blame = data;

  g_free (blame->text);
  g_free (blame);
}

static SpCheckOutcome *
outcome_new (void)
{
  SpCheckOutcome *outcome = g_new0 (SpCheckOutcome, 1);

  outcome->blames = g_ptr_array_new_with_free_func (blame_free);
  outcome->said = g_byte_array_new ();
  outcome->shape = -1;
  return outcome;
}

void
sp_check_outcome_free (SpCheckOutcome *outcome)
{
  if (outcome == NULL)
    return;
  g_ptr_array_unref (outcome->blames);
  g_byte_array_unref (outcome->said);
  g_free (outcome->text);
  g_free (outcome->call);
  g_free (outcome);
}

/* ---- lines ---------------------------------------------------------------------------------------------- */

static void
take_blame (SpCheckOutcome *outcome, const char *text)
{
  char *end = NULL;
  guint64 rule = g_ascii_strtoull (text, &end, 10);
  SpCheckBlame *blame;

  if (rule >= SP_N_RULES || *end != ' ' || outcome->blames->len >= MAX_BLAMES)
    return;
  blame = g_new0 (SpCheckBlame, 1);
  blame->rule = (guint32) rule;
  blame->text = g_strdup (end + 1);
  g_ptr_array_add (outcome->blames, blame);
}

static void
take_verdict (SpCheckOutcome *outcome, char letter, const char *text)
{
  if (outcome->verdict != 0)
    return;
  outcome->verdict = letter;
  outcome->text = g_strdup (text);
}

static void
take_line (SpCheckOutcome *outcome, const char *line)
{
  const char *text = line + 1;

  switch (line[0]) {
  case SP_CHECK_BEGINS:
    outcome->begun = TRUE;
    break;
  case SP_CHECK_CALLS:
    g_free (outcome->call);
    outcome->call = g_strdup (text);
    break;
  case SP_CHECK_RETURNED:
    g_clear_pointer (&outcome->call, g_free);
    break;
  case SP_CHECK_BLAMES:
    take_blame (outcome, text);
    break;
  case SP_CHECK_FAILS:
  case SP_CHECK_SKIPS:
  case SP_CHECK_AWAY:
    take_verdict (outcome, line[0], text);
    break;
  case SP_CHECK_SHAPE:
    outcome->shape = (int) MIN (g_ascii_strtoull (text, NULL, 10), SP_CHECK_N_SHAPES - 1);
    break;
  case SP_CHECK_HANGS:
    outcome->hangs = TRUE;
    break;
  case SP_CHECK_DONE:
    outcome->done = TRUE;
    break;
  default:
    break;
  }
}

/* Take the whole lines off @buffer. */
static void
take_lines (SpCheckOutcome *outcome, GString *buffer)
{
  char *end;

  while ((end = memchr (buffer->str, '\n', buffer->len)) != NULL) {
    g_autofree char *line = g_strndup (buffer->str, (gsize) (end - buffer->str));
    g_autofree char *valid = g_utf8_make_valid (line, -1);

    g_string_erase (buffer, 0, end + 1 - buffer->str);
    if (*valid != '\0')
      take_line (outcome, valid);
  }
  if (buffer->len > MAX_LINE)
    g_string_truncate (buffer, 0);
}

/* ---- the loop ------------------------------------------------------------------------------------------- */

enum { REPORT, SAID, ENDED, N_FDS };

typedef struct {
  SpCheckOutcome *outcome;
  GString *buffer;
  struct pollfd fds[N_FDS]; /* -1: closed */
  gint64 end;               /* monotonic */
} Listener;

/* FALSE: nothing is there now, or ever. */
static gboolean
take_some (Listener *listener, int which)
{
  guint8 chunk[4096];
  gssize n = read (listener->fds[which].fd, chunk, sizeof chunk);

  if (n < 0 && errno == EINTR)
    return TRUE;
  if (n <= 0) {
    /* At its end it would be ready for ever. */
    if (n == 0)
      listener->fds[which].events = 0;
    return FALSE;
  }
  if (which == SAID) {
    gsize room = MAX_SAID - MIN (listener->outcome->said->len, MAX_SAID);

    g_byte_array_append (listener->outcome->said, chunk, (guint) MIN ((gsize) n, room));
    return TRUE;
  }
  g_string_append_len (listener->buffer, (const char *) chunk, n);
  take_lines (listener->outcome, listener->buffer);
  return TRUE;
}

static void
listen_to (Listener *listener)
{
  for (;;) {
    gint64 left = (listener->end - g_get_monotonic_time () + 999) / 1000;
    int n = left > 0 ? poll (listener->fds, N_FDS, (int) left) : 0;

    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0) {
      listener->outcome->timed_out = TRUE;
      return;
    }
    for (int which = REPORT; which <= SAID; which++)
      if (listener->fds[which].events != 0 && listener->fds[which].revents != 0)
        (void) take_some (listener, which);
    if (listener->fds[ENDED].revents != 0)
      return;
    /* A pipe that nobody holds any more says so without end. */
    for (int which = REPORT; which <= SAID; which++)
      if (listener->fds[which].events == 0)
        listener->fds[which].fd = -1 - abs (listener->fds[which].fd);
  }
}

static void
end_child (Listener *listener, GPid pid)
{
  SpCheckOutcome *outcome = listener->outcome;

  /* With all that it has started, as far as that stayed in its group. */
  (void) kill (-pid, SIGKILL);
  (void) kill (pid, SIGKILL);
  while (waitpid (pid, &outcome->status, 0) < 0 && errno == EINTR)
    ;
  /* What had left its group has been left to us. */
  sp_check_end_children ();
  for (int which = REPORT; which <= SAID; which++)
    while (listener->fds[which].fd >= 0 && take_some (listener, which))
      ;
}

static SpCheckOutcome *
run_child (GVariant *order, guint limit_ms, const int *report, const int *said, GError **error)
{
  g_autoptr (SpCheckOutcome) outcome = outcome_new ();
  g_autoptr (GString) buffer = g_string_new (NULL);
  GPid pid = sp_check_spawn (order, report[1], said[1], error);
  int ended = pid > 0 ? pidfd_open (pid, 0) : -1;
  Listener listener = {
    .outcome = outcome,
    .buffer = buffer,
    .fds = { { report[0], POLLIN, 0 }, { said[0], POLLIN, 0 }, { ended, POLLIN, 0 } },
    .end = g_get_monotonic_time () + (gint64) limit_ms * 1000
  };

  if (pid < 0)
    return NULL;
  if (ended >= 0)
    listen_to (&listener);
  else
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTERNAL, "cannot watch a child: %s",
                 g_strerror (errno));
  end_child (&listener, pid);
  if (ended < 0)
    return NULL;
  (void) close (ended);
  if (outcome->begun)
    return g_steal_pointer (&outcome);
  /* No code of the plugin has run. */
  g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_INTERNAL,
                       "a child of the suite did not begin");
  return NULL;
}

SpCheckOutcome *
sp_check_listen (GVariant *order, guint limit_ms, GError **error)
{
  SpCheckOutcome *outcome = NULL;
  int report[2], said[2];

  if (!g_unix_open_pipe (report, FD_CLOEXEC, error))
    return NULL;
  if (g_unix_open_pipe (said, FD_CLOEXEC, error)) {
    (void) fcntl (report[0], F_SETFL, O_NONBLOCK);
    (void) fcntl (said[0], F_SETFL, O_NONBLOCK);
    outcome = run_child (order, limit_ms, report, said, error);
    (void) close (said[0]);
    (void) close (said[1]);
  }
  (void) close (report[0]);
  (void) close (report[1]);
  return outcome;
}
