/* fetch-http.c - fetch-http.h on libsoup
 *
 * Redirects are followed here and not by libsoup, which would go from HTTPS to HTTP.
 */
#include "host/cloud/fetch-http.h"

#include "base/bundle.h"
#include "base/problem.h"
#include "sp-build.h"

#define MAX_REDIRECTS 5u
#define AGENT "secret-proxy/" SP_VERSION

void
sp_http_body_clear (SpHttpBody *body)
{
  g_clear_object (&body->stream);
  g_clear_object (&body->message);
  if (body->session != NULL)
    soup_session_abort (body->session);
  g_clear_object (&body->session);
  g_clear_pointer (&body->validator, g_free);
}

void
sp_http_body_explain (GError **error, const char *url, const GError *cause)
{
  gboolean late = g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);

  g_set_error (error, SP_PROBLEM, late ? SP_PROBLEM_TIMED_OUT : SP_PROBLEM_UNREACHABLE,
               "cannot fetch %s: %s", url, cause->message);
}

/* ---- addresses ----------------------------------------------------------------------------------------- */

static gboolean
is_scheme (GUri *uri, const char *scheme)
{
  return g_str_equal (g_uri_get_scheme (uri), scheme);
}

static gboolean
is_loopback (GUri *uri)
{
  g_autoptr (GInetAddress) address =
      g_uri_get_host (uri) ? g_inet_address_new_from_string (g_uri_get_host (uri)) : NULL;

  return address != NULL && g_inet_address_get_is_loopback (address);
}

static GUri *
parse (GUri *base, const char *text, GError **error)
{
  g_autoptr (GError) local = NULL;
  g_autoptr (GUri) uri = base ? g_uri_parse_relative (base, text, SOUP_HTTP_URI_FLAGS, &local)
                              : g_uri_parse (text, SOUP_HTTP_URI_FLAGS, &local);

  if (uri != NULL && (is_scheme (uri, "https") || is_scheme (uri, "http")) &&
      g_uri_get_host (uri) != NULL && *g_uri_get_host (uri) != '\0')
    return g_steal_pointer (&uri);
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_USAGE,
               "'%.200s' is no address of HTTPS or HTTP that can be fetched", text);
  return NULL;
}

/* Where a redirect leads. */
static GUri *
follow (GUri *from, SoupMessage *message, GError **error)
{
  const char *location =
      soup_message_headers_get_one (soup_message_get_response_headers (message), "Location");
  g_autoptr (GUri) to = NULL;
  g_autofree char *text = g_uri_to_string (from);

  if (location == NULL) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_UNREACHABLE, "%s leads elsewhere, and not where",
                 text);
    return NULL;
  }
  to = parse (from, location, error);
  if (to == NULL || is_scheme (to, "https") || is_scheme (from, "http"))
    return g_steal_pointer (&to);
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY,
               "%s leads from https to http, which is not followed: %.200s", text, location);
  return NULL;
}

/* ---- one request ---------------------------------------------------------------------------------------- */

/* What is on disk is the bytes of the file, so no encoding is asked for. */
static SoupSession *
new_session (guint stall_s)
{
  SoupSession *session =
      soup_session_new_with_options ("timeout", stall_s, "user-agent", AGENT, NULL);

  soup_session_remove_feature_by_type (session, SOUP_TYPE_CONTENT_DECODER);
  return session;
}

static gboolean
ask (SpHttpBody *body, GUri *uri, guint64 from, const char *validator, GError **error)
{
  g_autofree char *url = g_uri_to_string (uri);
  g_autoptr (GError) local = NULL;
  SoupMessageHeaders *headers;

  g_clear_object (&body->stream);
  g_clear_object (&body->message);
  body->message = soup_message_new_from_uri ("GET", uri);
  soup_message_add_flags (body->message, SOUP_MESSAGE_NO_REDIRECT);
  headers = soup_message_get_request_headers (body->message);
  if (from > 0 && validator != NULL) {
    soup_message_headers_set_range (headers, (goffset) from, -1);
    soup_message_headers_replace (headers, "If-Range", validator);
  }
  body->stream = soup_session_send (body->session, body->message, NULL, &local);
  if (body->stream == NULL)
    sp_http_body_explain (error, url, local);
  body->status = soup_message_get_status (body->message);
  return body->stream != NULL;
}

/* ---- what came back -------------------------------------------------------------------------------------- */

static void
take_validator (SpHttpBody *body, SoupMessageHeaders *headers)
{
  const char *tag = soup_message_headers_get_one (headers, "ETag");
  const char *time = soup_message_headers_get_one (headers, "Last-Modified");

  body->validator = g_strdup (tag && !g_str_has_prefix (tag, "W/") ? tag : time);
}

static gboolean
take_sizes (SpHttpBody *body, const char *url, GError **error)
{
  SoupMessageHeaders *headers = soup_message_get_response_headers (body->message);
  goffset start = 0, end = 0, total = 0;

  take_validator (body, headers);
  if (body->status == SOUP_STATUS_OK) {
    body->total = (guint64) MAX (soup_message_headers_get_content_length (headers), 0);
    return TRUE;
  }
  if (body->status != SOUP_STATUS_PARTIAL_CONTENT)
    return TRUE;
  if (!soup_message_headers_get_content_range (headers, &start, &end, &total) || start < 0) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_UNREACHABLE,
                 "%s answers with a part, and not with which", url);
    return FALSE;
  }
  body->start = (guint64) start;
  body->total = (guint64) MAX (total, 0);
  return TRUE;
}

static gboolean
is_redirect (guint status)
{
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static gboolean
is_known (guint status)
{
  return status == SOUP_STATUS_OK || status == SOUP_STATUS_PARTIAL_CONTENT ||
         status == SOUP_STATUS_REQUESTED_RANGE_NOT_SATISFIABLE;
}

static gboolean
check_private (GUri *uri, gboolean private_only, const char *url, GError **error)
{
  if (!private_only || is_scheme (uri, "https") || is_loopback (uri))
    return TRUE;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY,
               "%s is not fetched: a checksum is worth something over https only", url);
  return FALSE;
}

gboolean
sp_http_body_open (SpHttpBody *body, const char *url, guint64 from, const char *validator,
                   gboolean private_only, guint stall_s, GError **error)
{
  g_autoptr (GUri) uri = parse (NULL, url, error);

  if (uri == NULL || !sp_bundle_trust (error))
    return FALSE;
  body->session = new_session (stall_s);
  for (guint i = 0; i <= MAX_REDIRECTS; i++) {
    GUri *next;

    if (!check_private (uri, private_only, url, error) || !ask (body, uri, from, validator, error))
      return FALSE;
    if (is_known (body->status))
      return take_sizes (body, url, error);
    if (!is_redirect (body->status)) {
      g_set_error (error, SP_PROBLEM, SP_PROBLEM_UNREACHABLE, "%s answers with HTTP %u", url,
                   body->status);
      return FALSE;
    }
    next = follow (uri, body->message, error);
    g_uri_unref (uri);
    uri = next;
    if (uri == NULL)
      return FALSE;
  }
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_UNREACHABLE, "%s leads on more than %u times", url,
               MAX_REDIRECTS);
  return FALSE;
}
