/* pause.c - steps 2 to 4: the agent's monitor, a checkpoint, and the VM stands still
 *
 * Good manners only: they give the copy a quiet disk and the agent a way back.  What the monitor answers
 * is never believed.
 */
#include "base/problem.h"
#include "host/resident/service.h"
#include "host/takeover/private.h"

#define CHECKPOINT "takeover-checkpoint"
#define SHORT_MS 10000u
#define SAVE_MS 120000u
#define PORT_MS 3000u
#define PAUSE_MS 100u

SpMonitor *
sp_takeover_monitor (SpTakeover *takeover, GError **error)
{
  SpSource *source = sp_takeover_source (takeover, error);
  int in = -1, out = -1;

  if (takeover->monitor != NULL)
    return takeover->monitor;
  if (source == NULL)
    return NULL;
  if (sp_source_connect_monitor (source, &in, &out, error))
    takeover->monitor = sp_monitor_open (in, out, error);
  else
    sp_takeover_advise (error, SP_TAKEOVER_ANEW);
  return takeover->monitor;
}

gboolean
sp_takeover_connect (gpointer data, char **ret_message, gboolean *ret_skipped, GError **error)
{
  SpMonitor *monitor = sp_takeover_monitor (data, error);

  if (monitor == NULL)
    return FALSE;
  *ret_message = g_strdup_printf ("it speaks %s", sp_monitor_dialect (monitor));
  return TRUE;
}

gboolean
sp_takeover_checkpoint (gpointer data, char **ret_message, gboolean *ret_skipped, GError **error)
{
  SpTakeover *takeover = data;

  if (!sp_monitor_do (takeover->monitor, SP_MONITOR_SAVE, CHECKPOINT, SAVE_MS, error))
    return FALSE;
  *ret_message = g_strdup ("savevm " CHECKPOINT);
  return TRUE;
}

/* Paused on this machine, the agent's VM would go on holding the port that its successor is to have. */
static char *
port_here (SpTakeover *takeover)
{
  if (takeover->source == NULL || !sp_source_is_local (takeover->source) ||
      takeover->port != takeover->vault->listen_port)
    return NULL;
  return sp_listen_text ("127.0.0.1", takeover->vault->listen_port);
}

gboolean
sp_takeover_stop (gpointer data, char **ret_message, gboolean *ret_skipped, GError **error)
{
  SpTakeover *takeover = data;
  g_autofree char *port = port_here (takeover);
  g_autoptr (GError) local = NULL;

  if (!sp_monitor_do (takeover->monitor, SP_MONITOR_STOP, NULL, SHORT_MS, error))
    return FALSE;
  if (port != NULL &&
      !sp_monitor_do (takeover->monitor, SP_MONITOR_RELEASE, port, SHORT_MS, &local)) {
    g_propagate_prefixed_error (error, g_steal_pointer (&local),
                                "cannot have it give up %s: ", port);
    return FALSE;
  }
  *ret_message = g_strdup_printf ("paused%s", port ? ", its port is free" : "");
  return TRUE;
}

/* ---- back --------------------------------------------------------------------------------------------- */

static gboolean
try_once (SpTakeover *takeover, SpMonitorVerb verb, const char *argument, GError **error)
{
  SpMonitor *monitor = sp_takeover_monitor (takeover, error);

  return monitor != NULL && sp_monitor_do (monitor, verb, argument, SHORT_MS, error);
}

/* What an answer that came too late, or one to the question of a run that was killed, has spoilt, another
 * connection mends.  A no stays a no, and where nobody listens nobody is asked twice. */
static void
do_or_keep (SpTakeover *takeover, SpMonitorVerb verb, const char *argument, const char *what)
{
  GError *error = NULL;

  if (takeover->is_deaf || try_once (takeover, verb, argument, &error))
    return;
  if (!g_error_matches (error, SP_PROBLEM, SP_PROBLEM_CONFLICT)) {
    g_clear_pointer (&takeover->monitor, sp_monitor_free);
    g_clear_error (&error);
    if (try_once (takeover, verb, argument, &error))
      return;
    takeover->is_deaf = !g_error_matches (error, SP_PROBLEM, SP_PROBLEM_CONFLICT);
  }
  sp_takeover_keep_left (takeover, what, error);
}

/* It may have it still, and can't take what it has; or a machine that is just ending has it. */
static void
give_port (SpTakeover *takeover, const char *port)
{
  gint64 end = g_get_monotonic_time () + (gint64) PORT_MS * G_TIME_SPAN_MILLISECOND;
  gboolean given = FALSE;

  if (!takeover->is_deaf)
    (void) try_once (takeover, SP_MONITOR_RELEASE, port, NULL);
  while (!takeover->is_deaf && !given && g_get_monotonic_time () < end) {
    g_autoptr (GError) error = NULL;

    given = try_once (takeover, SP_MONITOR_CLAIM, port, &error);
    if (!given && !g_error_matches (error, SP_PROBLEM, SP_PROBLEM_CONFLICT))
      break;
    if (!given)
      g_usleep (PAUSE_MS * G_TIME_SPAN_MILLISECOND);
  }
  if (!given)
    do_or_keep (takeover, SP_MONITOR_CLAIM, port, "giving the agent's VM its port");
}

void
sp_takeover_undo_stop (gpointer data)
{
  SpTakeover *takeover = data;
  GError *error = NULL;
  g_autofree char *port = NULL;

  if (sp_takeover_source (takeover, &error) == NULL) {
    takeover->is_deaf = TRUE;
    sp_takeover_keep_left (takeover, "having the agent's VM go on", error);
    return;
  }
  port = port_here (takeover);
  do_or_keep (takeover, SP_MONITOR_GO_ON, NULL, "having the agent's VM go on");
  if (port == NULL)
    return;
  give_port (takeover, port);
}

void
sp_takeover_undo_checkpoint (gpointer data)
{
  do_or_keep (data, SP_MONITOR_FORGET, CHECKPOINT, "removing the checkpoint");
}
