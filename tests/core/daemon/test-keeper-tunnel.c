/* test-keeper-tunnel.c - processes of plugins on the host, as the keeper sees them: daemon/keeper-tunnel.h
 *
 * A real client of a notifier, and a host that is this test: it hears what the keeper sends, and says what
 * it likes.
 */
#include "daemon/keeper-tunnel.h"

#include <string.h>

#include "base/tunnel.h"

#define WAIT_UNTIL(condition) \
  while (!(condition)) \
  g_main_context_iteration (NULL, TRUE)

typedef struct {
  SpKeeperTunnels *tunnels;
  SpPluginClient *client;
  GPtrArray *heard; /* SpRpcMessage, copies */
  gboolean unreachable;
  guint n_ended;
} Fixture;

/* ---- the host --------------------------------------------------------------------------------------- */

static gboolean
hear (SpRpcMessage *message, gpointer data)
{
  Fixture *fixture = data;
  SpRpcMessage *copy;

  if (fixture->unreachable)
    return FALSE;
  copy = sp_rpc_message_new (NULL, message->method);
  json_node_unref (copy->params);
  copy->params = json_node_copy (message->params);
  copy->secret = message->secret ? sp_secret_ref (message->secret) : NULL;
  g_ptr_array_add (fixture->heard, copy);
  return TRUE;
}

static void
on_process_ended (const SpPluginClient *client, gpointer data)
{
  Fixture *fixture = data;

  g_assert_true (client == fixture->client);
  fixture->n_ended++;
}

static const char *
run_of (const SpRpcMessage *message)
{
  return json_object_get_string_member (json_node_get_object (message->params), "run");
}

/* The next message, which must be a @method; free it. */
static SpRpcMessage *
expect (Fixture *fixture, const char *method)
{
  SpRpcMessage *message;

  WAIT_UNTIL (fixture->heard->len > 0);
  message = g_ptr_array_steal_index (fixture->heard, 0);
  g_assert_cmpstr (message->method, ==, method);
  return message;
}

static void
say (Fixture *fixture, const char *method, const char *run, SpSecret *bytes, gint64 allowed,
     const char *why)
{
  g_autoptr (SpRpcMessage) message = sp_rpc_message_new (NULL, method);
  JsonObject *params = json_node_get_object (message->params);

  json_object_set_string_member (params, "run", run);
  if (allowed != 0)
    json_object_set_int_member (params, "bytes", allowed);
  if (why != NULL)
    json_object_set_string_member (params, "why", why);
  message->secret = bytes ? sp_secret_ref (bytes) : NULL;
  sp_keeper_tunnels_take (fixture->tunnels, message);
}

/* ---- the keeper ------------------------------------------------------------------------------------- */

static void
want_process (SpPluginClient *client, gpointer data)
{
  sp_keeper_tunnels_start (((Fixture *) data)->tunnels, client);
}

static void
kill_process (SpPluginClient *client, gpointer data)
{
  sp_keeper_tunnels_kill (((Fixture *) data)->tunnels, client);
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  static const SpPluginEvents events = { .want_process = want_process,
                                         .kill_process = kill_process };
  const SpPluginSetup setup = { .kind = SP_KIND_NOTIFIER, .instance = "desk", .path = "/none" };

  fixture->heard = g_ptr_array_new_with_free_func ((GDestroyNotify) sp_rpc_message_free);
  fixture->tunnels = sp_keeper_tunnels_new (hear, on_process_ended, fixture);
  fixture->client = sp_plugin_client_new (&setup, &events, fixture);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  sp_keeper_tunnels_forget (fixture->tunnels, fixture->client);
  sp_plugin_client_free (fixture->client);
  for (guint i = 0; i < 20; i++)
    g_main_context_iteration (NULL, FALSE);
  sp_keeper_tunnels_free (fixture->tunnels);
  g_ptr_array_unref (fixture->heard);
}

/* A process that has been started, and has heard the beginning of "open"; its run. */
static char *
start (Fixture *fixture)
{
  g_autoptr (SpRpcMessage) asked = expect (fixture, "plugin.start");
  g_autoptr (SpRpcMessage) opening = NULL;

  g_assert_cmpstr (json_object_get_string_member (json_node_get_object (asked->params), "notifier"),
                   ==, "desk");
  say (fixture, "plugin.started", run_of (asked), NULL, 0, NULL);
  opening = expect (fixture, "plugin.data");
  g_assert_cmpstr (run_of (opening), ==, run_of (asked));
  g_assert_nonnull (opening->secret);
  g_assert_cmpuint (sp_secret_length (opening->secret), >, 0);
  return g_strdup (run_of (asked));
}

static void
assert_down (Fixture *fixture, const char *why)
{
  g_assert_cmpint (sp_plugin_client_state (fixture->client), ==, SP_PLUGIN_DOWN);
  g_assert_cmpstr (sp_plugin_client_why (fixture->client), ==, why);
}

/* ---- tests ------------------------------------------------------------------------------------------ */

static void
test_each_process_is_another (Fixture *fixture, gconstpointer data)
{
  g_autofree char *first = start (fixture), *second = NULL;

  say (fixture, "plugin.end", first, NULL, 0, "its process was ended by signal 9");
  assert_down (fixture, "its process was ended by signal 9");
  second = start (fixture);
  g_assert_cmpstr (first, !=, second);
}

static void
test_nonsense_ends_the_process (Fixture *fixture, gconstpointer data)
{
  g_autofree char *run = start (fixture), *again = NULL;
  g_autoptr (SpSecret) nonsense =
      sp_secret_new_from ("this is no frame of a link, or of anything", 42);
  g_autoptr (SpRpcMessage) killed = NULL;

  say (fixture, "plugin.data", run, nonsense, 0, NULL);
  killed = expect (fixture, "plugin.kill");
  g_assert_cmpstr (run_of (killed), ==, run);
  say (fixture, "plugin.end", run, NULL, 0, NULL);
  again = start (fixture);
}

static void
test_overrun_ends_the_process (Fixture *fixture, gconstpointer data)
{
  g_autofree char *run = start (fixture);
  g_autoptr (SpSecret) flood = sp_secret_new (SP_TUNNEL_WINDOW + 1);
  g_autoptr (SpRpcMessage) killed = NULL;

  say (fixture, "plugin.data", run, flood, 0, NULL);
  killed = expect (fixture, "plugin.kill");
  g_assert_cmpstr (run_of (killed), ==, run);
}

static void
test_allowing_too_much_ends_the_process (Fixture *fixture, gconstpointer data)
{
  g_autofree char *run = start (fixture);
  g_autoptr (SpRpcMessage) killed = NULL;

  say (fixture, "plugin.allow", run, NULL, SP_TUNNEL_WINDOW + 1, NULL);
  killed = expect (fixture, "plugin.kill");
}

static void
test_what_is_late_is_dropped (Fixture *fixture, gconstpointer data)
{
  g_autofree char *first = start (fixture), *second = NULL;
  g_autoptr (SpSecret) nonsense = sp_secret_new_from ("nonsense of the first one", 25);

  say (fixture, "plugin.end", first, NULL, 0, NULL);
  second = start (fixture);
  say (fixture, "plugin.data", first, nonsense, 0, NULL);
  say (fixture, "plugin.end", first, NULL, 0, NULL);
  say (fixture, "plugin.started", second, NULL, 0, NULL);
  say (fixture, "plugin.nothing", second, NULL, 0, NULL);
  g_assert_cmpuint (fixture->heard->len, ==, 0);
  /* The second one still has its process: it alone ends it. */
  say (fixture, "plugin.end", second, NULL, 0, "as it should");
  assert_down (fixture, "as it should");
}

static void
test_another_host (Fixture *fixture, gconstpointer data)
{
  g_autofree char *first = start (fixture), *second = NULL;

  sp_keeper_tunnels_drop (fixture->tunnels, "the host has started anew");
  assert_down (fixture, "the host has started anew");
  second = start (fixture);
  g_assert_cmpstr (first, !=, second);
}

static void
test_no_host (Fixture *fixture, gconstpointer data)
{
  g_autofree char *run = NULL;

  fixture->unreachable = TRUE;
  WAIT_UNTIL (g_str_equal (sp_plugin_client_why (fixture->client), SP_KEEPER_NO_HOST));
  assert_down (fixture, SP_KEEPER_NO_HOST);
  fixture->unreachable = FALSE;
  run = start (fixture);
}

static void
test_host_that_does_not_answer (Fixture *fixture, gconstpointer data)
{
  g_autoptr (SpRpcMessage) asked = expect (fixture, "plugin.start");
  g_autoptr (SpRpcMessage) killed = expect (fixture, "plugin.kill");

  g_assert_cmpstr (run_of (asked), ==, run_of (killed));
  assert_down (fixture, "the host does not answer");
}

static void
test_refusal_says_why (Fixture *fixture, gconstpointer data)
{
  g_autoptr (SpRpcMessage) asked = expect (fixture, "plugin.start");

  say (fixture, "plugin.end", run_of (asked), NULL, 0, "there is no user\n'\x1b[1mbob' here");
  assert_down (fixture, "there is no user '[1mbob' here");
}

static void
test_ending (Fixture *fixture, gconstpointer data)
{
  g_autofree char *run = start (fixture);
  g_autoptr (SpRpcMessage) ended = NULL;

  sp_keeper_tunnels_end (fixture->tunnels, fixture->client);
  ended = expect (fixture, "plugin.end");
  g_assert_cmpstr (run_of (ended), ==, run);
  g_assert_cmpuint (fixture->n_ended, ==, 0);
  say (fixture, "plugin.end", run, NULL, 0, NULL);
  g_assert_cmpuint (fixture->n_ended, ==, 1);
}

static void
test_letting_go (Fixture *fixture, gconstpointer data)
{
  g_autofree char *run = start (fixture);
  g_autoptr (SpRpcMessage) ended = NULL;

  sp_keeper_tunnels_forget (fixture->tunnels, fixture->client);
  ended = expect (fixture, "plugin.end");
  g_assert_cmpstr (run_of (ended), ==, run);
}

#define ADD(name, test) g_test_add ("/keeper-tunnel/" name, Fixture, NULL, set_up, test, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("each-process-is-another", test_each_process_is_another);
  ADD ("nonsense-ends-the-process", test_nonsense_ends_the_process);
  ADD ("more-than-the-window-ends-the-process", test_overrun_ends_the_process);
  ADD ("allowing-too-much-ends-the-process", test_allowing_too_much_ends_the_process);
  ADD ("what-comes-late-is-dropped", test_what_is_late_is_dropped);
  ADD ("another-host-has-other-processes", test_another_host);
  ADD ("without-a-host-it-is-down", test_no_host);
  ADD ("a-host-that-does-not-answer-is-not-waited-for", test_host_that_does_not_answer);
  ADD ("a-refusal-says-why", test_refusal_says_why);
  ADD ("one-that-is-ended-is-waited-for", test_ending);
  ADD ("one-that-is-let-go-is-ended", test_letting_go);
  return g_test_run ();
}
