/* journal-group.c - many transactions into one call of the store
 *
 * Revisions, sealing and the audit chain are settled here, at the last moment, so that a group which
 * fails has used up nothing.
 */
#include <string.h>

#include "vault/journal-private.h"

typedef struct {
  GArray *writes;   /* SpWrite of all batches */
  GArray *starts;   /* where each batch begins in them */
  GPtrArray *texts; /* what the writes point at */
  GPtrArray *values;
} Group;

static char *
keep_text (Group *group, const char *text)
{
  char *copy = g_strdup (text);

  g_ptr_array_add (group->texts, copy);
  return copy;
}

/* @value NULL: the row goes.  The sealed form, which belongs to @group. */
static GBytes *
add_write (SpJournal *journal, Group *group, const char *table, const char *key, gint64 expect,
           GVariant *value)
{
  SpWrite write = { keep_text (group, table), keep_text (group, key), expect, NULL };

  if (value != NULL) {
    write.value = sp_journal_seal_row (journal, table, key, expect + 1, value);
    g_ptr_array_add (group->values, write.value);
  }
  g_array_append_val (group->writes, write);
  return write.value;
}

static void
add_row (SpJournal *journal, Group *group, const SpJournalRow *row)
{
  gint64 expect = sp_row_set_revision (journal->rows, row->table, row->key);
  GBytes *sealed = add_write (journal, group, row->table, row->key, expect, row->value);

  sp_row_set_put (journal->rows, row->table, row->key, expect + 1, sealed);
}

static void
add_entry (SpJournal *journal, Group *group, SpAuditEntry *entry)
{
  SpJournalHead *head = &journal->group_head;
  g_autofree char *key = NULL;
  g_autoptr (GVariant) value = NULL;

  entry->seq = head->seq + 1;
  sp_audit_chain (journal->keys, head->mac, entry);
  head->seq = entry->seq;
  memcpy (head->mac, entry->mac, SP_MAC_LENGTH);
  key = sp_audit_key (entry->seq);
  value = g_variant_ref_sink (sp_audit_to_variant (entry));
  (void) add_write (journal, group, SP_TABLE_AUDIT, key, 0, value);
}

static void
add_head (SpJournal *journal, Group *group)
{
  SpJournalHead *head = &journal->group_head;
  g_autoptr (GVariant) value = NULL;

  head->batches++;
  head->wall_us = MAX (head->wall_us, sp_clock_wall_us (journal->clock));
  sp_row_set_digest (journal->rows, head->rows);
  value = g_variant_ref_sink (sp_journal_head_to_variant (head));
  (void) add_write (journal, group, SP_TABLE_META, SP_HEAD_KEY, journal->group_head_revision++,
                    value);
}

static void
add_txn (SpJournal *journal, Group *group, SpTxn *txn)
{
  g_array_append_val (group->starts, group->writes->len);
  for (guint i = 0; i < txn->rows->len; i++)
    add_row (journal, group, g_ptr_array_index (txn->rows, i));
  for (guint i = 0; i < txn->entries->len; i++)
    add_entry (journal, group, g_ptr_array_index (txn->entries, i));
  add_head (journal, group);
}

static void
group_init (Group *group)
{
  group->writes = g_array_new (FALSE, FALSE, sizeof (SpWrite));
  group->starts = g_array_new (FALSE, FALSE, sizeof (guint));
  group->texts = g_ptr_array_new_with_free_func (g_free);
  group->values = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
}

static void
group_clear (Group *group)
{
  g_array_unref (group->writes);
  g_array_unref (group->starts);
  g_ptr_array_unref (group->texts);
  g_ptr_array_unref (group->values);
}

void
sp_journal_send_group (SpJournal *journal, SpPluginWritten written)
{
  g_autofree SpBatch *batches = g_new0 (SpBatch, journal->group->len);
  Group group;

  group_init (&group);
  journal->group_head = journal->head;
  journal->group_head_revision = journal->head_revision;
  sp_row_set_begin (journal->rows);
  for (guint i = 0; i < journal->group->len; i++)
    add_txn (journal, &group, g_ptr_array_index (journal->group, i));
  for (guint i = 0; i < journal->group->len; i++) {
    guint start = g_array_index (group.starts, guint, i);
    guint end = i + 1 < journal->group->len ? g_array_index (group.starts, guint, i + 1)
                                            : group.writes->len;

    batches[i].writes = &g_array_index (group.writes, SpWrite, start);
    batches[i].n_writes = end - start;
  }
  journal->ports->write (journal->ports->port, batches, journal->group->len, written, journal);
  group_clear (&group);
}
