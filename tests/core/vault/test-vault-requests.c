/* test-vault-requests.c - an agent asks, waits, withdraws and redeems; and what it never gets */
#include <string.h>

#include "base/rpc.h"
#include "test-vault.h"

static void
test_create_get_list_cancel (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autoptr (TestReply) made = test_create (test, token, "db");
  g_autoptr (TestReply) got = NULL;
  g_autoptr (TestReply) gone = NULL;
  g_autoptr (TestReply) list = test_reply_new ();

  test_assert_status (made, "pending");
  g_assert_cmpstr (made->id, ==, test_reply_string (made, "id"));
  got = test_get (test, token, made->id);
  test_assert_status (got, "pending");
  sp_vault_list (test->vault, token, "", 0, test_reply_take, list);
  test_reply_wait (list);
  g_assert_cmpuint (json_array_get_length (test_reply_items (list)), ==, 1);
  gone = test_cancel (test, token, made->id);
  test_assert_status (gone, "cancelled");
  test_reply_free (g_steal_pointer (&gone));
  gone = test_cancel (test, token, made->id);
  test_assert_problem (gone, SP_PROBLEM_CANCELLED);
}

static void
test_bad_requests (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autofree char *longest = g_strnfill (500, 'x');
  g_autofree char *longer = g_strnfill (501, 'x');
  const struct {
    const char *token, *secret, *reason;
    gint64 ttl;
    int problem; /* -1: none */
  } asked[] = {
    { "sp_no", "db", "why", -1, SP_PROBLEM_UNAUTHORIZED },
    { "", "db", "why", -1, SP_PROBLEM_UNAUTHORIZED },
    { token, "nothing", "why", -1, SP_PROBLEM_NOT_FOUND },
    { token, "db", "", -1, SP_PROBLEM_INVALID },
    { token, "db", longer, -1, SP_PROBLEM_INVALID },
    { token, "db", longest, -1, -1 },
    { token, "db", "why", 29, SP_PROBLEM_INVALID },
    { token, "db", "why", 3601, SP_PROBLEM_INVALID },
    { token, "db", "why", 0, SP_PROBLEM_INVALID },
    { token, "db", "why", 30, -1 },
    { token, "db", "why", 3600, -1 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (asked); i++) {
    g_autoptr (TestReply) reply =
        test_create_full (test, asked[i].token, "", asked[i].secret, asked[i].reason, asked[i].ttl);
    if (asked[i].problem < 0)
      test_assert_ok (reply);
    else
      test_assert_problem (reply, (guint) asked[i].problem);
  }
}

static void
test_redeem_once (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autofree char *id = test_approved (test, token, "db", 0);
  g_autoptr (TestReply) value = test_redeem (test, token, id);
  g_autoptr (TestReply) again = test_redeem (test, token, id);
  g_autoptr (TestReply) got = test_get (test, token, id);

  test_assert_ok (value);
  g_assert_cmpmem (value->value, value->length, "hunter2", 7);
  g_assert_cmpuint (value->version, ==, 1);
  test_assert_problem (again, SP_PROBLEM_USED);
  test_assert_status (got, "used");
  g_assert_cmpint (test_reply_int (got, "uses_left"), ==, 0);
}

static void
test_redeem_unapproved (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autoptr (TestReply) made = test_create (test, token, "db");
  g_autoptr (TestReply) redeemed = test_redeem (test, token, made->id);

  test_assert_problem (redeemed, SP_PROBLEM_PENDING);
  g_assert_null (redeemed->value);
}

static void
test_64_at_once (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autofree char *id = test_approved (test, token, "db", 0);
  TestReply *replies[64];
  guint values = 0;

  for (guint i = 0; i < 64; i++) {
    replies[i] = test_reply_new ();
    sp_vault_redeem (test->vault, token, id, test_reply_take, replies[i]);
  }
  for (guint i = 0; i < 64; i++) {
    test_reply_wait (replies[i]);
    if (replies[i]->value != NULL)
      values++;
    else
      test_assert_problem (replies[i], SP_PROBLEM_USED);
    test_reply_free (replies[i]);
  }
  g_assert_cmpuint (values, ==, 1);
  g_assert_cmpuint (test_count_events (test, "request.redeemed"), ==, 1);
}

static void
test_redeem_while_writing_fails (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autofree char *id = test_approved (test, token, "db", 0);
  g_autoptr (TestReply) failed = NULL;
  g_autoptr (TestReply) value = NULL;

  test_drain ();
  test_ports_fail_writes (test->ports, TEST_FAULT_NO_EFFECT, 1);
  failed = test_redeem (test, token, id);
  test_assert_problem (failed, SP_PROBLEM_STORE);
  g_assert_null (failed->value);
  value = test_redeem (test, token, id);
  test_assert_ok (value);
  g_assert_cmpuint (test->ports->fatals, ==, 0);
}

static void
test_redeem_with_lost_reply (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autofree char *id = test_approved (test, token, "db", 0);
  g_autoptr (TestReply) value = NULL;
  g_autoptr (TestReply) again = NULL;

  test_drain ();
  test_ports_fail_writes (test->ports, TEST_FAULT_LOST_REPLY, 1);
  value = test_redeem (test, token, id);
  test_assert_ok (value);
  again = test_redeem (test, token, id);
  test_assert_problem (again, SP_PROBLEM_USED);
  test_vault_reopen (test);
  test_reply_free (g_steal_pointer (&again));
  again = test_redeem (test, token, id);
  test_assert_problem (again, SP_PROBLEM_USED);
}

static void
test_no_value_before_the_record (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autofree char *id = test_approved (test, token, "db", 0);
  g_autoptr (TestReply) value = test_reply_new ();

  test_drain ();
  test->ports->hold_writes = TRUE;
  sp_vault_redeem (test->vault, token, id, test_reply_take, value);
  test_drain ();
  g_assert_false (value->done);
  test_ports_release (test->ports);
  test_reply_wait (value);
  test_assert_ok (value);
}

/* ---- Idempotency-Key ------------------------------------------------------------------------------------- */

static void
test_same_key (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autofree char *other_token = test_add_agent (test, "b");
  g_autoptr (TestReply) one = test_create_full (test, token, "k", "db", "why", -1);
  g_autoptr (TestReply) same = test_create_full (test, token, "k", "db", "why", 600);
  g_autoptr (TestReply) other = test_create_full (test, token, "k", "db", "else", -1);
  g_autoptr (TestReply) stranger = test_create_full (test, other_token, "k", "db", "why", -1);
  g_autoptr (TestReply) later = NULL;

  g_assert_cmpstr (one->id, ==, same->id);
  test_assert_problem (other, SP_PROBLEM_IDEMPOTENCY_MISMATCH);
  g_assert_cmpstr (one->id, !=, stranger->id);
  test_vault_reopen (test);
  later = test_create_full (test, token, "k", "db", "why", -1);
  g_assert_cmpstr (one->id, ==, later->id);
}

static void
test_same_key_at_once (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autoptr (TestReply) one = test_reply_new (), same = test_reply_new (),
                        other = test_reply_new ();

  sp_vault_create (test->vault, token, "k", "db", "why", -1, test_reply_take, one);
  sp_vault_create (test->vault, token, "k", "db", "why", -1, test_reply_take, same);
  sp_vault_create (test->vault, token, "k", "db", "else", -1, test_reply_take, other);
  test_reply_wait (one);
  test_reply_wait (same);
  test_reply_wait (other);
  g_assert_cmpstr (one->id, ==, same->id);
  test_assert_problem (other, SP_PROBLEM_IDEMPOTENCY_MISMATCH);
  g_assert_cmpuint (test_count_events (test, "request.created"), ==, 1);
}

static void
test_same_key_after_failure (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autoptr (TestReply) one = test_reply_new (), same = test_reply_new (), third = NULL;

  test_drain ();
  test_ports_fail_writes (test->ports, TEST_FAULT_NO_EFFECT, 1);
  sp_vault_create (test->vault, token, "k", "db", "why", -1, test_reply_take, one);
  sp_vault_create (test->vault, token, "k", "db", "why", -1, test_reply_take, same);
  test_reply_wait (one);
  test_reply_wait (same);
  test_assert_problem (one, SP_PROBLEM_STORE);
  test_assert_status (same, "pending");
  third = test_create_full (test, token, "k", "db", "why", -1);
  g_assert_cmpstr (third->id, ==, same->id);
}

/* ---- limits and walls between agents ------------------------------------------------------------------------ */

static void
test_allow_lists (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autofree char *other = test_add_agent (test, "b");
  g_autoptr (TestReply) put = test_put (test, "{\"name\":\"own\",\"allow\":[\"b\"]}", "v");
  g_autoptr (TestReply) hidden = test_create (test, token, "own");
  g_autoptr (TestReply) absent = test_create (test, token, "owm");
  g_autoptr (TestReply) mine = test_create (test, other, "own");
  g_autoptr (TestReply) theirs = test_get (test, token, mine->id);
  g_autoptr (TestReply) nothing = test_get (test, token, "nothing");
  g_autoptr (TestReply) list = test_reply_new ();

  test_assert_ok (put);
  test_assert_problem (hidden, SP_PROBLEM_NOT_FOUND);
  test_assert_problem (absent, SP_PROBLEM_NOT_FOUND);
  g_assert_cmpint (strlen (hidden->error->message), ==, strlen (absent->error->message));
  test_assert_problem (theirs, SP_PROBLEM_NOT_FOUND);
  test_assert_problem (nothing, SP_PROBLEM_NOT_FOUND);
  sp_vault_secrets (test->vault, token, "", test_reply_take, list);
  test_reply_wait (list);
  g_assert_cmpuint (json_array_get_length (test_reply_items (list)), ==, 1);
}

static void
test_allow_list_shortened (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autofree char *id = test_approved (test, token, "db", 3600);
  g_autoptr (TestReply) put = test_put (test, "{\"name\":\"db\",\"allow\":[]}", "new");
  g_autoptr (TestReply) redeemed = test_redeem (test, token, id);

  test_assert_ok (put);
  test_assert_problem (redeemed, SP_PROBLEM_REVOKED);
}

static void
test_rate_limit (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = NULL;
  guint limited = 0;

  test->rate = 5;
  token = test_vault_start (test);
  for (guint i = 0; i < 12; i++) {
    g_autoptr (TestReply) reply = test_get (test, token, "x");

    limited += g_error_matches (reply->error, SP_PROBLEM, SP_PROBLEM_RATE_LIMITED);
  }
  g_assert_cmpuint (limited, ==, 2);
  test_clock_advance (&test->clock, 1);
  for (guint i = 0; i < 5; i++) {
    g_autoptr (TestReply) reply = test_get (test, token, "x");

    test_assert_problem (reply, SP_PROBLEM_NOT_FOUND);
  }
}

static void
test_pending_limit (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = NULL;
  g_autoptr (TestReply) one = NULL, two = NULL, three = NULL, four = NULL, gone = NULL;

  test->pending = 2;
  token = test_vault_start (test);
  one = test_create (test, token, "db");
  two = test_create (test, token, "db");
  three = test_create (test, token, "db");
  test_assert_ok (two);
  test_assert_problem (three, SP_PROBLEM_RATE_LIMITED);
  g_assert_cmpuint (sp_problem_retry_after (three->error), >, 0);
  gone = test_cancel (test, token, one->id);
  four = test_create (test, token, "db");
  test_assert_ok (four);
}

/* Whoever is refused hears whose limit it was. */
static void
test_pending_limit_of_all (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autofree char *other = test_add_agent (test, "b");
  g_autoptr (TestReply) refused = NULL;

  for (guint i = 0; i < 512; i++) {
    g_autoptr (TestReply) made = test_create (test, token, "db");

    test_assert_ok (made);
  }
  refused = test_create (test, other, "db");
  test_assert_problem (refused, SP_PROBLEM_RATE_LIMITED);
  g_assert_nonnull (strstr (refused->error->message, "512 requests wait"));
}

static void
test_no_notifier_works (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autoptr (TestReply) reply = NULL;

  test->ports->usable = FALSE;
  reply = test_create (test, token, "db");
  test_assert_problem (reply, SP_PROBLEM_NOTIFIER);
}

/* What an agent writes must not keep the administrator from seeing the list. */
static void
test_list_fits_a_line (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autofree char *reason = g_strnfill (500, '\001');
  g_autoptr (TestReply) list = NULL;
  g_autofree char *text = NULL;

  for (guint i = 0; i < 100; i++) {
    g_autoptr (TestReply) made = test_create_full (test, token, "", "db", reason, -1);

    g_assert_nonnull (made);
  }
  list = test_admin (test, "request.list", "{}");
  text = json_to_string (list->json, FALSE);
  g_assert_cmpuint (strlen (text), <, SP_RPC_MAX_LINE - 200);
}

/* ---- waiting ------------------------------------------------------------------------------------------------- */

static void
test_wait_for_a_decision (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autoptr (TestReply) made = test_create (test, token, "db");
  g_autoptr (TestReply) polled = test_reply_new (), over = test_reply_new ();
  gpointer wait = NULL, other_wait = NULL;

  sp_vault_get (test->vault, token, made->id, TRUE, &wait, test_reply_take, polled);
  sp_vault_get (test->vault, token, made->id, TRUE, &other_wait, test_reply_take, over);
  test_drain ();
  g_assert_nonnull (wait);
  g_assert_false (polled->done);
  sp_vault_get_now (test->vault, other_wait);
  test_reply_wait (over);
  test_assert_status (over, "pending");
  test_approve (test, made->id, 0);
  test_reply_wait (polled);
  test_assert_status (polled, "approved");
  /* What no longer waits must not be given back: the handle is gone with it. */
  g_assert_null (wait);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/vault/requests/create-get-list-cancel", test_create_get_list_cancel);
  g_test_add_func ("/vault/requests/bad-ones-are-refused", test_bad_requests);
  g_test_add_func ("/vault/redeem/once", test_redeem_once);
  g_test_add_func ("/vault/redeem/unapproved", test_redeem_unapproved);
  g_test_add_func ("/vault/redeem/64-at-once-give-one-value", test_64_at_once);
  g_test_add_func ("/vault/redeem/write-fails-approval-stands", test_redeem_while_writing_fails);
  g_test_add_func ("/vault/redeem/lost-reply-is-used", test_redeem_with_lost_reply);
  g_test_add_func ("/vault/redeem/no-value-before-the-record", test_no_value_before_the_record);
  g_test_add_func ("/vault/idempotency/same-key", test_same_key);
  g_test_add_func ("/vault/idempotency/same-key-at-once", test_same_key_at_once);
  g_test_add_func ("/vault/idempotency/after-failure-of-the-first", test_same_key_after_failure);
  g_test_add_func ("/vault/limits/allow-lists", test_allow_lists);
  g_test_add_func ("/vault/limits/allow-list-shortened", test_allow_list_shortened);
  g_test_add_func ("/vault/limits/rate", test_rate_limit);
  g_test_add_func ("/vault/limits/pending", test_pending_limit);
  g_test_add_func ("/vault/limits/pending-of-all", test_pending_limit_of_all);
  g_test_add_func ("/vault/limits/no-notifier-works", test_no_notifier_works);
  g_test_add_func ("/vault/limits/list-fits-a-line", test_list_fits_a_line);
  g_test_add_func ("/vault/wait/for-a-decision", test_wait_for_a_decision);
  return g_test_run ();
}
