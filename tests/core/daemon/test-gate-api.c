/* test-gate-api.c - what an agent meets: statuses, limits, values */
#include <string.h>

#include "base/json.h"
#include "gate-fixture.h"

/* ---- statuses ----------------------------------------------------------------------------------- */

typedef struct {
  const char *name;
  const char *text;
  guint status;
  const char *say;  /* in the body; NULL: whatever */
  const char *line; /* in the head; NULL: whatever */
} Status;

static const Status statuses[] = {
  { "health", "GET /health" OPEN "\r\n", 200, "owned", NULL },
  { "no-such-path", "GET /v2" AUTH "\r\n", 404, "not-found",
    "Content-Type: application/problem+json" },
  { "trailing-slash", "GET /v1/secrets/" AUTH "\r\n", 404, "not-found", NULL },
  { "path-below", "GET /health/x" OPEN "\r\n", 404, "not-found", NULL },
  { "admin-path", "POST /v1/requests/a/approve" AUTH "\r\n", 404, "not-found", NULL },
  { "id-too-long",
    "GET /v1/requests/0123456789012345678901234567890123456789012345678901234567890123x" AUTH
    "\r\n",
    404, "not-found", NULL },
  { "id-with-dot", "GET /v1/requests/a.b" AUTH "\r\n", 404, "not-found", NULL },
  { "no-id", "POST /v1/requests/redeem" AUTH "\r\n", 405, "method-not-allowed",
    "Allow: GET, DELETE" },
  { "put", "PUT /v1/requests/a" AUTH "\r\n", 405, "method-not-allowed", "Allow: GET, DELETE" },
  { "options", "OPTIONS /v1/requests" AUTH "\r\n", 405, "method-not-allowed", "Allow: GET, POST" },
  { "post-health", "POST /health" OPEN "\r\n", 405, "method-not-allowed", "Allow: GET" },
  { "method-override", "POST /v1/requests/a" AUTH "X-HTTP-Method-Override: GET\r\n\r\n", 405, NULL,
    NULL },
  { "no-token", "GET /v1/secrets" OPEN "\r\n", 401, "unauthorized", "WWW-Authenticate: Bearer" },
  { "no-token-before-body", "POST /v1/requests" OPEN "Content-Length: 9\r\n\r\n", 401,
    "unauthorized", "Connection: close" },
  { "basic", "GET /v1/secrets" OPEN "Authorization: Basic Z29vZA==\r\n\r\n", 401, NULL, NULL },
  { "empty-token", "GET /v1/secrets" OPEN "Authorization: Bearer \r\n\r\n", 401, NULL, NULL },
  { "token-with-space", "GET /v1/secrets" OPEN "Authorization: Bearer good x\r\n\r\n", 401, NULL,
    NULL },
  { "wrong-token", "GET /v1/secrets" OPEN "Authorization: Bearer bad\r\n\r\n", 401, "unauthorized",
    NULL },
  { "any-case-of-scheme", "GET /v1/secrets" OPEN "Authorization: bEARER good\r\n\r\n", 200, NULL,
    NULL },
  { "body-too-large", POST "Content-Length: 20000\r\n\r\n", 413, "too-large", "Connection: close" },
  { "no-content-type", "POST /v1/requests" AUTH "Content-Length: 2\r\n\r\n{}", 400,
    "\"field\":\"content-type\"", NULL },
  { "form", "POST /v1/requests" AUTH "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}", 400,
    "\"field\":\"content-type\"", NULL },
  { "other-charset",
    "POST /v1/requests" AUTH
    "Content-Type: application/json; charset=utf-16\r\nContent-Length: 2\r\n\r\n{}",
    400, "\"field\":\"content-type\"", NULL },
  { "no-body", POST "\r\n", 400, "\"field\":\"body\"", NULL },
  { "no-json", POST "Content-Length: 3\r\n\r\n{a}", 400, "\"field\":\"body\"", NULL },
  { "array", POST "Content-Length: 2\r\n\r\n[]", 400, "\"field\":\"body\"", NULL },
  { "no-secret", POST "Content-Length: 14\r\n\r\n{\"reason\":\"b\"}", 400, "\"field\":\"secret\"",
    NULL },
  { "no-reason", POST "Content-Length: 14\r\n\r\n{\"secret\":\"a\"}", 400, "\"field\":\"reason\"",
    NULL },
  { "blank-reason", POST "Content-Length: 28\r\n\r\n{\"secret\":\"a\",\"reason\":\" \t\"}", 400,
    NULL, NULL },
  { "number-as-reason", POST "Content-Length: 25\r\n\r\n{\"secret\":\"a\",\"reason\":1}", 400,
    "\"field\":\"reason\"", NULL },
  { "mass-assignment",
    POST "Content-Length: 47\r\n\r\n{\"secret\":\"a\",\"reason\":\"b\",\"status\":\"approved\"}",
    400, "\"field\":\"status\"", NULL },
  { "ttl-too-short",
    POST "Content-Length: 36\r\n\r\n{\"secret\":\"a\",\"reason\":\"b\",\"ttl\":29}", 400,
    "\"field\":\"ttl\"", NULL },
  { "ttl-too-long",
    POST "Content-Length: 38\r\n\r\n{\"secret\":\"a\",\"reason\":\"b\",\"ttl\":3601}", 400,
    "\"field\":\"ttl\"", NULL },
  { "ttl-minus-one",
    POST "Content-Length: 36\r\n\r\n{\"secret\":\"a\",\"reason\":\"b\",\"ttl\":-1}", 400,
    "\"field\":\"ttl\"", NULL },
  { "ttl-text", POST "Content-Length: 38\r\n\r\n{\"secret\":\"a\",\"reason\":\"b\",\"ttl\":\"60\"}",
    400, "\"field\":\"ttl\"", NULL },
  { "created", POST "Content-Length: 36\r\n\r\n{\"secret\":\"a\",\"reason\":\"b\",\"ttl\":30}", 201,
    "r-1", "Location: /v1/requests/r-1" },
  { "blank-key",
    POST "Idempotency-Key:\r\nContent-Length: 27\r\n\r\n{\"secret\":\"a\",\"reason\":\"b\"}", 400,
    "\"field\":\"idempotency-key\"", NULL },
  { "key-with-space",
    POST "Idempotency-Key: a b\r\nContent-Length: 27\r\n\r\n{\"secret\":\"a\",\"reason\":\"b\"}",
    400, "\"field\":\"idempotency-key\"", NULL },
  { "get-with-body", "GET /v1/secrets" AUTH "Content-Length: 2\r\n\r\n{}", 400,
    "\"field\":\"body\"", NULL },
  { "delete-with-body", "DELETE /v1/requests/a" AUTH "Content-Length: 2\r\n\r\n{}", 400,
    "\"field\":\"body\"", NULL },
  { "delete", "DELETE /v1/requests/a" AUTH "Content-Length: 0\r\n\r\n", 200, NULL, NULL },
  { "wait-too-long", "GET /v1/requests/a?wait=61" AUTH "\r\n", 400, "\"field\":\"wait\"", NULL },
  { "wait-fraction", "GET /v1/requests/a?wait=1.5" AUTH "\r\n", 400, "\"field\":\"wait\"", NULL },
  { "wait-minus", "GET /v1/requests/a?wait=-1" AUTH "\r\n", 400, "\"field\":\"wait\"", NULL },
  { "wait-empty", "GET /v1/requests/a?wait=" AUTH "\r\n", 400, "\"field\":\"wait\"", NULL },
  { "wait-bare", "GET /v1/requests/a?wait" AUTH "\r\n", 400, "\"field\":\"wait\"", NULL },
  { "wait-twice", "GET /v1/requests/a?wait=0&wait=0" AUTH "\r\n", 400, "\"field\":\"wait\"", NULL },
  { "wait-elsewhere", "GET /v1/requests?wait=1" AUTH "\r\n", 400, "\"field\":\"wait\"", NULL },
  { "wait-zero", "GET /v1/requests/a?wait=0" AUTH "\r\n", 200, "pending", NULL },
  { "limit-zero", "GET /v1/requests?limit=0" AUTH "\r\n", 400, "\"field\":\"limit\"", NULL },
  { "limit-too-large", "GET /v1/requests?limit=101" AUTH "\r\n", 400, "\"field\":\"limit\"", NULL },
  { "list", "GET /v1/requests?limit=100&cursor=a-_~.9" AUTH "\r\n", 200, "items", NULL },
  { "unknown-parameter", "GET /v1/secrets?debug=1" AUTH "\r\n", 400, "\"field\":\"debug\"", NULL },
  { "ownership", "GET /v1/ownership?nonce=0123456789abcdefABCDEF0123456789" OPEN "\r\n", 200,
    "statement", NULL },
  { "nonce-short", "GET /v1/ownership?nonce=0123456789abcdef" OPEN "\r\n", 400,
    "\"field\":\"nonce\"", NULL },
  { "nonce-odd", "GET /v1/ownership?nonce=0123456789abcdef0123456789abcdef0" OPEN "\r\n", 400,
    "\"field\":\"nonce\"", NULL },
  { "nonce-no-hex", "GET /v1/ownership?nonce=0123456789abcdef0123456789abcdeg" OPEN "\r\n", 400,
    "\"field\":\"nonce\"", NULL },
  { "no-nonce", "GET /v1/ownership" OPEN "\r\n", 400, "\"field\":\"nonce\"", NULL },
  { "smuggled", POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
    "\"field\":\"transfer-encoding\"", "Connection: close" },
  { "page", "GET /v1/secrets" AUTH "Origin: http://evil\r\n\r\n", 400, "\"field\":\"origin\"",
    "Connection: close" },
  { "garbage", "\x16\x03\x01\x02\r\n\r\n", 400, NULL, "Connection: close" },
};

static void
test_statuses (void)
{
  g_auto (GateFixture) self;

  gate_fixture_start_plain (&self);
  for (guint i = 0; i < G_N_ELEMENTS (statuses); i++) {
    const Status *row = &statuses[i];
    g_autoptr (Reply) reply = gate_fixture_ask (&self, row->text);

    g_test_message ("%s: %s%s", row->name, reply->head, reply->body);
    g_assert_cmpuint (reply->status, ==, row->status);
    g_assert_true (row->say == NULL || strstr (reply->body, row->say) != NULL);
    g_assert_true (row->line == NULL || reply_has (reply, row->line));
  }
}

static void
test_head_has_no_body (void)
{
  g_auto (GateFixture) self;
  g_autoptr (GIOStream) stream = NULL;
  g_autoptr (GBytes) bytes = NULL;
  GString *all = g_string_new (NULL);
  char part[512];
  gssize n;

  gate_fixture_start_plain (&self);
  stream = gate_fixture_dial (&self);
  send_text (stream, "HEAD /health HTTP/1.1\r\nHost: v\r\nConnection: close\r\n\r\n");
  while ((n = g_input_stream_read (g_io_stream_get_input_stream (stream), part, sizeof part, NULL,
                                   NULL)) > 0)
    g_string_append_len (all, part, n);
  bytes = g_string_free_to_bytes (all);
  g_assert_true (g_str_has_prefix (g_bytes_get_data (bytes, NULL), "HTTP/1.1 405 "));
  n = (gssize) g_bytes_get_size (bytes);
  g_assert_cmpmem ((const char *) g_bytes_get_data (bytes, NULL) + n - 4, 4, "\r\n\r\n", 4);
}

static void
test_longest_reason (void)
{
  g_auto (GateFixture) self;

  gate_fixture_start_plain (&self);
  for (guint n = 500; n <= 501; n++) {
    g_autoptr (GString) body = g_string_new ("{\"secret\":\"a\",\"reason\":\"");
    g_autofree char *text = NULL;
    g_autoptr (Reply) reply = NULL;

    for (guint i = 0; i < n; i++)
      g_string_append (body, "\xf0\x9f\x94\x91");
    g_string_append (body, "\"}");
    text = g_strdup_printf (POST "Content-Length: %u\r\n\r\n%s", (guint) body->len, body->str);
    reply = gate_fixture_ask (&self, text);
    g_assert_cmpuint (reply->status, ==, n == 500 ? 201 : 400);
  }
}

static void
test_guesses_are_limited (void)
{
  g_auto (GateFixture) self;
  guint limited = 0;

  gate_fixture_start_plain (&self);
  for (guint i = 0; i < 14; i++) {
    g_autoptr (Reply) reply =
        gate_fixture_ask (&self, "GET /v1/secrets" OPEN "Authorization: Bearer bad\r\n\r\n");

    g_assert_cmpuint (reply->status, ==, i < 10 || reply->status == 401 ? 401 : 429);
    if (reply->status != 429)
      continue;
    limited++;
    g_assert_true (reply_has (reply, "Retry-After: 1"));
    g_assert_nonnull (strstr (reply->body, "rate-limited"));
  }
  g_assert_cmpuint (limited, >, 0);
}

static void
test_good_token_is_not_limited (void)
{
  g_auto (GateFixture) self;

  gate_fixture_start_plain (&self);
  for (guint i = 0; i < 20; i++) {
    g_autoptr (Reply) bad = gate_fixture_ask (&self, "GET /v1/secrets" OPEN "\r\n");
    g_autoptr (Reply) good = gate_fixture_ask (&self, ASK ("GET", "/v1/secrets"));

    g_assert_cmpuint (bad->status, !=, 200);
    g_assert_cmpuint (good->status, ==, 200);
  }
}

static void
test_unowned (void)
{
  static const char *const texts[] = { ASK ("GET", "/v1/secrets"), "GET /v1/secrets" OPEN "\r\n",
                                       "GET /v1/ownership" OPEN "\r\n", "GET /nowhere" OPEN "\r\n",
                                       "POST /v1/requests" OPEN "Content-Length: 2\r\n\r\n{}" };
  g_auto (GateFixture) self;
  g_autoptr (Reply) health = NULL;

  gate_fixture_init (&self);
  self.unowned = TRUE;
  gate_fixture_start (&self);
  for (guint i = 0; i < G_N_ELEMENTS (texts); i++) {
    g_autoptr (Reply) reply = gate_fixture_ask (&self, texts[i]);

    g_assert_cmpuint (reply->status, ==, 503);
    g_assert_nonnull (strstr (reply->body, "urn:secret-proxy:problem:unowned"));
    g_assert_cmpstr (self.seen, ==, "('', '')"); /* no token goes on */
  }
  health = gate_fixture_ask (&self, "GET /health" OPEN "\r\n");
  g_assert_cmpuint (health->status, ==, 200);
}

static void
test_not_told_yet (void)
{
  g_auto (GateFixture) self;
  g_autoptr (Reply) reply = NULL;

  gate_fixture_init (&self);
  gate_fixture_start (&self);
  reply = gate_fixture_ask (&self, ASK ("POST", "/v1/requests/a/redeem"));
  g_assert_cmpuint (reply->status, ==, 503);
  g_assert_nonnull (strstr (reply->body, "urn:secret-proxy:problem:locked"));
}

/* ---- values ------------------------------------------------------------------------------------- */

static JsonObject *
redeem (GateFixture *self, const void *value, gsize length)
{
  static const char *const names[] = { "secret", "version", "value", "encoding", NULL };
  g_autoptr (GError) error = NULL;
  g_autoptr (Reply) reply = NULL;
  JsonObject *object;

  g_clear_pointer (&self->value, g_bytes_unref);
  self->value = g_bytes_new (value, length);
  reply = gate_fixture_ask (self, ASK ("POST", "/v1/requests/a/redeem"));
  g_assert_cmpuint (reply->status, ==, 200);
  object = sp_json_parse_object (reply->body, reply->length, names, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (json_object_get_string_member (object, "secret"), ==, "db \"x\"");
  g_assert_cmpint (json_object_get_int_member (object, "version"), ==, 3);
  return object;
}

static void
test_every_odd_byte (void)
{
  g_auto (GateFixture) self;
  g_autoptr (GString) value = g_string_new (NULL);
  g_autoptr (JsonObject) object = NULL;
  g_autoptr (JsonObject) empty = NULL;

  gate_fixture_start_plain (&self);
  for (guint c = 1; c < 128; c++)
    g_string_append_c (value, (char) c);
  g_string_append (value, "\xc3\xa9\xe2\x80\xa8\xf0\x9f\x94\x91\"\\/</script>");
  object = redeem (&self, value->str, value->len);
  g_assert_cmpstr (json_object_get_string_member (object, "value"), ==, value->str);
  g_assert_cmpstr (json_object_get_string_member (object, "encoding"), ==, "utf-8");
  empty = redeem (&self, "", 0);
  g_assert_cmpstr (json_object_get_string_member (empty, "value"), ==, "");
}

static void
test_base64 (void)
{
  static const struct {
    const char *value;
    gsize length;
    const char *text;
  } values[] = { { "a\0b", 3, "YQBi" },
                 { "\xff", 1, "/w==" },
                 { "\xc3", 1, "ww==" },
                 { "\xed\xa0\x80", 3, "7aCA" },
                 { "\xc0\x80", 2, "wIA=" } };
  g_auto (GateFixture) self;

  gate_fixture_start_plain (&self);
  for (guint i = 0; i < G_N_ELEMENTS (values); i++) {
    g_autoptr (JsonObject) object = redeem (&self, values[i].value, values[i].length);

    g_assert_cmpstr (json_object_get_string_member (object, "encoding"), ==, "base64");
    g_assert_cmpstr (json_object_get_string_member (object, "value"), ==, values[i].text);
  }
}

static void
test_largest_value (gconstpointer data)
{
  g_auto (GateFixture) self;
  g_autoptr (GString) value = g_string_new (NULL);
  g_autoptr (JsonObject) object = NULL;

  gate_fixture_start_plain (&self);
  if (data != NULL)
    gate_fixture_set_tls (&self, TRUE, FALSE);
  self.tls = data != NULL;
  for (guint i = 0; i < 65536; i++)
    g_string_append_c (value, (char) (1 + i % 31));
  object = redeem (&self, value->str, value->len);
  g_assert_cmpstr (json_object_get_string_member (object, "value"), ==, value->str);
}

static void
test_redeem_bodies (void)
{
  static const struct {
    const char *rest;
    guint status;
  } rows[] = { { "\r\n", 200 },
               { "Content-Length: 0\r\n\r\n", 200 },
               { "Content-Length: 2\r\n\r\n{}", 200 },
               { "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", 200 },
               { "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}", 400 },
               { "Content-Length: 7\r\n\r\n{\"a\":1}", 400 } };
  g_auto (GateFixture) self;

  gate_fixture_start_plain (&self);
  self.value = g_bytes_new_static ("v", 1);
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree char *text = g_strconcat ("POST /v1/requests/a/redeem" AUTH, rows[i].rest, NULL);
    g_autoptr (Reply) reply = gate_fixture_ask (&self, text);

    g_assert_cmpuint (reply->status, ==, rows[i].status);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/gate/status/of-each-form", test_statuses);
  g_test_add_func ("/gate/status/head-has-no-body", test_head_has_no_body);
  g_test_add_func ("/gate/status/reason-of-500-characters", test_longest_reason);
  g_test_add_func ("/gate/limit/guesses", test_guesses_are_limited);
  g_test_add_func ("/gate/limit/spares-good-tokens", test_good_token_is_not_limited);
  g_test_add_func ("/gate/unowned/answers-health-only", test_unowned);
  g_test_add_func ("/gate/unowned/serves-nothing-before-it-is-told", test_not_told_yet);
  g_test_add_func ("/gate/redeem/every-odd-byte", test_every_odd_byte);
  g_test_add_func ("/gate/redeem/base64-where-it-is-no-text", test_base64);
  g_test_add_data_func ("/gate/redeem/largest-value", NULL, test_largest_value);
  g_test_add_data_func ("/gate/redeem/largest-value-over-tls", "", test_largest_value);
  g_test_add_func ("/gate/redeem/needs-no-body", test_redeem_bodies);
  return g_test_run ();
}
