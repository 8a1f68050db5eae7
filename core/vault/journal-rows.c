/* journal-rows.c - rows as they lie in the store, and which revision each of them has
 *
 * A row is sealed for its place and revision, so that the store can't move it or bring back an old one
 * unnoticed.
 */
#include <string.h>

#include "base/problem.h"
#include "vault/journal-private.h"
#include "vault/seal.h"

static GBytes *
row_context (SpJournal *journal, const char *table, const char *key, gint64 revision)
{
  return sp_seal_context ((guint64) revision, "row", sp_keys_vault_id (journal->keys), table, key,
                          NULL);
}

GBytes *
sp_journal_seal_row (SpJournal *journal, const char *table, const char *key, gint64 revision,
                     GVariant *value)
{
  g_autoptr (GBytes) context = row_context (journal, table, key, revision);

  return sp_seal (sp_keys_get (journal->keys, SP_KEY_ROWS), context, g_variant_get_data (value),
                  g_variant_get_size (value));
}

GVariant *
sp_journal_unseal_row (SpJournal *journal, const char *table, const char *key, gint64 revision,
                       GBytes *sealed, const char *type, GError **error)
{
  g_autoptr (GBytes) context = row_context (journal, table, key, revision);
  g_autoptr (SpSecret) plain =
      sp_unseal (sp_keys_get (journal->keys, SP_KEY_ROWS), context, sealed, error);
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GVariant) value = NULL;

  if (plain == NULL) {
    g_prefix_error (error, "row %s/%s: ", table, key);
    return NULL;
  }
  /* No copy in pages of its own for each row that stays in memory. */
  bytes = sp_link_wiped_bytes (sp_secret_data (plain), sp_secret_length (plain));
  value = g_variant_ref_sink (g_variant_new_from_bytes (G_VARIANT_TYPE (type), bytes, FALSE));
  if (!g_variant_is_normal_form (value)) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY, "row %s/%s: not of type %s", table, key,
                 type);
    return NULL;
  }
  return g_steal_pointer (&value);
}

static char *
revision_key (const char *table, const char *key)
{
  return g_strconcat (table, "/", key, NULL);
}

void
sp_journal_set_revision (GHashTable *revisions, const char *table, const char *key, gint64 revision)
{
  g_hash_table_insert (revisions, revision_key (table, key),
                       g_memdup2 (&revision, sizeof revision));
}

GVariant *
sp_journal_open_row (SpJournal *journal, const char *table, const char *key, gint64 revision,
                     GBytes *sealed, const char *type, GError **error)
{
  GVariant *value = sp_journal_unseal_row (journal, table, key, revision, sealed, type, error);

  /* Audit rows are written once and never again: no need to remember their revisions. */
  if (value != NULL && !g_str_equal (table, SP_TABLE_AUDIT))
    sp_journal_set_revision (journal->revisions, table, key, revision);
  return value;
}

gboolean
sp_journal_head_from_variant (GVariant *value, SpJournalHead *ret_head)
{
  g_autoptr (GVariant) mac = g_variant_get_child_value (value, 2);
  gsize length;
  gconstpointer data = g_variant_get_fixed_array (mac, &length, 1);

  if (length != SP_MAC_LENGTH)
    return FALSE;
  memcpy (ret_head->mac, data, SP_MAC_LENGTH);
  g_variant_get (value, "(tt@ayx)", &ret_head->batches, &ret_head->seq, NULL, &ret_head->wall_us);
  return TRUE;
}

gboolean
sp_journal_load_head (SpJournal *journal, GVariant *head, GError **error)
{
  if (sp_journal_head_from_variant (head, &journal->head))
    return TRUE;
  g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY, "the head row makes no sense");
  return FALSE;
}

gint64
sp_journal_revision (SpJournal *journal, const char *table, const char *key)
{
  g_autofree char *name = revision_key (table, key);
  const gint64 *revision = g_hash_table_lookup (journal->group_revisions, name);

  if (revision == NULL)
    revision = g_hash_table_lookup (journal->revisions, name);
  return revision ? *revision : 0;
}
