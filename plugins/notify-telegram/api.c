/* api.c - the calls behind api.h, each an exchange of notify-common/exchange.h
 *
 * What must stay true: the URI, which holds the token, is made in one place and shown nowhere; every text
 * that goes up is scrubbed of the token; each call ends exactly once.  A call that might be carried out twice
 * (libsoup may repeat one on a connection that the server had closed) is prevented by using POST, which it does
 * not repeat, and by a connection of its own where a copy would be seen by people.
 */
#include "api.h"

#include <string.h>

#include "classify.h"
#include "exchange.h"

#define BACKOFF_MIN 1000u
#define BACKOFF_MAX 60000u
#define CONNECTIONS 16

struct _TgApi {
  SpHost *host;
  GMainContext *context;
  NcSession *session;
  GBytes *token;
  char *base;
  GHashTable *pauses; /* chat (0: the bot) -> monotonic time, both gint64 */
  GHashTable *calls;  /* TgCall, as a set */
  gboolean closed;
};

struct _TgCall {
  TgApi *api;
  const char *method;
  GBytes *body;
  gint64 chat;
  guint timeout;
  TgDone done;
  gpointer data;

  GSource *timer; /* until it may be sent */
  gboolean cancelled;
  NcExchange *exchange; /* NULL: it is in the waiting room */
};

/* ---- small things ----------------------------------------------------------------------------------- */

GSource *
tg_timer_new (GMainContext *context, guint delay, GSourceFunc func, gpointer data)
{
  GSource *timer = g_timeout_source_new (delay);

  g_source_set_callback (timer, func, data, NULL);
  g_source_attach (timer, context);
  return timer;
}

void
tg_timer_clear (GSource **timer)
{
  if (*timer == NULL)
    return;
  g_source_destroy (*timer);
  g_clear_pointer (timer, g_source_unref);
}

guint
tg_backoff (guint failures)
{
  guint doublings = failures > 0 ? MIN (failures - 1, 6u) : 0;
  guint base = MIN (BACKOFF_MAX, BACKOFF_MIN << doublings);
  guint delay = base + (guint) g_random_int_range (0, (gint32) (base / 2));

  return MIN (BACKOFF_MAX, delay);
}

static char *
replace_all (const char *text, const char *what)
{
  g_auto (GStrv) parts = g_strsplit (text, what, -1);

  return g_strjoinv ("[token]", parts);
}

/* @text without the token, whole or its secret half. */
static char *
scrub (TgApi *api, const char *text)
{
  g_autofree char *token =
      g_strndup (g_bytes_get_data (api->token, NULL), g_bytes_get_size (api->token));
  const char *colon = strchr (token, ':');
  g_autofree char *clean = replace_all (text, token);

  return colon != NULL && colon[1] != '\0' ? replace_all (clean, colon + 1)
                                           : g_steal_pointer (&clean);
}

/* The one place where the token meets a URI. */
static SoupMessage *
make_message (TgApi *api, const char *method)
{
  g_autofree char *uri =
      g_strdup_printf ("%s/bot%.*s/%s", api->base, (int) g_bytes_get_size (api->token),
                       (const char *) g_bytes_get_data (api->token, NULL), method);
  SoupMessage *message = soup_message_new (SOUP_METHOD_POST, uri);

  explicit_bzero (uri, strlen (uri));
  return message;
}

/* ---- pauses ----------------------------------------------------------------------------------------- */

static gint64
pause_until (TgApi *api, gint64 chat)
{
  gint64 *until = g_hash_table_lookup (api->pauses, &chat);

  return until != NULL ? *until : 0;
}

static void
pause_chat (TgApi *api, gint64 chat, guint seconds)
{
  gint64 until = g_get_monotonic_time () + seconds * G_USEC_PER_SEC;

  if (until > pause_until (api, chat))
    g_hash_table_replace (api->pauses, g_memdup2 (&chat, sizeof chat),
                          g_memdup2 (&until, sizeof until));
}

guint
tg_api_pause (TgApi *api, gint64 chat)
{
  gint64 until = MAX (pause_until (api, chat), pause_until (api, 0));
  gint64 wait = until - g_get_monotonic_time ();

  return wait > 0 ? (guint) (wait / 1000 + 1) : 0;
}

/* ---- the end of a call -------------------------------------------------------------------------------- */

static void
call_end (TgCall *call, const TgResult *result)
{
  g_hash_table_steal (call->api->calls, call);
  tg_timer_clear (&call->timer);
  call->done (result, call->data);
  g_bytes_unref (call->body);
  g_free (call);
}

static void
call_fail (TgCall *call, const NcEnd *end)
{
  g_autofree char *what = scrub (call->api, end->what);
  TgResult result = {
    .outcome = end->cancelled ? TG_CANCELLED : TG_TRANSIENT,
    .unsure = end->written,
    .what = what,
  };

  call_end (call, &result);
}

/* A lost effect is possible only where no word of the Bot API came back. */
static gboolean
is_unsure (TgOutcome outcome, guint status)
{
  return outcome == TG_UNREADABLE || (outcome == TG_TRANSIENT && status == 200);
}

static void
call_answered (TgCall *call, const NcEnd *end)
{
  guint status = soup_message_get_status (end->message);
  SoupMessageHeaders *headers = soup_message_get_response_headers (end->message);
  g_auto (TgAnswer) answer = { 0 };
  g_autofree char *what = NULL;
  TgResult result = { 0 };

  tg_classify (call->api->host, status, soup_message_headers_get_one (headers, "Retry-After"),
               end->body, end->length, end->complete, &answer);
  if (answer.outcome == TG_FLOOD)
    pause_chat (call->api, call->chat, answer.retry_after);
  what = answer.what != NULL ? scrub (call->api, answer.what) : NULL;
  result.outcome = answer.outcome;
  result.unsure = is_unsure (answer.outcome, status);
  result.what = what;
  result.result = answer.result;
  result.migrated = answer.migrated;
  result.body = end->body;
  result.length = end->length;
  call_end (call, &result);
}

/* ---- the way of a call --------------------------------------------------------------------------------- */

static void
on_end (const NcEnd *end, gpointer data)
{
  if (end->error != NULL)
    call_fail (data, end);
  else
    call_answered (data, end);
}

static void
call_send (TgCall *call)
{
  NcRequest request = { .message = make_message (call->api, call->method),
                        .timeout = call->timeout,
                        .most = SP_JSON_MAX_LENGTH,
                        .done = on_end,
                        .data = call };

  /* Of these a second copy would be seen. */
  if (call->chat != 0)
    soup_message_add_flags (request.message, SOUP_MESSAGE_NEW_CONNECTION);
  soup_message_set_request_body_from_bytes (request.message, "application/json", call->body);
  call->exchange = nc_exchange (call->api->session, &request);
}

static gboolean
on_turn (gpointer data)
{
  TgCall *call = data;
  TgResult cancelled = { .outcome = TG_CANCELLED, .what = "cancelled" };
  guint wait = tg_api_pause (call->api, call->chat);

  tg_timer_clear (&call->timer);
  if (call->cancelled || call->api->closed)
    call_end (call, &cancelled);
  else if (wait > 0)
    call->timer = tg_timer_new (call->api->context, wait, on_turn, call);
  else
    call_send (call);
  return G_SOURCE_REMOVE;
}

static GBytes *
body_bytes (JsonObject *object)
{
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  char *text;

  json_node_take_object (node, object != NULL ? object : json_object_new ());
  text = json_to_string (node, FALSE);
  return g_bytes_new_take (text, strlen (text));
}

TgCall *
tg_api_call (TgApi *api, const char *method, JsonObject *body, gint64 chat, guint timeout,
             TgDone done, gpointer data)
{
  TgCall *call = g_new0 (TgCall, 1);

  call->api = api;
  call->method = method;
  call->body = body_bytes (body);
  call->chat = chat;
  call->timeout = timeout;
  call->done = done;
  call->data = data;
  g_hash_table_add (api->calls, call);
  call->timer = tg_timer_new (api->context, 0, on_turn, call);
  return call;
}

void
tg_call_drop (TgCall *call)
{
  if (call->exchange == NULL)
    tg_call_cancel (call);
}

void
tg_call_cancel (TgCall *call)
{
  call->cancelled = TRUE;
  if (call->exchange != NULL) {
    nc_exchange_cancel (call->exchange);
    return;
  }
  tg_timer_clear (&call->timer);
  call->timer = tg_timer_new (call->api->context, 0, on_turn, call);
}

/* ---- the API ---------------------------------------------------------------------------------------------- */

TgApi *
tg_api_new (SpHost *host, GMainContext *context, GBytes *token, const char *base,
            const char *ca_file, GError **error)
{
  NcSession *session = nc_session_new (context, CONNECTIONS, ca_file, error);
  TgApi *api;

  if (session == NULL)
    return NULL;
  api = g_new0 (TgApi, 1);
  api->host = host;
  api->context = g_main_context_ref (context);
  api->token = g_bytes_ref (token);
  api->base = g_strdup (base);
  api->session = session;
  api->pauses = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, g_free);
  api->calls = g_hash_table_new (NULL, NULL);
  return api;
}

void
tg_api_close (TgApi *api)
{
  const TgResult cancelled = { .outcome = TG_CANCELLED, .what = "cancelled" };
  g_autoptr (GList) calls = g_hash_table_get_keys (api->calls);

  api->closed = TRUE;
  for (GList *at = calls; at != NULL; at = at->next)
    if (((TgCall *) at->data)->exchange == NULL)
      call_end (at->data, &cancelled);
  nc_session_close (api->session);
}

void
tg_api_free (TgApi *api)
{
  /* One that outlived the closing still needs all of this: better to leave it. */
  if (api == NULL || g_hash_table_size (api->calls) > 0 || !nc_session_free (api->session))
    return;
  g_clear_pointer (&api->token, g_bytes_unref);
  g_clear_pointer (&api->base, g_free);
  g_clear_pointer (&api->pauses, g_hash_table_unref);
  g_clear_pointer (&api->calls, g_hash_table_unref);
  g_clear_pointer (&api->context, g_main_context_unref);
  g_free (api);
}
