/* http-head.h - the head of one HTTP/1.1 request, read strictly
 *
 * What a request means must not be open to two readings, because two readings are what smuggling is
 * made of.  So this accepts one form only: RFC 9112 with CRLF, an origin-form target, one Host, a body
 * framed by one Content-Length, and nothing that asks for more than that.
 *
 * Pure: no allocation but for errors, no state; slices point into the caller's bytes.
 */
#pragma once

#include <gio/gio.h>

#define SP_HTTP_MAX_HEAD 8192u  /* bytes, with the empty line at its end */
#define SP_HTTP_MAX_HEADERS 40u /* header lines */
#define SP_HTTP_MAX_BODY 16384u /* bytes */

typedef enum {
  SP_HTTP_GET,
  SP_HTTP_POST,
  SP_HTTP_DELETE,
  SP_HTTP_HEAD,  /* known, answered without a body */
  SP_HTTP_OTHER, /* known, and offered by nothing here */
} SpHttpMethod;

/* Part of the caller's bytes; @text NULL: it was not there.  Not NUL-terminated. */
typedef struct {
  const char *text;
  gsize length;
} SpHttpSlice;

typedef struct {
  SpHttpMethod method;
  SpHttpSlice path;  /* starts with a slash; letters, digits, "-._~/" only */
  SpHttpSlice query; /* what follows the question mark; those and "=&" */
  SpHttpSlice host;
  SpHttpSlice authorization;
  SpHttpSlice content_type;
  SpHttpSlice idempotency_key;
  SpHttpSlice length_text; /* Content-Length as it came */
  SpHttpSlice connection;
  gsize content_length; /* 0 where there is none */
  gboolean close;       /* the client wants no other request on this connection */
} SpHttpHead;

typedef enum {
  SP_HTTP_SCAN_MORE,
  SP_HTTP_SCAN_WHOLE,
  SP_HTTP_SCAN_BAD, /* @error is set */
} SpHttpScan;

/* Look for the end of the head at the start of @data.  *@at, 0 at first, is how far earlier calls for
 * the same head came; where the head is whole, its length.  Bytes that no head may have are refused as
 * soon as they are there: SP_PROBLEM_INVALID, or SP_PROBLEM_TOO_LARGE. */
SpHttpScan sp_http_head_scan (const char *data, gsize length, gsize *at, GError **error);

/* Read the head in @data, which sp_http_head_scan() found to be whole and @length long.  FALSE with
 * SP_PROBLEM_INVALID and the name of the header (or "request-line", "path", "query") that is wrong,
 * or SP_PROBLEM_TOO_LARGE: then nothing is known of where the next message would start. */
gboolean sp_http_head_parse (const char *data, gsize length, SpHttpHead *ret_head, GError **error);

gboolean sp_http_slice_is (SpHttpSlice slice, const char *text);

/* Take the next NAME=VALUE off @rest.  FALSE at the end; a pair without "=" has a NULL value. */
gboolean sp_http_query_next (SpHttpSlice *rest, SpHttpSlice *ret_name, SpHttpSlice *ret_value);
