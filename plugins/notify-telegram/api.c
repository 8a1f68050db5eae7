/* api.c - the calls behind api.h, on libsoup
 *
 * What must stay true: the URI, which holds the token, is made in one place and shown nowhere; every text
 * that goes up is scrubbed of the token; no redirect is followed; an answer is read to at most the
 * reader's bound; each call ends exactly once.  A call that might be carried out twice (libsoup may
 * repeat one on a connection that the server had closed) is prevented by using POST, which it does not
 * repeat, and by a connection of its own where a copy would be seen by people.
 */
#include "api.h"

#include <libsoup/soup.h>
#include <string.h>

#include "classify.h"

#define CHUNK 65536u
#define CLOSE_WAIT (G_USEC_PER_SEC)
#define LAST_TURNS 100u
#define BACKOFF_MIN 1000u
#define BACKOFF_MAX 60000u
#define CONNECTIONS 16

struct _TgApi {
  SpHost *host;
  GMainContext *context;
  SoupSession *session;
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

  GSource *timer; /* until it may be sent; then until it is too late */
  GCancellable *cancellable;
  SoupMessage *message;
  GInputStream *stream;
  GByteArray *buffer;
  gboolean sent;    /* left the waiting room */
  gboolean written; /* the request is on its way: it may take effect */
  gboolean timed_out;
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
call_free (TgCall *call)
{
  tg_timer_clear (&call->timer);
  g_clear_object (&call->cancellable);
  g_clear_object (&call->message);
  g_clear_object (&call->stream);
  g_clear_pointer (&call->buffer, g_byte_array_unref);
  g_clear_pointer (&call->body, g_bytes_unref);
  g_free (call);
}

static void
call_end (TgCall *call, const TgResult *result)
{
  g_hash_table_steal (call->api->calls, call);
  tg_timer_clear (&call->timer);
  call->done (result, call->data);
  call_free (call);
}

static void
call_fail (TgCall *call, const GError *error)
{
  gboolean cancelled = g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_autofree char *what =
      call->timed_out ? g_strdup ("no answer in time") : scrub (call->api, error->message);
  TgResult result = {
    .outcome = cancelled && !call->timed_out ? TG_CANCELLED : TG_TRANSIENT,
    .unsure = call->written,
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
call_answered (TgCall *call, gboolean complete)
{
  guint status = soup_message_get_status (call->message);
  SoupMessageHeaders *headers = soup_message_get_response_headers (call->message);
  g_auto (TgAnswer) answer = { 0 };
  g_autofree char *what = NULL;
  TgResult result = { 0 };

  tg_classify (call->api->host, status, soup_message_headers_get_one (headers, "Retry-After"),
               (const char *) call->buffer->data, call->buffer->len, complete, &answer);
  if (answer.outcome == TG_FLOOD)
    pause_chat (call->api, call->chat, answer.retry_after);
  what = answer.what != NULL ? scrub (call->api, answer.what) : NULL;
  result.outcome = answer.outcome;
  result.unsure = is_unsure (answer.outcome, status);
  result.what = what;
  result.result = answer.result;
  result.migrated = answer.migrated;
  result.body = (const char *) call->buffer->data;
  result.length = call->buffer->len;
  call_end (call, &result);
}

/* ---- the way of a call --------------------------------------------------------------------------------- */

static void
on_chunk (GObject *source, GAsyncResult *res, gpointer data)
{
  TgCall *call = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) chunk = g_input_stream_read_bytes_finish (call->stream, res, &error);

  if (chunk == NULL) {
    call_fail (call, error);
    return;
  }
  if (g_bytes_get_size (chunk) == 0) {
    call_answered (call, TRUE);
    return;
  }
  g_byte_array_append (call->buffer, g_bytes_get_data (chunk, NULL),
                       (guint) g_bytes_get_size (chunk));
  if (call->buffer->len > SP_JSON_MAX_LENGTH) {
    call_answered (call, FALSE);
    return;
  }
  g_input_stream_read_bytes_async (call->stream, CHUNK, G_PRIORITY_DEFAULT, call->cancellable,
                                   on_chunk, call);
}

static void
on_head (GObject *source, GAsyncResult *res, gpointer data)
{
  TgCall *call = data;
  g_autoptr (GError) error = NULL;

  call->stream = soup_session_send_finish (SOUP_SESSION (source), res, &error);
  if (call->stream == NULL) {
    call_fail (call, error);
    return;
  }
  g_input_stream_read_bytes_async (call->stream, CHUNK, G_PRIORITY_DEFAULT, call->cancellable,
                                   on_chunk, call);
}

static gboolean
on_late (gpointer data)
{
  TgCall *call = data;

  call->timed_out = TRUE;
  g_cancellable_cancel (call->cancellable);
  return G_SOURCE_REMOVE;
}

static void
on_written (SoupMessage *message, TgCall *call)
{
  call->written = TRUE;
}

static void
call_send (TgCall *call)
{
  guint flags = SOUP_MESSAGE_NO_REDIRECT;

  /* Of these a second copy would be seen. */
  if (call->chat != 0)
    flags |= SOUP_MESSAGE_NEW_CONNECTION;
  call->sent = TRUE;
  call->timer = tg_timer_new (call->api->context, call->timeout, on_late, call);
  soup_message_add_flags (call->message, flags);
  soup_message_set_request_body_from_bytes (call->message, "application/json", call->body);
  g_signal_connect (call->message, "wrote-headers", G_CALLBACK (on_written), call);
  soup_session_send_async (call->api->session, call->message, G_PRIORITY_DEFAULT, call->cancellable,
                           on_head, call);
}

static gboolean
on_turn (gpointer data)
{
  TgCall *call = data;
  TgResult cancelled = { .outcome = TG_CANCELLED, .what = "cancelled" };
  guint wait = tg_api_pause (call->api, call->chat);

  tg_timer_clear (&call->timer);
  if (g_cancellable_is_cancelled (call->cancellable) || call->api->closed)
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
  call->cancellable = g_cancellable_new ();
  call->buffer = g_byte_array_new ();
  call->message = make_message (api, method);
  g_hash_table_add (api->calls, call);
  call->timer = tg_timer_new (api->context, 0, on_turn, call);
  return call;
}

void
tg_call_drop (TgCall *call)
{
  if (!call->sent)
    tg_call_cancel (call);
}

void
tg_call_cancel (TgCall *call)
{
  g_cancellable_cancel (call->cancellable);
  if (call->sent)
    return;
  tg_timer_clear (&call->timer);
  call->timer = tg_timer_new (call->api->context, 0, on_turn, call);
}

/* ---- the API ---------------------------------------------------------------------------------------------- */

static GTlsDatabase *
open_database (const char *ca_file, GError **error)
{
  g_autoptr (GError) why = NULL;
  GTlsDatabase *database = g_tls_file_database_new (ca_file, &why);

  if (database == NULL)
    g_set_error (error, SP_ERROR, SP_ERROR_CONFIG, "cannot use the certificates in ca-file %s: %s",
                 ca_file, why->message);
  return database;
}

static SoupSession *
open_session (GTlsDatabase *database)
{
  SoupSession *session =
      g_object_new (SOUP_TYPE_SESSION, "max-conns", CONNECTIONS, "max-conns-per-host", CONNECTIONS,
                    "timeout", 0u, "proxy-resolver", NULL, "user-agent", "secret-proxy", NULL);

  if (database != NULL)
    soup_session_set_tls_database (session, database);
  /* Nothing here is compressed, and no password is ever asked for. */
  soup_session_remove_feature_by_type (session, SOUP_TYPE_CONTENT_DECODER);
  soup_session_remove_feature_by_type (session, SOUP_TYPE_AUTH_MANAGER);
  return session;
}

TgApi *
tg_api_new (SpHost *host, GMainContext *context, GBytes *token, const char *base,
            const char *ca_file, GError **error)
{
  g_autoptr (GTlsDatabase) database = NULL;
  TgApi *api;

  if (ca_file != NULL && (database = open_database (ca_file, error)) == NULL)
    return NULL;
  api = g_new0 (TgApi, 1);
  api->host = host;
  api->context = g_main_context_ref (context);
  api->token = g_bytes_ref (token);
  api->base = g_strdup (base);
  api->session = open_session (database);
  api->pauses = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, g_free);
  api->calls = g_hash_table_new (NULL, NULL);
  return api;
}

static gboolean
on_close_late (gpointer data)
{
  *(gboolean *) data = TRUE;
  return G_SOURCE_REMOVE;
}

void
tg_api_close (TgApi *api)
{
  g_autoptr (GList) calls = g_hash_table_get_keys (api->calls);
  gboolean late = FALSE;
  GSource *timer = tg_timer_new (api->context, CLOSE_WAIT / 1000, on_close_late, &late);

  api->closed = TRUE;
  for (GList *at = calls; at != NULL; at = at->next)
    tg_call_cancel (at->data);
  while (g_hash_table_size (api->calls) > 0 && !late)
    g_main_context_iteration (api->context, TRUE);
  tg_timer_clear (&timer);
  soup_session_abort (api->session);
  /* What was idle gives back what it holds. */
  for (guint i = 0; i < LAST_TURNS && g_main_context_iteration (api->context, FALSE); i++)
    ;
}

void
tg_api_free (TgApi *api)
{
  /* A call that outlived its second still needs all of this: better to leave it. */
  if (api == NULL || g_hash_table_size (api->calls) > 0)
    return;
  g_clear_object (&api->session);
  g_clear_pointer (&api->token, g_bytes_unref);
  g_clear_pointer (&api->base, g_free);
  g_clear_pointer (&api->pauses, g_hash_table_unref);
  g_clear_pointer (&api->calls, g_hash_table_unref);
  g_clear_pointer (&api->context, g_main_context_unref);
  g_free (api);
}
