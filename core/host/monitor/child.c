/* child.c - the process that reads what the agent's monitor says: confined (confine.h) before it
 * reads the first byte */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/confine.h"
#include "host/monitor/private.h"

#define MAX_MEMORY (128u * 1024u * 1024u) /* of addresses; the worst line takes a third */
#define MAX_SECONDS 10u                   /* of processor time */

static gboolean
give_up_everything (void)
{
  const SpConfinement confinement = {
    .name = "sp-monitor",
    .purpose = "monitor",
    .last_fd = SP_MONITOR_OUT_FD,
    .max_memory = MAX_MEMORY,
    .max_seconds = MAX_SECONDS,
  };

  for (int fd = SP_MONITOR_IN_FD; fd <= SP_MONITOR_OUT_FD; fd++)
    if (fcntl (fd, F_SETFL, fcntl (fd, F_GETFL) | O_NONBLOCK) != 0)
      return FALSE;
  return sp_confine (&confinement);
}

/* ---- parent --------------------------------------------------------------------------------------------- */

static gboolean
send_reply (SpMonitorStream *stream, SpMonitorResult result, gboolean human)
{
  SpMonitorReply reply = { .result = result, .human = (guint32) human };
  gssize n;

  if (result == SP_MONITOR_BAD)
    g_string_assign (stream->said, stream->wrong);
  if (result == SP_MONITOR_BAD || result == SP_MONITOR_REFUSED) {
    reply.length = (guint32) MIN (stream->said->len, sizeof reply.text);
    memcpy (reply.text, stream->said->str, reply.length);
  }
  do
    n = send (SP_MONITOR_CONTROL_FD, &reply, sizeof reply, MSG_NOSIGNAL);
  while (n < 0 && errno == EINTR);
  return n == sizeof reply;
}

static gboolean
receive_ask (SpMonitorAsk *ret_ask)
{
  gssize n;

  do
    n = recv (SP_MONITOR_CONTROL_FD, ret_ask, sizeof *ret_ask, 0);
  while (n < 0 && errno == EINTR);
  return n == sizeof *ret_ask && ret_ask->verb < SP_MONITOR_N_VERBS;
}

/* ---- the whole ------------------------------------------------------------------------------------------ */

static SpMonitorResult
greet (SpMonitorStream *stream, const SpMonitorDialect **ret_dialect)
{
  SpMonitorResult result;

  sp_monitor_stream_within (stream, SP_MONITOR_GREETING_MS);
  result = sp_monitor_stream_fill (stream);
  if (result != SP_MONITOR_ANSWERED)
    return result;
  *ret_dialect = stream->buffer->str[0] == '{' ? &sp_monitor_qmp : &sp_monitor_human;
  return (*ret_dialect)->begin (stream);
}

static void
serve (SpMonitorStream *stream, const SpMonitorDialect *dialect)
{
  SpMonitorResult result = SP_MONITOR_ANSWERED;
  SpMonitorAsk ask;

  while ((result == SP_MONITOR_ANSWERED || result == SP_MONITOR_REFUSED) && receive_ask (&ask)) {
    sp_monitor_stream_within (stream, ask.timeout_ms);
    result = dialect->act (stream, ask.verb, *ask.argument ? ask.argument : NULL);
    if (!send_reply (stream, result, FALSE))
      return;
  }
}

int
sp_monitor_child_main (void)
{
  const SpMonitorDialect *dialect = NULL;
  g_autoptr (SpMonitorStream) stream = NULL;
  SpMonitorResult result;

  if (!give_up_everything ())
    return 1;
  stream = sp_monitor_stream_new ();
  result = greet (stream, &dialect);
  if (send_reply (stream, result, dialect == &sp_monitor_human) && result == SP_MONITOR_ANSWERED)
    serve (stream, dialect);
  return 0;
}
