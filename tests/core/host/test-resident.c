/* test-resident.c - the far end of the admin channel: host/resident/resident.h
 *
 * A fake keeper sits at the other end of a socket pair and keeps what it hears; the tests answer for
 * it, late, twice, or not at all.
 */
#include "host/resident/resident.h"

#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/problem.h"
#include "folder.h"
#include "host/resident/admin-socket.h"

typedef struct {
  SpResident *resident;
  SpAnchor *anchor;
  Folder folder;
  SpRpc *keeper;
  char *host_session;  /* the newest that the keeper has heard of */
  GPtrArray *requests; /* SpRpcMessage: what the keeper was asked */
  guint n_unlocked, n_refused;
  SpProblemCode refused;
} Fixture;

typedef struct {
  SpRpc *rpc;
  GPtrArray *answers; /* SpRpcMessage */
  gboolean closed;
} Client;

#define WAIT_UNTIL(condition) \
  while (!(condition)) \
  g_main_context_iteration (NULL, TRUE)

static SpRpcMessage *
message_take (SpRpcMessage *message)
{
  SpRpcMessage *copy = g_new0 (SpRpcMessage, 1);

  *copy = *message;
  memset (message, 0, sizeof *message);
  return copy;
}

/* ---- the keeper --------------------------------------------------------------------------------------- */

static void
on_keeper_message (SpRpc *rpc, SpRpcMessage *message, gpointer data)
{
  Fixture *fixture = data;

  if (message->id != NULL) {
    g_ptr_array_add (fixture->requests, message_take (message));
    return;
  }
  g_assert_cmpstr (message->method, ==, "hello");
  g_free (fixture->host_session);
  fixture->host_session =
      g_strdup (json_object_get_string_member (json_node_get_object (message->params), "session"));
}

static void
keeper_notify (Fixture *fixture, const char *method, const char *session, gint64 seq,
               const char *head)
{
  g_autoptr (SpRpcMessage) message = sp_rpc_message_new (NULL, method);
  JsonObject *params = json_node_get_object (message->params);

  json_object_set_string_member (params, "session", session);
  if (head != NULL) {
    json_object_set_int_member (params, "seq", seq);
    json_object_set_string_member (params, "head", head);
  }
  sp_rpc_send (fixture->keeper, message);
}

static void
attach (Fixture *fixture)
{
  int pair[2];

  g_clear_pointer (&fixture->keeper, sp_rpc_unref);
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
  fixture->keeper = sp_rpc_new (pair[1], on_keeper_message, NULL, fixture);
  sp_resident_attach (fixture->resident, pair[0]);
}

/* The newest request, taken out. */
static SpRpcMessage *
keeper_take (Fixture *fixture)
{
  WAIT_UNTIL (fixture->requests->len > 0);
  return g_ptr_array_steal_index (fixture->requests, fixture->requests->len - 1);
}

static JsonNode *
text_node (const char *name, const char *value)
{
  JsonNode *node = json_node_new (JSON_NODE_OBJECT);

  json_node_take_object (node, json_object_new ());
  json_object_set_string_member (json_node_get_object (node), name, value);
  return node;
}

static void
unlock (Fixture *fixture, const char *session)
{
  guint before = fixture->n_unlocked;
  g_autoptr (SpRpcMessage) request = NULL;

  keeper_notify (fixture, "hello", session, 0, NULL);
  request = keeper_take (fixture);
  g_assert_cmpstr (request->method, ==, "vault.unlock");
  g_assert_true (g_str_has_prefix (request->id, fixture->host_session));
  g_assert_cmpuint (sp_secret_length (request->secret), ==, 4);
  sp_rpc_reply (fixture->keeper, request->id, text_node ("state", "owned"));
  WAIT_UNTIL (fixture->n_unlocked > before);
}

/* ---- a client -------------------------------------------------------------------------------------------- */

static void
on_client_message (SpRpc *rpc, SpRpcMessage *message, gpointer data)
{
  g_ptr_array_add (((Client *) data)->answers, message_take (message));
}

static void
on_client_closed (SpRpc *rpc, gpointer data)
{
  ((Client *) data)->closed = TRUE;
}

static Client *
client_on (int fd)
{
  Client *client = g_new0 (Client, 1);

  client->answers = g_ptr_array_new_with_free_func ((GDestroyNotify) sp_rpc_message_free);
  client->rpc = sp_rpc_new (fd, on_client_message, on_client_closed, client);
  return client;
}

static Client *
client_new (Fixture *fixture)
{
  int pair[2];

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
  sp_resident_add_client (fixture->resident, pair[0]);
  return client_on (pair[1]);
}

static void
client_free (Client *client)
{
  sp_rpc_unref (client->rpc);
  g_ptr_array_unref (client->answers);
  g_free (client);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Client, client_free)

static void
client_ask (Client *client, const char *id, const char *method)
{
  g_autoptr (SpRpcMessage) message = sp_rpc_message_new (id, method);

  sp_rpc_send (client->rpc, message);
}

static SpRpcMessage *
client_take (Client *client)
{
  WAIT_UNTIL (client->answers->len > 0);
  return g_ptr_array_steal_index (client->answers, 0);
}

static void
assert_fails (Client *client, const char *id, SpProblemCode code)
{
  g_autoptr (SpRpcMessage) answer = client_take (client);

  g_assert_cmpstr (answer->id, ==, id);
  g_assert_error (answer->error, SP_PROBLEM, (int) code);
}

/* ---- the fixture --------------------------------------------------------------------------------------------- */

static SpRpcMessage *
unlock_message (const char *id, gpointer data, GError **error)
{
  SpRpcMessage *message = sp_rpc_message_new (id, "vault.unlock");

  message->secret = sp_secret_new_from ("keys", 4);
  return message;
}

static void
on_unlocked (gpointer data)
{
  ((Fixture *) data)->n_unlocked++;
}

static void
on_refused (const GError *error, gpointer data)
{
  ((Fixture *) data)->n_refused++;
  ((Fixture *) data)->refused = sp_problem_code (error);
}

static JsonNode *
endpoint (gpointer data, GError **error)
{
  return text_node ("url", "https://here");
}

static JsonNode *
ownership (gpointer data, GError **error)
{
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_LOCKED, "not yet");
  return NULL;
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  static const SpResidentEvents events = { .unlock_message = unlock_message,
                                           .unlocked = on_unlocked,
                                           .refused = on_refused,
                                           .endpoint = endpoint,
                                           .ownership = ownership };

  folder_set_up (&fixture->folder, NULL);
  fixture->anchor = sp_anchor_open (fixture->folder.fd, NULL);
  fixture->requests = g_ptr_array_new_with_free_func ((GDestroyNotify) sp_rpc_message_free);
  fixture->resident = sp_resident_new (&events, fixture->anchor, fixture);
  attach (fixture);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  sp_resident_free (fixture->resident);
  sp_anchor_free (fixture->anchor);
  sp_rpc_unref (fixture->keeper);
  g_ptr_array_unref (fixture->requests);
  g_free (fixture->host_session);
  folder_tear_down (&fixture->folder, NULL);
}

/* ---- unlocking ------------------------------------------------------------------------------------------------- */

static void
test_unlock (Fixture *fixture, gconstpointer data)
{
  g_assert_false (sp_resident_is_unlocked (fixture->resident));
  unlock (fixture, "first");
  g_assert_true (sp_resident_is_unlocked (fixture->resident));
  /* The same keeper again, as an answer to our own hello: nothing new. */
  keeper_notify (fixture, "hello", "first", 0, NULL);
  keeper_notify (fixture, "hello", "second", 0, NULL);
  WAIT_UNTIL (fixture->requests->len > 0);
  g_assert_cmpuint (fixture->requests->len, ==, 1);
  g_assert_false (sp_resident_is_unlocked (fixture->resident));
}

static void
test_refused (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = g_error_new (SP_PROBLEM, SP_PROBLEM_INTEGRITY, "set back");
  g_autoptr (SpRpcMessage) first = NULL;
  g_autoptr (SpRpcMessage) second = NULL;

  keeper_notify (fixture, "hello", "first", 0, NULL);
  first = keeper_take (fixture);
  sp_rpc_fail (fixture->keeper, first->id, error);
  WAIT_UNTIL (fixture->n_refused == 1);
  g_assert_cmpint (fixture->refused, ==, SP_PROBLEM_INTEGRITY);
  sp_resident_unlock (fixture->resident);
  second = keeper_take (fixture);
  g_assert_cmpstr (first->id, !=, second->id);
  /* The old question's answer, once more: it unlocks nothing. */
  sp_rpc_reply (fixture->keeper, first->id, NULL);
  sp_rpc_reply (fixture->keeper, second->id, NULL);
  WAIT_UNTIL (fixture->n_unlocked == 1);
}

static void
test_unlock_timeout (Fixture *fixture, gconstpointer data)
{
  sp_resident_set_timeout (fixture->resident, 20);
  keeper_notify (fixture, "hello", "first", 0, NULL);
  WAIT_UNTIL (fixture->n_refused == 1);
  g_assert_cmpint (fixture->refused, ==, SP_PROBLEM_TIMED_OUT);
}

/* ---- relaying ----------------------------------------------------------------------------------------------------- */

static void
test_relay (Fixture *fixture, gconstpointer data)
{
  g_autoptr (Client) one = client_new (fixture);
  g_autoptr (Client) two = client_new (fixture);
  g_autoptr (SpRpcMessage) first = NULL;
  g_autoptr (SpRpcMessage) second = NULL;
  g_autoptr (SpRpcMessage) to_one = NULL;
  g_autoptr (SpRpcMessage) to_two = NULL;

  unlock (fixture, "first");
  client_ask (one, "7", "secret.list");
  first = keeper_take (fixture);
  client_ask (two, "7", "agent.list");
  second = keeper_take (fixture);
  g_assert_cmpstr (first->id, !=, second->id);
  sp_rpc_reply (fixture->keeper, second->id, text_node ("for", "two"));
  sp_rpc_reply (fixture->keeper, second->id, text_node ("for", "twice"));
  sp_rpc_reply (fixture->keeper, first->id, text_node ("for", "one"));
  to_one = client_take (one);
  to_two = client_take (two);
  g_assert_cmpstr (to_one->id, ==, "7");
  g_assert_cmpstr (json_object_get_string_member (json_node_get_object (to_one->result), "for"), ==,
                   "one");
  g_assert_cmpstr (json_object_get_string_member (json_node_get_object (to_two->result), "for"), ==,
                   "two");
  g_assert_cmpuint (two->answers->len, ==, 0);
}

static void
test_locked (Fixture *fixture, gconstpointer data)
{
  g_autoptr (Client) client = client_new (fixture);
  g_autoptr (SpRpcMessage) unlock_request = NULL;
  g_autoptr (SpRpcMessage) status = NULL;

  client_ask (client, "1", "vault.status");
  assert_fails (client, "1", SP_PROBLEM_LOCKED);
  keeper_notify (fixture, "hello", "first", 0, NULL);
  unlock_request = keeper_take (fixture);
  client_ask (client, "2", "secret.list");
  assert_fails (client, "2", SP_PROBLEM_LOCKED);
  client_ask (client, "3", "vault.status");
  status = keeper_take (fixture);
  g_assert_cmpstr (status->method, ==, "vault.status");
}

static void
test_never_relayed (Fixture *fixture, gconstpointer data)
{
  g_autoptr (Client) client = client_new (fixture);

  unlock (fixture, "first");
  client_ask (client, "1", "vault.unlock");
  assert_fails (client, "1", SP_PROBLEM_INVALID);
  client_ask (client, NULL, "hello");
  client_ask (client, "2", "host.ownership");
  assert_fails (client, "2", SP_PROBLEM_LOCKED);
  g_assert_cmpuint (fixture->requests->len, ==, 0);
}

static void
test_endpoint (Fixture *fixture, gconstpointer data)
{
  g_autoptr (Client) client = client_new (fixture);
  g_autoptr (SpRpcMessage) answer = NULL;

  client_ask (client, "1", "host.endpoint");
  answer = client_take (client);
  g_assert_cmpstr (json_object_get_string_member (json_node_get_object (answer->result), "url"), ==,
                   "https://here");
}

static void
test_keeper_restarts (Fixture *fixture, gconstpointer data)
{
  g_autoptr (Client) client = client_new (fixture);
  g_autoptr (SpRpcMessage) stale = NULL;
  g_autoptr (SpRpcMessage) unlock_request = NULL;
  g_autoptr (SpRpcMessage) fresh = NULL;
  g_autoptr (SpRpcMessage) answer = NULL;

  unlock (fixture, "first");
  client_ask (client, "1", "secret.list");
  stale = keeper_take (fixture);
  keeper_notify (fixture, "hello", "second", 0, NULL);
  assert_fails (client, "1", SP_PROBLEM_LOCKED);
  unlock_request = keeper_take (fixture);
  sp_rpc_reply (fixture->keeper, unlock_request->id, NULL);
  client_ask (client, "2", "agent.list");
  fresh = keeper_take (fixture);
  sp_rpc_reply (fixture->keeper, stale->id, text_node ("stale", "yes"));
  sp_rpc_reply (fixture->keeper, fresh->id, text_node ("stale", "no"));
  answer = client_take (client);
  g_assert_cmpstr (answer->id, ==, "2");
  g_assert_cmpstr (json_object_get_string_member (json_node_get_object (answer->result), "stale"),
                   ==, "no");
}

static void
test_channel_closes (Fixture *fixture, gconstpointer data)
{
  g_autoptr (Client) client = client_new (fixture);
  g_autoptr (SpRpcMessage) request = NULL;

  unlock (fixture, "first");
  client_ask (client, "1", "secret.list");
  request = keeper_take (fixture);
  sp_rpc_close (fixture->keeper);
  assert_fails (client, "1", SP_PROBLEM_LOCKED);
  attach (fixture);
  unlock (fixture, "second");
}

static void
test_timeout (Fixture *fixture, gconstpointer data)
{
  g_autoptr (Client) client = client_new (fixture);
  g_autoptr (SpRpcMessage) request = NULL;

  unlock (fixture, "first");
  sp_resident_set_timeout (fixture->resident, 20);
  client_ask (client, "1", "secret.list");
  request = keeper_take (fixture);
  assert_fails (client, "1", SP_PROBLEM_TIMED_OUT);
  sp_rpc_reply (fixture->keeper, request->id, NULL);
  client_ask (client, "2", "host.endpoint");
  g_clear_pointer (&request, sp_rpc_message_free);
  request = client_take (client);
  g_assert_cmpstr (request->id, ==, "2");
}

static void
test_client_leaves (Fixture *fixture, gconstpointer data)
{
  g_autoptr (Client) client = client_new (fixture);
  g_autoptr (SpRpcMessage) request = NULL;

  unlock (fixture, "first");
  client_ask (client, "1", "secret.list");
  request = keeper_take (fixture);
  sp_rpc_close (client->rpc);
  WAIT_UNTIL (sp_resident_n_clients (fixture->resident) == 0);
  sp_rpc_reply (fixture->keeper, request->id, NULL);
  keeper_notify (fixture, "audit.head", "first", 1, "aa");
  keeper_notify (fixture, "hello", "second", 0, NULL);
  WAIT_UNTIL (fixture->requests->len > 0);
}

static void
test_too_many_clients (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GPtrArray) clients = g_ptr_array_new_with_free_func ((GDestroyNotify) client_free);
  Client *last;

  for (guint i = 0; i < 33; i++)
    g_ptr_array_add (clients, client_new (fixture));
  last = g_ptr_array_index (clients, 32);
  WAIT_UNTIL (last->closed);
  g_assert_cmpuint (sp_resident_n_clients (fixture->resident), ==, 32);
}

/* ---- the anchor and the socket ------------------------------------------------------------------------------------- */

static void
test_anchor (Fixture *fixture, gconstpointer data)
{
  const char *head;
  guint64 seq;

  unlock (fixture, "first");
  keeper_notify (fixture, "audit.head", "other", 9, "99");
  keeper_notify (fixture, "audit.head", "first", 2, "22");
  WAIT_UNTIL (sp_anchor_get (fixture->anchor, &seq, &head));
  g_assert_cmpuint (seq, ==, 2);
  g_assert_cmpstr (head, ==, "22");
}

static void
test_socket (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (Client) client = NULL;
  g_autoptr (SpRpcMessage) answer = NULL;
  struct stat st;
  int lock, listener;

  g_assert_cmpint (sp_admin_connect (fixture->folder.path, &error), ==, -1);
  g_assert_error (error, SP_PROBLEM, SP_PROBLEM_UNREACHABLE);
  g_clear_error (&error);
  lock = sp_admin_lock (fixture->folder.fd, &error);
  g_assert_no_error (error);
  g_assert_cmpint (sp_admin_lock (fixture->folder.fd, &error), ==, -1);
  g_assert_error (error, SP_PROBLEM, SP_PROBLEM_CONFLICT);
  g_assert_nonnull (strstr (error->message, "already running (pid "));
  g_clear_error (&error);
  /* One that nobody listens on any more is replaced. */
  (void) close (sp_admin_listen (fixture->folder.fd, NULL));
  listener = sp_admin_listen (fixture->folder.fd, &error);
  g_assert_no_error (error);
  g_assert_cmpint (fstatat (fixture->folder.fd, SP_ADMIN_SOCKET, &st, 0), ==, 0);
  g_assert_cmpuint (st.st_mode & 07777, ==, 0600);
  sp_resident_listen (fixture->resident, listener);
  client = client_on (sp_admin_connect (fixture->folder.path, &error));
  g_assert_no_error (error);
  client_ask (client, "1", "host.endpoint");
  answer = client_take (client);
  g_assert_no_error (answer->error);
  (void) close (lock);
}

int
main (int argc, char **argv)
{
  (void) signal (SIGPIPE, SIG_IGN);
  g_test_init (&argc, &argv, NULL);
#define ADD(name, func) g_test_add (name, Fixture, NULL, set_up, func, tear_down)
  ADD ("/resident/each-new-keeper-is-unlocked", test_unlock);
  ADD ("/resident/refusal-is-told-and-can-be-tried-again", test_refused);
  ADD ("/resident/silence-at-unlock-is-a-refusal", test_unlock_timeout);
  ADD ("/resident/answers-reach-who-asked", test_relay);
  ADD ("/resident/locked-answers-only-status", test_locked);
  ADD ("/resident/clients-cannot-unlock", test_never_relayed);
  ADD ("/resident/host-calls-are-answered-here", test_endpoint);
  ADD ("/resident/new-keeper-fails-open-calls-and-stale-answers-are-dropped", test_keeper_restarts);
  ADD ("/resident/closed-channel-fails-open-calls", test_channel_closes);
  ADD ("/resident/unanswered-call-times-out", test_timeout);
  ADD ("/resident/client-that-leaves-is-forgotten", test_client_leaves);
  ADD ("/resident/one-client-too-many-is-turned-away", test_too_many_clients);
  ADD ("/resident/anchor-follows-this-session-only", test_anchor);
  ADD ("/resident/socket-is-private-and-one-process-holds-it", test_socket);
  return g_test_run ();
}
