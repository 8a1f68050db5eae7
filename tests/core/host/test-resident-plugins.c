/* test-resident-plugins.c - what the keeper says of plugins on the host, and that it is gone:
 * host/resident/resident.h
 *
 * A fake keeper sits at the other end of a socket pair.
 */
#include <signal.h>
#include <sys/socket.h>

#include "host/resident/resident.h"

#define WAIT_UNTIL(condition) \
  while (!(condition)) \
  g_main_context_iteration (NULL, TRUE)

typedef struct {
  SpResident *resident;
  SpRpc *keeper;
  char *host_session; /* as the keeper hears it */
  GPtrArray *plugin;  /* methods of "plugin.…" that were passed on */
  guint n_unlocks, n_gone;
} Fixture;

/* ---- the keeper ------------------------------------------------------------------------------------- */

static void
on_keeper_message (SpRpc *rpc, SpRpcMessage *message, gpointer data)
{
  Fixture *fixture = data;
  JsonObject *params = json_node_get_object (message->params);

  if (g_strcmp0 (message->method, "hello") == 0) {
    g_free (fixture->host_session);
    fixture->host_session = g_strdup (json_object_get_string_member (params, "session"));
  } else if (message->id != NULL) {
    fixture->n_unlocks++;
  }
}

static void
keeper_says (Fixture *fixture, const char *method, const char *session)
{
  g_autoptr (SpRpcMessage) message = sp_rpc_message_new (NULL, method);

  json_object_set_string_member (json_node_get_object (message->params), "session", session);
  sp_rpc_send (fixture->keeper, message);
}

/* A new keeper is there, and has been sent its keys. */
static void
begin (Fixture *fixture, const char *session)
{
  guint before = fixture->n_unlocks;

  keeper_says (fixture, "hello", session);
  WAIT_UNTIL (fixture->n_unlocks > before);
}

/* ---- the host --------------------------------------------------------------------------------------- */

static SpRpcMessage *
unlock_message (const char *id, gpointer data, GError **error)
{
  return sp_rpc_message_new (id, "vault.unlock");
}

static void
on_refused (const GError *error, gpointer data)
{
}

static void
on_plugin (const SpRpcMessage *message, gpointer data)
{
  g_ptr_array_add (((Fixture *) data)->plugin, g_strdup (message->method));
}

static void
on_keeper_gone (gpointer data)
{
  ((Fixture *) data)->n_gone++;
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  static const SpResidentEvents events = { .unlock_message = unlock_message,
                                           .refused = on_refused,
                                           .plugin = on_plugin,
                                           .keeper_gone = on_keeper_gone };
  int pair[2];

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
  fixture->plugin = g_ptr_array_new_with_free_func (g_free);
  fixture->resident = sp_resident_new (&events, NULL, fixture);
  fixture->keeper = sp_rpc_new (pair[1], on_keeper_message, NULL, fixture);
  sp_resident_attach (fixture->resident, pair[0]);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  sp_resident_free (fixture->resident);
  sp_rpc_unref (fixture->keeper);
  g_ptr_array_unref (fixture->plugin);
  g_free (fixture->host_session);
}

/* ---- tests ------------------------------------------------------------------------------------------ */

static void
test_this_session_only (Fixture *fixture, gconstpointer data)
{
  /* Not yet heard of, another's, and its own. */
  keeper_says (fixture, "plugin.start", "first");
  begin (fixture, "first");
  keeper_says (fixture, "plugin.kill", "other");
  keeper_says (fixture, "plugin.data", "first");
  WAIT_UNTIL (fixture->plugin->len > 0);
  g_assert_cmpstr (g_ptr_array_index (fixture->plugin, 0), ==, "plugin.data");
  g_assert_cmpuint (fixture->plugin->len, ==, 1);
}

static void
test_end_is_told (Fixture *fixture, gconstpointer data)
{
  guint before;

  begin (fixture, "first");
  before = fixture->n_gone;
  begin (fixture, "second");
  g_assert_cmpuint (fixture->n_gone, ==, before + 1);
  sp_rpc_close (fixture->keeper);
  WAIT_UNTIL (fixture->n_gone == before + 2);
}

static void
test_our_session (Fixture *fixture, gconstpointer data)
{
  g_autoptr (SpRpcMessage) message = sp_rpc_message_new (NULL, "plugin.end");
  JsonObject *params = json_node_get_object (message->params);

  begin (fixture, "first");
  sp_resident_notify (fixture->resident, message);
  g_assert_cmpstr (json_object_get_string_member (params, "session"), ==, fixture->host_session);
  /* Nobody to hear it is no error. */
  sp_resident_detach (fixture->resident);
  sp_resident_notify (fixture->resident, message);
}

#define ADD(name, test) \
  g_test_add ("/resident-plugins/" name, Fixture, NULL, set_up, test, tear_down)

int
main (int argc, char **argv)
{
  (void) signal (SIGPIPE, SIG_IGN);
  g_test_init (&argc, &argv, NULL);
  ADD ("only-this-session-of-the-keeper-is-heard", test_this_session_only);
  ADD ("the-end-of-a-keeper-is-told", test_end_is_told);
  ADD ("notifications-carry-our-session", test_our_session);
  return g_test_run ();
}
