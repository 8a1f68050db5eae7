/* test-vault-lock.c - what listed people may ask of the vault, and a vault that somebody has locked */
#include <string.h>

#include "test-vault.h"

static char *
asked (TestVault *test, const char *command)
{
  char *text = NULL;

  g_assert_cmpint (test_command (test, "11", command, &text), ==, SP_ANSWER_TAKEN);
  return text;
}

static void
assert_has (const char *text, const char *part)
{
  if (strstr (text, part) == NULL)
    g_error ("\"%s\" is not in \"%s\"", part, text);
}

static void
assert_get (TestVault *test, const char *token, const char *id, const char *status)
{
  g_autoptr (TestReply) got = test_get (test, token, id);

  test_assert_status (got, status);
}

/* Whatever the vault's calls leave to the next tick. */
static void
settle_down (TestVault *test)
{
  for (guint i = 0; i < 4; i++) {
    test_drain ();
    sp_vault_tick (test->vault);
  }
  test_drain ();
}

/* ---- commands ---------------------------------------------------------------------------------------------- */

static void
test_commands (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autofree char *none = asked (test, "pending"), *no_grant = asked (test, "grants");
  g_autoptr (TestReply) made = NULL;
  g_autofree char *grant = NULL, *status = NULL, *pending = NULL, *grants = NULL, *help = NULL;

  g_assert_cmpstr (none, ==, "nothing waits for a decision");
  g_assert_cmpstr (no_grant, ==, "no grant is open");
  made = test_create_full (test, token, "", "db", "what the agent says", 600);
  grant = test_approved (test, token, "db", 3600);
  test_clock_advance (&test->clock, 150);
  status = asked (test, "status");
  g_assert_true (g_str_has_prefix (
      status, "locked: no\npending: 1\ngrants: 1\nagents: 1\nsecrets: 1\nversion: "));
  pending = asked (test, "pending");
  assert_has (pending, test_reply_string (made, "code"));
  assert_has (pending, ": secret db for agent a, asked 2 min ago, expires in 7 min");
  g_assert_null (strstr (pending, "what the agent says"));
  grants = asked (test, "grants");
  assert_has (grants, "secret db for agent a, approved by admin, for another 57 min");
  help = asked (test, "help");
  for (const char *const *word =
           (const char *const[]){ "help:", "status:", "pending:", "grants:", "lock:", NULL };
       *word != NULL; word++)
    assert_has (help, *word);
  g_assert_cmpuint (test_count_events (test, "approver.command"), ==, 6);
}

static void
test_not_for_everybody (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autofree char *text = NULL;

  g_assert_nonnull (token);
  g_assert_cmpint (test_command (test, "33", "status", &text), ==, SP_ANSWER_NOT_ALLOWED);
  g_assert_cmpstr (text, ==, "you may not ask this");
  g_assert_cmpint (test_command (test, "33", "lock", NULL), ==, SP_ANSWER_NOT_ALLOWED);
  g_assert_cmpint (test_command (test, "a@x", "lock", NULL), ==, SP_ANSWER_NOT_ALLOWED);
  g_assert_cmpint (test_command (test, "11", "unlock", NULL), ==, SP_ANSWER_UNKNOWN);
  g_assert_cmpint (test_command (test, "11", "LOCK", NULL), ==, SP_ANSWER_UNKNOWN);
  g_assert_cmpint (test_command (test, "11", "", NULL), ==, SP_ANSWER_UNKNOWN);
  test_drain ();
  g_assert_false (sp_vault_is_locked (test->vault));
  g_assert_cmpuint (test_count_events (test, "notifier.alarm"), ==, 3);
  g_assert_cmpuint (test_count_events (test, "approver.command"), ==, 0);
}

/* The answers stay short, and questions don't fill the log; locking is not a question. */
static void
test_bounded (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autofree char *pending = NULL, *text = NULL;
  g_auto (GStrv) lines = NULL;

  for (guint i = 0; i < 25; i++)
    test_reply_free (test_create (test, token, "db"));
  pending = asked (test, "pending");
  lines = g_strsplit (pending, "\n", -1);
  g_assert_cmpuint (g_strv_length (lines), ==, 21);
  g_assert_cmpstr (lines[20], ==, "and 5 more");
  for (guint i = 0; i < 29; i++)
    g_free (asked (test, "status"));
  g_assert_cmpint (test_command (test, "11", "status", &text), ==, SP_ANSWER_NOT_ALLOWED);
  assert_has (text, "too many questions");
  g_assert_cmpint (test_command (test, "11", "lock", NULL), ==, SP_ANSWER_TAKEN);
  test_clock_advance (&test->clock, 60);
  g_free (asked (test, "status"));
}

/* Where one of three codes has to be chosen, the right one is not told on the side. */
static void
test_code_is_not_told (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autoptr (TestReply) put = test_put (test, "{\"name\":\"c\",\"confirm\":\"code\"}", "v");
  g_autoptr (TestReply) made = test_create (test, token, "c");
  g_autofree char *pending = asked (test, "pending");

  g_assert_nonnull (put);
  g_assert_null (strstr (pending, test_reply_string (made, "code")));
}

/* ---- the lock ------------------------------------------------------------------------------------------------ */

static void
test_lock (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = NULL, *grant = NULL, *once = NULL, *text = NULL, *again = NULL;
  g_autofree char *status = NULL;
  g_autoptr (TestReply) pending = NULL, made = NULL, redeemed = NULL;

  test->second_notifier = TRUE;
  token = test_vault_start (test);
  pending = test_create (test, token, "db");
  grant = test_approved (test, token, "db", 3600);
  once = test_approved (test, token, "db", 0);
  test_drain ();
  g_assert_cmpint (test_command (test, "22", "lock", &text), ==, SP_ANSWER_TAKEN);
  assert_has (text, "the vault is locked\nrequests that end: 1\ngrants that end: 1\n");
  made = test_create (test, token, "db");
  test_assert_problem (made, SP_PROBLEM_LOCKED);
  redeemed = test_redeem (test, token, grant);
  test_assert_problem (redeemed, SP_PROBLEM_LOCKED);
  settle_down (test);
  assert_get (test, token, pending->id, "cancelled");
  assert_get (test, token, grant, "revoked");
  assert_get (test, token, once, "revoked");
  assert_has (test_ports_last (test->ports, "mail", TEST_ASK, TRUE)->text, "by bob via tg at ");
  assert_has (test_ports_last (test->ports, "mail", TEST_GRANT, TRUE)->text,
              "Revoked by bob via tg at ");
  g_assert_cmpuint (test_ports_n (test->ports, "mail", "The vault is locked", FALSE), ==, 1);
  g_assert_cmpuint (test_ports_n (test->ports, "tg", "The vault is locked", FALSE), ==, 1);
  again = asked (test, "lock");
  assert_has (again, "locked: by bob via tg at ");
  g_assert_cmpuint (test_count_events (test, "lock.set"), ==, 1);
  status = asked (test, "status");
  assert_has (status, "locked: by bob via tg at ");
}

static void
test_unlock (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autoptr (TestReply) set = NULL, twice = NULL, cleared = NULL, not_locked = NULL, made = NULL;

  set = test_admin (test, "lock.set", "{}");
  g_assert_true (json_object_get_boolean_member (test_reply_object (set), "locked"));
  g_assert_cmpstr (test_reply_string (set, "locked_by"), ==, "admin");
  g_assert_null (test_reply_string (set, "locked_via"));
  twice = test_admin (test, "lock.set", "{}");
  test_assert_ok (twice);
  g_assert_cmpuint (test_count_events (test, "lock.set"), ==, 1);
  cleared = test_admin (test, "lock.clear", "{}");
  g_assert_false (json_object_get_boolean_member (test_reply_object (cleared), "locked"));
  not_locked = test_admin (test, "lock.clear", "{}");
  test_assert_problem (not_locked, SP_PROBLEM_CONFLICT);
  made = test_create (test, token, "db");
  test_assert_status (made, "pending");
  test_drain ();
  g_assert_cmpuint (test_ports_n (test->ports, "tg", "The vault is locked", TRUE), ==, 1);
  g_assert_cmpuint (test_ports_count (test->ports, "infos"), ==, 0);
  test_vault_reopen (test);
  g_assert_false (sp_vault_is_locked (test->vault));
}

/* A crash right after: what was open ends after the start. */
static void
test_after_a_restart (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autofree char *grant = test_approved (test, token, "db", 3600);
  g_autoptr (TestReply) made = NULL, clear = NULL;

  test_drain ();
  /* The lock is written, but the end of the grant is not. */
  g_assert_cmpint (test_command (test, "11", "lock", NULL), ==, SP_ANSWER_TAKEN);
  test_ports_fail_writes (test->ports, TEST_FAULT_NO_EFFECT, 1);
  test_drain ();
  assert_get (test, token, grant, "approved");
  clear = test_admin (test, "lock.clear", "{}");
  test_assert_problem (clear, SP_PROBLEM_CONFLICT);
  test_vault_reopen (test);
  g_assert_true (sp_vault_is_locked (test->vault));
  settle_down (test);
  assert_get (test, token, grant, "revoked");
  made = test_create (test, token, "db");
  test_assert_problem (made, SP_PROBLEM_LOCKED);
}

/* It failed: nobody was told that it is locked, and it is not. */
static void
test_not_written (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autoptr (TestReply) made = NULL;

  test_ports_fail_writes (test->ports, TEST_FAULT_NO_EFFECT, 1);
  g_assert_cmpint (test_command (test, "11", "lock", NULL), ==, SP_ANSWER_TRY_AGAIN);
  made = test_create (test, token, "db");
  test_assert_status (made, "pending");
}

/* Asked for, and not written yet: nothing comes in or goes out meanwhile. */
static void
test_at_once (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autofree char *grant = test_approved (test, token, "db", 3600);
  g_autoptr (TestReply) redeem = test_reply_new (), set = test_reply_new (), made = NULL;
  g_autoptr (JsonObject) none = json_object_new ();
  g_autoptr (TestReply) approve = NULL, pending = test_create (test, token, "db");
  g_autofree char *params = g_strdup_printf ("{\"id\":\"%s\"}", pending->id);

  test_drain ();
  test->ports->hold_writes = TRUE;
  /* On its way to read the value when the lock comes. */
  sp_vault_redeem (test->vault, token, grant, test_reply_take, redeem);
  g_assert_true (sp_vault_admin (test->vault, "lock.set", none, NULL, test_reply_take, set));
  made = test_create (test, token, "db");
  test_assert_problem (made, SP_PROBLEM_LOCKED);
  test_reply_wait (redeem);
  test_assert_problem (redeem, SP_PROBLEM_LOCKED);
  g_assert_cmpint (test_answer (test, "approve", "11"), ==, SP_ANSWER_TOO_LATE);
  approve = test_admin (test, "request.approve", params);
  test_assert_problem (approve, SP_PROBLEM_LOCKED);
  g_assert_false (set->done);
  test_ports_release (test->ports);
  test_reply_wait (set);
  settle_down (test);
  assert_get (test, token, grant, "revoked");
  assert_get (test, token, pending->id, "cancelled");
}

/* The lock comes when the value's leaving is being written down: it does not leave. */
static void
test_while_redeeming (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autofree char *once = test_approved (test, token, "db", 0);
  g_autofree char *grant = test_approved (test, token, "db", 3600);
  g_autoptr (TestReply) first = test_reply_new (), second = test_reply_new ();
  g_autoptr (TestReply) set = test_reply_new ();
  g_autoptr (JsonObject) none = json_object_new ();

  test_drain ();
  test->ports->hold_writes = TRUE;
  sp_vault_redeem (test->vault, token, once, test_reply_take, first);
  sp_vault_redeem (test->vault, token, grant, test_reply_take, second);
  test_drain ();
  g_assert_true (sp_vault_admin (test->vault, "lock.set", none, NULL, test_reply_take, set));
  test_ports_release (test->ports);
  test_reply_wait (first);
  test_assert_problem (first, SP_PROBLEM_LOCKED);
  test_reply_wait (second);
  test_assert_problem (second, SP_PROBLEM_LOCKED);
  test_reply_wait (set);
  settle_down (test);
  assert_get (test, token, once, "used");
  assert_get (test, token, grant, "revoked");
}

/* An administrator unlocks in the moment that somebody locks: the lock wins, as it was asked for later. */
static void
test_lock_while_unlocking (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autoptr (TestReply) clear = test_reply_new (), made = NULL;
  g_autoptr (JsonObject) none = json_object_new ();
  SpAnswerResult result;

  test_reply_free (test_admin (test, "lock.set", "{}"));
  test_drain ();
  g_assert_true (sp_vault_admin (test->vault, "lock.clear", none, NULL, test_reply_take, clear));
  result = test_command (test, "11", "lock", NULL);
  g_assert_cmpint (result, ==, SP_ANSWER_TAKEN);
  test_reply_wait (clear);
  g_assert_true (sp_vault_is_locked (test->vault));
  made = test_create (test, token, "db");
  test_assert_problem (made, SP_PROBLEM_LOCKED);
  test_vault_reopen (test);
  g_assert_true (sp_vault_is_locked (test->vault));
}

/* Nor can the store bring the vault back to where it was not locked. */
static void
test_lock_row (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autoptr (GError) error = NULL;
  guint before = test_ports_count (test->ports, "meta");

  g_assert_nonnull (token);
  test_reply_free (test_admin (test, "lock.set", "{}"));
  g_assert_cmpuint (test_ports_count (test->ports, "meta"), ==, before + 1);
  test_vault_close (test);
  test_ports_remove (test->ports, "meta/lock");
  error = test_vault_try_open (test);
  g_assert_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/vault/command/texts", test_commands);
  g_test_add_func ("/vault/command/not-for-everybody", test_not_for_everybody);
  g_test_add_func ("/vault/command/bounded", test_bounded);
  g_test_add_func ("/vault/command/code-is-not-told", test_code_is_not_told);
  g_test_add_func ("/vault/lock/ends-all", test_lock);
  g_test_add_func ("/vault/lock/unlock", test_unlock);
  g_test_add_func ("/vault/lock/after-a-restart", test_after_a_restart);
  g_test_add_func ("/vault/lock/not-written", test_not_written);
  g_test_add_func ("/vault/lock/at-once", test_at_once);
  g_test_add_func ("/vault/lock/while-redeeming", test_while_redeeming);
  g_test_add_func ("/vault/lock/while-unlocking", test_lock_while_unlocking);
  g_test_add_func ("/vault/lock/cannot-be-taken-out-of-the-store", test_lock_row);
  return g_test_run ();
}
