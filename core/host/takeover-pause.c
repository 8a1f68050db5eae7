/* takeover-pause.c - steps 2 to 4: the agent's monitor, a checkpoint, and the VM stands still
 *
 * Good manners only: they give the copy a quiet disk and the agent a way back.  What the monitor answers
 * is never believed.
 */
#include "base/problem.h"
#include "host/service.h"
#include "host/takeover-private.h"

#define CHECKPOINT "takeover-checkpoint"
#define SHORT_MS 10000u
#define SAVE_MS 120000u

SpMonitor *
sp_takeover_monitor (SpTakeover *takeover, GError **error)
{
  SpSource *source = sp_takeover_source (takeover, error);
  int in = -1, out = -1;

  if (takeover->monitor != NULL)
    return takeover->monitor;
  if (source != NULL && sp_source_connect_monitor (source, &in, &out, error))
    takeover->monitor = sp_monitor_open (in, out, error);
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

static void
do_or_say (SpTakeover *takeover, SpMonitorVerb verb, const char *argument, const char *what)
{
  g_autoptr (GError) error = NULL;
  SpMonitor *monitor = sp_takeover_monitor (takeover, &error);

  if (monitor == NULL || !sp_monitor_do (monitor, verb, argument, SHORT_MS, &error))
    g_printerr ("secret-proxy: taking back: %s: %s\n", what, error->message);
}

void
sp_takeover_undo_stop (gpointer data)
{
  SpTakeover *takeover = data;
  g_autoptr (GError) error = NULL;
  g_autofree char *port = NULL;

  if (sp_takeover_source (takeover, &error) == NULL) {
    g_printerr ("secret-proxy: taking back: the agent's VM may still be paused: %s\n",
                error->message);
    return;
  }
  port = port_here (takeover);
  if (port != NULL)
    do_or_say (takeover, SP_MONITOR_CLAIM, port, "giving the agent's VM its port");
  do_or_say (takeover, SP_MONITOR_GO_ON, NULL, "having the agent's VM go on");
}

void
sp_takeover_undo_checkpoint (gpointer data)
{
  do_or_say (data, SP_MONITOR_FORGET, CHECKPOINT, "removing the checkpoint");
}
