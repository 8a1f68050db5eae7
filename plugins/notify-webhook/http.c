/* http.c - the requests of http.h, on libsoup
 *
 * What must stay true: no redirect is followed; an answer is read to at most WH_BODY_MAX; the bearer token goes
 * to the origin of the service only; a service can't keep the main loop from its timers; every text that goes up names the host alone, and has been searched for
 * what must not show, since a service may echo it; each call ends exactly once.
 */
#include "http.h"

#include <libsoup/soup.h>
#include <string.h>

#include "text.h"

#define CHUNK 16384u
#define CLOSE_WAIT_MS 1000u
#define CONNECTIONS 8
#define MAX_INTERIM 16u /* answers 1xx before the real one */

struct _WhHttp {
  GMainContext *context;
  SoupSession *session;
  GUri *origin;
  char *authorization; /* NULL: none */
  guint timeout;
  GPtrArray *hidden;
  GHashTable *calls; /* WhCall, as a set */
  gboolean closed;
};

struct _WhCall {
  WhHttp *http;
  WhDone done;
  gpointer data;
  GSource *timer;
  GCancellable *cancellable;
  SoupMessage *message;
  GInputStream *stream;
  GByteArray *buffer;
  guint n_interim;
  gboolean timed_out;
};

/* ---- what is said about it ------------------------------------------------------------------------------ */

static char *
hide (WhHttp *http, const char *text)
{
  char *shown = g_strdup (text);

  for (guint i = 0; i < http->hidden->len; i++) {
    g_auto (GStrv) parts = g_strsplit (shown, g_ptr_array_index (http->hidden, i), -1);

    g_free (shown);
    shown = g_strjoinv ("[hidden]", parts);
  }
  return shown;
}

static char *
describe (WhCall *call, const char *what)
{
  const char *host = g_uri_get_host (soup_message_get_uri (call->message));
  g_autofree char *whole = g_strdup_printf ("%s: %s", host, what);

  return hide (call->http, whole);
}

static char *
describe_status (WhCall *call, guint status)
{
  g_autofree char *line = wh_text_first_line ((const char *) call->buffer->data, call->buffer->len);
  const char *hint = SOUP_STATUS_IS_REDIRECTION (status)
                         ? " (redirects are not followed: configure the final address)"
                         : "";
  g_autofree char *what =
      g_strdup_printf ("it answered %u%s%s%s", status, hint, *line != '\0' ? ": " : "", line);

  return describe (call, what);
}

/* ---- what it means ----------------------------------------------------------------------------------------- */

static WhOutcome
outcome_of (guint status)
{
  static const guint passing[] = { SOUP_STATUS_REQUEST_TIMEOUT, 425, 429 };

  if (SOUP_STATUS_IS_SUCCESSFUL (status))
    return WH_OK;
  for (gsize i = 0; i < G_N_ELEMENTS (passing); i++)
    if (status == passing[i])
      return WH_TRANSIENT;
  return SOUP_STATUS_IS_REDIRECTION (status) || SOUP_STATUS_IS_CLIENT_ERROR (status) ? WH_REFUSED
                                                                                     : WH_TRANSIENT;
}

/* Retry-After, as seconds or as a date (RFC 9110, 10.2.3). */
static guint
pause_of (SoupMessageHeaders *headers)
{
  const char *text = soup_message_headers_get_one (headers, "Retry-After");
  g_autoptr (GDateTime) date = NULL;
  guint64 seconds = 0;

  if (text == NULL)
    return 0;
  if (!g_ascii_string_to_unsigned (text, 10, 0, G_MAXUINT64, &seconds, NULL)) {
    date = soup_date_time_new_from_http_string (text);
    if (date != NULL)
      seconds = (guint64) MAX (0, g_date_time_to_unix (date) - g_get_real_time () / G_USEC_PER_SEC);
  }
  return (guint) MIN (seconds, WH_PAUSE_MAX);
}

/* ---- the end of a call ---------------------------------------------------------------------------------------- */

static void
call_free (WhCall *call)
{
  g_source_destroy (call->timer);
  g_source_unref (call->timer);
  g_clear_object (&call->cancellable);
  g_clear_object (&call->message);
  g_clear_object (&call->stream);
  g_byte_array_unref (call->buffer);
  g_free (call);
}

static void
call_end (WhCall *call, const WhReply *reply)
{
  g_hash_table_steal (call->http->calls, call);
  call->done (reply, call->data);
  call_free (call);
}

static void
call_fail (WhCall *call, const GError *error)
{
  gboolean babbles = call->n_interim > MAX_INTERIM;
  gboolean cancelled =
      g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED) && !call->timed_out && !babbles;
  g_autofree char *what = describe (call, babbles           ? "it answers with 1xx without end"
                                          : call->timed_out ? "no whole answer in time"
                                                            : error->message);
  WhReply reply = { .outcome = cancelled ? WH_CANCELLED : WH_TRANSIENT, .what = what };

  call_end (call, &reply);
}

static void
call_answered (WhCall *call, gboolean complete)
{
  SoupMessageHeaders *headers = soup_message_get_response_headers (call->message);
  guint status = soup_message_get_status (call->message);
  g_autofree char *what = NULL;
  WhReply reply = {
    .outcome = outcome_of (status),
    .status = status,
    .pause = pause_of (headers),
    .signature = soup_message_headers_get_one (headers, "X-Secret-Proxy-Signature"),
    .body = call->buffer->len > 0 ? (const char *) call->buffer->data : "",
    .length = call->buffer->len,
    .complete = complete,
  };

  if (reply.outcome != WH_OK)
    reply.what = what = describe_status (call, status);
  call_end (call, &reply);
}

/* ---- the way of a call ------------------------------------------------------------------------------------------ */

static void
on_chunk (GObject *source, GAsyncResult *res, gpointer data)
{
  WhCall *call = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) chunk = g_input_stream_read_bytes_finish (call->stream, res, &error);
  gsize room = WH_BODY_MAX - call->buffer->len;

  if (chunk == NULL) {
    call_fail (call, error);
    return;
  }
  if (g_bytes_get_size (chunk) == 0) {
    call_answered (call, TRUE);
    return;
  }
  g_byte_array_append (call->buffer, g_bytes_get_data (chunk, NULL),
                       (guint) MIN (room, g_bytes_get_size (chunk)));
  if (g_bytes_get_size (chunk) > room) {
    call_answered (call, FALSE);
    return;
  }
  g_input_stream_read_bytes_async (call->stream, CHUNK, G_PRIORITY_DEFAULT, call->cancellable,
                                   on_chunk, call);
}

static void
on_head (GObject *source, GAsyncResult *res, gpointer data)
{
  WhCall *call = data;
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
  WhCall *call = data;

  call->timed_out = TRUE;
  g_cancellable_cancel (call->cancellable);
  return G_SOURCE_REMOVE;
}

/* libsoup reads on as long as they come, and nothing else runs meanwhile. */
static void
on_interim (SoupMessage *message, WhCall *call)
{
  if (++call->n_interim > MAX_INTERIM)
    g_cancellable_cancel (call->cancellable);
}

static gboolean
is_same_origin (GUri *a, GUri *b)
{
  return g_str_equal (g_uri_get_scheme (a), g_uri_get_scheme (b)) &&
         g_ascii_strcasecmp (g_uri_get_host (a), g_uri_get_host (b)) == 0 &&
         g_uri_get_port (a) == g_uri_get_port (b);
}

static SoupMessage *
make_message (WhHttp *http, const WhRequest *request)
{
  SoupMessage *message = soup_message_new_from_uri (
      request->body != NULL ? SOUP_METHOD_POST : SOUP_METHOD_GET, request->uri);
  SoupMessageHeaders *headers = soup_message_get_request_headers (message);

  soup_message_add_flags (message, SOUP_MESSAGE_NO_REDIRECT);
  if (request->body != NULL)
    soup_message_set_request_body_from_bytes (message, "application/json", request->body);
  if (request->signature != NULL)
    soup_message_headers_append (headers, "X-Secret-Proxy-Signature", request->signature);
  if (request->delivery != NULL)
    soup_message_headers_append (headers, "X-Secret-Proxy-Delivery", request->delivery);
  if (http->authorization != NULL && is_same_origin (http->origin, request->uri))
    soup_message_headers_append (headers, "Authorization", http->authorization);
  return message;
}

WhCall *
wh_http_send (WhHttp *http, const WhRequest *request, WhDone done, gpointer data)
{
  WhCall *call = g_new0 (WhCall, 1);

  call->http = http;
  call->done = done;
  call->data = data;
  call->cancellable = g_cancellable_new ();
  call->buffer = g_byte_array_new ();
  call->message = make_message (http, request);
  g_signal_connect (call->message, "got-informational", G_CALLBACK (on_interim), call);
  call->timer = g_timeout_source_new (http->timeout);
  g_source_set_callback (call->timer, on_late, call, NULL);
  g_source_attach (call->timer, http->context);
  g_hash_table_add (http->calls, call);
  if (http->closed)
    g_cancellable_cancel (call->cancellable);
  soup_session_send_async (http->session, call->message, G_PRIORITY_DEFAULT, call->cancellable,
                           on_head, call);
  return call;
}

void
wh_call_cancel (WhCall *call)
{
  g_cancellable_cancel (call->cancellable);
}

/* ---- the whole ---------------------------------------------------------------------------------------------------- */

GUri *
wh_origin (GUri *uri)
{
  return g_uri_build (G_URI_FLAGS_NONE, g_uri_get_scheme (uri), NULL, g_uri_get_host (uri),
                      g_uri_get_port (uri), "/", NULL, NULL);
}

static SoupSession *
open_session (const char *ca_file, GError **error)
{
  g_autoptr (GTlsDatabase) database = NULL;
  g_autoptr (GError) why = NULL;
  SoupSession *session;

  if (ca_file != NULL && (database = g_tls_file_database_new (ca_file, &why)) == NULL) {
    g_set_error (error, SP_ERROR, SP_ERROR_CONFIG, "cannot use the certificates in ca-file %s: %s",
                 ca_file, why->message);
    return NULL;
  }
  session =
      g_object_new (SOUP_TYPE_SESSION, "max-conns", CONNECTIONS, "max-conns-per-host", CONNECTIONS,
                    "timeout", 0u, "proxy-resolver", NULL, "user-agent", "secret-proxy", NULL);
  if (database != NULL)
    soup_session_set_tls_database (session, database);
  /* Nothing is unpacked beyond the bound, and no password is ever asked for. */
  soup_session_remove_feature_by_type (session, SOUP_TYPE_CONTENT_DECODER);
  soup_session_remove_feature_by_type (session, SOUP_TYPE_AUTH_MANAGER);
  return session;
}

WhHttp *
wh_http_new (const WhHttpOptions *options, GError **error)
{
  SoupSession *session = open_session (options->ca_file, error);
  WhHttp *http;

  if (session == NULL)
    return NULL;
  http = g_new0 (WhHttp, 1);
  http->context = g_main_context_ref_thread_default ();
  http->session = session;
  http->origin = wh_origin (options->uri);
  if (options->token != NULL)
    http->authorization = g_strdup_printf ("Bearer %.*s", (int) g_bytes_get_size (options->token),
                                           (const char *) g_bytes_get_data (options->token, NULL));
  http->timeout = options->timeout;
  http->hidden = g_ptr_array_ref (options->hidden);
  http->calls = g_hash_table_new (NULL, NULL);
  return http;
}

static gboolean
on_close_late (gpointer data)
{
  *(gboolean *) data = TRUE;
  return G_SOURCE_REMOVE;
}

void
wh_http_close (WhHttp *http)
{
  g_autoptr (GList) calls = g_hash_table_get_keys (http->calls);
  g_autoptr (GSource) timer = g_timeout_source_new (CLOSE_WAIT_MS);
  gboolean late = FALSE;

  http->closed = TRUE;
  for (GList *at = calls; at != NULL; at = at->next)
    wh_call_cancel (at->data);
  g_source_set_callback (timer, on_close_late, &late, NULL);
  g_source_attach (timer, http->context);
  while (g_hash_table_size (http->calls) > 0 && !late)
    g_main_context_iteration (http->context, TRUE);
  g_source_destroy (timer);
  soup_session_abort (http->session);
}

void
wh_http_free (WhHttp *http)
{
  /* A call that outlived its second still needs all of this: better to leave it. */
  if (http == NULL || g_hash_table_size (http->calls) > 0)
    return;
  if (http->authorization != NULL)
    explicit_bzero (http->authorization, strlen (http->authorization));
  g_free (http->authorization);
  g_object_unref (http->session);
  g_uri_unref (http->origin);
  g_ptr_array_unref (http->hidden);
  g_hash_table_unref (http->calls);
  g_main_context_unref (http->context);
  g_free (http);
}
