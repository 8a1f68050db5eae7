/* pause.c - steps 2 to 4: the agent's monitor, a checkpoint, and the VM stands still
 *
 * Good manners only: they give the copy a quiet disk and the agent a way back.  What the monitor answers
 * is never believed.
 *
 * A checkpoint has what the guest holds in memory, but the disk has not.  So where the disk itself is to
 * boot the guest powers off, and the checkpoint is the way back: QMP can have the machine stay for that.
 */
#include "base/problem.h"
#include "host/resident/service.h"
#include "host/takeover/private.h"

#define CHECKPOINT "takeover-checkpoint"
#define BACK "having the agent's VM go on"
#define SHORT_MS 10000u
#define SAVE_MS 120000u
#define PORT_MS 3000u
#define POWER_MS 180000u
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

/* Whether the agent's disk itself is to boot, so that the guest has to write all that it holds first.  By the
 * config, as an undoing in another process knows no more. */
static gboolean
keeps_disk (const SpTakeover *takeover)
{
  return g_str_equal (takeover->vault->trust, SP_TRUST_AUDITED);
}

/* One that was started by hand may forward from all addresses of this machine. */
static gboolean
release_port (SpTakeover *takeover, const char *port, GError **error)
{
  SpMonitor *monitor = sp_takeover_monitor (takeover, error);
  g_autofree char *every = sp_listen_text ("0.0.0.0", takeover->vault->listen_port);
  g_autoptr (GError) local = NULL;

  if (monitor == NULL)
    return FALSE;
  if (sp_monitor_do (monitor, SP_MONITOR_RELEASE, port, SHORT_MS, &local) ||
      (g_error_matches (local, SP_PROBLEM, SP_PROBLEM_CONFLICT) &&
       sp_monitor_do (monitor, SP_MONITOR_RELEASE, every, SHORT_MS, NULL)))
    return TRUE;
  g_propagate_prefixed_error (error, g_steal_pointer (&local), "cannot have it give up %s: ", port);
  return FALSE;
}

/* @ret_stays: it is still there, and can go back. */
static gboolean
power_off (SpTakeover *takeover, gboolean *ret_stays, GError **error)
{
  g_autoptr (GError) local = NULL;

  *ret_stays = sp_monitor_do (takeover->monitor, SP_MONITOR_STAY, NULL, SHORT_MS, &local);
  if (local != NULL && !g_error_matches (local, SP_PROBLEM, SP_PROBLEM_CONFLICT)) {
    g_propagate_error (error, g_steal_pointer (&local));
    return FALSE;
  }
  if (!sp_monitor_do (takeover->monitor, SP_MONITOR_POWER_OFF, NULL, POWER_MS, error))
    return FALSE;
  /* A monitor at which the machine ends is of no further use. */
  g_clear_pointer (&takeover->monitor, sp_monitor_free);
  return TRUE;
}

gboolean
sp_takeover_stop (gpointer data, char **ret_message, gboolean *ret_skipped, GError **error)
{
  SpTakeover *takeover = data;
  gboolean off = keeps_disk (takeover), stays = TRUE;
  g_autofree char *port = port_here (takeover);

  if (off ? !power_off (takeover, &stays, error)
          : !sp_monitor_do (takeover->monitor, SP_MONITOR_STOP, NULL, SHORT_MS, error))
    return FALSE;
  if (port != NULL && stays && !release_port (takeover, port, error))
    return FALSE;
  *ret_message =
      g_strdup_printf ("%s%s", off ? "powered off by its guest, which has written all" : "paused",
                       port ? ", its port is free" : "");
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

/* From the power-off, which may not have come about.  Each is good for itself, and what does not work shows when
 * it is to go on. */
static void
load_checkpoint (SpTakeover *takeover)
{
  static const struct {
    SpMonitorVerb verb;
    const char *argument;
    guint ms;
  } way[] = {
    { SP_MONITOR_RESET, NULL, SHORT_MS },
    { SP_MONITOR_LOAD, CHECKPOINT, SAVE_MS },
    { SP_MONITOR_LEAVE, NULL, SHORT_MS },
  };
  SpMonitor *monitor;

  g_clear_pointer (&takeover->monitor, sp_monitor_free);
  monitor = sp_takeover_monitor (takeover, NULL);
  for (gsize i = 0; monitor != NULL && i < G_N_ELEMENTS (way); i++)
    (void) sp_monitor_do (monitor, way[i].verb, way[i].argument, way[i].ms, NULL);
}

void
sp_takeover_undo_stop (gpointer data)
{
  SpTakeover *takeover = data;
  GError *error = NULL;
  g_autofree char *port = NULL;

  if (sp_takeover_source (takeover, &error) == NULL) {
    takeover->is_deaf = TRUE;
    sp_takeover_keep_left (takeover, BACK, error);
    return;
  }
  port = port_here (takeover);
  if (keeps_disk (takeover))
    load_checkpoint (takeover);
  do_or_keep (takeover, SP_MONITOR_GO_ON, NULL, BACK);
  if (port == NULL)
    return;
  give_port (takeover, port);
}

void
sp_takeover_undo_checkpoint (gpointer data)
{
  do_or_keep (data, SP_MONITOR_FORGET, CHECKPOINT, "removing the checkpoint");
}
