/* test-vault-notices.c - what approvers are shown, how often, and what notifiers keep in the vault */
#include <string.h>

#include "test-vault.h"

static void
test_fields (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autoptr (TestReply) made =
      test_create_full (test, token, "", "db", "line\nSecret: other\u202e\u200b end", -1);
  const TestNotice *notice;
  guint origin = 99;

  test_drain ();
  notice = test_ports_notice (test->ports, FALSE, 0);
  g_assert_cmpstr (test_notice_field (notice, "Reason", &origin), ==, "line Secret: other end");
  g_assert_cmpuint (origin, ==, SP_FIELD_AGENT);
  g_assert_cmpstr (test_notice_field (notice, "Secret", &origin), ==, "db");
  g_assert_cmpuint (origin, ==, SP_FIELD_CORE);
  g_assert_cmpstr (test_notice_field (notice, "Agent", NULL), ==, "a");
  g_assert_cmpstr (test_notice_field (notice, "Code", NULL), ==, test_reply_string (made, "code"));
  g_assert_cmpuint (notice->choices->len, ==, 2);
  g_assert_cmpint (notice->expires_at, ==, test->clock.wall_us / G_USEC_PER_SEC + 600);
}

/* Of all levels the one at which an agent's own bytes run. */
static void
test_audited_is_told (void)
{
  static const char *const levels[] = { "audited", "rebuilt", NULL };

  for (gsize i = 0; i < G_N_ELEMENTS (levels); i++) {
    g_autoptr (TestVault) test = test_vault_new ();
    g_autofree char *token = NULL;
    g_autoptr (TestReply) made = NULL;
    guint n = 0;

    test->trust = levels[i];
    token = test_vault_start (test);
    made = test_create (test, token, "db");
    test_drain ();
    n = test_ports_notice (test->ports, FALSE, 0)->fields->len;
    g_assert_cmpuint (n, ==, i == 0 ? 6 : 5);
  }
}

static gboolean
two_posts (gpointer data)
{
  return test_ports_n_notices (data, FALSE) == 2;
}

static void
test_post_is_repeated (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autoptr (TestReply) made = NULL;

  test->ports->fail_notices = 1;
  test->ports->notice_error = SP_ERROR_UNAVAILABLE;
  made = test_create (test, token, "db");
  test_run_until (two_posts, test->ports);
  g_assert_cmpstr (test_ports_notice (test->ports, FALSE, 0)->id, ==,
                   test_ports_notice (test->ports, FALSE, 1)->id);
}

static void
settle_without_end (TestVault *test)
{
  test->ports->fail_settles = G_MAXUINT;
  test->ports->notice_error = SP_ERROR_UNAVAILABLE;
}

/* What can't be taken away for now, whatever an agent wrote in it, keeps nobody else waiting. */
static void
test_failing_settle_holds_nobody_up (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autoptr (TestReply) first = test_create (test, token, "db"), gone = NULL, second = NULL;

  test_drain ();
  settle_without_end (test);
  gone = test_cancel (test, token, first->id);
  test_drain ();
  second = test_create (test, token, "db");
  test_run_until (two_posts, test->ports);
  g_assert_cmpint (test_answer (test, "approve", "11"), ==, SP_ANSWER_TAKEN);
}

static void
test_refused_alarms_once (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autoptr (TestReply) made = NULL, other = NULL;

  test->ports->fail_notices = 1;
  test->ports->notice_error = SP_ERROR_REFUSED;
  made = test_create (test, token, "db");
  other = test_create (test, token, "db");
  test_drain ();
  g_assert_cmpuint (test_ports_n_notices (test->ports, FALSE), ==, 2);
  g_assert_cmpuint (test_count_events (test, "notifier.alarm"), ==, 1);
}

static void
test_settled_once (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autofree char *id = test_approved (test, token, "db", 0);
  const TestNotice *settled;

  g_assert_nonnull (id);
  test_drain ();
  settled = test_ports_notice (test->ports, TRUE, 0);
  g_assert_nonnull (settled);
  g_assert_cmpuint (settled->outcome, ==, SP_OUTCOME_APPROVED);
  g_assert_nonnull (strstr (settled->text, "admin"));
  g_assert_cmpuint (settled->choices->len, ==, 0);
  test_vault_reopen (test);
  test_drain ();
  g_assert_cmpuint (test->ports->notices->len, ==, 0);
}

static void
test_after_a_restart (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autoptr (TestReply) pending = NULL, decided = NULL, gone = NULL;

  pending = test_create (test, token, "db");
  decided = test_create (test, token, "db");
  test_drain ();
  test->ports->fail_notices = 1;
  test->ports->notice_error = SP_ERROR_UNAVAILABLE;
  gone = test_cancel (test, token, decided->id);
  test_vault_reopen (test);
  test_drain ();
  g_assert_cmpuint (test_ports_n_notices (test->ports, TRUE), ==, 1);
  g_assert_cmpuint (test_ports_notice (test->ports, TRUE, 0)->outcome, ==, SP_OUTCOME_CANCELLED);
  g_assert_cmpuint (test_ports_n_notices (test->ports, FALSE), ==, 1);
  g_assert_cmpint (test_answer (test, "approve", "11"), ==, SP_ANSWER_TAKEN);
}

static gboolean
settled_twice (gpointer data)
{
  return test_ports_n_notices (data, TRUE) >= 2;
}

/* The notifier has settled; that it did could not be stored: it is told again, not forgotten. */
static void
test_settling_is_stored_in_the_end (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autoptr (TestReply) made = test_create (test, token, "db"), gone = NULL;

  test_drain ();
  gone = test_reply_new ();
  sp_vault_cancel (test->vault, token, made->id, test_reply_take, gone);
  test_reply_wait (gone);
  test_ports_fail_writes (test->ports, TEST_FAULT_NO_EFFECT, 1);
  test_drain ();
  g_assert_cmpuint (test->ports->fault_writes, ==, 0);
  test_run_until (settled_twice, test->ports);
}

static void
on_remembered (const GError *error, gpointer data)
{
  *(int *) data = error ? -1 : 1;
}

static gboolean
is_not_zero (gpointer data)
{
  return *(int *) data != 0;
}

static int
remember (TestVault *test, const char *key, const char *value)
{
  int result = 0;

  sp_vault_remember (test->vault, "tg", key, value, on_remembered, &result);
  test_run_until (is_not_zero, &result);
  return result;
}

static guint
count_recalled (TestVault *test)
{
  g_autoptr (GVariant) pairs = g_variant_ref_sink (sp_vault_recall (test->vault, "tg"));

  return (guint) g_variant_n_children (pairs);
}

static void
test_remember (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autofree char *key = g_strnfill (128, 'k'), *long_key = g_strnfill (129, 'k');
  g_autofree char *value = g_strnfill (8192, 'v'), *long_value = g_strnfill (8193, 'v');

  g_assert_nonnull (token);
  g_assert_cmpint (remember (test, key, value), ==, 1);
  g_assert_cmpint (remember (test, "a", ""), ==, 1);
  g_assert_cmpint (remember (test, long_key, "v"), ==, -1);
  g_assert_cmpint (remember (test, "b", long_value), ==, -1);
  g_assert_cmpint (remember (test, "", "v"), ==, -1);
  g_assert_cmpint (remember (test, "never-was", NULL), ==, 1);
  g_assert_cmpuint (count_recalled (test), ==, 2);
  test_vault_reopen (test);
  g_assert_cmpuint (count_recalled (test), ==, 2);
  g_assert_cmpint (remember (test, key, NULL), ==, 1);
  g_assert_cmpuint (count_recalled (test), ==, 1);
  test_ports_fail_writes (test->ports, TEST_FAULT_NO_EFFECT, 1);
  g_assert_cmpint (remember (test, "a", NULL), ==, -1);
  g_assert_cmpuint (count_recalled (test), ==, 1);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/vault/notices/fields-and-origin", test_fields);
  g_test_add_func ("/vault/notices/audited-is-told", test_audited_is_told);
  g_test_add_func ("/vault/notices/post-is-repeated", test_post_is_repeated);
  g_test_add_func ("/vault/notices/failing-settle-holds-nobody-up",
                   test_failing_settle_holds_nobody_up);
  g_test_add_func ("/vault/notices/refused-alarms-once", test_refused_alarms_once);
  g_test_add_func ("/vault/notices/settled-once", test_settled_once);
  g_test_add_func ("/vault/notices/after-a-restart", test_after_a_restart);
  g_test_add_func ("/vault/notices/settling-is-stored-in-the-end",
                   test_settling_is_stored_in_the_end);
  g_test_add_func ("/vault/remember-and-recall", test_remember);
  return g_test_run ();
}
