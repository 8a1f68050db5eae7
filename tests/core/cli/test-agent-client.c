/* test-agent-client.c - the agent's client against a small TLS server: cli/agent-client.h
 *
 * The server runs in a thread and keeps what it was sent, so that the tests can say what a server with
 * another key got to see: nothing.
 */
#include "cli/agent-client.h"

#include <signal.h>
#include <string.h>

#include "base/problem.h"
#include "host/tls.h"

typedef struct {
  GThreadedSocketService *service;
  GTlsCertificate *certificate;
  SpAgentFile file;
  GMutex lock;
  GString *seen;      /* all that came in */
  const char *answer; /* what every request gets */
} Fixture;

static void
serve (Fixture *fixture, GIOStream *tls)
{
  char buffer[4096];
  gssize n =
      g_input_stream_read (g_io_stream_get_input_stream (tls), buffer, sizeof buffer, NULL, NULL);

  if (n <= 0)
    return;
  g_mutex_lock (&fixture->lock);
  g_string_append_len (fixture->seen, buffer, n);
  g_mutex_unlock (&fixture->lock);
  (void) g_output_stream_write_all (g_io_stream_get_output_stream (tls), fixture->answer,
                                    strlen (fixture->answer), NULL, NULL, NULL);
}

static gboolean
on_run (GThreadedSocketService *service, GSocketConnection *connection, GObject *source,
        gpointer data)
{
  Fixture *fixture = data;
  g_autoptr (GIOStream) tls =
      g_tls_server_connection_new (G_IO_STREAM (connection), fixture->certificate, NULL);

  if (tls != NULL && g_tls_connection_handshake (G_TLS_CONNECTION (tls), NULL, NULL))
    serve (fixture, tls);
  if (tls != NULL)
    (void) g_io_stream_close (tls, NULL, NULL);
  return TRUE;
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (SpSecret) pem = sp_tls_generate (&error);
  guint16 port;

  g_assert_no_error (error);
  g_mutex_init (&fixture->lock);
  fixture->seen = g_string_new (NULL);
  fixture->certificate = g_tls_certificate_new_from_pem ((const char *) sp_secret_data (pem),
                                                         (gssize) sp_secret_length (pem), &error);
  g_assert_no_error (error);
  fixture->service = G_THREADED_SOCKET_SERVICE (g_threaded_socket_service_new (4));
  port = g_socket_listener_add_any_inet_port (G_SOCKET_LISTENER (fixture->service), NULL, &error);
  g_assert_no_error (error);
  g_signal_connect (fixture->service, "run", G_CALLBACK (on_run), fixture);
  fixture->file.url = g_strdup_printf ("https://127.0.0.1:%u", port);
  fixture->file.tls_pin = sp_tls_pin_pem (pem, NULL);
  fixture->file.token = sp_secret_new_from ("the-token", 9);
  fixture->answer =
      "HTTP/1.1 200 OK\r\nContent-Length: 11\r\nConnection: close\r\n\r\n{\"ok\":true}";
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  g_socket_service_stop (G_SOCKET_SERVICE (fixture->service));
  g_socket_listener_close (G_SOCKET_LISTENER (fixture->service));
  g_object_unref (fixture->service);
  g_object_unref (fixture->certificate);
  g_string_free (fixture->seen, TRUE);
  g_free (fixture->file.url);
  g_free (fixture->file.tls_pin);
  sp_secret_unref (fixture->file.token);
  g_mutex_clear (&fixture->lock);
}

/* The service accepts on the main context, while the call blocks: so the call has a thread. */
typedef struct {
  Fixture *fixture;
  JsonObject *object;
  GError *error;
  gint done;
} Job;

static gpointer
run_job (gpointer data)
{
  Job *job = data;
  g_autoptr (SpAgentClient) client = sp_agent_client_new (&job->fixture->file);
  const SpAgentCall call = { .method = "GET", .path = "/v1/requests", .timeout_s = 10 };

  job->object = sp_agent_client_call (client, &call, NULL, &job->error);
  g_atomic_int_set (&job->done, 1);
  g_main_context_wakeup (NULL);
  return NULL;
}

static JsonObject *
ask (Fixture *fixture, GError **error)
{
  Job job = { fixture, NULL, NULL, 0 };
  GThread *thread = g_thread_new ("client", run_job, &job);

  while (g_atomic_int_get (&job.done) == 0)
    g_main_context_iteration (NULL, TRUE);
  (void) g_thread_join (thread);
  if (job.error != NULL)
    g_propagate_error (error, job.error);
  return job.object;
}

static gboolean
was_seen (Fixture *fixture, const char *text)
{
  gboolean found;

  g_mutex_lock (&fixture->lock);
  found = strstr (fixture->seen->str, text) != NULL;
  g_mutex_unlock (&fixture->lock);
  return found;
}

static void
test_pinned (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonObject) object = ask (fixture, &error);

  g_assert_no_error (error);
  g_assert_true (json_object_get_boolean_member (object, "ok"));
  g_assert_true (was_seen (fixture, "Authorization: Bearer the-token\r\n"));
}

static void
test_other_key (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (SpSecret) other = sp_tls_generate (NULL);

  g_free (fixture->file.tls_pin);
  fixture->file.tls_pin = sp_tls_pin_pem (other, NULL);
  g_assert_null (ask (fixture, &error));
  g_assert_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY);
  g_assert_false (sp_agent_may_retry (error));
  g_assert_cmpuint (fixture->seen->len, ==, 0);
}

static void
test_no_pin (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  g_free (fixture->file.tls_pin);
  fixture->file.tls_pin = g_strdup ("");
  g_assert_null (ask (fixture, &error));
  g_assert_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY);
  g_assert_cmpuint (fixture->seen->len, ==, 0);
}

static void
test_redirect (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *answer =
      g_strdup_printf ("HTTP/1.1 302 Found\r\nLocation: %s/elsewhere\r\nContent-Length: 0\r\n"
                       "Connection: close\r\n\r\n",
                       fixture->file.url);

  fixture->answer = answer;
  g_assert_null (ask (fixture, &error));
  g_assert_nonnull (error);
  g_assert_false (was_seen (fixture, "/elsewhere"));
}

static void
test_problem (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  fixture->answer = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"
                    "{\"type\":\"urn:secret-proxy:problem:invalid\",\"title\":\"Not valid\","
                    "\"detail\":\"too short\",\"field\":\"reason\"}";
  g_assert_null (ask (fixture, &error));
  g_assert_error (error, SP_PROBLEM, SP_PROBLEM_INVALID);
  g_assert_cmpstr (error->message, ==, "too short");
  g_assert_cmpstr (sp_problem_field (error), ==, "reason");
}

static void
test_too_long (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *spaces = g_strnfill (1024 * 1024, ' ');
  g_autofree char *answer =
      g_strconcat ("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}", spaces, NULL);

  fixture->answer = answer;
  g_assert_null (ask (fixture, &error));
  g_assert_error (error, SP_PROBLEM, SP_PROBLEM_UNREACHABLE);
}

int
main (int argc, char **argv)
{
  (void) signal (SIGPIPE, SIG_IGN);
  g_test_init (&argc, &argv, NULL);
#define ADD(name, func) g_test_add (name, Fixture, NULL, set_up, func, tear_down)
  ADD ("/agent-client/pinned-key-is-accepted", test_pinned);
  ADD ("/agent-client/other-key-gets-no-byte", test_other_key);
  ADD ("/agent-client/without-a-pin-nothing-is-accepted", test_no_pin);
  ADD ("/agent-client/redirect-is-not-followed", test_redirect);
  ADD ("/agent-client/problem-is-told-with-its-field", test_problem);
  ADD ("/agent-client/answer-without-end-is-refused", test_too_long);
  return g_test_run ();
}
