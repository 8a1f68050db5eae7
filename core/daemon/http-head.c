/* http-head.c - the grammar of http-head.h
 *
 * sp_http_head_scan() settles which bytes may be there at all, so that what follows deals with lines of
 * printable ASCII only.  Each header that means something here has a row in one table; whatever
 * changes the framing of a message, or who may have sent it, is refused there.
 */
#include "daemon/http-head.h"

#include <string.h>

#include "base/problem.h"

#define UNRESERVED "-._~"

/* ---- bytes ------------------------------------------------------------------------------------ */

static gboolean
is_text (char c)
{
  return (c >= 0x20 && c <= 0x7e) || c == '\t';
}

static gboolean
is_token (SpHttpSlice slice)
{
  for (gsize i = 0; i < slice.length; i++)
    if (!g_ascii_isalnum (slice.text[i]) && strchr ("!#$%&'*+-.^_`|~", slice.text[i]) == NULL)
      return FALSE;
  return slice.length > 0;
}

/* Letters, digits, and what is in @others. */
static gboolean
is_made_of (SpHttpSlice slice, const char *others)
{
  for (gsize i = 0; i < slice.length; i++)
    if (!g_ascii_isalnum (slice.text[i]) && strchr (others, slice.text[i]) == NULL)
      return FALSE;
  return TRUE;
}

static gboolean
is_digits (SpHttpSlice slice)
{
  for (gsize i = 0; i < slice.length; i++)
    if (!g_ascii_isdigit (slice.text[i]))
      return FALSE;
  return slice.length > 0;
}

static gboolean
has (SpHttpSlice slice, const char *part)
{
  return slice.length > 0 && memmem (slice.text, slice.length, part, strlen (part)) != NULL;
}

gboolean
sp_http_slice_is (SpHttpSlice slice, const char *text)
{
  return slice.text != NULL && slice.length == strlen (text) &&
         memcmp (slice.text, text, slice.length) == 0;
}

static gboolean
is_word (SpHttpSlice slice, const char *word)
{
  return slice.length == strlen (word) && g_ascii_strncasecmp (slice.text, word, slice.length) == 0;
}

static SpHttpSlice
trim (SpHttpSlice slice)
{
  while (slice.length > 0 && (*slice.text == ' ' || *slice.text == '\t')) {
    slice.text++;
    slice.length--;
  }
  while (slice.length > 0 && strchr (" \t", slice.text[slice.length - 1]) != NULL)
    slice.length--;
  return slice;
}

/* Take what stands before the first @separator off @rest, and the separator; all of it where there
 * is none. */
static SpHttpSlice
cut (SpHttpSlice *rest, char separator)
{
  const char *end = rest->length > 0 ? memchr (rest->text, separator, rest->length) : NULL;
  SpHttpSlice part = { rest->text, end ? (gsize) (end - rest->text) : rest->length };
  gsize used = end ? part.length + 1 : part.length;

  rest->text += used;
  rest->length -= used;
  return part;
}

/* ---- the end of the head ---------------------------------------------------------------------- */

static SpHttpScan
bad_byte (GError **error)
{
  sp_problem_set_invalid (error, "head",
                          "the head of the request has a byte that may not be there");
  return SP_HTTP_SCAN_BAD;
}

SpHttpScan
sp_http_head_scan (const char *data, gsize length, gsize *at, GError **error)
{
  gsize end = MIN (length, SP_HTTP_MAX_HEAD);

  while (*at < end) {
    if (is_text (data[*at])) {
      (*at)++;
      continue;
    }
    if (data[*at] != '\r' || (*at + 1 < end && data[*at + 1] != '\n'))
      return bad_byte (error);
    if (*at + 1 == end)
      break;
    *at += 2;
    if (*at >= 4 && memcmp (data + *at - 4, "\r\n\r\n", 4) == 0)
      return SP_HTTP_SCAN_WHOLE;
  }
  if (length < SP_HTTP_MAX_HEAD)
    return SP_HTTP_SCAN_MORE;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_TOO_LARGE,
               "the head of the request is longer than %u bytes", SP_HTTP_MAX_HEAD);
  return SP_HTTP_SCAN_BAD;
}

/* ---- the request line ------------------------------------------------------------------------- */

static const struct {
  const char *name;
  SpHttpMethod method;
} methods[] = {
  { "GET", SP_HTTP_GET },       { "POST", SP_HTTP_POST },     { "DELETE", SP_HTTP_DELETE },
  { "HEAD", SP_HTTP_HEAD },     { "PUT", SP_HTTP_OTHER },     { "PATCH", SP_HTTP_OTHER },
  { "OPTIONS", SP_HTTP_OTHER }, { "CONNECT", SP_HTTP_OTHER }, { "TRACE", SP_HTTP_OTHER },
};

static gboolean
read_method (SpHttpSlice name, SpHttpMethod *ret_method, GError **error)
{
  for (guint i = 0; i < G_N_ELEMENTS (methods); i++)
    if (sp_http_slice_is (name, methods[i].name)) {
      *ret_method = methods[i].method;
      return TRUE;
    }
  sp_problem_set_invalid (error, "request-line", "no such method");
  return FALSE;
}

static gboolean
read_target (SpHttpSlice target, SpHttpHead *head, GError **error)
{
  head->path = cut (&target, '?');
  if (target.text > head->path.text + head->path.length)
    head->query = target;
  if (head->path.length == 0 || *head->path.text != '/') {
    sp_problem_set_invalid (error, "path", "the target of the request must be a path");
    return FALSE;
  }
  if (!is_made_of (head->path, UNRESERVED "/") || has (head->path, "//") ||
      has (head->path, "/.") || has (head->path, "..")) {
    sp_problem_set_invalid (error, "path", "paths here have no escapes, dots or empty parts");
    return FALSE;
  }
  if (!is_made_of (head->query, UNRESERVED "=&")) {
    sp_problem_set_invalid (error, "query", "the query has a character that may not be there");
    return FALSE;
  }
  return TRUE;
}

static gboolean
read_request_line (SpHttpSlice line, SpHttpHead *head, GError **error)
{
  SpHttpSlice method = cut (&line, ' ');
  SpHttpSlice target = cut (&line, ' ');

  if (!sp_http_slice_is (line, "HTTP/1.1")) {
    sp_problem_set_invalid (error, "request-line",
                            "the first line must be METHOD PATH HTTP/1.1, with one space each");
    return FALSE;
  }
  return read_method (method, &head->method, error) && read_target (target, head, error);
}

/* ---- headers ---------------------------------------------------------------------------------- */

typedef struct _Known Known;

struct _Known {
  const char *name; /* lower case */
  gboolean (*check) (SpHttpHead *head, const Known *known, SpHttpSlice value, GError **error);
  gsize offset; /* of the slice in SpHttpHead that keeps the value; 0: not kept */
};

static gboolean
refuse (SpHttpHead *head, const Known *known, SpHttpSlice value, GError **error)
{
  sp_problem_set_invalid (error, known->name, "this header is not accepted here");
  return FALSE;
}

/* What a browser sends along with a page's request: pages have no business here, and a name that was
 * made to point at this address must not change that. */
static gboolean
refuse_pages (SpHttpHead *head, const Known *known, SpHttpSlice value, GError **error)
{
  return sp_http_slice_is (value, "none") || refuse (head, known, value, error);
}

static gboolean
accept_any (SpHttpHead *head, const Known *known, SpHttpSlice value, GError **error)
{
  return TRUE;
}

static gboolean
check_host (SpHttpHead *head, const Known *known, SpHttpSlice value, GError **error)
{
  SpHttpSlice rest = value;
  SpHttpSlice name;

  if (value.length > 0 && *value.text == '[') {
    name = cut (&rest, ']');
    name.text++;
    name.length--;
    if (rest.length > 0 && *rest.text == ':')
      rest = (SpHttpSlice){ rest.text + 1, rest.length - 1 };
    else if (rest.length > 0 || value.text[value.length - 1] != ']')
      name.length = 0;
  } else {
    name = cut (&rest, ':');
  }
  if (name.length > 0 && is_made_of (name, *value.text == '[' ? ":." : UNRESERVED) &&
      (value.text[value.length - 1] != ':') && (rest.length == 0 || is_digits (rest)))
    return TRUE;
  sp_problem_set_invalid (error, known->name, "not a host with an optional port");
  return FALSE;
}

static gboolean
check_length (SpHttpHead *head, const Known *known, SpHttpSlice value, GError **error)
{
  /* A leading zero is octal to some. */
  if (!is_digits (value) || (value.length > 1 && *value.text == '0')) {
    sp_problem_set_invalid (error, known->name, "not a plain decimal number");
    return FALSE;
  }
  if (value.length <= 6)
    for (gsize i = 0; i < value.length; i++)
      head->content_length = head->content_length * 10 + (gsize) (value.text[i] - '0');
  if (value.length <= 6 && head->content_length <= SP_HTTP_MAX_BODY)
    return TRUE;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_TOO_LARGE,
               "the body of the request is longer than %u bytes", SP_HTTP_MAX_BODY);
  return FALSE;
}

static gboolean
check_connection (SpHttpHead *head, const Known *known, SpHttpSlice value, GError **error)
{
  while (value.length > 0) {
    SpHttpSlice option = trim (cut (&value, ','));

    if (is_word (option, "close"))
      head->close = TRUE;
    else if (!is_word (option, "keep-alive"))
      return refuse (head, known, option, error);
  }
  return TRUE;
}

static const Known known_headers[] = {
  { "host", check_host, G_STRUCT_OFFSET (SpHttpHead, host) },
  { "authorization", accept_any, G_STRUCT_OFFSET (SpHttpHead, authorization) },
  { "content-type", accept_any, G_STRUCT_OFFSET (SpHttpHead, content_type) },
  { "content-length", check_length, G_STRUCT_OFFSET (SpHttpHead, length_text) },
  { "idempotency-key", accept_any, G_STRUCT_OFFSET (SpHttpHead, idempotency_key) },
  { "connection", check_connection, G_STRUCT_OFFSET (SpHttpHead, connection) },
  { "transfer-encoding", refuse, 0 },
  { "content-encoding", refuse, 0 },
  { "content-range", refuse, 0 },
  { "expect", refuse, 0 },
  { "upgrade", refuse, 0 },
  { "trailer", refuse, 0 },
  { "te", refuse, 0 },
  { "range", refuse, 0 },
  { "http2-settings", refuse, 0 },
  { "origin", refuse, 0 },
  { "sec-fetch-site", refuse_pages, 0 },
};

static gboolean
take_known (SpHttpHead *head, const Known *known, SpHttpSlice value, GError **error)
{
  SpHttpSlice *kept = known->offset ? G_STRUCT_MEMBER_P (head, known->offset) : NULL;

  if (kept != NULL && kept->text != NULL) {
    sp_problem_set_invalid (error, known->name, "this header may be there once only");
    return FALSE;
  }
  if (kept != NULL)
    *kept = value;
  return known->check (head, known, value, error);
}

static gboolean
read_header (SpHttpSlice line, SpHttpHead *head, GError **error)
{
  SpHttpSlice value = line;
  SpHttpSlice name = cut (&value, ':');

  /* A line that starts with a space (a folded one), or has one before the colon, is no token. */
  if (name.length == line.length || !is_token (name)) {
    sp_problem_set_invalid (error, "head", "a header line must be NAME: VALUE");
    return FALSE;
  }
  for (guint i = 0; i < G_N_ELEMENTS (known_headers); i++)
    if (is_word (name, known_headers[i].name))
      return take_known (head, &known_headers[i], trim (value), error);
  return TRUE;
}

static SpHttpSlice
take_line (SpHttpSlice *rest)
{
  SpHttpSlice line = cut (rest, '\r');

  rest->text++; /* the newline, which the scan has seen */
  rest->length--;
  return line;
}

gboolean
sp_http_head_parse (const char *data, gsize length, SpHttpHead *ret_head, GError **error)
{
  SpHttpSlice rest = { data, length - 2 };
  SpHttpHead head = { 0 };

  if (!read_request_line (take_line (&rest), &head, error))
    return FALSE;
  for (guint n = 0; rest.length > 0; n++) {
    if (n == SP_HTTP_MAX_HEADERS) {
      g_set_error (error, SP_PROBLEM, SP_PROBLEM_TOO_LARGE, "more than %u header lines",
                   SP_HTTP_MAX_HEADERS);
      return FALSE;
    }
    if (!read_header (take_line (&rest), &head, error))
      return FALSE;
  }
  if (head.host.text == NULL) {
    sp_problem_set_invalid (error, "host", "this header must be there");
    return FALSE;
  }
  *ret_head = head;
  return TRUE;
}

gboolean
sp_http_query_next (SpHttpSlice *rest, SpHttpSlice *ret_name, SpHttpSlice *ret_value)
{
  SpHttpSlice pair;

  if (rest->length == 0)
    return FALSE;
  pair = cut (rest, '&');
  *ret_name = cut (&pair, '=');
  *ret_value = pair;
  if (pair.text == ret_name->text + ret_name->length)
    *ret_value = (SpHttpSlice){ NULL, 0 };
  return TRUE;
}
