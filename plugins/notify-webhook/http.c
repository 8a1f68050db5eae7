/* http.c - the requests of http.h, each an exchange of notify-common/exchange.h
 *
 * What must stay true: the bearer token goes to the origin of the service only; every text that goes up names
 * the host alone, and has been searched for what must not show, since a service may echo it.
 */
#include "http.h"

#include <string.h>

#include "exchange.h"
#include "text.h"

#define CONNECTIONS 8

struct _WhHttp {
  NcSession *session;
  GUri *origin;
  char *authorization; /* NULL: none */
  guint timeout;
  GPtrArray *hidden;
};

struct _WhCall {
  WhHttp *http;
  WhDone done;
  gpointer data;
  NcExchange *exchange;
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
describe (WhHttp *http, const NcEnd *end, const char *what)
{
  const char *host = g_uri_get_host (soup_message_get_uri (end->message));
  g_autofree char *whole = g_strdup_printf ("%s: %s", host, what);

  return hide (http, whole);
}

static char *
describe_status (WhHttp *http, const NcEnd *end, guint status)
{
  g_autofree char *line = wh_text_first_line (end->body, end->length);
  const char *hint = SOUP_STATUS_IS_REDIRECTION (status)
                         ? " (redirects are not followed: configure the final address)"
                         : "";
  g_autofree char *what =
      g_strdup_printf ("it answered %u%s%s%s", status, hint, *line != '\0' ? ": " : "", line);

  return describe (http, end, what);
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

/* ---- a call ------------------------------------------------------------------------------------------------- */

static void
take_answer (const NcEnd *end, WhReply *reply)
{
  SoupMessageHeaders *headers = soup_message_get_response_headers (end->message);

  reply->status = soup_message_get_status (end->message);
  reply->outcome = outcome_of (reply->status);
  reply->pause = pause_of (headers);
  reply->signature = soup_message_headers_get_one (headers, "X-Secret-Proxy-Signature");
  reply->body = end->body;
  reply->length = end->length;
  reply->complete = end->complete;
}

static void
on_end (const NcEnd *end, gpointer data)
{
  g_autofree WhCall *call = data;
  g_autofree char *what = NULL;
  WhReply reply = { .outcome = end->cancelled ? WH_CANCELLED : WH_TRANSIENT };

  if (end->error == NULL)
    take_answer (end, &reply);
  if (end->error != NULL)
    what = describe (call->http, end, end->what);
  else if (reply.outcome != WH_OK)
    what = describe_status (call->http, end, reply.status);
  reply.what = what;
  call->done (&reply, call->data);
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
  const NcRequest exchange = { .message = make_message (http, request),
                               .timeout = http->timeout,
                               .most = WH_BODY_MAX,
                               .done = on_end,
                               .data = call };

  call->http = http;
  call->done = done;
  call->data = data;
  call->exchange = nc_exchange (http->session, &exchange);
  return call;
}

void
wh_call_cancel (WhCall *call)
{
  nc_exchange_cancel (call->exchange);
}

/* ---- the whole ---------------------------------------------------------------------------------------------------- */

GUri *
wh_origin (GUri *uri)
{
  return g_uri_build (G_URI_FLAGS_NONE, g_uri_get_scheme (uri), NULL, g_uri_get_host (uri),
                      g_uri_get_port (uri), "/", NULL, NULL);
}

WhHttp *
wh_http_new (const WhHttpOptions *options, GError **error)
{
  g_autoptr (GMainContext) context = g_main_context_ref_thread_default ();
  NcSession *session = nc_session_new (context, CONNECTIONS, options->ca_file, error);
  WhHttp *http;

  if (session == NULL)
    return NULL;
  http = g_new0 (WhHttp, 1);
  http->session = session;
  http->origin = wh_origin (options->uri);
  if (options->token != NULL)
    http->authorization = g_strdup_printf ("Bearer %.*s", (int) g_bytes_get_size (options->token),
                                           (const char *) g_bytes_get_data (options->token, NULL));
  http->timeout = options->timeout;
  http->hidden = g_ptr_array_ref (options->hidden);
  return http;
}

void
wh_http_close (WhHttp *http)
{
  nc_session_close (http->session);
}

void
wh_http_free (WhHttp *http)
{
  /* One that outlived the closing still needs all of this: better to leave it. */
  if (http == NULL || !nc_session_free (http->session))
    return;
  if (http->authorization != NULL)
    explicit_bzero (http->authorization, strlen (http->authorization));
  g_free (http->authorization);
  g_uri_unref (http->origin);
  g_ptr_array_unref (http->hidden);
  g_free (http);
}
