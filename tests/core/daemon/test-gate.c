/* test-gate.c - what an agent meets below the API: connections, deadlines, TLS, hostile bytes */
#include <string.h>

#include "gate-fixture.h"

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

  gate_fixture_start_plain (&self);
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

  gate_fixture_start_plain (&self);
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

  gate_fixture_start_plain (&self);
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

  gate_fixture_start_plain (&self);
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

  gate_fixture_start_plain (&self);
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

  gate_fixture_start_plain (&self);
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
  g_assert_nonnull (strstr (reply->body, "urn:secret-proxy:problem:store"));
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

/* Each of them would hold a thread of the TLS library until its deadline. */
static void
test_half_hellos (void)
{
  static const char half[] = "\x16\x03\x01\x02\x00\x01";
  g_auto (GateFixture) self;
  g_autoptr (GPtrArray) hellos = g_ptr_array_new_with_free_func (g_object_unref);
  gint64 start;

  gate_fixture_init (&self);
  gate_fixture_start (&self);
  gate_fixture_set_tls (&self, TRUE, FALSE);
  for (guint i = 0; i < 40; i++) {
    GIOStream *hello = gate_fixture_dial (&self);

    g_ptr_array_add (hellos, hello);
    g_assert_true (g_output_stream_write_all (g_io_stream_get_output_stream (hello), half,
                                              sizeof half - 1, NULL, NULL, NULL));
  }
  gate_fixture_await_connections (&self, 40);
  self.tls = TRUE;
  start = g_get_monotonic_time ();
  {
    g_autoptr (Reply) reply = gate_fixture_ask (&self, ASK ("GET", "/v1/secrets"));

    g_assert_cmpuint (reply->status, ==, 200);
  }
  /* Far below the deadline of a handshake. */
  g_assert_cmpint (g_get_monotonic_time () - start, <, 2 * G_USEC_PER_SEC);
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

  gate_fixture_start_plain (&self);
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

  gate_fixture_start_plain (&self);
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
  g_test_add_func ("/gate/tls/serves", test_tls);
  g_test_add_func ("/gate/tls/half-hellos-delay-nobody", test_half_hellos);
  g_test_add_func ("/gate/tls/plain-is-refused", test_plain_is_refused);
  g_test_add_func ("/gate/hostile/garbage", test_garbage);
  g_test_add_func ("/gate/hostile/answer-survives-a-flood", test_answer_survives_a_flood);
  if (g_test_perf ()) {
    g_test_add_data_func ("/gate/speed/plain", NULL, test_speed);
    g_test_add_data_func ("/gate/speed/tls", "", test_speed);
  }
  return g_test_run ();
}
