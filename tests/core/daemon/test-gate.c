/* test-gate.c - what an agent meets: connections, limits, statuses, values, TLS */
#include <string.h>

#include "base/json.h"
#include "daemon/routes-input.h"
#include "gate-fixture.h"

/* A gate that answers plain requests. */
static void
start_plain (GateFixture *self)
{
  gate_fixture_init (self);
  gate_fixture_start (self);
  gate_fixture_set_tls (self, FALSE, TRUE);
}

static void
assert_ended (GIOStream *stream)
{
  char c;

  g_assert_cmpint (g_input_stream_read (g_io_stream_get_input_stream (stream), &c, 1, NULL, NULL),
                   ==, 0);
}

/* ---- connections -------------------------------------------------------------------------------- */

static void
test_keeps_the_connection (void)
{
  g_auto (GateFixture) self;
  g_autoptr (GIOStream) stream = NULL;

  start_plain (&self);
  stream = gate_fixture_dial (&self);
  for (guint i = 0; i < 20; i++) {
    g_autoptr (Reply) reply = NULL;

    send_text (stream, ASK ("GET", "/v1/secrets"));
    reply = read_reply (stream);
    g_assert_nonnull (reply);
    g_assert_cmpuint (reply->status, ==, 200);
    g_assert_cmpstr (reply->body, ==, "{\"items\":[],\"next\":null}");
    g_assert_true (reply_has (reply, "Content-Type: application/json"));
    g_assert_true (reply_has (reply, "Cache-Control: no-store"));
    g_assert_true (reply_has (reply, "X-Content-Type-Options: nosniff"));
    g_assert_false (reply_has (reply, "Connection: close"));
  }
  gate_fixture_await_connections (&self, 1);
}

static void
test_closes_when_asked (void)
{
  g_auto (GateFixture) self;
  g_autoptr (GIOStream) stream = NULL;
  g_autoptr (Reply) reply = NULL;

  start_plain (&self);
  stream = gate_fixture_dial (&self);
  send_text (stream, "GET /health HTTP/1.1\r\nHost: v\r\nConnection: close\r\n\r\n");
  reply = read_reply (stream);
  g_assert_cmpuint (reply->status, ==, 200);
  g_assert_true (reply_has (reply, "Connection: close"));
  assert_ended (stream);
}

static void
test_pipelined (gconstpointer data)
{
  g_auto (GateFixture) self;
  g_autoptr (GIOStream) stream = NULL;
  g_autoptr (GString) text = g_string_new (NULL);

  start_plain (&self);
  if (data != NULL)
    gate_fixture_set_tls (&self, TRUE, FALSE);
  self.tls = data != NULL;
  stream = gate_fixture_dial (&self);
  /* More than the buffer holds and more than one turn takes; gate and keeper take turns to answer. */
  for (guint i = 0; i < 200; i++)
    g_string_append (text, i % 2 ? ASK ("GET", "/nowhere") : ASK ("GET", "/v1/requests/x"));
  for (guint i = 0; i < 400; i++)
    g_string_append (text, ASK ("GET", "/nowhere"));
  send_text (stream, text->str);
  for (guint i = 0; i < 600; i++) {
    g_autoptr (Reply) reply = read_reply (stream);

    g_assert_nonnull (reply);
    g_assert_cmpuint (reply->status, ==, i < 200 && i % 2 == 0 ? 200 : 404);
  }
}

static void
test_byte_at_a_time (void)
{
  static const char text[] =
      "POST /v1/requests HTTP/1.1\r\nHost: v\r\nAuthorization: Bearer good\r\nContent-Type: "
      "application/json\r\nContent-Length: 27\r\n\r\n{\"secret\":\"a\",\"reason\":\"b\"}";
  g_auto (GateFixture) self;
  g_autoptr (GIOStream) stream = NULL;

  start_plain (&self);
  stream = gate_fixture_dial (&self);
  for (guint round = 0; round < 2; round++) {
    g_autoptr (Reply) reply = NULL;

    for (const char *at = text; *at != '\0'; at++)
      send_text (stream, (char[2]){ *at, '\0' });
    reply = read_reply (stream);
    g_assert_cmpuint (reply->status, ==, 201);
    g_assert_true (reply_has (reply, "Location: /v1/requests/r-1"));
    g_assert_cmpstr (self.seen, ==, "('good', '', 'a', 'b', -1)");
  }
}

typedef struct {
  const char *name;
  const char *text; /* sent, and then nothing more */
} Slow;

static const Slow slow[] = {
  { "says-nothing", "" },
  { "half-a-head", "GET /health HTTP/1.1\r\nHost" },
  { "half-a-body", "POST /v1/requests HTTP/1.1\r\nHost: v\r\nAuthorization: Bearer good\r\n"
                   "Content-Type: application/json\r\nContent-Length: 27\r\n\r\n{\"sec" },
  { "half-a-handshake", "\x16\x03\x01" },
};

static void
test_slow (gconstpointer data)
{
  g_auto (GateFixture) self;
  g_autoptr (GIOStream) stream = NULL;

  gate_fixture_init (&self);
  self.deadlines.head = self.deadlines.body = self.deadlines.handshake = 50;
  gate_fixture_start (&self);
  gate_fixture_set_tls (&self, TRUE, TRUE);
  stream = gate_fixture_dial (&self);
  send_text (stream, ((const Slow *) data)->text);
  assert_ended (stream);
  gate_fixture_await_connections (&self, 0);
}

static void
test_idle (gconstpointer data)
{
  g_auto (GateFixture) self;
  g_autoptr (GIOStream) stream = NULL;
  g_autoptr (Reply) reply = NULL;

  gate_fixture_init (&self);
  /* Either nothing follows a request, or a head that never ends. */
  self.deadlines.idle = *(const char *) data ? 60000 : 50;
  self.deadlines.head = *(const char *) data ? 50 : 60000;
  gate_fixture_start (&self);
  stream = gate_fixture_dial (&self);
  send_text (stream, "GET /health HTTP/1.1\r\nHost: v\r\n\r\n");
  reply = read_reply (stream);
  g_assert_cmpuint (reply->status, ==, 200);
  send_text (stream, data);
  assert_ended (stream);
}

static void
test_reader_that_stops (void)
{
  g_auto (GateFixture) self;
  g_autoptr (GIOStream) stream = NULL;
  g_autoptr (GString) text = g_string_new (NULL);

  gate_fixture_init (&self);
  self.deadlines.write = 50;
  self.value = g_bytes_new_take (g_malloc0 (65536), 65536);
  gate_fixture_start (&self);
  gate_fixture_set_tls (&self, FALSE, TRUE);
  stream = gate_fixture_dial (&self);
  for (guint i = 0; i < 100; i++)
    g_string_append (text, ASK ("POST", "/v1/requests/a/redeem"));
  send_text (stream, text->str);
  gate_fixture_await_connections (&self, 1);
  gate_fixture_await_connections (&self, 0);
}

static void
answer_held (GateFixture *self)
{
  g_assert_cmpuint (self->held->len, ==, 1);
  sp_link_call_reply (self->held->pdata[0], g_variant_new ("(s)", "{\"status\":\"approved\"}"),
                      NULL);
  g_ptr_array_set_size (self->held, 0);
}

static void
test_wait_is_answered (void)
{
  g_auto (GateFixture) self;
  g_autoptr (GIOStream) stream = NULL;
  g_autoptr (Reply) reply = NULL;
  g_autoptr (Reply) next = NULL;

  start_plain (&self);
  stream = gate_fixture_dial (&self);
  send_text (stream, ASK ("GET", "/v1/requests/a?wait=60") ASK ("GET", "/v1/secrets"));
  gate_fixture_await_parked (&self, 1);
  g_assert_cmpstr (self.seen, ==, "('good', 'a', 60000)");
  gate_fixture_do (&self, answer_held);
  reply = read_reply (stream);
  g_assert_cmpstr (reply->body, ==, "{\"status\":\"approved\"}");
  next = read_reply (stream);
  g_assert_cmpuint (next->status, ==, 200);
  gate_fixture_await_parked (&self, 0);
}

static void
test_wait_is_dropped (gconstpointer data)
{
  g_auto (GateFixture) self;
  g_autoptr (GIOStream) stream = NULL;

  start_plain (&self);
  if (data != NULL)
    gate_fixture_set_tls (&self, TRUE, FALSE);
  self.tls = data != NULL;
  stream = gate_fixture_dial (&self);
  send_text (stream, ASK ("GET", "/v1/requests/a?wait=60") "GET /never-finished");
  gate_fixture_await_parked (&self, 1);
  g_io_stream_close (stream, NULL, NULL);
  gate_fixture_await_connections (&self, 0);
  /* The keeper still has it, so it still counts. */
  gate_fixture_await_parked (&self, 1);
  gate_fixture_do (&self, answer_held);
  gate_fixture_await_parked (&self, 0);
}

static void
test_cap (void)
{
  g_auto (GateFixture) self;
  g_autoptr (GPtrArray) streams = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (GIOStream) one_more = NULL;
  g_autoptr (Reply) reply = NULL;

  gate_fixture_init (&self);
  self.caps.local = 4;
  gate_fixture_start (&self);
  for (guint i = 0; i < 4; i++)
    g_ptr_array_add (streams, gate_fixture_dial (&self));
  gate_fixture_await_connections (&self, 4);
  one_more = gate_fixture_dial (&self);
  assert_ended (one_more);
  g_ptr_array_remove_index (streams, 0);
  gate_fixture_await_connections (&self, 3);
  reply = gate_fixture_ask (&self, "GET /health HTTP/1.1\r\nHost: v\r\n\r\n");
  g_assert_cmpuint (reply->status, ==, 200);
}

static void
test_keeper_gone (void)
{
  g_auto (GateFixture) self;
  g_autoptr (Reply) reply = NULL;

  gate_fixture_init (&self);
  self.silent = TRUE;
  self.answer_ms = 50;
  gate_fixture_start (&self);
  gate_fixture_set_tls (&self, FALSE, TRUE);
  reply = gate_fixture_ask (&self, ASK ("GET", "/v1/secrets"));
  g_assert_cmpuint (reply->status, ==, 503);
  g_assert_nonnull (strstr (reply->body, "urn:secret-proxy:problem:timed-out"));
}

/* ---- statuses ----------------------------------------------------------------------------------- */

#define OPEN " HTTP/1.1\r\nHost: v\r\n"
#define AUTH OPEN "Authorization: Bearer good\r\n"
#define POST "POST /v1/requests" AUTH "Content-Type: application/json\r\n"

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

  start_plain (&self);
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

  start_plain (&self);
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

  start_plain (&self);
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

  start_plain (&self);
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

  start_plain (&self);
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

  start_plain (&self);
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

  start_plain (&self);
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

  start_plain (&self);
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

  start_plain (&self);
  self.value = g_bytes_new_static ("v", 1);
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree char *text = g_strconcat ("POST /v1/requests/a/redeem" AUTH, rows[i].rest, NULL);
    g_autoptr (Reply) reply = gate_fixture_ask (&self, text);

    g_assert_cmpuint (reply->status, ==, rows[i].status);
  }
}

/* ---- TLS ---------------------------------------------------------------------------------------- */

static void
test_tls (void)
{
  g_auto (GateFixture) self;
  g_autoptr (GIOStream) stream = NULL;

  gate_fixture_init (&self);
  gate_fixture_start (&self);
  gate_fixture_set_tls (&self, TRUE, FALSE);
  self.tls = TRUE;
  stream = gate_fixture_dial (&self);
  for (guint i = 0; i < 5; i++) {
    g_autoptr (Reply) reply = NULL;

    send_text (stream, ASK ("GET", "/v1/secrets"));
    reply = read_reply (stream);
    g_assert_nonnull (reply);
    g_assert_cmpuint (reply->status, ==, 200);
  }
  g_assert_cmpint (g_tls_connection_get_protocol_version (G_TLS_CONNECTION (stream)), ==,
                   G_TLS_PROTOCOL_VERSION_TLS_1_3);
}

static void
test_plain_is_refused (void)
{
  g_auto (GateFixture) self;
  g_autoptr (Reply) refused = NULL;
  g_autoptr (Reply) health = NULL;
  g_autoptr (Reply) ownership = NULL;

  gate_fixture_init (&self);
  gate_fixture_start (&self);
  gate_fixture_set_tls (&self, TRUE, FALSE);
  refused = gate_fixture_ask (&self, ASK ("GET", "/v1/secrets"));
  g_assert_cmpuint (refused->status, ==, 426);
  g_assert_nonnull (strstr (refused->body, "urn:secret-proxy:problem:tls-required"));
  g_assert_null (self.seen); /* the keeper heard nothing */
  health = gate_fixture_ask (&self, "GET /health" OPEN "\r\n");
  g_assert_cmpuint (health->status, ==, 200);
  ownership = gate_fixture_ask (
      &self, "GET /v1/ownership?nonce=0123456789abcdef0123456789abcdef" OPEN "\r\n");
  g_assert_cmpuint (ownership->status, ==, 200);
}

/* ---- hostile ------------------------------------------------------------------------------------ */

static void
test_garbage (void)
{
  g_auto (GateFixture) self;
  g_autoptr (Reply) health = NULL;

  gate_fixture_init (&self);
  self.deadlines.head = self.deadlines.handshake = 200;
  gate_fixture_start (&self);
  gate_fixture_set_tls (&self, TRUE, FALSE);
  for (guint i = 0; i < 200; i++) {
    g_autoptr (GIOStream) stream = gate_fixture_dial (&self);
    char noise[300];

    for (guint n = 0; n < sizeof noise - 1; n++)
      noise[n] = (char) g_test_rand_int_range (1, 256);
    noise[sizeof noise - 1] = '\0';
    if (i % 4 == 0)
      noise[0] = 0x16;
    send_text (stream, noise);
  }
  health = gate_fixture_ask (&self, "GET /health" OPEN "\r\n");
  g_assert_cmpuint (health->status, ==, 200);
  gate_fixture_await_connections (&self, 0);
}

static void
test_answer_survives_a_flood (void)
{
  g_auto (GateFixture) self;
  g_autoptr (GIOStream) stream = NULL;
  g_autoptr (Reply) reply = NULL;
  g_autofree char *flood = g_strnfill (60000, 'x');

  start_plain (&self);
  stream = gate_fixture_dial (&self);
  send_text (stream, POST "Content-Length: 60000\r\n\r\n");
  send_text (stream, flood);
  reply = read_reply (stream);
  g_assert_nonnull (reply);
  g_assert_cmpuint (reply->status, ==, 413);
  assert_ended (stream);
}

/* ---- speed: only with -m perf ------------------------------------------------------------------- */

static void
test_speed (gconstpointer data)
{
  static const char text[] = ASK ("GET", "/v1/requests/0123456789abcdef");
  g_auto (GateFixture) self;
  g_autoptr (GIOStream) stream = NULL;
  const guint n = 20000;
  char answer[1024];
  gint64 begin;
  double rate;

  start_plain (&self);
  if (data != NULL)
    gate_fixture_set_tls (&self, TRUE, FALSE);
  self.tls = data != NULL;
  stream = gate_fixture_dial (&self);
  begin = g_get_monotonic_time ();
  for (guint i = 0; i < n; i++) {
    send_text (stream, text);
    g_assert_cmpint (g_input_stream_read (g_io_stream_get_input_stream (stream), answer,
                                          sizeof answer, NULL, NULL),
                     >, 0);
  }
  rate = 1e6 * n / (double) (g_get_monotonic_time () - begin);
  g_test_maximized_result (rate, "%.0f requests per second, one connection", rate);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/gate/connection/is-kept", test_keeps_the_connection);
  g_test_add_func ("/gate/connection/is-closed-when-asked", test_closes_when_asked);
  g_test_add_data_func ("/gate/connection/pipelined-in-order", NULL, test_pipelined);
  g_test_add_data_func ("/gate/connection/pipelined-in-order-over-tls", "", test_pipelined);
  g_test_add_func ("/gate/connection/a-byte-at-a-time", test_byte_at_a_time);
  for (guint i = 0; i < G_N_ELEMENTS (slow); i++) {
    g_autofree char *path = g_strconcat ("/gate/deadline/", slow[i].name, NULL);

    g_test_add_data_func (path, &slow[i], test_slow);
  }
  g_test_add_data_func ("/gate/deadline/idle", "", test_idle);
  g_test_add_data_func ("/gate/deadline/half-a-second-head", "GET", test_idle);
  g_test_add_func ("/gate/deadline/reader-that-stops", test_reader_that_stops);
  g_test_add_func ("/gate/deadline/keeper-that-is-silent", test_keeper_gone);
  g_test_add_func ("/gate/wait/is-answered", test_wait_is_answered);
  g_test_add_data_func ("/gate/wait/is-dropped-with-its-client", NULL, test_wait_is_dropped);
  g_test_add_data_func ("/gate/wait/is-dropped-with-its-tls-client", "", test_wait_is_dropped);
  g_test_add_func ("/gate/cap/of-connections", test_cap);
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
  g_test_add_func ("/gate/tls/serves", test_tls);
  g_test_add_func ("/gate/tls/plain-is-refused", test_plain_is_refused);
  g_test_add_func ("/gate/hostile/garbage", test_garbage);
  g_test_add_func ("/gate/hostile/answer-survives-a-flood", test_answer_survives_a_flood);
  if (g_test_perf ()) {
    g_test_add_data_func ("/gate/speed/plain", NULL, test_speed);
    g_test_add_data_func ("/gate/speed/tls", "", test_speed);
  }
  return g_test_run ();
}
