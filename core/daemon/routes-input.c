/* routes-input.c - the readers of routes-input.h */
#include "daemon/routes-input.h"

#include <string.h>

#include "base/json.h"
#include "base/problem.h"

#define MAX_SECRET 128
#define MAX_REASON 500
#define MIN_TTL 30
#define MAX_TTL 3600

void
sp_route_input_clear (SpRouteInput *input)
{
  sp_wipe (input->token, sizeof input->token);
  g_clear_pointer (&input->body, json_object_unref);
}

/* Copy @slice, 1 to @max bytes that are each a letter, a digit or one of @others. */
static gboolean
copy_word (SpHttpSlice slice, const char *others, gsize max, char *to)
{
  if (slice.length == 0 || slice.length > max)
    return FALSE;
  for (gsize i = 0; i < slice.length; i++)
    if (!g_ascii_isalnum (slice.text[i]) && strchr (others, slice.text[i]) == NULL)
      return FALSE;
  memcpy (to, slice.text, slice.length);
  to[slice.length] = '\0';
  return TRUE;
}

gboolean
sp_route_read_id (SpHttpSlice id, char ret_id[SP_ROUTES_MAX_ID + 1])
{
  return copy_word (id, "_-", SP_ROUTES_MAX_ID, ret_id);
}

gboolean
sp_route_read_token (SpHttpSlice authorization, SpRouteInput *input, GError **error)
{
  static const char scheme[] = "Bearer ";
  SpHttpSlice token = authorization;

  if (token.length > strlen (scheme) &&
      g_ascii_strncasecmp (token.text, scheme, strlen (scheme)) == 0) {
    token.text += strlen (scheme);
    token.length -= strlen (scheme);
    if (copy_word (token, "-._~+/=", SP_ROUTES_MAX_TOKEN, input->token))
      return TRUE;
  }
  g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_UNAUTHORIZED,
                       "the request has no header 'Authorization: Bearer TOKEN'");
  return FALSE;
}

gboolean
sp_route_read_idempotency_key (SpHttpSlice key, SpRouteInput *input, GError **error)
{
  static const char others[] = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

  if (key.text == NULL ||
      copy_word (key, others, sizeof input->idempotency_key - 1, input->idempotency_key))
    return TRUE;
  sp_problem_set_invalid (error, "idempotency-key",
                          "must be 1 to %u characters of visible ASCII without spaces",
                          (guint) sizeof input->idempotency_key - 1);
  return FALSE;
}

/* ---- the query ---------------------------------------------------------------------------------- */

/* A plain decimal number between @min and @max, which has two or three digits. */
static gboolean
read_number (SpHttpSlice value, guint min, guint max, guint *ret_number)
{
  guint number = 0;

  if (value.length == 0 || value.length > 3 || (value.length > 1 && *value.text == '0'))
    return FALSE;
  for (gsize i = 0; i < value.length; i++) {
    if (!g_ascii_isdigit (value.text[i]))
      return FALSE;
    number = number * 10 + (guint) (value.text[i] - '0');
  }
  *ret_number = number;
  return number >= min && number <= max;
}

static gboolean
take_wait (SpRouteInput *input, SpHttpSlice value)
{
  return read_number (value, 0, 60, &input->wait);
}

static gboolean
take_limit (SpRouteInput *input, SpHttpSlice value)
{
  return read_number (value, 1, 100, &input->limit);
}

static gboolean
take_cursor (SpRouteInput *input, SpHttpSlice value)
{
  return copy_word (value, "-._~", sizeof input->cursor - 1, input->cursor);
}

static gboolean
take_nonce (SpRouteInput *input, SpHttpSlice value)
{
  for (gsize i = 0; i < value.length; i++)
    if (!g_ascii_isxdigit (value.text[i]))
      return FALSE;
  return value.length >= 32 && value.length % 2 == 0 &&
         copy_word (value, "", sizeof input->nonce - 1, input->nonce);
}

static const struct {
  const char *name;
  gboolean (*take) (SpRouteInput *input, SpHttpSlice value);
  const char *rule;
} parameters[] = {
  { "wait", take_wait, "must be a whole number of seconds from 0 to 60" },
  { "limit", take_limit, "must be a whole number from 1 to 100" },
  { "cursor", take_cursor, "must be what an earlier answer gave as next" },
  { "nonce", take_nonce, "must be 32 to 128 hexadecimal digits, an even number of them" },
};

static gboolean
take_parameter (SpHttpSlice name, SpHttpSlice value, const char *const *allowed, guint *seen,
                SpRouteInput *input, GError **error)
{
  g_autofree char *text = g_strndup (name.text, name.length);

  for (guint i = 0; i < G_N_ELEMENTS (parameters); i++) {
    if (!sp_http_slice_is (name, parameters[i].name) || !g_strv_contains (allowed, text))
      continue;
    if ((*seen & 1u << i) == 0 && parameters[i].take (input, value)) {
      *seen |= 1u << i;
      return TRUE;
    }
    sp_problem_set_invalid (error, text, "%s, once", parameters[i].rule);
    return FALSE;
  }
  sp_problem_set_invalid (error, *text ? text : "query", "this call has no such parameter");
  return FALSE;
}

gboolean
sp_route_read_query (SpHttpSlice query, const char *const *allowed, SpRouteInput *input,
                     GError **error)
{
  SpHttpSlice name, value;
  guint seen = 0;

  while (sp_http_query_next (&query, &name, &value))
    if (!take_parameter (name, value, allowed, &seen, input, error))
      return FALSE;
  return TRUE;
}

/* ---- the body ----------------------------------------------------------------------------------- */

/* The rest of the header after the media type. */
static gboolean
is_utf8_or_nothing (const char *rest, gsize length)
{
  static const char *const forms[] = { "", ";charset=utf-8", "; charset=utf-8" };

  for (guint i = 0; i < G_N_ELEMENTS (forms); i++)
    if (length == strlen (forms[i]) && g_ascii_strncasecmp (rest, forms[i], length) == 0)
      return TRUE;
  return FALSE;
}

gboolean
sp_route_check_type (SpHttpSlice content_type, GError **error)
{
  static const char type[] = "application/json";
  const gsize n = strlen (type);

  if (content_type.length >= n && g_ascii_strncasecmp (content_type.text, type, n) == 0 &&
      is_utf8_or_nothing (content_type.text + n, content_type.length - n))
    return TRUE;
  sp_problem_set_invalid (error, "content-type", "must be application/json");
  return FALSE;
}

static JsonObject *
read_object (SpHttpSlice body, const char *const *allowed, GError **error)
{
  g_autoptr (GError) local = NULL;
  JsonObject *object = sp_json_parse_object (body.text, body.length, allowed, &local);

  if (object == NULL)
    sp_problem_set_invalid (error, sp_problem_field (local) ? sp_problem_field (local) : "body",
                            "%s", local->message);
  return object;
}

/* A string of 1 to @max characters that is not blank. */
static gboolean
read_text (JsonObject *object, const char *name, glong max, const char **ret_text, GError **error)
{
  const char *text = NULL;
  gboolean blank = TRUE;

  if (!sp_json_get_string (object, name, &text, error))
    return FALSE;
  for (const char *at = text; at != NULL && *at != '\0' && blank; at = g_utf8_next_char (at))
    blank = g_unichar_isspace (g_utf8_get_char (at));
  *ret_text = text;
  if (text != NULL && !blank && g_utf8_strlen (text, -1) <= max)
    return TRUE;
  sp_problem_set_invalid (error, name, "must be a text of 1 to %ld characters", max);
  return FALSE;
}

gboolean
sp_route_read_request (SpHttpSlice body, SpRouteInput *input, GError **error)
{
  static const char *const allowed[] = { "secret", "reason", "ttl", NULL };

  input->body = read_object (body, allowed, error);
  if (input->body == NULL)
    return FALSE;
  if (!read_text (input->body, "secret", MAX_SECRET, &input->secret, error) ||
      !read_text (input->body, "reason", MAX_REASON, &input->reason, error) ||
      !sp_json_get_int (input->body, "ttl", &input->ttl, error))
    return FALSE;
  if (!json_object_has_member (input->body, "ttl")) {
    input->ttl = -1;
    return TRUE;
  }
  if (input->ttl >= MIN_TTL && input->ttl <= MAX_TTL)
    return TRUE;
  sp_problem_set_invalid (error, "ttl", "must be a whole number of seconds from %d to %d", MIN_TTL,
                          MAX_TTL);
  return FALSE;
}

gboolean
sp_route_read_empty (SpHttpSlice body, GError **error)
{
  static const char *const allowed[] = { NULL };
  g_autoptr (JsonObject) object = NULL;

  if (body.length == 0)
    return TRUE;
  object = read_object (body, allowed, error);
  return object != NULL;
}
