/* http-response.c - status lines, headers and problem documents of http-response.h */
#include "daemon/http-response.h"

#include "base/json.h"
#include "base/problem.h"

static const struct {
  guint status;
  const char *phrase;
} phrases[] = {
  { 200, "OK" },
  { 201, "Created" },
  { 400, "Bad Request" },
  { 401, "Unauthorized" },
  { 403, "Forbidden" },
  { 404, "Not Found" },
  { 405, "Method Not Allowed" },
  { 409, "Conflict" },
  { 410, "Gone" },
  { 413, "Content Too Large" },
  { 422, "Unprocessable Content" },
  { 426, "Upgrade Required" },
  { 429, "Too Many Requests" },
  { 503, "Service Unavailable" },
};

static const char *
phrase_of (guint status)
{
  for (guint i = 0; i < G_N_ELEMENTS (phrases); i++)
    if (phrases[i].status == status)
      return phrases[i].phrase;
  return "Internal Server Error";
}

static void
append_header (GString *out, const char *name, const char *value)
{
  if (value == NULL)
    return;
  g_string_append (out, name);
  g_string_append (out, ": ");
  g_string_append (out, value);
  g_string_append (out, "\r\n");
}

static void
append_number (GString *out, const char *name, gsize number)
{
  char text[24];

  (void) g_snprintf (text, sizeof text, "%" G_GSIZE_FORMAT, number);
  append_header (out, name, text);
}

void
sp_http_response_append (const SpHttpResponse *response, gboolean no_body, gboolean close,
                         GString *out)
{
  gsize length = response->secret ? sp_secret_length (response->secret) : response->length;

  g_string_append_printf (out, "HTTP/1.1 %u %s\r\n", response->status,
                          phrase_of (response->status));
  append_header (out, "Content-Type", response->type ? response->type : "application/json");
  append_number (out, "Content-Length", length);
  g_string_append (out, "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n");
  append_header (out, "Location", response->location);
  append_header (out, "Allow", response->allow);
  append_header (out, "WWW-Authenticate", response->status == 401 ? "Bearer" : NULL);
  append_header (out, "Connection", close ? "close" : NULL);
  if (response->retry_after > 0)
    append_number (out, "Retry-After", response->retry_after);
  g_string_append (out, "\r\n");
  if (!no_body && response->secret == NULL && length > 0)
    g_string_append_len (out, response->body, (gssize) length);
}

static void
append_member (GString *body, const char *name, const char *value)
{
  g_string_append_printf (body, "%s\"%s\":", body->len > 1 ? "," : "", name);
  sp_json_append_string (body, value, -1);
}

/* Agents are told what they can act on, in the words of the API: which process it was is ours. */
static SpProblemCode
code_for_agents (const GError *error)
{
  SpProblemCode code = sp_problem_code (error);

  switch (code) {
  case SP_PROBLEM_UNREACHABLE: /* the keeper is being started again, and has no keys yet */
    return SP_PROBLEM_LOCKED;
  case SP_PROBLEM_TIMED_OUT:
  case SP_PROBLEM_INTEGRITY:
    return SP_PROBLEM_STORE;
  default:
    return code;
  }
}

/* What went wrong inside is ours; why the vault is locked is the keeper's own sentence, and agents can act
 * on it. */
static gboolean
may_tell (const GError *error, guint status)
{
  return status < 500 || g_error_matches (error, SP_PROBLEM, SP_PROBLEM_LOCKED);
}

void
sp_http_response_problem (const GError *error, const char *allow, GString *body,
                          SpHttpResponse *ret_response)
{
  SpProblemCode code = code_for_agents (error);
  guint status = sp_problem_status (code);
  guint retry_after = sp_problem_retry_after (error);
  g_autofree char *detail = g_utf8_make_valid (error->message, -1);

  g_string_assign (body, "{");
  g_string_append_printf (body, "\"type\":\"" SP_PROBLEM_URN "%s\"", sp_problem_slug (code));
  append_member (body, "title", sp_problem_title (code));
  g_string_append_printf (body, ",\"status\":%u", status);
  append_member (body, "detail", may_tell (error, status) ? detail : sp_problem_title (code));
  if (sp_problem_field (error) != NULL)
    append_member (body, "field", sp_problem_field (error));
  g_string_append_c (body, '}');
  *ret_response = (SpHttpResponse){
    .status = status,
    .type = "application/problem+json",
    .allow = allow,
    .retry_after = code == SP_PROBLEM_RATE_LIMITED ? MAX (retry_after, 1) : retry_after,
    .body = body->str,
    .length = body->len,
  };
}
