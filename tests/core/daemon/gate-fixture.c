/* gate-fixture.c - thread, keeper and client of gate-fixture.h */
#include "gate-fixture.h"

#include <gnutls/x509.h>
#include <string.h>
#include <sys/socket.h>

#include "base/problem.h"
#include "daemon/gate-protocol.h"

/* ---- the keeper --------------------------------------------------------------------------------- */

static gboolean
keeper_refuses (GateFixture *self, SpLinkCall *call, GVariant *args, gboolean wants_token)
{
  g_autoptr (GError) error = NULL;
  const char *token = NULL;

  g_free (self->seen);
  self->seen = g_variant_print (args, FALSE);
  if (wants_token)
    g_variant_get_child (args, 0, "&s", &token);
  if (self->silent) {
    g_ptr_array_add (self->held, call);
    return TRUE;
  }
  if (self->unowned)
    error = g_error_new_literal (SP_PROBLEM, SP_PROBLEM_UNOWNED, "nobody has taken it over");
  else if (wants_token && strcmp (token, self->token) != 0)
    error = g_error_new_literal (SP_PROBLEM, SP_PROBLEM_UNAUTHORIZED, "the token is not known");
  if (error != NULL)
    sp_link_call_fail (call, error);
  return error != NULL;
}

static void
on_health (SpLinkCall *call, GVariant *args, GBytes *blob, gpointer data)
{
  GateFixture *self = data;

  sp_link_call_reply (
      call,
      g_variant_new ("(us)", 200,
                     self->unowned ? "{\"ownership\":\"unowned\"}" : "{\"ownership\":\"owned\"}"),
      NULL);
}

static void
on_ownership (SpLinkCall *call, GVariant *args, GBytes *blob, gpointer data)
{
  if (!keeper_refuses (data, call, args, FALSE))
    sp_link_call_reply (call, g_variant_new ("(s)", "{\"statement\":\"\"}"), NULL);
}

static void
on_plain (SpLinkCall *call, GVariant *args, GBytes *blob, gpointer data)
{
  if (!keeper_refuses (data, call, args, TRUE))
    sp_link_call_reply (call, g_variant_new ("(s)", "{\"items\":[],\"next\":null}"), NULL);
}

static void
on_create (SpLinkCall *call, GVariant *args, GBytes *blob, gpointer data)
{
  if (!keeper_refuses (data, call, args, TRUE))
    sp_link_call_reply (call, g_variant_new ("(ss)", "r-1", "{\"id\":\"r-1\"}"), NULL);
}

static void
on_get (SpLinkCall *call, GVariant *args, GBytes *blob, gpointer data)
{
  GateFixture *self = data;
  guint32 wait;

  if (keeper_refuses (self, call, args, TRUE))
    return;
  g_variant_get_child (args, 2, "u", &wait);
  if (wait > 0)
    g_ptr_array_add (self->held, call);
  else
    sp_link_call_reply (call, g_variant_new ("(s)", "{\"status\":\"pending\"}"), NULL);
}

static void
on_redeem (SpLinkCall *call, GVariant *args, GBytes *blob, gpointer data)
{
  GateFixture *self = data;

  if (!keeper_refuses (self, call, args, TRUE))
    sp_link_call_reply (call, g_variant_new ("(su)", "db \"x\"", 3), self->value);
}

static const SpLinkHandler keeper_handlers[SP_GATE_N_CALLS] = {
  [SP_GATE_HEALTH] = on_health, [SP_GATE_OWNERSHIP] = on_ownership,
  [SP_GATE_SECRETS] = on_plain, [SP_GATE_CREATE] = on_create,
  [SP_GATE_GET] = on_get,       [SP_GATE_LIST] = on_plain,
  [SP_GATE_CANCEL] = on_plain,  [SP_GATE_REDEEM] = on_redeem,
};

/* ---- the thread --------------------------------------------------------------------------------- */

static void
on_closed (gpointer data)
{
  GateFixture *self = data;

  self->closed = TRUE;
}

static int
make_listener (GateFixture *self)
{
  g_autoptr (GSocket) socket =
      g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, NULL);
  g_autoptr (GSocketAddress) any = g_inet_socket_address_new_from_string ("127.0.0.1", 0);
  g_autoptr (GSocketAddress) taken = NULL;
  int fd;

  g_assert_true (g_socket_bind (socket, any, TRUE, NULL));
  g_assert_true (g_socket_listen (socket, NULL));
  taken = g_socket_get_local_address (socket, NULL);
  self->port = g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (taken));
  fd = dup (g_socket_get_fd (socket));
  g_assert_cmpint (fd, >=, 0);
  return fd;
}

static void
start_here (GateFixture *self)
{
  const SpLinkSetup keeper = { .serve = sp_gate_calls,
                               .handlers = keeper_handlers,
                               .n_serve = SP_GATE_N_CALLS,
                               .call = sp_gate_orders,
                               .n_call = SP_GATE_N_ORDERS,
                               .data = self };
  g_autoptr (GError) error = NULL;
  int pair[2];

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
  self->keeper = sp_link_new (pair[0], &keeper);
  self->gate = sp_gate_new (&(SpGateSetup){ .link_fd = pair[1],
                                            .listen_fd = make_listener (self),
                                            .deadlines = &self->deadlines,
                                            .caps = &self->caps,
                                            .answer_ms = self->answer_ms,
                                            .closed = on_closed,
                                            .data = self },
                            &error);
  g_assert_no_error (error);
}

static gpointer
run_thread (gpointer data)
{
  GateFixture *self = data;

  g_main_context_push_thread_default (self->context);
  g_main_loop_run (self->loop);
  /* What ended last may still have to come back from threads of GIO. */
  while (g_main_context_iteration (self->context, FALSE))
    ;
  g_main_context_pop_thread_default (self->context);
  return NULL;
}

typedef struct {
  GateFixture *self;
  GateFixtureFunc func;
  GMutex mutex;
  GCond cond;
  gboolean done;
} Errand;

static gboolean
do_errand (gpointer data)
{
  Errand *errand = data;

  errand->func (errand->self);
  g_mutex_lock (&errand->mutex);
  errand->done = TRUE;
  g_cond_signal (&errand->cond);
  g_mutex_unlock (&errand->mutex);
  return G_SOURCE_REMOVE;
}

void
gate_fixture_do (GateFixture *self, GateFixtureFunc func)
{
  Errand errand = { .self = self, .func = func };
  g_autoptr (GSource) source = g_idle_source_new ();

  g_mutex_init (&errand.mutex);
  g_cond_init (&errand.cond);
  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_callback (source, do_errand, &errand, NULL);
  g_source_attach (source, self->context);
  g_mutex_lock (&errand.mutex);
  while (!errand.done)
    g_cond_wait (&errand.cond, &errand.mutex);
  g_mutex_unlock (&errand.mutex);
  g_mutex_clear (&errand.mutex);
  g_cond_clear (&errand.cond);
}

void
gate_fixture_init (GateFixture *self)
{
  *self = (GateFixture){ .deadlines = sp_http_deadlines,
                         .caps = sp_http_caps,
                         .answer_ms = 5000,
                         .token = g_strdup ("good"),
                         .held = g_ptr_array_new () };
}

void
gate_fixture_start (GateFixture *self)
{
  self->context = g_main_context_new ();
  self->loop = g_main_loop_new (self->context, FALSE);
  self->thread = g_thread_new ("gate", run_thread, self);
  gate_fixture_do (self, start_here);
}

static void
stop_here (GateFixture *self)
{
  for (guint i = 0; i < self->held->len; i++)
    sp_link_call_reply (self->held->pdata[i], g_variant_new ("(s)", "{}"), NULL);
  sp_gate_free (self->gate);
  sp_link_close (self->keeper);
  sp_link_unref (self->keeper);
  g_main_loop_quit (self->loop);
}

void
gate_fixture_clear (GateFixture *self)
{
  gate_fixture_do (self, stop_here);
  g_thread_join (self->thread);
  g_main_loop_unref (self->loop);
  g_main_context_unref (self->context);
  g_ptr_array_unref (self->held);
  g_free (self->token);
  g_free (self->seen);
  g_clear_pointer (&self->value, g_bytes_unref);
}

/* ---- waiting ------------------------------------------------------------------------------------ */

static void
count_here (GateFixture *self)
{
  self->connections = sp_gate_connections (self->gate);
  self->parked = sp_gate_parked (self->gate);
}

/* What is waited for happens on another thread, which does not tell: so look until it has. */
static void
await (GateFixture *self, const guint *count, guint n)
{
  gint64 end = g_get_monotonic_time () + 10 * G_USEC_PER_SEC;

  for (gate_fixture_do (self, count_here); *count != n; gate_fixture_do (self, count_here)) {
    g_assert_cmpint (g_get_monotonic_time (), <, end);
    g_usleep (1000);
  }
}

void
gate_fixture_await_connections (GateFixture *self, guint n)
{
  await (self, &self->connections, n);
}

void
gate_fixture_await_parked (GateFixture *self, guint n)
{
  await (self, &self->parked, n);
}

/* ---- TLS ---------------------------------------------------------------------------------------- */

static void
append_pem (GString *out, gnutls_x509_crt_t certificate, gnutls_x509_privkey_t key)
{
  gnutls_datum_t text;

  g_assert_cmpint (gnutls_x509_crt_export2 (certificate, GNUTLS_X509_FMT_PEM, &text), ==, 0);
  g_string_append_len (out, (const char *) text.data, text.size);
  gnutls_free (text.data);
  g_assert_cmpint (gnutls_x509_privkey_export2 (key, GNUTLS_X509_FMT_PEM, &text), ==, 0);
  g_string_append_len (out, (const char *) text.data, text.size);
  gnutls_free (text.data);
}

static GBytes *
make_pem (void)
{
  GString *out = g_string_new (NULL);
  gnutls_x509_crt_t certificate;
  gnutls_x509_privkey_t key;
  time_t now = time (NULL);

  gnutls_x509_privkey_init (&key);
  gnutls_x509_privkey_generate (key, GNUTLS_PK_ECDSA,
                                GNUTLS_CURVE_TO_BITS (GNUTLS_ECC_CURVE_SECP256R1), 0);
  gnutls_x509_crt_init (&certificate);
  gnutls_x509_crt_set_version (certificate, 3);
  gnutls_x509_crt_set_serial (certificate, "\1", 1);
  gnutls_x509_crt_set_activation_time (certificate, now - 3600);
  gnutls_x509_crt_set_expiration_time (certificate, now + 3600);
  gnutls_x509_crt_set_dn (certificate, "CN=vault", NULL);
  gnutls_x509_crt_set_key (certificate, key);
  g_assert_cmpint (gnutls_x509_crt_sign2 (certificate, certificate, key, GNUTLS_DIG_SHA256, 0), ==,
                   0);
  append_pem (out, certificate, key);
  gnutls_x509_crt_deinit (certificate);
  gnutls_x509_privkey_deinit (key);
  return g_string_free_to_bytes (out);
}

static void
on_told (GVariant *reply, GBytes *blob, const GError *error, gpointer data)
{
  g_assert_no_error (error);
  g_atomic_int_set ((gint *) data, 1);
}

static void
tell_gate (GateFixture *self)
{
  sp_link_call (self->keeper, SP_GATE_SET_TLS, g_variant_new ("(b)", self->plain), self->pem, 0,
                on_told, &self->told);
}

void
gate_fixture_set_tls (GateFixture *self, gboolean tls, gboolean plain)
{
  gint64 end = g_get_monotonic_time () + 10 * G_USEC_PER_SEC;
  g_autoptr (GBytes) pem = tls ? make_pem () : NULL;

  self->pem = pem;
  self->plain = plain;
  self->told = 0;
  gate_fixture_do (self, tell_gate);
  while (g_atomic_int_get (&self->told) == 0) {
    g_assert_cmpint (g_get_monotonic_time (), <, end);
    g_usleep (1000);
  }
}

void
gate_fixture_start_plain (GateFixture *self)
{
  gate_fixture_init (self);
  gate_fixture_start (self);
  gate_fixture_set_tls (self, FALSE, TRUE);
}

/* ---- the client --------------------------------------------------------------------------------- */

static gboolean
accept_any (GTlsConnection *connection, GTlsCertificate *certificate, GTlsCertificateFlags errors,
            gpointer data)
{
  return TRUE;
}

GIOStream *
gate_fixture_dial (GateFixture *self)
{
  g_autoptr (GSocketClient) client = g_socket_client_new ();
  g_autoptr (GSocketConnection) plain = NULL;
  g_autoptr (GError) error = NULL;
  GIOStream *tls;

  g_socket_client_set_timeout (client, 10);
  g_socket_client_set_enable_proxy (client, FALSE);
  plain = g_socket_client_connect_to_host (client, "127.0.0.1", self->port, NULL, &error);
  g_assert_no_error (error);
  if (!self->tls)
    return G_IO_STREAM (g_steal_pointer (&plain));
  tls = g_tls_client_connection_new (G_IO_STREAM (plain), NULL, &error);
  g_assert_no_error (error);
  g_signal_connect (tls, "accept-certificate", G_CALLBACK (accept_any), NULL);
  g_tls_connection_set_require_close_notify (G_TLS_CONNECTION (tls), FALSE);
  return tls;
}

void
send_text (GIOStream *stream, const char *text)
{
  GOutputStream *out = g_io_stream_get_output_stream (stream);

  /* The gate may have cut the connection meanwhile: what it says then is looked at, not this. */
  (void) g_output_stream_write_all (out, text, strlen (text), NULL, NULL, NULL);
}

static char *
read_head (GInputStream *in)
{
  g_autoptr (GString) head = g_string_new (NULL);
  char c;

  while (!g_str_has_suffix (head->str, "\r\n\r\n")) {
    if (g_input_stream_read (in, &c, 1, NULL, NULL) != 1)
      return NULL;
    g_string_append_c (head, c);
  }
  return g_string_free (g_steal_pointer (&head), FALSE);
}

Reply *
read_reply (GIOStream *stream)
{
  GInputStream *in = g_io_stream_get_input_stream (stream);
  g_autofree char *head = read_head (in);
  const char *length;
  Reply *reply;
  gsize got = 0;

  if (head == NULL)
    return NULL;
  g_assert_true (g_str_has_prefix (head, "HTTP/1.1 "));
  length = strstr (head, "Content-Length: ");
  g_assert_nonnull (length);
  reply = g_new0 (Reply, 1);
  reply->status = (guint) g_ascii_strtoull (head + 9, NULL, 10);
  reply->length = g_ascii_strtoull (length + 16, NULL, 10);
  reply->body = g_malloc0 (reply->length + 1);
  g_assert_true (g_input_stream_read_all (in, reply->body, reply->length, &got, NULL, NULL));
  g_assert_cmpuint (got, ==, reply->length);
  reply->head = g_steal_pointer (&head);
  return reply;
}

void
reply_free (Reply *reply)
{
  if (reply == NULL)
    return;
  g_free (reply->head);
  g_free (reply->body);
  g_free (reply);
}

Reply *
gate_fixture_ask (GateFixture *self, const char *text)
{
  g_autoptr (GIOStream) stream = gate_fixture_dial (self);
  Reply *reply;

  send_text (stream, text);
  reply = read_reply (stream);
  g_assert_nonnull (reply);
  return reply;
}

gboolean
reply_has (const Reply *reply, const char *line)
{
  g_autofree char *whole = g_strconcat ("\r\n", line, "\r\n", NULL);

  return strstr (reply->head, whole) != NULL;
}
