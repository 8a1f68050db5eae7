/* probe.c - the questions of probe.h
 *
 * json: POST {"event":"ping"}, signed.  ntfy: GET /v1/health (docs.ntfy.sh, "Monitoring").  Slack has no such
 * call; POST {} to a good address is answered 400 (no text), to a bad one 403, 404 or 410, and shows nothing.
 */
#include "probe.h"

#define REST_MS 1000u

struct _WhProbe {
  WhHook *hook;
  GSource *timer;
  WhCall *call;
  guint failures;
};

static gboolean on_turn (gpointer data);

static void
probe_later (WhProbe *probe, guint delay)
{
  wh_timer_clear (&probe->timer);
  if (!probe->hook->stopping)
    probe->timer = wh_hook_timer (probe->hook, delay, on_turn, probe);
}

static gboolean
is_there (WhHook *hook, const WhReply *reply)
{
  return reply->outcome == WH_OK || (hook->template == &wh_template_slack && reply->status == 400);
}

static void
on_reply (const WhReply *reply, gpointer data)
{
  WhProbe *probe = data;

  probe->call = NULL;
  if (probe->hook->stopping)
    return;
  if (is_there (probe->hook, reply)) {
    probe->failures = 0;
    wh_hook_health (probe->hook, WH_SIDE_SEND, NULL);
    return;
  }
  probe->failures++;
  if (probe->failures > 1 || reply->outcome == WH_REFUSED)
    wh_hook_health (probe->hook, WH_SIDE_SEND, reply->what);
  probe_later (probe, wh_hook_backoff (probe->failures, reply->pause));
}

static WhCall *
ask (WhProbe *probe)
{
  WhHook *hook = probe->hook;
  g_autoptr (GBytes) body = NULL;
  g_autoptr (GUri) uri = NULL;

  if (hook->template == &wh_template_ntfy) {
    uri = g_uri_parse_relative (hook->uri, "/v1/health", G_URI_FLAGS_NONE, NULL);
    return wh_hook_send (hook, uri, NULL, NULL, on_reply, probe);
  }
  body = wh_body_bytes (hook->template->json ? wh_json_ping (&hook->maker) : json_object_new ());
  return wh_hook_send (hook, hook->uri, body, NULL, on_reply, probe);
}

static gboolean
on_turn (gpointer data)
{
  WhProbe *probe = data;
  gint64 pause = (probe->hook->send_after - g_get_monotonic_time ()) / G_TIME_SPAN_MILLISECOND;

  wh_timer_clear (&probe->timer);
  /* What is being sent finds out by itself; and a pause is one for all. */
  if (probe->hook->sending > 0 || pause > 0)
    probe_later (probe, (guint) MAX (pause, (gint64) REST_MS));
  else
    probe->call = ask (probe);
  return G_SOURCE_REMOVE;
}

void
wh_probe_soon (WhProbe *probe)
{
  if (probe != NULL && probe->timer == NULL && probe->call == NULL)
    probe_later (probe, 0);
}

WhProbe *
wh_probe_new (WhHook *hook)
{
  WhProbe *probe = g_new0 (WhProbe, 1);

  probe->hook = hook;
  probe_later (probe, 0);
  return probe;
}

void
wh_probe_free (WhProbe *probe)
{
  if (probe == NULL)
    return;
  wh_timer_clear (&probe->timer);
  g_free (probe);
}
