/* test-resident-ask.c - what the host itself asks of the keeper, and calls that are answered later
 *
 * The test is keeper and client at the other ends of two socket pairs.
 */
#include <signal.h>
#include <sys/socket.h>

#include "base/problem.h"
#include "host/resident/resident.h"

typedef struct {
  SpResident *resident;
  SpRpc *keeper, *client;
  SpResidentAsk *ask; /* host.apply, to be answered */
  gboolean dry_run;
  char *asked, *session; /* of the last request to the keeper */
  guint n_unlocked, n_answers, n_client_answers;
  SpProblemCode problem; /* of the last answer */
  gboolean failed;
} Fixture;

#define WAIT_UNTIL(condition) \
  while (!(condition)) \
  g_main_context_iteration (NULL, TRUE)

static SpRpcMessage *
unlock_message (const char *id, gpointer data, GError **error)
{
  return sp_rpc_message_new (id, "vault.unlock");
}

static void
on_unlocked (gpointer data)
{
  ((Fixture *) data)->n_unlocked++;
}

static void
on_refused (const GError *error, gpointer data)
{
}

static JsonNode *
nothing (gpointer data, GError **error)
{
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_LOCKED, "nothing");
  return NULL;
}

static void
on_apply (JsonObject *params, SpResidentAsk *ask, gpointer data)
{
  Fixture *fixture = data;

  fixture->ask = ask;
  fixture->dry_run = json_object_get_boolean_member_with_default (params, "dry_run", FALSE);
}

static void
on_keeper_message (SpRpc *rpc, SpRpcMessage *message, gpointer data)
{
  Fixture *fixture = data;

  if (message->id == NULL)
    return;
  if (g_str_equal (message->method, "vault.unlock")) {
    sp_rpc_reply (rpc, message->id, NULL);
    return;
  }
  g_free (fixture->asked);
  fixture->asked = g_strdup (message->id);
}

static void
on_client_message (SpRpc *rpc, SpRpcMessage *message, gpointer data)
{
  Fixture *fixture = data;

  fixture->n_client_answers++;
  fixture->failed = message->error != NULL;
}

static void
on_answer (JsonNode *result, const GError *error, gpointer data)
{
  Fixture *fixture = data;

  g_assert_true ((result != NULL) != (error != NULL));
  fixture->n_answers++;
  fixture->failed = error != NULL;
  if (error != NULL)
    fixture->problem = sp_problem_code (error);
}

static int
pair_with (SpRpc **ret_rpc, SpRpcFunc func, Fixture *fixture)
{
  int pair[2];

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
  *ret_rpc = sp_rpc_new (pair[1], func, NULL, fixture);
  return pair[0];
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  static const SpResidentEvents events = { .unlock_message = unlock_message,
                                           .unlocked = on_unlocked,
                                           .refused = on_refused,
                                           .endpoint = nothing,
                                           .ownership = nothing,
                                           .apply = on_apply };

  fixture->resident = sp_resident_new (&events, NULL, fixture);
  sp_resident_attach (fixture->resident, pair_with (&fixture->keeper, on_keeper_message, fixture));
  sp_resident_add_client (fixture->resident,
                          pair_with (&fixture->client, on_client_message, fixture));
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  sp_resident_free (fixture->resident);
  sp_rpc_unref (fixture->keeper);
  g_clear_pointer (&fixture->client, sp_rpc_unref);
  g_free (fixture->asked);
}

static void
unlock (Fixture *fixture)
{
  g_autoptr (SpRpcMessage) hello = sp_rpc_message_new (NULL, "hello");

  json_object_set_string_member (json_node_get_object (hello->params), "session", "keeper");
  sp_rpc_send (fixture->keeper, hello);
  WAIT_UNTIL (fixture->n_unlocked == 1);
}

static void
ask (Fixture *fixture)
{
  sp_resident_ask (fixture->resident, sp_rpc_message_new (NULL, "vault.configure"), on_answer,
                   fixture);
  WAIT_UNTIL (fixture->asked != NULL);
}

static void
test_answered (Fixture *fixture, gconstpointer data)
{
  unlock (fixture);
  ask (fixture);
  sp_rpc_reply (fixture->keeper, fixture->asked, NULL);
  WAIT_UNTIL (fixture->n_answers == 1);
  g_assert_false (fixture->failed);
  /* Once more: nobody waits for it. */
  sp_rpc_reply (fixture->keeper, fixture->asked, NULL);
  g_main_context_iteration (NULL, TRUE);
  g_assert_cmpuint (fixture->n_answers, ==, 1);
  g_assert_true (sp_resident_is_unlocked (fixture->resident));
}

static void
test_locked (Fixture *fixture, gconstpointer data)
{
  sp_resident_ask (fixture->resident, sp_rpc_message_new (NULL, "vault.configure"), on_answer,
                   fixture);
  g_assert_cmpuint (fixture->n_answers, ==, 1);
  g_assert_cmpint (fixture->problem, ==, SP_PROBLEM_LOCKED);
}

static void
test_keeper_goes (Fixture *fixture, gconstpointer data)
{
  unlock (fixture);
  ask (fixture);
  sp_resident_detach (fixture->resident);
  g_assert_cmpuint (fixture->n_answers, ==, 1);
  g_assert_cmpint (fixture->problem, ==, SP_PROBLEM_LOCKED);
}

static void
test_silence (Fixture *fixture, gconstpointer data)
{
  unlock (fixture);
  sp_resident_set_timeout (fixture->resident, 20);
  ask (fixture);
  WAIT_UNTIL (fixture->n_answers == 1);
  g_assert_cmpint (fixture->problem, ==, SP_PROBLEM_TIMED_OUT);
  g_assert_true (sp_resident_is_unlocked (fixture->resident));
}

static void
ask_as_client (Fixture *fixture)
{
  g_autoptr (SpRpcMessage) message = sp_rpc_message_new ("1", "host.apply");

  json_object_set_boolean_member (json_node_get_object (message->params), "dry_run", TRUE);
  sp_rpc_send (fixture->client, message);
  WAIT_UNTIL (fixture->ask != NULL);
  g_assert_true (fixture->dry_run);
}

static void
test_later (Fixture *fixture, gconstpointer data)
{
  ask_as_client (fixture);
  g_assert_cmpuint (fixture->n_client_answers, ==, 0);
  sp_resident_answer (fixture->ask, NULL, NULL);
  WAIT_UNTIL (fixture->n_client_answers == 1);
  g_assert_false (fixture->failed);
}

static void
test_client_gone (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = g_error_new (SP_PROBLEM, SP_PROBLEM_CONFIG, "no");

  ask_as_client (fixture);
  sp_rpc_close (fixture->client);
  g_clear_pointer (&fixture->client, sp_rpc_unref);
  WAIT_UNTIL (sp_resident_n_clients (fixture->resident) == 0);
  sp_resident_answer (fixture->ask, NULL, error);
}

int
main (int argc, char **argv)
{
  (void) signal (SIGPIPE, SIG_IGN);
  g_test_init (&argc, &argv, NULL);
#define ADD(name, func) g_test_add (name, Fixture, NULL, set_up, func, tear_down)
  ADD ("/resident/ask/answered-once", test_answered);
  ADD ("/resident/ask/locked", test_locked);
  ADD ("/resident/ask/the-keeper-goes", test_keeper_goes);
  ADD ("/resident/ask/silence", test_silence);
  ADD ("/resident/apply/answered-later", test_later);
  ADD ("/resident/apply/the-client-has-gone", test_client_gone);
  return g_test_run ();
}
