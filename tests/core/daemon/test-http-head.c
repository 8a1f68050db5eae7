/* test-http-head.c - every form of request that two parsers could read differently has one verdict
 *
 * The table of bad forms is the point: each names what must be said about it, so that a form that is
 * refused for the wrong reason shows too.
 */
#include <string.h>

#include "base/problem.h"
#include "daemon/http-head.h"

#define H "Host: v\r\n"

static gboolean
read_head (const char *data, gsize length, SpHttpHead *head, gsize *ret_length, GError **error)
{
  gsize at = 0;
  SpHttpScan scan = sp_http_head_scan (data, length, &at, error);

  g_assert_cmpint (scan, !=, SP_HTTP_SCAN_MORE);
  *ret_length = at;
  return scan == SP_HTTP_SCAN_WHOLE && sp_http_head_parse (data, at, head, error);
}

typedef struct {
  const char *name;
  const char *text;
  const char *field; /* NULL: too large */
} Bad;

static const Bad bad[] = {
  { "length-and-chunked",
    "POST / HTTP/1.1\r\n" H "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "transfer-encoding" },
  { "chunked", "POST / HTTP/1.1\r\n" H "transfer-encoding: chunked\r\n\r\n", "transfer-encoding" },
  { "unknown-coding", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: xchunked\r\n\r\n",
    "transfer-encoding" },
  { "coding-identity", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: identity\r\n\r\n",
    "transfer-encoding" },
  { "coding-with-vertical-tab", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: \vchunked\r\n\r\n",
    "head" },
  { "coding-with-space-before-colon", "POST / HTTP/1.1\r\n" H "Transfer-Encoding : chunked\r\n\r\n",
    "head" },
  { "two-lengths", "POST / HTTP/1.1\r\n" H "Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
    "content-length" },
  { "two-equal-lengths", "POST / HTTP/1.1\r\n" H "Content-Length: 5\r\nContent-Length: 5\r\n\r\n",
    "content-length" },
  { "length-list", "POST / HTTP/1.1\r\n" H "Content-Length: 5, 5\r\n\r\n", "content-length" },
  { "length-plus", "POST / HTTP/1.1\r\n" H "Content-Length: +5\r\n\r\n", "content-length" },
  { "length-minus", "POST / HTTP/1.1\r\n" H "Content-Length: -5\r\n\r\n", "content-length" },
  { "length-hex", "POST / HTTP/1.1\r\n" H "Content-Length: 0x5\r\n\r\n", "content-length" },
  { "length-octal", "POST / HTTP/1.1\r\n" H "Content-Length: 010\r\n\r\n", "content-length" },
  { "length-empty", "POST / HTTP/1.1\r\n" H "Content-Length:\r\n\r\n", "content-length" },
  { "length-with-space", "POST / HTTP/1.1\r\n" H "Content-Length: 1 0\r\n\r\n", "content-length" },
  { "length-beyond", "POST / HTTP/1.1\r\n" H "Content-Length: 16385\r\n\r\n", NULL },
  { "length-beyond-64-bits", "POST / HTTP/1.1\r\n" H "Content-Length: 18446744073709551617\r\n\r\n",
    NULL },
  { "two-hosts", "GET / HTTP/1.1\r\n" H "Host: w\r\n\r\n", "host" },
  { "two-equal-hosts", "GET / HTTP/1.1\r\n" H "host: v\r\n\r\n", "host" },
  { "no-host", "GET / HTTP/1.1\r\nAccept: */*\r\n\r\n", "host" },
  { "no-headers", "GET / HTTP/1.1\r\n\r\n", "host" },
  { "empty-host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", "host" },
  { "host-with-path", "GET / HTTP/1.1\r\nHost: v/x\r\n\r\n", "host" },
  { "host-with-user", "GET / HTTP/1.1\r\nHost: a@v\r\n\r\n", "host" },
  { "host-list", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", "host" },
  { "host-bad-port", "GET / HTTP/1.1\r\nHost: v:8x\r\n\r\n", "host" },
  { "host-no-port", "GET / HTTP/1.1\r\nHost: v:\r\n\r\n", "host" },
  { "host-open-bracket", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", "host" },
  { "host-after-bracket", "GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n", "host" },
  { "host-two-ports", "GET / HTTP/1.1\r\nHost: v:1:2\r\n\r\n", "host" },
  { "absolute-form", "GET http://other/ HTTP/1.1\r\n" H "\r\n", "path" },
  { "authority-form", "CONNECT other:443 HTTP/1.1\r\n" H "\r\n", "path" },
  { "asterisk-form", "OPTIONS * HTTP/1.1\r\n" H "\r\n", "path" },
  { "empty-path", "GET ?a=b HTTP/1.1\r\n" H "\r\n", "path" },
  { "escaped-path", "GET /v1/%2e%2e/x HTTP/1.1\r\n" H "\r\n", "path" },
  { "double-slash", "GET //v1 HTTP/1.1\r\n" H "\r\n", "path" },
  { "dot-dot", "GET /v1/../health HTTP/1.1\r\n" H "\r\n", "path" },
  { "dot", "GET /./health HTTP/1.1\r\n" H "\r\n", "path" },
  { "backslash", "GET /v1\\x HTTP/1.1\r\n" H "\r\n", "path" },
  { "semicolon", "GET /v1;x HTTP/1.1\r\n" H "\r\n", "path" },
  { "fragment", "GET /v1#x HTTP/1.1\r\n" H "\r\n", "path" },
  { "escaped-query", "GET /v1?a=%41 HTTP/1.1\r\n" H "\r\n", "query" },
  { "query-in-query", "GET /v1?a=b?c HTTP/1.1\r\n" H "\r\n", "query" },
  { "bare-lf-everywhere", "GET / HTTP/1.1\nHost: v\n\n", "head" },
  { "bare-lf-in-a-header", "GET / HTTP/1.1\r\n" H "A: b\nC: d\r\n\r\n", "head" },
  { "bare-lf-at-the-end", "GET / HTTP/1.1\r\n" H "\n", "head" },
  { "bare-cr", "GET / HTTP/1.1\r\n" H "A: b\rC: d\r\n\r\n", "head" },
  { "double-cr", "GET / HTTP/1.1\r\r\n" H "\r\n", "head" },
  { "folded-header", "GET / HTTP/1.1\r\n" H "A: b\r\n c\r\n\r\n", "head" },
  { "folded-with-tab", "GET / HTTP/1.1\r\n" H "A: b\r\n\tc\r\n\r\n", "head" },
  { "space-before-the-first-header", "GET / HTTP/1.1\r\n " H "\r\n", "head" },
  { "no-colon", "GET / HTTP/1.1\r\n" H "Nothing\r\n\r\n", "head" },
  { "no-name", "GET / HTTP/1.1\r\n" H ": b\r\n\r\n", "head" },
  { "space-in-name", "GET / HTTP/1.1\r\n" H "A b: c\r\n\r\n", "head" },
  { "bracket-in-name", "GET / HTTP/1.1\r\n" H "A(b): c\r\n\r\n", "head" },
  { "high-byte-in-value", "GET / HTTP/1.1\r\n" H "A: \xc3\xa9\r\n\r\n", "head" },
  { "delete-in-value", "GET / HTTP/1.1\r\n" H "A: \x7f\r\n\r\n", "head" },
  { "empty-line-first", "\r\nGET / HTTP/1.1\r\n" H "\r\n", "request-line" },
  { "nothing", "\r\n\r\n", "request-line" },
  { "lower-case-method", "get / HTTP/1.1\r\n" H "\r\n", "request-line" },
  { "unknown-method", "BREW / HTTP/1.1\r\n" H "\r\n", "request-line" },
  { "http2-preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "request-line" },
  { "http10", "GET / HTTP/1.0\r\n" H "\r\n", "request-line" },
  { "http09", "GET /\r\n\r\n", "request-line" },
  { "http12", "GET / HTTP/1.2\r\n" H "\r\n", "request-line" },
  { "lower-case-version", "GET / http/1.1\r\n" H "\r\n", "request-line" },
  { "two-spaces", "GET  / HTTP/1.1\r\n" H "\r\n", "request-line" },
  { "two-spaces-before-version", "GET /  HTTP/1.1\r\n" H "\r\n", "request-line" },
  { "tab", "GET\t/ HTTP/1.1\r\n" H "\r\n", "request-line" },
  { "space-at-the-end", "GET / HTTP/1.1 \r\n" H "\r\n", "request-line" },
  { "space-at-the-start", " GET / HTTP/1.1\r\n" H "\r\n", "request-line" },
  { "expect", "POST / HTTP/1.1\r\n" H "Expect: 100-continue\r\n\r\n", "expect" },
  { "upgrade", "GET / HTTP/1.1\r\n" H "Upgrade: h2c\r\n\r\n", "upgrade" },
  { "upgrade-by-connection", "GET / HTTP/1.1\r\n" H "Connection: Upgrade\r\n\r\n", "connection" },
  { "header-by-connection", "GET / HTTP/1.1\r\n" H "Connection: close, Authorization\r\n\r\n",
    "connection" },
  { "two-connections", "GET / HTTP/1.1\r\n" H "Connection: close\r\nConnection: keep-alive\r\n\r\n",
    "connection" },
  { "trailer", "GET / HTTP/1.1\r\n" H "Trailer: A\r\n\r\n", "trailer" },
  { "te", "GET / HTTP/1.1\r\n" H "TE: trailers\r\n\r\n", "te" },
  { "range", "GET / HTTP/1.1\r\n" H "Range: bytes=16-,99-100,-99\r\n\r\n", "range" },
  { "content-encoding", "POST / HTTP/1.1\r\n" H "Content-Encoding: gzip\r\n\r\n",
    "content-encoding" },
  { "origin", "GET / HTTP/1.1\r\n" H "Origin: http://evil\r\n\r\n", "origin" },
  { "origin-null", "GET / HTTP/1.1\r\n" H "Origin: null\r\n\r\n", "origin" },
  { "cross-site", "GET / HTTP/1.1\r\n" H "Sec-Fetch-Site: cross-site\r\n\r\n", "sec-fetch-site" },
  { "same-origin", "GET / HTTP/1.1\r\n" H "Sec-Fetch-Site: same-origin\r\n\r\n", "sec-fetch-site" },
  { "two-tokens",
    "GET / HTTP/1.1\r\n" H "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n",
    "authorization" },
  { "two-types", "GET / HTTP/1.1\r\n" H "Content-Type: a/b\r\nContent-Type: a/b\r\n\r\n",
    "content-type" },
  { "two-keys", "GET / HTTP/1.1\r\n" H "Idempotency-Key: a\r\nidempotency-key: b\r\n\r\n",
    "idempotency-key" },
};

static void
test_bad (gconstpointer data)
{
  const Bad *form = data;
  g_autoptr (GError) error = NULL;
  SpHttpHead head;
  gsize length;

  g_assert_false (read_head (form->text, strlen (form->text), &head, &length, &error));
  g_assert_cmpint (sp_problem_code (error), ==,
                   form->field ? SP_PROBLEM_INVALID : SP_PROBLEM_TOO_LARGE);
  g_assert_cmpstr (sp_problem_field (error), ==, form->field);
}

static void
test_nul (void)
{
  static const char text[] = "GET / HTTP/1.1\r\nHost: v\r\nA: b\0c\r\n\r\n";
  g_autoptr (GError) error = NULL;
  SpHttpHead head;
  gsize length;

  g_assert_false (read_head (text, sizeof text - 1, &head, &length, &error));
  g_assert_error (error, SP_PROBLEM, SP_PROBLEM_INVALID);
}

static void
test_every_byte_of_a_header (void)
{
  for (guint c = 0; c < 256; c++) {
    char text[] = "GET / HTTP/1.1\r\nHost: v\r\nA: b?c\r\n\r\n";
    gboolean good = c == '\t' || (c >= 0x20 && c < 0x7f);
    g_autoptr (GError) error = NULL;
    SpHttpHead head;
    gsize length;

    *strchr (text, '?') = (char) c;
    g_assert_true (read_head (text, sizeof text - 1, &head, &length, &error) == good);
  }
}

typedef struct {
  const char *text;
  SpHttpMethod method;
  const char *path;
  const char *query; /* NULL: none */
  gsize content_length;
  gboolean close;
} Good;

static const Good good[] = {
  { "GET / HTTP/1.1\r\n" H "\r\n", SP_HTTP_GET, "/", NULL, 0, FALSE },
  { "GET /health HTTP/1.1\r\nHOST:127.0.0.1:3737\r\n\r\n", SP_HTTP_GET, "/health", NULL, 0, FALSE },
  { "GET /a? HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", SP_HTTP_GET, "/a", "", 0, FALSE },
  { "GET /a?wait=5&x=~y HTTP/1.1\r\nHost: [fe80::1]\r\n\r\n", SP_HTTP_GET, "/a", "wait=5&x=~y", 0,
    FALSE },
  { "POST /v1/requests HTTP/1.1\r\n" H "Content-Length: \t16384 \r\n\r\n", SP_HTTP_POST,
    "/v1/requests", NULL, 16384, FALSE },
  { "DELETE /v1/a-_~.b HTTP/1.1\r\n" H "Connection: Close\r\n\r\n", SP_HTTP_DELETE, "/v1/a-_~.b",
    NULL, 0, TRUE },
  { "HEAD / HTTP/1.1\r\n" H "Connection: keep-alive\r\n\r\n", SP_HTTP_HEAD, "/", NULL, 0, FALSE },
  { "OPTIONS /x HTTP/1.1\r\n" H "Connection: keep-alive, close\r\n\r\n", SP_HTTP_OTHER, "/x", NULL,
    0, TRUE },
  { "PUT /x HTTP/1.1\r\n" H "Content-Length: 0\r\nSec-Fetch-Site: none\r\n\r\n", SP_HTTP_OTHER,
    "/x", NULL, 0, FALSE },
  { "GET / HTTP/1.1\r\n" H "A:\r\nA: \r\n!#$%&'*+-.^_`|~: x\r\n\r\n", SP_HTTP_GET, "/", NULL, 0,
    FALSE },
};

static void
test_good (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (good); i++) {
    g_autoptr (GError) error = NULL;
    SpHttpHead head;
    gsize length;

    g_assert_true (read_head (good[i].text, strlen (good[i].text), &head, &length, &error));
    g_assert_no_error (error);
    g_assert_cmpuint (length, ==, strlen (good[i].text));
    g_assert_cmpint (head.method, ==, good[i].method);
    g_assert_true (sp_http_slice_is (head.path, good[i].path));
    g_assert_true (good[i].query ? sp_http_slice_is (head.query, good[i].query)
                                 : head.query.text == NULL);
    g_assert_cmpuint (head.content_length, ==, good[i].content_length);
    g_assert_true (head.close == good[i].close);
  }
}

static void
test_known_headers_are_kept (void)
{
  static const char text[] = "POST / HTTP/1.1\r\nauthorization:  Bearer abc \r\n" H
                             "CONTENT-TYPE: application/json\r\nIdempotency-Key: k1\r\n\r\nnext";
  g_autoptr (GError) error = NULL;
  SpHttpHead head;
  gsize length;

  g_assert_true (read_head (text, strlen (text), &head, &length, &error));
  g_assert_cmpuint (length, ==, strlen (text) - 4);
  g_assert_true (sp_http_slice_is (head.authorization, "Bearer abc"));
  g_assert_true (sp_http_slice_is (head.content_type, "application/json"));
  g_assert_true (sp_http_slice_is (head.idempotency_key, "k1"));
  g_assert_true (sp_http_slice_is (head.host, "v"));
}

static void
test_a_byte_at_a_time (void)
{
  static const char text[] = "GET /health HTTP/1.1\r\n" H "A: b\r\n\r\n";
  g_autoptr (GError) error = NULL;
  gsize at = 0;

  for (gsize n = 0; n < sizeof text - 1; n++)
    g_assert_cmpint (sp_http_head_scan (text, n, &at, &error), ==, SP_HTTP_SCAN_MORE);
  g_assert_cmpint (sp_http_head_scan (text, sizeof text - 1, &at, &error), ==, SP_HTTP_SCAN_WHOLE);
  g_assert_cmpuint (at, ==, sizeof text - 1);
}

/* A request whose head has exactly @length bytes. */
static GString *
head_of_length (gsize length)
{
  GString *text = g_string_new ("GET / HTTP/1.1\r\n" H "A: ");

  while (text->len < length - 4)
    g_string_append_c (text, 'a');
  return g_string_append (text, "\r\n\r\n");
}

static void
test_longest_head (void)
{
  for (gsize over = 0; over < 2; over++) {
    g_autoptr (GString) text = head_of_length (SP_HTTP_MAX_HEAD + over);
    g_autoptr (GError) error = NULL;
    SpHttpHead head;
    gsize length;

    g_assert_true (read_head (text->str, text->len, &head, &length, &error) == (over == 0));
    if (over > 0)
      g_assert_error (error, SP_PROBLEM, SP_PROBLEM_TOO_LARGE);
  }
}

static void
test_most_headers (void)
{
  for (guint n = SP_HTTP_MAX_HEADERS; n <= SP_HTTP_MAX_HEADERS + 1; n++) {
    g_autoptr (GString) text = g_string_new ("GET / HTTP/1.1\r\n" H);
    g_autoptr (GError) error = NULL;
    SpHttpHead head;
    gsize length;

    for (guint i = 1; i < n; i++)
      g_string_append (text, "A: b\r\n");
    g_string_append (text, "\r\n");
    g_assert_true (read_head (text->str, text->len, &head, &length, &error) ==
                   (n == SP_HTTP_MAX_HEADERS));
  }
}

static void
test_query_pairs (void)
{
  SpHttpSlice rest = { "a=1&b&=2&c=", 11 };
  SpHttpSlice name, value;

  g_assert_true (sp_http_query_next (&rest, &name, &value));
  g_assert_true (sp_http_slice_is (name, "a") && sp_http_slice_is (value, "1"));
  g_assert_true (sp_http_query_next (&rest, &name, &value));
  g_assert_true (sp_http_slice_is (name, "b") && value.text == NULL);
  g_assert_true (sp_http_query_next (&rest, &name, &value));
  g_assert_true (sp_http_slice_is (name, "") && sp_http_slice_is (value, "2"));
  g_assert_true (sp_http_query_next (&rest, &name, &value));
  g_assert_true (sp_http_slice_is (name, "c") && sp_http_slice_is (value, ""));
  g_assert_false (sp_http_query_next (&rest, &name, &value));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++) {
    g_autofree char *path = g_strconcat ("/http-head/refuses/", bad[i].name, NULL);

    g_test_add_data_func (path, &bad[i], test_bad);
  }
  g_test_add_func ("/http-head/refuses/nul", test_nul);
  g_test_add_func ("/http-head/header-values-are-visible-ascii", test_every_byte_of_a_header);
  g_test_add_func ("/http-head/reads-good-forms", test_good);
  g_test_add_func ("/http-head/keeps-known-headers", test_known_headers_are_kept);
  g_test_add_func ("/http-head/comes-a-byte-at-a-time", test_a_byte_at_a_time);
  g_test_add_func ("/http-head/is-at-most-8-kib", test_longest_head);
  g_test_add_func ("/http-head/has-at-most-40-lines", test_most_headers);
  g_test_add_func ("/http-head/query-pairs", test_query_pairs);
  return g_test_run ();
}
