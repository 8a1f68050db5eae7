/* test-vault-time.c - what runs out, by either clock, and what ends with an agent or a secret */
#include "test-vault.h"

static void
assert_get (TestVault *test, const char *token, const char *id, const char *status)
{
  g_autoptr (TestReply) got = test_get (test, token, id);

  test_assert_status (got, status);
}

static void
test_either_clock (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autoptr (TestReply) one = test_create (test, token, "db"), two = NULL;
  g_autofree char *approved = NULL;

  test_drain ();
  g_assert_cmpint (test->ports->wake_ms, ==, 60000);
  test->clock.boot_ms += 600 * 1000;
  sp_vault_tick (test->vault);
  test_drain ();
  assert_get (test, token, one->id, "expired");
  two = test_create (test, token, "db");
  test_clock_set_wall (&test->clock, 600);
  assert_get (test, token, two->id, "expired");
  approved = test_approved (test, token, "db", 0);
  test_clock_advance (&test->clock, 300);
  assert_get (test, token, approved, "expired");
  g_assert_cmpuint (test_count_events (test, "request.expired"), ==, 3);
}

static void
test_answer_too_late (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autoptr (TestReply) made = test_create (test, token, "db");

  test_drain ();
  test_clock_advance (&test->clock, 600);
  g_assert_cmpint (test_answer (test, "approve", "11"), ==, SP_ANSWER_TOO_LATE);
  assert_get (test, token, made->id, "expired");
}

static void
test_wall_clock_set_back (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autoptr (TestReply) pending = test_create (test, token, "db");
  g_autofree char *grant = test_approved (test, token, "db", 3600);

  test_vault_close (test);
  test_clock_reboot (&test->clock, -60);
  test_vault_open (test);
  test_drain ();
  assert_get (test, token, pending->id, "expired");
  assert_get (test, token, grant, "expired");
}

static void
test_restart_keeps_the_rest (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autoptr (TestReply) made = test_create (test, token, "db");

  test_vault_close (test);
  test_clock_reboot (&test->clock, 500);
  test_vault_open (test);
  assert_get (test, token, made->id, "pending");
  test->clock.boot_ms += 100 * 1000;
  assert_get (test, token, made->id, "expired");
}

/* While the store takes its time, nobody is woken over and over. */
static void
test_no_busy_loop (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autoptr (TestReply) made = test_create (test, token, "db");

  g_assert_nonnull (made);
  test_drain ();
  test_clock_advance (&test->clock, 600);
  test->ports->hold_writes = TRUE;
  sp_vault_tick (test->vault);
  test_drain ();
  g_assert_cmpint (test->ports->wake_ms, !=, 0);
  test_ports_release (test->ports);
}

/* The store does not write: whoever asks hears of that, and not of nothing. */
static void
test_expiry_while_writing_fails (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autoptr (TestReply) made = test_create (test, token, "db");
  g_autoptr (TestReply) got = test_reply_new ();

  test_drain ();
  test_clock_advance (&test->clock, 600);
  test_ports_fail_writes (test->ports, TEST_FAULT_NO_EFFECT, 20);
  sp_vault_get (test->vault, token, made->id, FALSE, NULL, test_reply_take, got);
  test_reply_wait (got);
  g_assert_cmpuint (test->ports->fault_writes, >, 15);
}

static void
end_both (const char *method, const char *params)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = NULL, *approved = NULL;
  g_autoptr (TestReply) pending = NULL, ended = NULL, list = NULL;
  guint batches;
  JsonArray *items;

  test->no_notifier = TRUE; /* nothing to settle: no batch but the one that counts */
  token = test_vault_start (test);
  pending = test_create (test, token, "db");
  approved = test_approved (test, token, "db", 0);
  test_drain ();
  batches = test->ports->n_batches;
  ended = test_admin (test, method, params);
  test_assert_ok (ended);
  g_assert_cmpuint (test->ports->n_batches, ==, batches + 1);
  g_assert_cmpuint (test_count_events (test, "request.cancelled"), ==, 1);
  g_assert_cmpuint (test_count_events (test, "request.revoked"), ==, 1);
  list = test_admin (test, "request.list", "{}");
  items = test_reply_items (list);
  g_assert_cmpstr (
      json_object_get_string_member (json_array_get_object_element (items, 0), "status"), ==,
      "revoked");
  g_assert_cmpstr (
      json_object_get_string_member (json_array_get_object_element (items, 1), "status"), ==,
      "cancelled");
}

static void
test_agent_revoked (void)
{
  end_both ("agent.revoke", "{\"name\":\"a\"}");
}

static void
test_secret_removed (void)
{
  end_both ("secret.rm", "{\"name\":\"db\"}");
}

/* What is asked while the secret goes must not outlive it. */
static void
test_asked_while_it_goes (void)
{
  static const char *const calls[][2] = { { "agent.revoke", "{\"name\":\"a\"}" },
                                          { "secret.rm", "{\"name\":\"db\"}" } };

  for (gsize i = 0; i < G_N_ELEMENTS (calls); i++) {
    g_autoptr (TestVault) test = test_vault_new ();
    g_autofree char *token = test_vault_start (test);
    g_autoptr (TestReply) ended = test_reply_new (), made = test_reply_new (), list = NULL;
    g_autoptr (JsonNode) params = json_from_string (calls[i][1], NULL);

    test_drain ();
    g_assert_true (sp_vault_admin (test->vault, calls[i][0], json_node_get_object (params), NULL,
                                   test_reply_take, ended));
    sp_vault_create (test->vault, token, "", "db", "why", -1, test_reply_take, made);
    test_reply_wait (ended);
    test_reply_wait (made);
    test_drain ();
    list = test_admin (test, "request.list", "{\"status\":\"pending\"}");
    g_assert_cmpuint (json_array_get_length (test_reply_items (list)), ==, 0);
  }
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/vault/time/either-clock-ends-it", test_either_clock);
  g_test_add_func ("/vault/time/answer-too-late", test_answer_too_late);
  g_test_add_func ("/vault/time/wall-clock-set-back", test_wall_clock_set_back);
  g_test_add_func ("/vault/time/restart-keeps-the-rest", test_restart_keeps_the_rest);
  g_test_add_func ("/vault/time/no-busy-loop", test_no_busy_loop);
  g_test_add_func ("/vault/time/expiry-while-writing-fails", test_expiry_while_writing_fails);
  g_test_add_func ("/vault/ending/agent-revoked", test_agent_revoked);
  g_test_add_func ("/vault/ending/secret-removed", test_secret_removed);
  g_test_add_func ("/vault/ending/asked-while-it-goes", test_asked_while_it_goes);
  return g_test_run ();
}
