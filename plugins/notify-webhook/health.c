/* health.c - what the parts of hook.h share: trouble and how it is told, time, one signed request
 *
 * What must stay true: the core is told of each change once; an alarm that comes all the time does not drown
 * the others.
 */
#include "hook.h"

#include <string.h>

#include "sign.h"

#define ALARM_GAP (10 * G_TIME_SPAN_MINUTE)
#define BACKOFF_MIN 1000u
#define BACKOFF_MAX 60000u
#define DOUBLINGS 6u

void
wh_hook_alarm (WhHook *hook, WhAlarm kind, const char *format, ...)
{
  gint64 now = g_get_monotonic_time ();
  g_autofree char *text = NULL;
  va_list args;

  if (hook->alarmed[kind] != 0 && now - hook->alarmed[kind] < ALARM_GAP)
    return;
  hook->alarmed[kind] = now;
  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  hook->host->api->alarm (hook->host, text);
}

void
wh_hook_health (WhHook *hook, WhSide side, const char *why)
{
  g_autoptr (GError) error = NULL;
  const char *trouble = NULL;

  if (g_strcmp0 (hook->trouble[side], why) == 0)
    return;
  g_free (hook->trouble[side]);
  hook->trouble[side] = g_strdup (why);
  for (guint i = 0; i < WH_N_SIDES && trouble == NULL; i++)
    trouble = hook->trouble[i];
  if (trouble != NULL)
    error = g_error_new_literal (SP_ERROR, SP_ERROR_UNAVAILABLE, trouble);
  if (trouble != NULL || hook->told)
    hook->host->api->broken (hook->host, error);
  hook->told = trouble != NULL;
}

guint
wh_hook_backoff (guint failures, guint pause)
{
  guint doublings = failures > 0 ? MIN (failures - 1, DOUBLINGS) : 0;
  guint base = MIN (BACKOFF_MAX, BACKOFF_MIN << doublings);
  guint delay = base + (guint) g_random_int_range (0, (gint32) (base / 2));

  return MAX (MIN (BACKOFF_MAX, delay), pause * 1000);
}

GSource *
wh_hook_timer (WhHook *hook, guint delay, GSourceFunc func, gpointer data)
{
  GSource *timer = g_timeout_source_new (delay);

  g_source_set_callback (timer, func, data, NULL);
  g_source_attach (timer, hook->context);
  return timer;
}

void
wh_timer_clear (GSource **timer)
{
  if (*timer == NULL)
    return;
  g_source_destroy (*timer);
  g_clear_pointer (timer, g_source_unref);
}

GBytes *
wh_body_bytes (JsonObject *object)
{
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  char *text;

  json_node_take_object (node, object);
  text = json_to_string (node, FALSE);
  return g_bytes_new_take (text, strlen (text));
}

static char *
sign (WhHook *hook, GUri *uri, GBytes *body)
{
  gint64 now = g_get_real_time () / G_USEC_PER_SEC;
  const char *query = g_uri_get_query (uri);
  g_autofree char *target = NULL;

  if (!hook->template->json)
    return NULL;
  if (body != NULL)
    return wh_sign_body (hook->maker.key, now, g_bytes_get_data (body, NULL),
                         g_bytes_get_size (body));
  target = g_strconcat (g_uri_get_path (uri), query != NULL ? "?" : "", query, NULL);
  return wh_sign_fetch (hook->maker.key, now, target);
}

WhCall *
wh_hook_send (WhHook *hook, GUri *uri, GBytes *body, const char *delivery, WhDone done,
              gpointer data)
{
  g_autofree char *signature = sign (hook, uri, body);
  WhRequest request = { uri, body, signature, hook->template->json ? delivery : NULL };

  return wh_http_send (hook->http, &request, done, data);
}
