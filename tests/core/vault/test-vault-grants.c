/* test-vault-grants.c - what approvers are shown of grants, who may end one, and two notifiers at once */
#include <string.h>

#include "test-vault.h"

#define HOUR 3600

static TestVault *
two_notifiers (guint quorum, char **ret_token)
{
  TestVault *test = test_vault_new ();

  test->quorum = quorum;
  test->second_notifier = TRUE;
  *ret_token = test_vault_start (test);
  test_reply_free (
      test_put (test, "{\"name\":\"g\",\"grant_max\":3600,\"description\":\"why\"}", "v"));
  return test;
}

static void
assert_get (TestVault *test, const char *token, const char *id, const char *status)
{
  g_autoptr (TestReply) got = test_get (test, token, id);

  test_assert_status (got, status);
}

static void
assert_settled (TestVault *test, const char *notifier, const char *title, SpOutcomeKind kind,
                const char *part)
{
  const TestNotice *settled;

  test_drain ();
  settled = test_ports_last (test->ports, notifier, title, TRUE);
  g_assert_nonnull (settled);
  g_assert_cmpuint (settled->outcome, ==, kind);
  g_assert_cmpuint (settled->choices->len, ==, 0);
  if (strstr (settled->text, part) == NULL)
    g_error ("\"%s\" is not in \"%s\"", part, settled->text);
}

static SpAnswerResult
revoke_at (TestVault *test, const char *notifier, const char *person, char **ret_sentence)
{
  return test_answer_at (test, notifier, TEST_GRANT, "revoke", person, ret_sentence);
}

/* ---- grants ------------------------------------------------------------------------------------------------ */

static void
test_shown (void)
{
  g_autofree char *token = NULL;
  g_autoptr (TestVault) test = two_notifiers (1, &token);
  g_autoptr (TestReply) made = test_create (test, token, "g");
  g_autofree char *ask = NULL;
  const TestNotice *grant;

  g_assert_cmpint (test_answer_at (test, "mail", TEST_ASK, "grant:3600", "a@x", NULL), ==,
                   SP_ANSWER_TAKEN);
  assert_settled (test, "tg", TEST_ASK, SP_OUTCOME_APPROVED, "Approved by alice via mail at ");
  assert_settled (test, "mail", TEST_ASK, SP_OUTCOME_APPROVED, " for 1 h");
  ask = g_strdup (test_ports_last (test->ports, "tg", TEST_ASK, FALSE)->id);
  grant = test_ports_last (test->ports, "tg", TEST_GRANT, FALSE);
  g_assert_cmpstr (test_notice_field (grant, "Secret", NULL), ==, "g");
  g_assert_cmpstr (test_notice_field (grant, "About it", NULL), ==, "why");
  g_assert_cmpstr (test_notice_field (grant, "Agent", NULL), ==, "a");
  g_assert_cmpstr (test_notice_field (grant, "Code", NULL), ==, test_reply_string (made, "code"));
  g_assert_cmpstr (test_notice_field (grant, "Approved by", NULL), ==, "alice via mail");
  g_assert_nonnull (test_notice_field (grant, "Until", NULL));
  g_assert_null (test_notice_field (grant, "Reason", NULL));
  g_assert_cmpint (grant->expires_at, ==, test->clock.wall_us / G_USEC_PER_SEC + HOUR);
  g_assert_cmpuint (grant->choices->len, ==, 1);
  g_assert_cmpstr (g_ptr_array_index (grant->choices, 0), ==, "revoke|2|Revoke");
  g_assert_cmpstr (grant->id, !=, ask);
  g_assert_cmpstr (grant->id, !=, test_ports_last (test->ports, "mail", TEST_GRANT, FALSE)->id);
  g_assert_cmpuint (test_ports_n (test->ports, "tg", TEST_GRANT, FALSE), ==, 1);
}

static void
test_single_use_has_none (void)
{
  g_autofree char *token = NULL;
  g_autoptr (TestVault) test = two_notifiers (1, &token);
  g_autofree char *id = test_approved (test, token, "g", 0);

  g_assert_nonnull (id);
  test_drain ();
  g_assert_cmpuint (test_ports_n (test->ports, "tg", TEST_GRANT, FALSE), ==, 0);
  g_assert_cmpuint (test_ports_n (test->ports, "tg", TEST_GRANT, TRUE), ==, 0);
}

static void
test_revoked_by_a_person (void)
{
  g_autofree char *token = NULL, *sentence = NULL, *later = NULL;
  g_autoptr (TestVault) test = two_notifiers (2, &token);
  g_autofree char *id = test_approved (test, token, "g", HOUR);
  g_autoptr (TestReply) redeemed = NULL;

  /* By one of them alone, although two are needed to approve. */
  g_assert_cmpint (revoke_at (test, "tg", "33", NULL), ==, SP_ANSWER_NOT_ALLOWED);
  g_assert_cmpint (test_answer_at (test, "tg", TEST_GRANT, "approve", "22", NULL), ==,
                   SP_ANSWER_UNKNOWN);
  g_assert_cmpint (test_answer_at (test, "tg", TEST_ASK, "revoke", "22", NULL), ==,
                   SP_ANSWER_TOO_LATE);
  assert_get (test, token, id, "approved");
  g_assert_cmpint (revoke_at (test, "tg", "22", &sentence), ==, SP_ANSWER_TAKEN);
  g_assert_cmpstr (sentence, ==, "revoked");
  redeemed = test_redeem (test, token, id);
  test_assert_problem (redeemed, SP_PROBLEM_REVOKED);
  g_assert_cmpint (revoke_at (test, "mail", "a@x", &later), ==, SP_ANSWER_TOO_LATE);
  g_assert_cmpstr (later, ==, "too late: already revoked by bob via tg");
  assert_settled (test, "tg", TEST_GRANT, SP_OUTCOME_REVOKED, "Revoked by bob via tg at ");
  assert_settled (test, "mail", TEST_GRANT, SP_OUTCOME_REVOKED, "Revoked by bob via tg at ");
  g_assert_cmpuint (test_count_events (test, "request.revoked"), ==, 1);
  test_vault_reopen (test);
  g_assert_cmpuint (test->ports->notices->len, ==, 0);
}

static void
take_answer (SpAnswerResult result, const char *sentence, gpointer data)
{
  *(int *) data = (int) result;
}

/* Two people at two notifiers, and the agent, in the same moment: one of them ends it, and once. */
static void
test_revoked_at_once (void)
{
  g_autofree char *token = NULL;
  g_autoptr (TestVault) test = two_notifiers (1, &token);
  g_autofree char *id = test_approved (test, token, "g", HOUR);
  g_autoptr (TestReply) redeem = test_reply_new ();
  int first = -1, second = -1;

  test_drain ();
  test->ports->hold_writes = TRUE;
  sp_vault_answer (test->vault, "tg", test_ports_last (test->ports, "tg", TEST_GRANT, FALSE)->id,
                   "revoke", "22", NULL, take_answer, &first);
  sp_vault_answer (test->vault, "mail",
                   test_ports_last (test->ports, "mail", TEST_GRANT, FALSE)->id, "revoke", "a@x",
                   NULL, take_answer, &second);
  sp_vault_redeem (test->vault, token, id, test_reply_take, redeem);
  test_ports_release (test->ports);
  test_reply_wait (redeem);
  test_drain ();
  g_assert_cmpint (first, ==, SP_ANSWER_TAKEN);
  g_assert_cmpint (second, ==, SP_ANSWER_TOO_LATE);
  test_assert_problem (redeem, SP_PROBLEM_REVOKED);
  g_assert_cmpuint (test_count_events (test, "request.revoked"), ==, 1);
}

static void
test_revoked_by_the_admin (void)
{
  g_autofree char *token = NULL;
  g_autoptr (TestVault) test = two_notifiers (1, &token);
  g_autofree char *one = test_approved (test, token, "g", HOUR);
  g_autofree char *params = g_strdup_printf ("{\"id\":\"%s\"}", one);
  g_autofree char *two = NULL;

  test_drain ();
  test_reply_free (test_admin (test, "grant.revoke", params));
  assert_settled (test, "tg", TEST_GRANT, SP_OUTCOME_REVOKED, "Revoked by admin at ");
  two = test_approved (test, token, "g", HOUR);
  test_drain ();
  test_reply_free (test_admin (test, "secret.rm", "{\"name\":\"g\"}"));
  test_drain ();
  g_assert_cmpuint (test_ports_n (test->ports, "mail", TEST_GRANT, TRUE), ==, 2);
  assert_get (test, token, two, "revoked");
}

static void
test_runs_out (void)
{
  g_autofree char *token = NULL, *sentence = NULL;
  g_autoptr (TestVault) test = two_notifiers (1, &token);
  g_autofree char *id = test_approved (test, token, "g", HOUR);

  test_drain ();
  test_clock_advance (&test->clock, HOUR);
  sp_vault_tick (test->vault);
  assert_settled (test, "mail", TEST_GRANT, SP_OUTCOME_EXPIRED, "its time has run out");
  assert_get (test, token, id, "expired");
  g_assert_cmpint (revoke_at (test, "mail", "a@x", &sentence), ==, SP_ANSWER_TOO_LATE);
  g_assert_cmpstr (sentence, ==, "too late: it has run out");
}

/* The end comes while nobody runs, or while the notifier can't be told. */
static void
test_after_a_restart (void)
{
  g_autofree char *token = NULL, *id = NULL;
  g_autoptr (TestVault) test = two_notifiers (1, &token);
  g_autofree char *first = test_approved (test, token, "g", HOUR);
  g_autofree char *second = test_approved (test, token, "g", HOUR / 2);

  g_assert_nonnull (first);
  test_drain ();
  id = g_strdup (test_ports_last (test->ports, "tg", TEST_GRANT, FALSE)->id);
  test_vault_close (test);
  test_ports_forget (test->ports);
  test_clock_advance (&test->clock, HOUR / 2);
  test_vault_open (test);
  test_drain ();
  g_assert_cmpuint (test_ports_n (test->ports, "tg", TEST_GRANT, FALSE), ==, 1);
  g_assert_cmpuint (test_ports_n (test->ports, "tg", TEST_ASK, TRUE), ==, 0);
  g_assert_cmpstr (test_ports_last (test->ports, "tg", TEST_GRANT, TRUE)->id, ==, id);
  g_assert_cmpuint (test_ports_n (test->ports, "mail", TEST_GRANT, TRUE), ==, 1);
  assert_get (test, token, second, "expired");
  g_assert_cmpint (revoke_at (test, "tg", "11", NULL), ==, SP_ANSWER_TAKEN);
  assert_get (test, token, first, "revoked");
}

static void
test_revoking_is_tried_again (void)
{
  g_autofree char *token = NULL;
  g_autoptr (TestVault) test = two_notifiers (1, &token);
  g_autofree char *id = test_approved (test, token, "g", HOUR);

  test_drain ();
  test_ports_fail_writes (test->ports, TEST_FAULT_NO_EFFECT, 1);
  g_assert_cmpint (revoke_at (test, "tg", "11", NULL), ==, SP_ANSWER_TRY_AGAIN);
  assert_get (test, token, id, "approved");
  g_assert_cmpint (revoke_at (test, "tg", "11", NULL), ==, SP_ANSWER_TAKEN);
}

/* ---- two notifiers ----------------------------------------------------------------------------------------- */

static void
test_people_count_not_ids (void)
{
  g_autofree char *token = NULL, *counted = NULL, *late = NULL;
  g_autoptr (TestVault) test = two_notifiers (2, &token);
  g_autoptr (TestReply) made = test_create (test, token, "db");

  g_assert_cmpint (test_answer_at (test, "tg", TEST_ASK, "approve", "11", NULL), ==,
                   SP_ANSWER_COUNTED);
  g_assert_cmpint (test_answer_at (test, "mail", TEST_ASK, "approve", "a@x", &counted), ==,
                   SP_ANSWER_COUNTED);
  g_assert_cmpstr (counted, ==, "your approval is counted already");
  assert_get (test, token, made->id, "pending");
  /* An id of one channel is nobody at the other. */
  g_assert_cmpint (test_answer_at (test, "mail", TEST_ASK, "approve", "22", NULL), ==,
                   SP_ANSWER_NOT_ALLOWED);
  g_assert_cmpint (test_answer_at (test, "mail", TEST_ASK, "approve", "b@x", NULL), ==,
                   SP_ANSWER_TAKEN);
  assert_get (test, token, made->id, "approved");
  assert_settled (test, "tg", TEST_ASK, SP_OUTCOME_APPROVED,
                  "Approved by alice and bob via mail at ");
  g_assert_cmpint (test_answer_at (test, "tg", TEST_ASK, "deny", "11", &late), ==,
                   SP_ANSWER_TOO_LATE);
  g_assert_cmpstr (late, ==, "too late: approved by bob via mail");
}

/* The notice of one notifier is no notice of the other. */
static void
test_notices_are_of_one_notifier (void)
{
  g_autofree char *token = NULL;
  g_autoptr (TestVault) test = two_notifiers (1, &token);
  g_autoptr (TestReply) made = test_create (test, token, "db");
  const TestNotice *mail;

  test_drain ();
  mail = test_ports_last (test->ports, "mail", TEST_ASK, FALSE);
  g_assert_cmpint (test_answer_to (test, mail->id, "approve", "11", NULL), ==, SP_ANSWER_UNKNOWN);
  assert_get (test, token, made->id, "pending");
}

static void
test_deny_ends_it (void)
{
  g_autofree char *token = NULL;
  g_autoptr (TestVault) test = two_notifiers (2, &token);
  g_autoptr (TestReply) made = test_create (test, token, "db");

  g_assert_cmpint (test_answer_at (test, "tg", TEST_ASK, "approve", "11", NULL), ==,
                   SP_ANSWER_COUNTED);
  g_assert_cmpint (test_answer_at (test, "mail", TEST_ASK, "deny", "b@x", NULL), ==,
                   SP_ANSWER_TAKEN);
  assert_get (test, token, made->id, "denied");
  assert_settled (test, "tg", TEST_ASK, SP_OUTCOME_DENIED, "Denied by bob via mail at ");
  assert_settled (test, "mail", TEST_ASK, SP_OUTCOME_DENIED, "Denied by bob via mail at ");
}

/* Fewer are needed since: who has approved already may say so again, and it is enough. */
static void
test_lower_quorum (void)
{
  g_autofree char *token = NULL;
  g_autoptr (TestVault) test = two_notifiers (2, &token);
  g_autoptr (TestReply) made = test_create (test, token, "db");

  g_assert_cmpint (test_answer_at (test, "tg", TEST_ASK, "approve", "11", NULL), ==,
                   SP_ANSWER_COUNTED);
  test->quorum = 1;
  test_vault_reopen (test);
  g_assert_cmpint (test_answer_at (test, "tg", TEST_ASK, "approve", "11", NULL), ==,
                   SP_ANSWER_TAKEN);
  assert_get (test, token, made->id, "approved");
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/vault/grant/shown", test_shown);
  g_test_add_func ("/vault/grant/single-use-has-none", test_single_use_has_none);
  g_test_add_func ("/vault/grant/revoked-by-a-person", test_revoked_by_a_person);
  g_test_add_func ("/vault/grant/revoked-at-once", test_revoked_at_once);
  g_test_add_func ("/vault/grant/revoked-by-the-admin", test_revoked_by_the_admin);
  g_test_add_func ("/vault/grant/runs-out", test_runs_out);
  g_test_add_func ("/vault/grant/after-a-restart", test_after_a_restart);
  g_test_add_func ("/vault/grant/revoking-is-tried-again", test_revoking_is_tried_again);
  g_test_add_func ("/vault/two-notifiers/people-count-not-ids", test_people_count_not_ids);
  g_test_add_func ("/vault/two-notifiers/notices-are-of-one-notifier",
                   test_notices_are_of_one_notifier);
  g_test_add_func ("/vault/two-notifiers/deny-ends-it", test_deny_ends_it);
  g_test_add_func ("/vault/two-notifiers/lower-quorum", test_lower_quorum);
  return g_test_run ();
}
