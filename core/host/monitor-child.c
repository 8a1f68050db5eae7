/* monitor-child.c - the process that reads what the agent's monitor says
 *
 * It gives up everything before it reads the first byte: it is a user that owns nothing, has its three
 * descriptors and /dev/null, can open no other, start no process, write no file, and has little memory
 * and processor time.  What it can still do is to answer its parent.
 *
 * What must stay true: where one of these can't be given up, not a byte is read.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/harden.h"
#include "base/user.h"
#include "host/monitor-private.h"
#include "sp-build.h"

#define MAX_MEMORY (128u * 1024u * 1024u) /* of addresses; the worst line takes a third */
#define MAX_SECONDS 10u                   /* of processor time */

/* ---- giving up ---------------------------------------------------------------------------------------- */

static gboolean
keep_three_descriptors (void)
{
  int null = open ("/dev/null", O_RDWR | O_CLOEXEC);

  if (null < 0)
    return FALSE;
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
    if (dup2 (null, fd) < 0)
      return FALSE;
  for (int fd = SP_MONITOR_CONTROL_FD; fd <= SP_MONITOR_OUT_FD; fd++)
    if (fcntl (fd, F_SETFD, FD_CLOEXEC) != 0)
      return FALSE;
  for (int fd = SP_MONITOR_IN_FD; fd <= SP_MONITOR_OUT_FD; fd++)
    if (fcntl (fd, F_SETFL, fcntl (fd, F_GETFL) | O_NONBLOCK) != 0)
      return FALSE;
  return close_range (SP_MONITOR_OUT_FD + 1, ~0u, 0) == 0;
}

static gboolean
limit (void)
{
  static const struct {
    __rlimit_resource_t resource;
    rlim_t most;
  } limits[] = {
    /* A sanitizer maps terabytes. */
    { RLIMIT_AS, SP_NOT_DUMPABLE ? MAX_MEMORY : RLIM_INFINITY },
    { RLIMIT_CPU, MAX_SECONDS },
    { RLIMIT_FSIZE, 0 },
    { RLIMIT_CORE, 0 },
    { RLIMIT_NPROC, 0 },
    { RLIMIT_MEMLOCK, 0 },
    { RLIMIT_NOFILE, 0 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (limits); i++) {
    const struct rlimit most = { limits[i].most, limits[i].most };

    if (setrlimit (limits[i].resource, &most) != 0)
      return FALSE;
  }
  return TRUE;
}

static gboolean
give_up_everything (void)
{
  uid_t uid = sp_user_for ("monitor");

  sp_harden ("sp-monitor");
  /* Becoming another user undoes the last two: its death with the parent, and its privacy. */
  return chdir ("/") == 0 && keep_three_descriptors () && sp_user_become (uid) &&
         prctl (PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 &&
         (!SP_NOT_DUMPABLE || prctl (PR_SET_DUMPABLE, 0, 0, 0, 0) == 0) && limit ();
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
