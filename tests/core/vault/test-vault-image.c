/* test-vault-image.c - a store that knows with which image it was opened last */
#include <string.h>

#include "test-vault.h"
#include "vault/vault-private.h"

static void
move (TestVault *test, const char *image, guint index)
{
  test->image = image;
  test->index = index;
}

static char *
refused (TestVault *test)
{
  g_autoptr (GError) error = NULL;

  test_vault_close (test);
  test_ports_forget (test->ports);
  error = test_vault_try_open (test);
  g_assert_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY);
  return g_strdup (error->message);
}

/* The newest audit entry of this kind. */
static char *
last_move (TestVault *test)
{
  g_autoptr (TestReply) shown = test_admin (test, "audit.show", "{}");
  JsonArray *items = test_reply_items (shown);

  for (guint i = json_array_get_length (items); i-- > 0;) {
    JsonObject *entry = json_array_get_object_element (items, i);

    if (g_str_equal (json_object_get_string_member (entry, "event"), "vault.updated"))
      return g_strdup_printf ("%s>%s %s",
                              json_object_get_string_member_with_default (entry, "from", "?"),
                              json_object_get_string_member (entry, "to"),
                              json_object_get_string_member (entry, "index"));
  }
  return NULL;
}

static void
test_moves_are_told (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *none = NULL, *there = NULL, *back = NULL, *by_hand = NULL, *token = NULL;

  move (test, "aa", 0);
  token = test_vault_start (test);
  test_vault_reopen (test);
  none = last_move (test);
  g_assert_null (none);
  move (test, "bb", 1);
  test_vault_reopen (test);
  there = last_move (test);
  g_assert_cmpstr (there, ==, "aa>bb 1");
  test_vault_reopen (test);
  g_assert_cmpuint (test_count_events (test, "vault.updated"), ==, 1);
  move (test, "aa", 2);
  test_vault_reopen (test);
  back = last_move (test);
  g_assert_cmpstr (back, ==, "bb>aa 2");
  /* A vault.json that was edited. */
  move (test, "cc", 2);
  test_vault_reopen (test);
  by_hand = last_move (test);
  g_assert_cmpstr (by_hand, ==, "aa>cc 2");
}

/* As a release wrote it that did not know of this. */
static void
test_older_store (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *told = NULL;

  g_free (test_vault_start (test));
  move (test, "bb", 1);
  test_vault_reopen (test);
  told = last_move (test);
  g_assert_cmpstr (told, ==, "?>bb 1");
}

static void
test_older_record (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = NULL, *why = NULL;

  move (test, "bb", 3);
  token = test_vault_start (test);
  move (test, "aa", 2);
  why = refused (test);
  g_assert_nonnull (strstr (why, "rollback index 3"));
  g_assert_nonnull (strstr (why, "has index 2"));
  /* Nothing was written: it opens with what belongs to it. */
  move (test, "bb", 3);
  test_vault_reopen (test);
  g_assert_cmpuint (test_count_events (test, "vault.updated"), ==, 0);
}

static void
on_done (const GError *error, gpointer data)
{
  g_assert_no_error (error);
  *(gboolean *) data = TRUE;
}

static void
test_newer_rows (void)
{
  g_autoptr (TestVault) test = test_vault_new ();
  g_autofree char *token = NULL, *why = NULL;
  gboolean done = FALSE;
  SpTxn *txn;

  move (test, "aa", 0);
  token = test_vault_start (test);
  txn = sp_vault_txn (test->vault);
  sp_txn_put (txn, SP_TABLE_META, SP_IMAGE_KEY,
              g_variant_new (SP_IMAGE_TYPE, SP_VAULT_FORM + 1, 1u, "bb"));
  sp_journal_commit (test->vault->journal, txn, on_done, &done);
  test_run_until_set (&done);
  move (test, "aa", 2);
  why = refused (test);
  g_assert_nonnull (strstr (why, "a newer image has written to it"));
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/vault/image/each-exchange-is-in-the-audit-log", test_moves_are_told);
  g_test_add_func ("/vault/image/a-store-that-does-not-say", test_older_store);
  g_test_add_func ("/vault/image/a-record-that-was-set-back-is-refused", test_older_record);
  g_test_add_func ("/vault/image/rows-of-a-newer-daemon-are-refused", test_newer_rows);
  return g_test_run ();
}
