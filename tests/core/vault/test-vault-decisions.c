/* test-vault-decisions.c - who may decide what, how often, and until when */
#include <string.h>

#include "test-vault.h"

static void
test_approve_and_deny (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autoptr (TestReply) one = test_create (test, token, "db"), got = NULL, other = NULL;
  g_autoptr (TestReply) denied = NULL;

  g_assert_cmpint (test_answer (test, "approve", "11"), ==, SP_ANSWER_TAKEN);
  got = test_get (test, token, one->id);
  test_assert_status (got, "approved");
  g_assert_cmpstr (test_reply_string (got, "decided_by"), ==, "alice");
  g_assert_cmpint (test_answer (test, "deny", "22"), ==, SP_ANSWER_TOO_LATE);
  other = test_create (test, token, "db");
  g_assert_cmpint (test_answer (test, "deny", "22"), ==, SP_ANSWER_TAKEN);
  denied = test_redeem (test, token, other->id);
  test_assert_problem (denied, SP_PROBLEM_DENIED);
}

static void
test_strangers_and_unknown (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autoptr (TestReply) made = test_create (test, token, "db"), got = NULL;

  g_assert_cmpint (test_answer (test, "approve", "33"), ==, SP_ANSWER_NOT_ALLOWED);
  g_assert_cmpint (test_answer (test, "approve", ""), ==, SP_ANSWER_NOT_ALLOWED);
  g_assert_cmpint (test_answer (test, "grant:60", "11"), ==, SP_ANSWER_UNKNOWN);
  g_assert_cmpint (test_answer (test, "code:", "11"), ==, SP_ANSWER_UNKNOWN);
  g_assert_cmpint (test_answer (test, "", "11"), ==, SP_ANSWER_UNKNOWN);
  g_assert_cmpint (test_answer_to (test, "nothing", "approve", "11", NULL), ==, SP_ANSWER_UNKNOWN);
  got = test_get (test, token, made->id);
  test_assert_status (got, "pending");
  test_drain ();
  g_assert_cmpuint (test_count_events (test, "notifier.alarm"), ==, 2);
}

static gint64
seconds_granted (TestVault *test, gint64 offered_max, gint64 max_now, const char *choice)
{
  g_autofree char *token = test_vault_start (test);
  g_autofree char *first =
      g_strdup_printf ("{\"name\":\"g\",\"grant_max\":%" G_GINT64_FORMAT "}", offered_max);
  g_autofree char *second =
      g_strdup_printf ("{\"name\":\"g\",\"grant_max\":%" G_GINT64_FORMAT "}", max_now);
  g_autoptr (TestReply) made = NULL, got = NULL;
  g_autoptr (GDateTime) until = NULL;

  test_reply_free (test_put (test, first, "v"));
  made = test_create (test, token, "g");
  test_reply_free (test_put (test, second, "v"));
  g_assert_cmpint (test_answer (test, choice, "11"), ==, SP_ANSWER_TAKEN);
  got = test_get (test, token, made->id);
  until = g_date_time_new_from_iso8601 (test_reply_string (got, "expires_at"), NULL);
  return g_date_time_to_unix (until) - test->clock.wall_us / G_USEC_PER_SEC;
}

/* What the person saw on the button is what it gives, or less. */
static void
test_grant_as_offered (void)
{
  g_autoptr (TestVault) raised = test_vault_new ();
  g_autoptr (TestVault) lowered = test_vault_new ();

  g_assert_cmpint (seconds_granted (raised, 600, 604800, "grant:600"), ==, 600);
  g_assert_cmpint (seconds_granted (lowered, 600, 60, "grant:600"), ==, 60);
}

static void
test_quorum (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = NULL;
  g_autoptr (TestReply) put = NULL, made = NULL, grants = NULL, vetoed = NULL, got = NULL;
  JsonObject *grant;

  test->quorum = 2;
  token = test_vault_start (test);
  put = test_put (test, "{\"name\":\"g\",\"grant_max\":3600}", "v");
  made = test_create (test, token, "g");
  g_assert_cmpint (test_answer (test, "grant:3600", "11"), ==, SP_ANSWER_COUNTED);
  g_assert_cmpint (test_answer (test, "grant:3600", "11"), ==, SP_ANSWER_COUNTED);
  test_vault_reopen (test);
  got = test_get (test, token, made->id);
  test_assert_status (got, "pending");
  g_assert_cmpint (test_answer (test, "approve", "22"), ==, SP_ANSWER_TAKEN);
  /* The shortest of both: once. */
  grants = test_admin (test, "grant.list", "{}");
  g_assert_cmpuint (json_array_get_length (test_reply_items (grants)), ==, 0);
  test_reply_free (g_steal_pointer (&grants));
  test_reply_free (g_steal_pointer (&made));
  made = test_create (test, token, "g");
  g_assert_cmpint (test_answer (test, "grant:3600", "11"), ==, SP_ANSWER_COUNTED);
  g_assert_cmpint (test_answer (test, "grant:3600", "22"), ==, SP_ANSWER_TAKEN);
  grants = test_admin (test, "grant.list", "{}");
  grant = json_array_get_object_element (test_reply_items (grants), 0);
  g_assert_cmpstr (json_object_get_string_member (grant, "id"), ==, made->id);
  test_reply_free (g_steal_pointer (&made));
  made = test_create (test, token, "g");
  g_assert_cmpint (test_answer (test, "approve", "11"), ==, SP_ANSWER_COUNTED);
  g_assert_cmpint (test_answer (test, "deny", "11"), ==, SP_ANSWER_TAKEN);
  vetoed = test_redeem (test, token, made->id);
  test_assert_problem (vetoed, SP_PROBLEM_DENIED);
}

static void
test_codes (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autoptr (TestReply) put =
      test_put (test, "{\"name\":\"c\",\"confirm\":\"code\",\"grant_max\":60}", "v");
  g_autoptr (TestReply) made = test_create (test, token, "c"), other = NULL, got = NULL;
  g_autofree char *right = g_strconcat ("code:", test_reply_string (made, "code"), NULL);
  g_autofree char *wrong = NULL;
  const TestNotice *notice;

  g_assert_nonnull (put);
  test_drain ();
  notice = test_ports_notice (test->ports, FALSE, -1);
  g_assert_cmpuint (notice->choices->len, ==, 4);
  g_assert_true (test_notice_offers (notice, right));
  g_assert_true (test_notice_offers (notice, "deny"));
  g_assert_null (strstr (test_notice_field (notice, "Code", NULL), right + 5));
  g_assert_cmpint (test_answer (test, "approve", "11"), ==, SP_ANSWER_UNKNOWN);
  g_assert_cmpint (test_answer (test, "grant:60", "11"), ==, SP_ANSWER_UNKNOWN);
  g_assert_cmpint (test_answer (test, "code:XXXX", "11"), ==, SP_ANSWER_UNKNOWN);
  g_assert_cmpint (test_answer (test, right, "11"), ==, SP_ANSWER_TAKEN);
  other = test_create (test, token, "c");
  test_drain ();
  notice = test_ports_notice (test->ports, FALSE, -1);
  for (guint i = 0; i < 3; i++) {
    g_auto (GStrv) parts = g_strsplit (g_ptr_array_index (notice->choices, i), "|", 2);

    if (g_strcmp0 (parts[0] + 5, test_reply_string (other, "code")) != 0) {
      g_free (wrong);
      wrong = g_strdup (parts[0]);
    }
  }
  g_assert_cmpint (test_answer (test, wrong, "11"), ==, SP_ANSWER_TAKEN);
  got = test_get (test, token, other->id);
  test_assert_status (got, "denied");
}

static void
test_grants (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autoptr (TestReply) put = test_put (test, "{\"name\":\"g\",\"grant_max\":3600}", "v");
  g_autoptr (TestReply) too_long = NULL, revoked = NULL, after = NULL, expired = NULL;
  g_autoptr (TestReply) pending = test_create (test, token, "g");
  g_autofree char *params = g_strdup_printf ("{\"id\":\"%s\",\"for\":3601}", pending->id);
  g_autofree char *id = test_approved (test, token, "g", 3600);
  g_autofree char *other = test_approved (test, token, "g", 60);
  g_autofree char *revoke = g_strdup_printf ("{\"id\":\"%s\"}", id);

  g_assert_nonnull (put);
  too_long = test_admin (test, "request.approve", params);
  test_assert_problem (too_long, SP_PROBLEM_INVALID);
  for (guint i = 0; i < 5; i++) {
    g_autoptr (TestReply) value = test_redeem (test, token, id);

    test_assert_ok (value);
  }
  revoked = test_admin (test, "grant.revoke", revoke);
  test_assert_status (revoked, "revoked");
  after = test_redeem (test, token, id);
  test_assert_problem (after, SP_PROBLEM_REVOKED);
  test_clock_advance (&test->clock, 60);
  expired = test_redeem (test, token, other);
  test_assert_problem (expired, SP_PROBLEM_EXPIRED);
}

static void
test_answer_is_tried_again (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autoptr (TestReply) made = test_create (test, token, "db"), got = NULL;

  test_drain ();
  test_ports_fail_writes (test->ports, TEST_FAULT_NO_EFFECT, 1);
  g_assert_cmpint (test_answer (test, "approve", "11"), ==, SP_ANSWER_TRY_AGAIN);
  got = test_get (test, token, made->id);
  test_assert_status (got, "pending");
  g_assert_cmpint (test_answer (test, "approve", "11"), ==, SP_ANSWER_TAKEN);
}

/* However many others an agent has made and withdrawn since. */
static void
test_old_pending_can_be_decided (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autofree char *other = test_add_agent (test, "b");
  g_autoptr (TestReply) made = test_create (test, token, "db");
  g_autofree char *notice = NULL;

  g_assert_nonnull (made);
  test_drain ();
  notice = g_strdup (test_ports_notice (test->ports, FALSE, -1)->id);
  for (guint i = 0; i < 600; i++) {
    g_autoptr (TestReply) one = test_create (test, other, "db");
    g_autoptr (TestReply) gone = test_cancel (test, other, one->id);

    g_assert_nonnull (gone);
  }
  g_assert_cmpint (test_answer_to (test, notice, "approve", "11", NULL), ==, SP_ANSWER_TAKEN);
}

/* What a notifier says is cut to a length: never in the middle of a character. */
static void
test_long_foreign_texts (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autofree char *x = g_strnfill (299, 'x');
  g_autofree char *text = g_strconcat (x, "\u20ac\u20ac", NULL);

  g_assert_nonnull (token);
  sp_vault_alarm (test->vault, "tg", text);
  test_drain ();
  g_assert_cmpuint (test_count_events (test, "notifier.alarm"), ==, 1);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/vault/decide/approve-and-deny", test_approve_and_deny);
  g_test_add_func ("/vault/decide/grant-as-offered", test_grant_as_offered);
  g_test_add_func ("/vault/decide/strangers-and-unknown", test_strangers_and_unknown);
  g_test_add_func ("/vault/decide/quorum", test_quorum);
  g_test_add_func ("/vault/decide/codes", test_codes);
  g_test_add_func ("/vault/decide/grants", test_grants);
  g_test_add_func ("/vault/decide/answer-is-tried-again", test_answer_is_tried_again);
  g_test_add_func ("/vault/decide/old-pending-can-be-decided", test_old_pending_can_be_decided);
  g_test_add_func ("/vault/decide/long-foreign-texts", test_long_foreign_texts);
  return g_test_run ();
}
