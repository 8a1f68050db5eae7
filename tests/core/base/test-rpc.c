/* test-rpc.c - lines of JSON-RPC: what goes round, what is skipped, where a secret may be */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/json.h"
#include "base/problem.h"
#include "base/rpc.h"
#include "test-loop.h"

/* ---- the pure halves ---------------------------------------------------------------------------------------- */

static SpRpcMessage *
read_text (const char *text, GError **error)
{
  g_autofree char *line = g_strdup (text);

  return sp_rpc_read (line, strlen (line), error);
}

static char *
write_text (const SpRpcMessage *message)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (SpSecret) line = sp_rpc_write (message, &error);

  g_assert_no_error (error);
  return g_strndup ((const char *) sp_secret_data (line), sp_secret_length (line));
}

static void
set_param (SpRpcMessage *message, const char *name, const char *value)
{
  json_object_set_string_member (json_node_get_object (message->params), name, value);
}

static void
test_round_trip (void)
{
  g_autoptr (SpRpcMessage) sent = sp_rpc_message_new ("h:1", "secret.put");
  g_autoptr (SpRpcMessage) got = NULL;
  g_autofree char *line = NULL;
  JsonObject *params;

  set_param (sent, "name", "db");
  sent->secret = sp_secret_new_from ("hunter2", 7);
  line = write_text (sent);
  g_assert_true (g_str_has_suffix (line, "\n"));
  g_assert_null (memchr (line, '\n', strlen (line) - 1));
  g_assert_nonnull (strstr (line, "\"secret_base64\":\"aHVudGVyMg==\""));
  line[strlen (line) - 1] = 0;
  got = sp_rpc_read (line, strlen (line), NULL);
  g_assert_nonnull (got);
  g_assert_cmpstr (got->id, ==, "h:1");
  g_assert_cmpstr (got->method, ==, "secret.put");
  g_assert_cmpmem (sp_secret_data (got->secret), sp_secret_length (got->secret), "hunter2", 7);
  params = json_node_get_object (got->params);
  g_assert_cmpstr (json_object_get_string_member (params, "name"), ==, "db");
  g_assert_false (json_object_has_member (params, "secret_base64"));
  g_assert_null (strstr (line, "aHVudGVyMg"));
}

/* Nothing that an admin types may lead the secret to another place. */
static void
test_secret_has_one_place (void)
{
  static const char look_alike[] = "\"secret_base64\":\"@\"";
  g_autoptr (SpRpcMessage) sent = sp_rpc_message_new (look_alike, look_alike);
  JsonObject *inner = json_object_new ();
  g_autoptr (SpRpcMessage) got = NULL;
  g_autofree char *line = NULL;

  set_param (sent, "description", look_alike);
  json_object_set_string_member (inner, "secret_base64", "@");
  json_object_set_object_member (json_node_get_object (sent->params), "options", inner);
  sent->secret = sp_secret_new_from ("hunter2", 7);
  line = write_text (sent);
  got = read_text (g_strchomp (line), NULL);
  g_assert_nonnull (got);
  g_assert_nonnull (got->secret);
  g_assert_cmpmem (sp_secret_data (got->secret), sp_secret_length (got->secret), "hunter2", 7);
  g_assert_cmpstr (
      json_object_get_string_member (
          json_object_get_object_member (json_node_get_object (got->params), "options"),
          "secret_base64"),
      ==, "@");
}

static void
test_empty_secret (void)
{
  g_autoptr (SpRpcMessage) sent = sp_rpc_message_new ("1", "m");
  g_autoptr (SpRpcMessage) got = NULL;
  g_autofree char *line = NULL;

  sent->secret = sp_secret_new (0);
  line = write_text (sent);
  got = read_text (g_strchomp (line), NULL);
  g_assert_nonnull (got->secret);
  g_assert_cmpuint (sp_secret_length (got->secret), ==, 0);
}

static void
test_error_round_trip (void)
{
  g_autoptr (SpRpcMessage) sent = sp_rpc_message_new ("1", NULL);
  g_autoptr (SpRpcMessage) got = NULL;
  g_autofree char *line = NULL;

  sent->error = sp_problem_new_full (SP_PROBLEM_RATE_LIMITED, "too \"many\"", "name", 30);
  line = write_text (sent);
  got = read_text (g_strchomp (line), NULL);
  g_assert_error (got->error, SP_PROBLEM, SP_PROBLEM_RATE_LIMITED);
  g_assert_cmpstr (got->error->message, ==, "too \"many\"");
  g_assert_cmpstr (sp_problem_field (got->error), ==, "name");
  g_assert_cmpuint (sp_problem_retry_after (got->error), ==, 30);
}

static void
test_foreign_errors_are_translated (void)
{
  g_autoptr (SpRpcMessage) sent = sp_rpc_message_new ("1", NULL);
  g_autoptr (SpRpcMessage) got = NULL;
  g_autofree char *line = NULL;

  sent->error = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_TIMED_OUT, "late \xff");
  line = write_text (sent);
  got = read_text (g_strchomp (line), NULL);
  g_assert_nonnull (got);
  g_assert_error (got->error, SP_PROBLEM, SP_PROBLEM_TIMED_OUT);
}

static const char *const no_messages[] = {
  "",
  "{}",
  "[]",
  "null",
  "x",
  "{\"jsonrpc\":\"2.0\"",
  "{\"jsonrpc\":\"2.0\"}",
  "{\"jsonrpc\":\"2.0\",\"id\":\"1\"}",
  "{\"jsonrpc\":\"1.0\",\"id\":\"1\",\"method\":\"m\"}",
  "{\"id\":\"1\",\"method\":\"m\"}",
  "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}",
  "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"m\"}",
  "{\"jsonrpc\":\"2.0\",\"id\":\"1\",\"method\":5}",
  "{\"jsonrpc\":\"2.0\",\"id\":\"1\",\"method\":\"m\",\"params\":[1]}",
  "{\"jsonrpc\":\"2.0\",\"id\":\"1\",\"method\":\"m\",\"params\":\"x\"}",
  "{\"jsonrpc\":\"2.0\",\"result\":{}}",
  "{\"jsonrpc\":\"2.0\",\"id\":\"1\",\"error\":\"bad\"}",
  "{\"jsonrpc\":\"2.0\",\"id\":\"1\",\"id\":\"2\",\"method\":\"m\"}",
  "{\"jsonrpc\":\"2.0\",\"id\":\"1\",\"method\":\"m\",\"params\":{\"secret_base64\":\"?\"}}",
  "[{\"jsonrpc\":\"2.0\",\"id\":\"1\",\"method\":\"m\"}]",
};

static void
test_no_messages (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (no_messages); i++) {
    g_autoptr (GError) error = NULL;

    g_assert_null (read_text (no_messages[i], &error));
    g_assert_nonnull (error);
  }
}

static void
test_params_are_an_object (void)
{
  g_autoptr (SpRpcMessage) got = read_text ("{\"jsonrpc\":\"2.0\",\"method\":\"hello\"}", NULL);

  g_assert_nonnull (got);
  g_assert_null (got->id);
  g_assert_true (JSON_NODE_HOLDS_OBJECT (got->params));
}

static void
test_write_is_bounded (void)
{
  g_autoptr (SpRpcMessage) message = sp_rpc_message_new ("1", "m");
  g_autofree char *much = g_strnfill (SP_RPC_MAX_LINE, 'x');
  g_autoptr (GError) error = NULL;

  set_param (message, "x", much);
  g_assert_null (sp_rpc_write (message, &error));
  g_assert_error (error, SP_PROBLEM, SP_PROBLEM_TOO_LARGE);
}

/* ---- the stream ----------------------------------------------------------------------------------------------- */

typedef struct {
  SpRpc *rpc;
  int peer; /* the other end, raw */
  GPtrArray *methods;
  guint closed;
  gboolean close_at_first;
} Stream;

static void
on_message (SpRpc *rpc, SpRpcMessage *message, gpointer data)
{
  Stream *stream = data;

  g_ptr_array_add (stream->methods, g_strdup (message->method));
  if (stream->close_at_first)
    sp_rpc_close (rpc);
}

static void
on_closed (SpRpc *rpc, gpointer data)
{
  ((Stream *) data)->closed++;
}

static void
set_up (Stream *stream, gconstpointer data)
{
  int fds[2];
  const int size = 1 << 20;

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
  (void) setsockopt (fds[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  stream->methods = g_ptr_array_new_with_free_func (g_free);
  stream->peer = fds[1];
  stream->rpc = sp_rpc_new (fds[0], on_message, on_closed, stream);
}

static void
tear_down (Stream *stream, gconstpointer data)
{
  sp_rpc_unref (stream->rpc);
  if (stream->peer >= 0)
    (void) close (stream->peer);
  g_ptr_array_unref (stream->methods);
}

#define CALL(method) "{\"jsonrpc\":\"2.0\",\"id\":\"1\",\"method\":\"" method "\"}\n"

/* What does not fit into the socket at once is sent while the reader reads. */
static void
feed (Stream *stream, const char *text, gsize length)
{
  while (length > 0) {
    gssize n = send (stream->peer, text, length, MSG_DONTWAIT | MSG_NOSIGNAL);

    g_assert_true (n > 0 || errno == EAGAIN);
    text += MAX (n, 0);
    length -= (gsize) MAX (n, 0);
    test_drain ();
  }
  test_drain ();
}

static void
assert_got (Stream *stream, const char *expected)
{
  g_autofree char *got = NULL;

  g_ptr_array_add (stream->methods, NULL);
  got = g_strjoinv (" ", (char **) stream->methods->pdata);
  g_assert_cmpstr (got, ==, expected);
  g_ptr_array_set_size (stream->methods, 0);
}

static void
test_lines (Stream *stream, gconstpointer data)
{
  const char *text = CALL ("a") "\n" CALL ("b") CALL ("c");

  feed (stream, text, strlen (text));
  assert_got (stream, "a b c");
}

static void
test_split_reads (Stream *stream, gconstpointer data)
{
  const char *text = CALL ("a") CALL ("b");

  for (const char *p = text; *p != 0; p++)
    feed (stream, p, 1);
  assert_got (stream, "a b");
}

static void
test_garbage_between (Stream *stream, gconstpointer data)
{
  const char text[] =
      "ethod\":\"old\"}\n" CALL ("a") "\x00\xff\xfe\n" CALL ("b") "[[[[\n{}\n\n" CALL ("c");

  feed (stream, text, sizeof text - 1);
  assert_got (stream, "a b c");
  g_assert_true (sp_rpc_is_open (stream->rpc));
}

static void
test_over_long_line (Stream *stream, gconstpointer data)
{
  static const gsize lengths[] = { SP_RPC_MAX_LINE, SP_RPC_MAX_LINE + 1, 3 * SP_RPC_MAX_LINE,
                                   3 * SP_RPC_MAX_LINE + 17 };

  for (gsize i = 0; i < G_N_ELEMENTS (lengths); i++) {
    g_autofree char *line = g_strnfill (lengths[i], 'x');

    feed (stream, line, lengths[i]);
    feed (stream, "\n" CALL ("after"), strlen ("\n" CALL ("after")));
    assert_got (stream, "after");
  }
}

static void
test_longest_line (Stream *stream, gconstpointer data)
{
  g_autofree char *fill = g_strnfill (SP_RPC_MAX_LINE - strlen (CALL ("m")), ' ');
  g_autofree char *line = g_strconcat (fill, CALL ("m"), NULL);

  g_assert_cmpuint (strlen (line), ==, SP_RPC_MAX_LINE);
  feed (stream, line, strlen (line));
  assert_got (stream, "m");
}

static void
test_peer_closes (Stream *stream, gconstpointer data)
{
  feed (stream, CALL ("a") "{\"half", strlen (CALL ("a") "{\"half"));
  (void) close (stream->peer);
  stream->peer = -1;
  test_drain ();
  assert_got (stream, "a");
  g_assert_cmpuint (stream->closed, ==, 1);
  g_assert_false (sp_rpc_is_open (stream->rpc));
}

static void
test_closed_by_the_callee (Stream *stream, gconstpointer data)
{
  const char *text = CALL ("a") CALL ("b");

  stream->close_at_first = TRUE;
  feed (stream, text, strlen (text));
  assert_got (stream, "a");
  g_assert_cmpuint (stream->closed, ==, 0);
}

static void
test_send_after_close (Stream *stream, gconstpointer data)
{
  sp_rpc_close (stream->rpc);
  sp_rpc_reply (stream->rpc, "1", NULL);
  sp_rpc_close (stream->rpc);
  g_assert_false (sp_rpc_is_open (stream->rpc));
}

static SpRpcMessage *
answer_of (Stream *stream)
{
  char text[4096];
  gssize n = recv (stream->peer, text, sizeof text - 1, MSG_DONTWAIT);

  g_assert_cmpint (n, >, 1);
  text[n - 1] = 0;
  return read_text (text, NULL);
}

static void
test_reply_without_result (Stream *stream, gconstpointer data)
{
  g_autoptr (SpRpcMessage) got = NULL;

  sp_rpc_reply (stream->rpc, "h:5", NULL);
  test_drain ();
  got = answer_of (stream);
  g_assert_cmpstr (got->id, ==, "h:5");
  g_assert_true (JSON_NODE_HOLDS_OBJECT (got->result));
}

/* Whoever asked must not wait for an answer that never comes. */
static void
test_bad_request_is_answered (Stream *stream, gconstpointer data)
{
  static const char *const texts[] = {
    "{\"jsonrpc\":\"2.0\",\"id\":\"7\",\"method\":\"m\",\"params\":[1]}\n",
    "{\"jsonrpc\":\"2.0\",\"id\":\"7\",\"method\":\"m\",\"params\":{\"secret_base64\":\"?\"}}\n",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++) {
    g_autoptr (SpRpcMessage) got = NULL;

    feed (stream, texts[i], strlen (texts[i]));
    got = answer_of (stream);
    g_assert_nonnull (got);
    g_assert_cmpstr (got->id, ==, "7");
    g_assert_error (got->error, SP_PROBLEM, SP_PROBLEM_INVALID);
  }
  g_assert_cmpuint (stream->methods->len, ==, 0);
}

/* A peer that never reads ends its own stream, not our memory. */
static void
test_peer_that_does_not_read (Stream *stream, gconstpointer data)
{
  g_autoptr (SpRpcMessage) message = sp_rpc_message_new (NULL, "m");
  g_autofree char *much = g_strnfill (200 * 1024, 'x');

  set_param (message, "x", much);
  for (guint i = 0; i < 200 && sp_rpc_is_open (stream->rpc); i++)
    sp_rpc_send (stream->rpc, message);
  g_assert_false (sp_rpc_is_open (stream->rpc));
  g_assert_cmpuint (stream->closed, ==, 1);
}

/* Nor by how many lines there are: each is in memory of its own. */
static void
test_many_lines (Stream *stream, gconstpointer data)
{
  g_autoptr (SpRpcMessage) message = sp_rpc_message_new (NULL, "m");

  for (guint i = 0; i < 80000 && sp_rpc_is_open (stream->rpc); i++)
    sp_rpc_send (stream->rpc, message);
  g_assert_false (sp_rpc_is_open (stream->rpc));
  g_assert_cmpuint (stream->closed, ==, 1);
}

static void
on_port_message (SpRpc *rpc, SpRpcMessage *message, gpointer data)
{
  g_assert_not_reached ();
}

static void
on_port_closed (SpRpc *rpc, gpointer data)
{
  g_assert_not_reached ();
}

static void
count_alone (SpRpc *rpc, gpointer data)
{
  (*(guint *) data)++;
}

static gboolean
set_flag (gpointer flag)
{
  *(gboolean *) flag = TRUE;
  return G_SOURCE_REMOVE;
}

/* As a serial port is before anybody is at its other end: an end of file that is none.  Waiting for it
 * must neither end the stream nor keep a processor busy. */
static void
test_port_without_a_peer (void)
{
  int fd = open ("/dev/null", O_RDWR | O_CLOEXEC);
  guint turns = 0, n_alone = 0;
  SpRpc *rpc = sp_rpc_new (fd, on_port_message, on_port_closed, &n_alone);
  gboolean over = FALSE;

  sp_rpc_on_alone (rpc, count_alone);
  g_assert_false (sp_rpc_is_alone (rpc));

  g_timeout_add (300, set_flag, &over);
  while (!over) {
    g_main_context_iteration (NULL, TRUE);
    turns++;
  }
  g_assert_true (sp_rpc_is_open (rpc));
  g_assert_cmpuint (turns, <, 60);
  /* It is looked at again and again, and told once. */
  g_assert_true (sp_rpc_is_alone (rpc));
  g_assert_cmpuint (n_alone, ==, 1);
  sp_rpc_unref (rpc);
}

static void
add (const char *path, void (*test) (Stream *, gconstpointer))
{
  g_test_add (path, Stream, NULL, set_up, test, tear_down);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/rpc/round-trip-with-secret", test_round_trip);
  g_test_add_func ("/rpc/secret-has-one-place", test_secret_has_one_place);
  g_test_add_func ("/rpc/secret-may-be-empty", test_empty_secret);
  g_test_add_func ("/rpc/error-round-trip", test_error_round_trip);
  g_test_add_func ("/rpc/foreign-errors-are-translated", test_foreign_errors_are_translated);
  g_test_add_func ("/rpc/what-is-no-message", test_no_messages);
  g_test_add_func ("/rpc/params-are-always-an-object", test_params_are_an_object);
  g_test_add_func ("/rpc/written-lines-are-bounded", test_write_is_bounded);
  g_test_add_func ("/rpc/port-without-a-peer-is-waited-for", test_port_without_a_peer);
  add ("/rpc/stream/lines", test_lines);
  add ("/rpc/stream/split-reads", test_split_reads);
  add ("/rpc/stream/garbage-between", test_garbage_between);
  add ("/rpc/stream/over-long-line-is-skipped", test_over_long_line);
  add ("/rpc/stream/longest-line-is-read", test_longest_line);
  add ("/rpc/stream/peer-closes", test_peer_closes);
  add ("/rpc/stream/closed-by-the-callee", test_closed_by_the_callee);
  add ("/rpc/stream/send-after-close", test_send_after_close);
  add ("/rpc/stream/reply-without-result", test_reply_without_result);
  add ("/rpc/stream/bad-request-is-answered", test_bad_request_is_answered);
  add ("/rpc/stream/peer-that-does-not-read", test_peer_that_does_not_read);
  add ("/rpc/stream/many-lines-that-nobody-reads", test_many_lines);
  return g_test_run ();
}
