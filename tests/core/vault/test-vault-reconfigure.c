/* test-vault-reconfigure.c - other people, notifiers and limits while requests are open */
#include <string.h>

#include "test-vault.h"

typedef struct {
  gboolean done;
  GError *error;
} Applied;

static void
on_applied (const GError *error, gpointer data)
{
  Applied *applied = data;

  g_assert_false (applied->done);
  applied->done = TRUE;
  applied->error = error ? g_error_copy (error) : NULL;
}

/* Consumes @settings. */
static void
apply (TestVault *test, SpVaultSettings *settings)
{
  Applied applied = { 0 };

  sp_vault_reconfigure (test->vault, settings, "what changed", on_applied, &applied);
  g_assert_false (applied.done);
  test_run_until_set (&applied.done);
  test_drain ();
  g_assert_no_error (applied.error);
}

static SpApprover *
approver (SpVaultSettings *settings, guint i)
{
  return g_ptr_array_index (settings->approvers, i);
}

static SpVaultSettings *
without_bob (TestVault *test)
{
  SpVaultSettings *settings = test_vault_settings (test);

  g_ptr_array_remove_index (settings->approvers, 1);
  return settings;
}

static SpVaultSettings *
with_id (TestVault *test, guint i, const char *notifier, const char *id)
{
  SpVaultSettings *settings = test_vault_settings (test);

  g_hash_table_insert (approver (settings, i)->ids, g_strdup (notifier), g_strdup (id));
  return settings;
}

static void
test_people (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autoptr (TestReply) made = test_create (test, token, "db"), got = NULL;

  apply (test, without_bob (test));
  g_assert_cmpint (test_answer (test, "approve", "22"), ==, SP_ANSWER_NOT_ALLOWED);
  g_assert_cmpint (test_answer (test, "approve", "11"), ==, SP_ANSWER_TAKEN);
  got = test_get (test, token, made->id);
  test_assert_status (got, "approved");
  g_assert_cmpuint (test_count_events (test, "config.applied"), ==, 1);
}

/* alice has voted; then she is somebody else, or nobody. */
static void
votes_do_not_count (SpVaultSettings *(*change) (TestVault *test))
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = NULL;
  g_autoptr (TestReply) made = NULL, got = NULL;

  test->quorum = 2;
  token = test_vault_start (test);
  made = test_create (test, token, "db");
  g_assert_cmpint (test_answer (test, "approve", "11"), ==, SP_ANSWER_COUNTED);
  apply (test, change (test));
  /* Not even where she is back as she was before: what is on the disk knows of no vote. */
  test_vault_reopen (test);
  g_assert_cmpint (test_answer (test, "approve", "22"), ==, SP_ANSWER_COUNTED);
  got = test_get (test, token, made->id);
  test_assert_status (got, "pending");
  g_assert_cmpint (test_answer (test, "approve", "11"), ==, SP_ANSWER_TAKEN);
}

static SpVaultSettings *
without_alice (TestVault *test)
{
  SpVaultSettings *settings = test_vault_settings (test);

  g_ptr_array_remove_index (settings->approvers, 0);
  return settings;
}

static SpVaultSettings *
with_other_alice (TestVault *test)
{
  return with_id (test, 0, "tg", "12");
}

static SpVaultSettings *
with_alice_elsewhere (TestVault *test)
{
  SpVaultSettings *settings = with_id (test, 0, "mail", "a@b");

  g_hash_table_remove (approver (settings, 0)->ids, "tg");
  g_ptr_array_add (settings->notifiers, g_strdup ("mail"));
  return settings;
}

static void
test_votes_of_who_is_gone (void)
{
  votes_do_not_count (without_alice);
  votes_do_not_count (with_other_alice);
  votes_do_not_count (with_alice_elsewhere);
}

static void
test_votes_stay (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = NULL;
  g_autoptr (TestReply) made = NULL;
  SpVaultSettings *settings;

  test->quorum = 2;
  token = test_vault_start (test);
  made = test_create (test, token, "db");
  g_assert_cmpint (test_answer (test, "approve", "11"), ==, SP_ANSWER_COUNTED);
  settings = with_id (test, 0, "chat", "alice");
  settings->agent_rate = 7;
  apply (test, settings);
  g_assert_cmpint (test_answer (test, "approve", "22"), ==, SP_ANSWER_TAKEN);
}

static void
test_quorum (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = NULL;
  g_autoptr (TestReply) made = NULL, got = NULL, after = NULL, other = NULL;
  SpVaultSettings *settings;

  test->quorum = 2;
  token = test_vault_start (test);
  made = test_create (test, token, "db");
  g_assert_cmpint (test_answer (test, "approve", "11"), ==, SP_ANSWER_COUNTED);
  test->quorum = 1;
  settings = test_vault_settings (test);
  apply (test, settings);
  /* One vote is enough now, but the one that was given was not meant to be. */
  got = test_get (test, token, made->id);
  test_assert_status (got, "pending");
  g_assert_cmpint (test_answer (test, "approve", "11"), ==, SP_ANSWER_TAKEN);
  after = test_get (test, token, made->id);
  test_assert_status (after, "approved");
  test->quorum = 2;
  apply (test, test_vault_settings (test));
  other = test_create (test, token, "db");
  g_assert_cmpint (test_answer (test, "approve", "11"), ==, SP_ANSWER_COUNTED);
}

static void
test_notifiers (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autoptr (TestReply) made = test_create (test, token, "db"), got = NULL;
  SpVaultSettings *settings = with_id (test, 0, "mail", "a@b");
  g_autofree char *old_notice = NULL;
  const TestNotice *notice = test_ports_notice (test->ports, FALSE, -1);

  old_notice = g_strdup (notice->id);
  g_assert_cmpstr (notice->notifier, ==, "tg");
  g_ptr_array_set_size (settings->notifiers, 0);
  g_ptr_array_add (settings->notifiers, g_strdup ("mail"));
  apply (test, settings);
  /* The new one is shown what waits, the one that is gone is asked nothing any more. */
  notice = test_ports_notice (test->ports, FALSE, -1);
  g_assert_cmpstr (notice->notifier, ==, "mail");
  g_assert_cmpint (test_answer_to (test, old_notice, "approve", "11", NULL), ==,
                   SP_ANSWER_NOT_ALLOWED);
  g_assert_cmpint (test_answer (test, "approve", "a@b"), ==, SP_ANSWER_TAKEN);
  test_drain ();
  g_assert_cmpuint (test_ports_n_notices (test->ports, TRUE), ==, 1);
  g_assert_cmpstr (test_ports_notice (test->ports, TRUE, -1)->notifier, ==, "mail");
  got = test_redeem (test, token, made->id);
  test_assert_ok (got);
}

static void
test_shown_again (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autoptr (TestReply) made = test_create (test, token, "db");
  guint before;

  test_assert_ok (made);
  test_drain ();
  before = test_ports_n_notices (test->ports, FALSE);
  sp_vault_post_again (test->vault, "tg");
  test_drain ();
  g_assert_cmpuint (test_ports_n_notices (test->ports, FALSE), ==, before + 1);
}

/* A call to it is on its way when it goes, and there is more that it was to be told. */
static void
test_gone_while_told (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = NULL;

  test->second_notifier = TRUE;
  token = test_vault_start (test);
  g_assert_nonnull (token);
  for (guint i = 0; i < 3; i++) {
    g_autofree char *what = g_strdup_printf ("alarm %u", i);

    sp_vault_alarm (test->vault, "tg", what);
  }
  test->second_notifier = FALSE;
  apply (test, test_vault_settings (test));
  test_drain ();
  g_assert_cmpuint (test_ports_n (test->ports, "mail", "Alarm from notifier tg", FALSE), ==, 1);
  g_assert_cmpuint (test_ports_count (test->ports, "infos"), ==, 0);
}

static void
take_answer (SpAnswerResult result, const char *sentence, gpointer data)
{
  *(int *) data = (int) result;
}

/* Whoever is about to go decides nothing more, once the log says so. */
static void
test_on_its_way (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autoptr (TestReply) made = test_create (test, token, "db"), got = NULL;
  Applied applied = { 0 };
  const char *notice;
  int result = -1;

  test_drain ();
  notice = test_ports_notice (test->ports, FALSE, -1)->id;
  test->ports->hold_writes = TRUE;
  sp_vault_reconfigure (test->vault, without_bob (test), "people", on_applied, &applied);
  sp_vault_answer (test->vault, "tg", notice, "approve", "22", NULL, take_answer, &result);
  g_assert_cmpint (result, ==, SP_ANSWER_NOT_ALLOWED);
  test_ports_release (test->ports);
  test_run_until_set (&applied.done);
  g_assert_no_error (applied.error);
  got = test_get (test, token, made->id);
  test_assert_status (got, "pending");
}

/* Who has another name under the new settings could vote under both. */
static void
test_names_are_swapped (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = NULL;
  g_autoptr (TestReply) made = NULL, got = NULL;
  SpVaultSettings *settings;
  Applied applied = { 0 };
  const char *notice;
  int result = -1;

  test->quorum = 2;
  token = test_vault_start (test);
  made = test_create (test, token, "db");
  test_drain ();
  notice = test_ports_notice (test->ports, FALSE, -1)->id;
  settings = with_id (test, 0, "tg", "22");
  g_hash_table_insert (approver (settings, 1)->ids, g_strdup ("tg"), g_strdup ("11"));
  test->ports->hold_writes = TRUE;
  sp_vault_reconfigure (test->vault, settings, "people", on_applied, &applied);
  sp_vault_answer (test->vault, "tg", notice, "approve", "11", NULL, take_answer, &result);
  test_ports_release (test->ports);
  test_run_until_set (&applied.done);
  g_assert_no_error (applied.error);
  test_drain ();
  g_assert_cmpint (result, ==, SP_ANSWER_NOT_ALLOWED);
  g_assert_cmpint (test_answer (test, "approve", "11"), ==, SP_ANSWER_COUNTED);
  got = test_get (test, token, made->id);
  test_assert_status (got, "pending");
}

static void
test_store_fails (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autoptr (TestReply) made = test_create (test, token, "db");
  Applied applied = { 0 };

  test_assert_ok (made);
  test_drain ();
  test_ports_fail_writes (test->ports, TEST_FAULT_NO_EFFECT, 1);
  sp_vault_reconfigure (test->vault, without_bob (test), "people", on_applied, &applied);
  test_run_until_set (&applied.done);
  g_assert_error (applied.error, SP_PROBLEM, SP_PROBLEM_STORE);
  g_clear_error (&applied.error);
  g_assert_cmpint (test_answer (test, "approve", "22"), ==, SP_ANSWER_TAKEN);
  g_assert_cmpuint (test_count_events (test, "config.applied"), ==, 0);
}

/* ---- who can be asked --------------------------------------------------------------------------------- */

static void
try_create (TestVault *test, const char *token, gboolean works)
{
  g_autoptr (TestReply) made = test_create (test, token, "db");

  if (works)
    test_assert_ok (made);
  else
    test_assert_problem (made, SP_PROBLEM_NOTIFIER);
  g_assert_true (sp_vault_can_ask (test->vault, NULL) == works);
}

/* Notifiers "tg" (alice, bob) and "mail" (alice), which is optional or not. */
static void
with_two (TestVault *test, gboolean optional)
{
  SpVaultSettings *settings = with_id (test, 0, "mail", "a@b");

  g_hash_table_remove (approver (settings, 1)->ids, "mail");
  g_ptr_array_add (settings->notifiers, g_strdup ("mail"));
  if (optional)
    g_hash_table_add (settings->optional, g_strdup ("mail"));
  apply (test, settings);
}

static void
test_critical (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);

  with_two (test, FALSE);
  try_create (test, token, TRUE);
  test->ports->unusable = "mail";
  try_create (test, token, FALSE);
  with_two (test, TRUE);
  try_create (test, token, TRUE);
  test->ports->unusable = "tg";
  try_create (test, token, FALSE);
}

static void
test_reaches_quorum (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  SpVaultSettings *settings = with_id (test, 0, "mail", "a@b");

  /* Both may be missing, but not both at once; bob has nothing but "tg". */
  g_hash_table_remove (approver (settings, 1)->ids, "mail");
  g_ptr_array_add (settings->notifiers, g_strdup ("mail"));
  g_hash_table_add (settings->optional, g_strdup ("mail"));
  g_hash_table_add (settings->optional, g_strdup ("tg"));
  settings->quorum = 2;
  apply (test, settings);
  try_create (test, token, TRUE);
  test->ports->unusable = "mail";
  try_create (test, token, TRUE);
  test->ports->unusable = "tg";
  try_create (test, token, FALSE);
  test->ports->usable = FALSE;
  try_create (test, token, FALSE);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/vault/reconfigure/people", test_people);
  g_test_add_func ("/vault/reconfigure/votes-of-who-is-gone", test_votes_of_who_is_gone);
  g_test_add_func ("/vault/reconfigure/votes-stay", test_votes_stay);
  g_test_add_func ("/vault/reconfigure/quorum-approves-nothing-by-itself", test_quorum);
  g_test_add_func ("/vault/reconfigure/notifiers", test_notifiers);
  g_test_add_func ("/vault/reconfigure/shown-again", test_shown_again);
  g_test_add_func ("/vault/reconfigure/gone-while-told", test_gone_while_told);
  g_test_add_func ("/vault/reconfigure/nobody-decides-while-on-the-way-out", test_on_its_way);
  g_test_add_func ("/vault/reconfigure/names-are-swapped", test_names_are_swapped);
  g_test_add_func ("/vault/reconfigure/store-fails", test_store_fails);
  g_test_add_func ("/vault/can-ask/critical", test_critical);
  g_test_add_func ("/vault/can-ask/quorum", test_reaches_quorum);
  return g_test_run ();
}
