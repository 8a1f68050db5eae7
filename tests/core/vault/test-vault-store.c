/* test-vault-store.c - a vault opened from what a store holds: all of it, or the right problem */
#include <string.h>

#include "test-vault.h"

static void
assert_refused (TestVault *test)
{
  g_autoptr (GError) error = NULL;

  test_vault_close (test);
  error = test_vault_try_open (test);
  g_assert_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY);
}

static void
test_everything_is_there (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autofree char *id = test_approved (test, token, "db", 0);
  g_autoptr (TestReply) pending = test_create (test, token, "db");
  g_autoptr (TestReply) got = NULL, value = NULL, verified = NULL;

  test_drain ();
  test_vault_anchor (test);
  test_vault_reopen (test);
  got = test_get (test, token, pending->id);
  test_assert_status (got, "pending");
  value = test_redeem (test, token, id);
  test_assert_ok (value);
  g_assert_cmpstr (value->value, ==, "hunter2");
  verified = test_admin (test, "audit.verify", "{}");
  g_assert_true (json_object_get_boolean_member (test_reply_object (verified), "ok"));
}

static void
test_put_after_reopening (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autoptr (TestReply) put = NULL, value = NULL;
  g_autofree char *id = NULL;

  test_vault_reopen (test);
  put = test_put (test, "{\"name\":\"db\"}", "new");
  g_assert_cmpuint (test->ports->fatals, ==, 0);
  g_assert_cmpint (test_reply_int (put, "version"), ==, 2);
  id = test_approved (test, token, "db", 0);
  value = test_redeem (test, token, id);
  test_assert_ok (value);
  g_assert_cmpstr (value->value, ==, "new");
}

static void
test_rm_after_reopening (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autoptr (TestReply) removed = NULL;

  g_assert_nonnull (token);
  test_vault_reopen (test);
  removed = test_admin (test, "secret.rm", "{\"name\":\"db\"}");
  test_assert_ok (removed);
  g_assert_cmpuint (test->ports->fatals, ==, 0);
  g_assert_cmpuint (test_ports_count (test->ports, "values"), ==, 0);
}

static void
test_rotation (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autofree char *id = test_approved (test, token, "db", 3600);
  g_autoptr (TestReply) rotated = test_admin (test, "secret.rotate", "{}");
  g_autoptr (TestReply) value = test_redeem (test, token, id), later = NULL;

  g_assert_cmpint (test_reply_int (rotated, "epoch"), ==, 2);
  g_assert_cmpint (test_reply_int (rotated, "secrets"), ==, 1);
  g_assert_cmpstr (value->value, ==, "hunter2");
  test_vault_reopen (test);
  later = test_redeem (test, token, id);
  test_assert_ok (later);
  g_assert_cmpstr (later->value, ==, "hunter2");
}

static void
test_other_keys (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);

  g_assert_nonnull (token);
  test->master = 8;
  assert_refused (test);
  test->master = 7;
  test->vault_id = "7b0e2f3c-0000-4000-8000-000000000002";
  assert_refused (test);
  test->vault_id = TEST_VAULT_ID;
  test_vault_reopen (test);
}

static void
test_emptied (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);

  g_assert_nonnull (token);
  test_drain ();
  test_vault_anchor (test);
  test_vault_close (test);
  test_ports_clear (test->ports);
  assert_refused (test);
}

static void
test_head_or_vault_row_missing (void)
{
  static const char *const names[] = { "meta/head", "meta/vault" };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autoptr (TestVault) test = test_vault_new ();
    g_autofree char *token = test_vault_start (test);

    g_assert_nonnull (token);
    test_vault_close (test);
    test_ports_remove (test->ports, names[i]);
    assert_refused (test);
  }
}

static void
test_set_back (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  GTree *saved;

  test_drain ();
  saved = test_ports_save (test->ports);
  g_free (test_approved (test, token, "db", 0));
  test_drain ();
  test_vault_anchor (test);
  test_vault_close (test);
  test_ports_restore (test->ports, saved);
  g_tree_unref (saved);
  assert_refused (test);
}

static void
test_audit_end_cut (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autofree char *last = NULL;

  g_assert_nonnull (token);
  test_drain ();
  test_vault_anchor (test);
  test_vault_close (test);
  last = g_strdup (test_ports_row (test->ports, "audit", -1));
  test_ports_remove (test->ports, last);
  assert_refused (test);
}

static void
test_audit_exchanged (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);

  g_assert_nonnull (token);
  test_drain ();
  test_vault_anchor (test);
  test_vault_close (test);
  test_ports_swap (test->ports, test_ports_row (test->ports, "audit", -1),
                   test_ports_row (test->ports, "audit", 0));
  assert_refused (test);
}

static void
test_any_row_changed (void)
{
  static const char *const tables[] = { "meta", "agents", "secrets", "requests" };

  for (gsize i = 0; i < G_N_ELEMENTS (tables); i++) {
    g_autoptr (TestVault) test = test_vault_new ();
    g_autofree char *token = test_vault_start (test);
    g_autofree char *id = test_approved (test, token, "db", 0);

    g_assert_nonnull (id);
    test_vault_close (test);
    test_ports_flip (test->ports, test_ports_row (test->ports, tables[i], 0), 20);
    assert_refused (test);
  }
}

static void
test_swapped_rows (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autofree char *other = test_add_agent (test, "b");

  g_assert_nonnull (token);
  g_assert_nonnull (other);
  test_vault_close (test);
  test_ports_swap (test->ports, test_ports_row (test->ports, "agents", 0),
                   test_ports_row (test->ports, "agents", 1));
  assert_refused (test);
}

/* The row is this vault's own and was true once: a revoked agent would come back. */
static void
test_row_set_back (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autoptr (TestReply) revoked = NULL;
  GTree *saved;

  g_assert_nonnull (token);
  test_drain ();
  saved = test_ports_save (test->ports);
  revoked = test_admin (test, "agent.revoke", "{\"name\":\"a\"}");
  test_assert_ok (revoked);
  test_drain ();
  test_vault_anchor (test);
  test_vault_close (test);
  test_ports_restore_row (test->ports, saved, test_ports_row (test->ports, "agents", 0));
  g_tree_unref (saved);
  assert_refused (test);
}

static void
test_swapped_values (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autoptr (TestReply) put = test_put (test, "{\"name\":\"other\"}", "x"), value = NULL;
  g_autofree char *id = test_approved (test, token, "db", 0);

  test_assert_ok (put);
  test_drain ();
  test_ports_swap (test->ports, test_ports_row (test->ports, "values", 0),
                   test_ports_row (test->ports, "values", 1));
  value = test_redeem (test, token, id);
  test_assert_problem (value, SP_PROBLEM_INTEGRITY);
  g_assert_null (value->value);
}

/* A store that is out of reach is not a store that was exchanged. */
static void
test_anchor_out_of_reach (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  g_autoptr (GError) error = NULL;

  g_assert_nonnull (token);
  test_drain ();
  test_vault_anchor (test);
  test_vault_close (test);
  test->ports->fault_reads = 1;
  error = test_vault_try_open (test);
  g_assert_nonnull (error);
  g_assert_cmpint (sp_problem_code (error), !=, SP_PROBLEM_INTEGRITY);
}

/* ---- audit.verify -------------------------------------------------------------------------------------------- */

static void
assert_verified (TestVault *test, gboolean ok, gint64 first_bad)
{
  g_autoptr (TestReply) reply = test_admin (test, "audit.verify", "{}");
  JsonObject *object = test_reply_object (reply);

  g_assert_cmpint (json_object_get_boolean_member (object, "ok"), ==, ok);
  if (first_bad > 0)
    g_assert_cmpint (json_object_get_int_member (object, "first_bad"), ==, first_bad);
  else if (ok)
    g_assert_true (json_object_get_null_member (object, "first_bad"));
}

static void
test_verify (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  GTree *saved;
  int last;

  g_free (test_approved (test, token, "db", 0));
  test_drain ();
  last = (int) test_ports_count (test->ports, "audit");
  assert_verified (test, TRUE, 0);
  saved = test_ports_save (test->ports);
  for (int n = 1; n <= last; n++) {
    g_autofree char *name = g_strdup (test_ports_row (test->ports, "audit", n - 1));

    test_ports_flip (test->ports, name, 30);
    assert_verified (test, FALSE, n);
    test_ports_restore_row (test->ports, saved, name);
    test_ports_remove (test->ports, name);
    assert_verified (test, FALSE, n);
    test_ports_restore_row (test->ports, saved, name);
  }
  assert_verified (test, TRUE, 0);
  g_tree_unref (saved);
}

/* Both histories are this vault's own, and chained; only one of them is what the head says. */
static void
test_verify_other_history (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = test_vault_start (test);
  GTree *before, *one;
  const char *name;

  g_assert_nonnull (token);
  test_vault_close (test);
  before = test_ports_save (test->ports);
  test_vault_open (test);
  g_free (test_add_agent (test, "x"));
  test_vault_close (test);
  one = test_ports_save (test->ports);
  test_ports_restore (test->ports, before);
  g_tree_unref (before);
  test_clock_advance (&test->clock, 5);
  test_vault_open (test);
  g_free (test_add_agent (test, "y"));
  name = test_ports_row (test->ports, "audit", -2 + (int) test_ports_count (test->ports, "audit"));
  test_ports_restore_row (test->ports, one, name);
  test_ports_restore_row (test->ports, one, test_ports_row (test->ports, "audit", -1));
  g_tree_unref (one);
  assert_verified (test, FALSE, 0);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/vault/open/everything-is-there", test_everything_is_there);
  g_test_add_func ("/vault/open/other-keys-or-vault", test_other_keys);
  g_test_add_func ("/vault/open/emptied-store", test_emptied);
  g_test_add_func ("/vault/open/head-or-vault-row-missing", test_head_or_vault_row_missing);
  g_test_add_func ("/vault/open/set-back", test_set_back);
  g_test_add_func ("/vault/open/audit-end-cut", test_audit_end_cut);
  g_test_add_func ("/vault/open/audit-exchanged", test_audit_exchanged);
  g_test_add_func ("/vault/open/any-row-changed", test_any_row_changed);
  g_test_add_func ("/vault/open/swapped-rows", test_swapped_rows);
  g_test_add_func ("/vault/open/swapped-values", test_swapped_values);
  g_test_add_func ("/vault/open/anchor-out-of-reach", test_anchor_out_of_reach);
  g_test_add_func ("/vault/open/row-set-back", test_row_set_back);
  g_test_add_func ("/vault/rotation-then-redeem", test_rotation);
  g_test_add_func ("/vault/put-after-reopening", test_put_after_reopening);
  g_test_add_func ("/vault/rm-after-reopening", test_rm_after_reopening);
  g_test_add_func ("/vault/audit/verify-names-the-first-bad-entry", test_verify);
  g_test_add_func ("/vault/audit/verify-other-history", test_verify_other_history);
  return g_test_run ();
}
