/* journal-rows.c - rows as they lie in the store, and which revision each of them has
 *
 * A row is sealed for its place and revision, so that the store can't change or move it; that it does
 * not bring an old one back is held by the digest in the head row.
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

GVariant *
sp_journal_open_row (SpJournal *journal, const char *table, const char *key, gint64 revision,
                     GBytes *sealed, const char *type, GError **error)
{
  return sp_journal_unseal_row (journal, table, key, revision, sealed, type, error);
}

GVariant *
sp_journal_load_row (SpJournal *journal, const char *table, const char *key, gint64 revision,
                     GBytes *sealed, const char *type, GError **error)
{
  GVariant *value = sp_journal_unseal_row (journal, table, key, revision, sealed, type, error);

  if (value != NULL)
    sp_row_set_put (journal->rows, table, key, revision, sealed);
  return value;
}

static gboolean
take_bytes (GVariant *value, gsize child, guint8 *to, gsize wanted)
{
  g_autoptr (GVariant) bytes = g_variant_get_child_value (value, child);
  gsize length;
  gconstpointer data = g_variant_get_fixed_array (bytes, &length, 1);

  if (length != wanted)
    return FALSE;
  memcpy (to, data, wanted);
  return TRUE;
}

gboolean
sp_journal_head_from_variant (GVariant *value, SpJournalHead *ret_head)
{
  g_variant_get (value, SP_HEAD_TYPE, &ret_head->batches, &ret_head->seq, NULL, &ret_head->wall_us,
                 NULL);
  return take_bytes (value, 2, ret_head->mac, SP_MAC_LENGTH) &&
         take_bytes (value, 4, ret_head->rows, SP_DIGEST_LENGTH);
}

GVariant *
sp_journal_head_to_variant (const SpJournalHead *head)
{
  return g_variant_new (
      "(tt@ayx@ay)", head->batches, head->seq,
      g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, head->mac, SP_MAC_LENGTH, 1), head->wall_us,
      g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, head->rows, SP_DIGEST_LENGTH, 1));
}

gboolean
sp_journal_load_head (SpJournal *journal, gint64 revision, GBytes *sealed, GError **error)
{
  g_autoptr (GVariant) value = sp_journal_unseal_row (journal, SP_TABLE_META, SP_HEAD_KEY, revision,
                                                      sealed, SP_HEAD_TYPE, error);

  if (value == NULL)
    return FALSE;
  journal->head_revision = revision;
  if (sp_journal_head_from_variant (value, &journal->head))
    return TRUE;
  g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY, "the head row makes no sense");
  return FALSE;
}

gboolean
sp_journal_check_rows (SpJournal *journal, GError **error)
{
  guint8 digest[SP_DIGEST_LENGTH];

  sp_row_set_digest (journal->rows, digest);
  if (memcmp (digest, journal->head.rows, sizeof digest) == 0)
    return TRUE;
  g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY,
                       "the store's rows are not those of its last entry: some were set back, "
                       "added or removed; restore the store from a back-up");
  return FALSE;
}
