/* journal.c - journal.h
 *
 * What must stay true: memory (revisions, head) changes only when the store has said "durable"; a
 * transaction is answered exactly once; the order of commits is the order of the audit chain.
 */
#include "vault/journal.h"

#include <string.h>

#include "base/problem.h"
#include "base/random.h"
#include "vault/seal.h"

#define MAX_GROUP 64u
#define WAIT_LIMIT_MS 10000
#define LOOK_AGAIN_MS 200

typedef struct {
  char *table;
  char *key;
  GVariant *value;
} Row;

struct _SpTxn {
  SpJournal *journal;
  GPtrArray *rows;
  GPtrArray *entries; /* SpAuditEntry, without seq and MAC */
  SpCommitDone done;
  gpointer data;
  gint64 queued_ms;
};

typedef struct {
  guint64 batches;
  guint64 seq;
  guint8 mac[SP_MAC_LENGTH];
  gint64 wall_us;
} Head;

struct _SpJournal {
  SpKeys *keys;
  const SpVaultPorts *ports;
  const SpClock *clock;
  GHashTable *revisions; /* "table/key" -> gint64 */
  GQueue waiting;
  GPtrArray *group;         /* of SpTxn, on its way */
  GHashTable *group_revisions;
  Head head, group_head;
  gboolean dead;
  guint planned, retry, limiter;
};

/* ---- transactions ----------------------------------------------------------------------------------- */

static void
row_free (gpointer data)
{
  Row *row = data;

  g_free (row->table);
  g_free (row->key);
  g_clear_pointer (&row->value, g_variant_unref);
  g_free (row);
}

static void
entry_free (gpointer data)
{
  sp_audit_entry_clear (data);
  g_free (data);
}

SpTxn *
sp_txn_new (SpJournal *journal)
{
  SpTxn *txn = g_new0 (SpTxn, 1);

  txn->journal = journal;
  txn->rows = g_ptr_array_new_with_free_func (row_free);
  txn->entries = g_ptr_array_new_with_free_func (entry_free);
  return txn;
}

void
sp_txn_free (SpTxn *txn)
{
  if (txn == NULL)
    return;
  g_ptr_array_unref (txn->rows);
  g_ptr_array_unref (txn->entries);
  g_free (txn);
}

void
sp_txn_put (SpTxn *txn, const char *table, const char *key, GVariant *value)
{
  Row *row = g_new0 (Row, 1);

  row->table = g_strdup (table);
  row->key = g_strdup (key);
  row->value = value ? g_variant_ref_sink (value) : NULL;
  g_ptr_array_add (txn->rows, row);
}

void
sp_txn_audit (SpTxn *txn, const char *event, ...)
{
  SpAuditEntry *entry = g_new0 (SpAuditEntry, 1);
  GVariantBuilder builder;
  const char *name;
  va_list pairs;

  g_variant_builder_init (&builder, G_VARIANT_TYPE ("a{ss}"));
  va_start (pairs, event);
  while ((name = va_arg (pairs, const char *)) != NULL) {
    const char *value = va_arg (pairs, const char *);

    if (value != NULL)
      g_variant_builder_add (&builder, "{ss}", name, value);
  }
  va_end (pairs);
  entry->event = g_strdup (event);
  entry->fields = g_variant_ref_sink (g_variant_builder_end (&builder));
  entry->wall_us = sp_clock_wall_us (txn->journal->clock);
  g_ptr_array_add (txn->entries, entry);
}

/* Answers and frees @txn. */
static void
txn_finish (SpTxn *txn, const GError *error)
{
  SpCommitDone done = txn->done;
  gpointer data = txn->data;

  sp_txn_free (txn);
  if (done != NULL)
    done (error, data);
}

/* ---- life ------------------------------------------------------------------------------------------------ */

SpJournal *
sp_journal_new (SpKeys *keys, const SpVaultPorts *ports, const SpClock *clock)
{
  SpJournal *journal = g_new0 (SpJournal, 1);

  journal->keys = keys;
  journal->ports = ports;
  journal->clock = clock;
  journal->revisions = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  return journal;
}

void
sp_journal_free (SpJournal *journal)
{
  if (journal == NULL)
    return;
  g_clear_handle_id (&journal->planned, g_source_remove);
  g_queue_clear_full (&journal->waiting, (GDestroyNotify) sp_txn_free);
  g_clear_handle_id (&journal->retry, g_source_remove);
  g_clear_handle_id (&journal->limiter, g_source_remove);
  for (guint i = 0; journal->group != NULL && i < journal->group->len; i++)
    sp_txn_free (g_ptr_array_index (journal->group, i));
  g_clear_pointer (&journal->group, g_ptr_array_unref);
  g_clear_pointer (&journal->group_revisions, g_hash_table_unref);
  g_hash_table_unref (journal->revisions);
  g_free (journal);
}

guint64
sp_journal_seq (const SpJournal *journal)
{
  return journal->head.seq;
}

char *
sp_journal_head_hex (const SpJournal *journal)
{
  return sp_hex (journal->head.mac, SP_MAC_LENGTH);
}

gint64
sp_journal_last_wall_us (const SpJournal *journal)
{
  return journal->head.wall_us;
}

/* ---- sealing rows ---------------------------------------------------------------------------------------- */

static GBytes *
row_context (SpJournal *journal, const char *table, const char *key, gint64 revision)
{
  return sp_seal_context ((guint64) revision, "row", sp_keys_vault_id (journal->keys), table, key,
                          NULL);
}

static GBytes *
seal_row (SpJournal *journal, const char *table, const char *key, gint64 revision,
          GVariant *value)
{
  g_autoptr (GBytes) context = row_context (journal, table, key, revision);

  return sp_seal (sp_keys_get (journal->keys, SP_KEY_ROWS), context, g_variant_get_data (value),
                  g_variant_get_size (value));
}

static GVariant *
unseal_row (SpJournal *journal, const char *table, const char *key, gint64 revision,
            GBytes *sealed, const char *type, GError **error)
{
  g_autoptr (GBytes) context = row_context (journal, table, key, revision);
  g_autoptr (SpSecret) plain
      = sp_unseal (sp_keys_get (journal->keys, SP_KEY_ROWS), context, sealed, error);
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

static void
set_revision (GHashTable *revisions, const char *table, const char *key, gint64 revision)
{
  g_hash_table_insert (revisions, revision_key (table, key),
                       g_memdup2 (&revision, sizeof revision));
}

GVariant *
sp_journal_open_row (SpJournal *journal, const char *table, const char *key, gint64 revision,
                     GBytes *sealed, const char *type, GError **error)
{
  GVariant *value = unseal_row (journal, table, key, revision, sealed, type, error);

  /* Audit rows are written once and never again: no need to remember their revisions. */
  if (value != NULL && !g_str_equal (table, SP_TABLE_AUDIT))
    set_revision (journal->revisions, table, key, revision);
  return value;
}

static gboolean
head_from_variant (GVariant *value, Head *ret_head)
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
  if (head_from_variant (head, &journal->head))
    return TRUE;
  g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY, "the head row makes no sense");
  return FALSE;
}

/* ---- building a group ------------------------------------------------------------------------------------ */

typedef struct {
  GArray *writes;  /* SpWrite of all batches */
  GArray *starts;  /* where each batch begins in them */
  GPtrArray *texts; /* what the writes point at */
  GPtrArray *values;
} Group;

static gint64
current_revision (SpJournal *journal, const char *table, const char *key)
{
  g_autofree char *name = revision_key (table, key);
  const gint64 *revision = g_hash_table_lookup (journal->group_revisions, name);

  if (revision == NULL)
    revision = g_hash_table_lookup (journal->revisions, name);
  return revision ? *revision : 0;
}

static char *
keep_text (Group *group, const char *text)
{
  char *copy = g_strdup (text);

  g_ptr_array_add (group->texts, copy);
  return copy;
}

static void
add_write (SpJournal *journal, Group *group, const char *table, const char *key, GVariant *value)
{
  gint64 expect = current_revision (journal, table, key);
  SpWrite write = { keep_text (group, table), keep_text (group, key), expect, NULL };

  if (value != NULL) {
    write.value = seal_row (journal, table, key, expect + 1, value);
    g_ptr_array_add (group->values, write.value);
  }
  g_array_append_val (group->writes, write);
  if (!g_str_equal (table, SP_TABLE_AUDIT))
    set_revision (journal->group_revisions, table, key, value ? expect + 1 : 0);
}

static void
add_entry (SpJournal *journal, Group *group, SpAuditEntry *entry)
{
  Head *head = &journal->group_head;
  g_autofree char *key = NULL;
  g_autoptr (GVariant) value = NULL;

  entry->seq = head->seq + 1;
  sp_audit_chain (journal->keys, head->mac, entry);
  head->seq = entry->seq;
  memcpy (head->mac, entry->mac, SP_MAC_LENGTH);
  key = sp_audit_key (entry->seq);
  value = g_variant_ref_sink (sp_audit_to_variant (entry));
  add_write (journal, group, SP_TABLE_AUDIT, key, value);
}

static void
add_head (SpJournal *journal, Group *group)
{
  Head *head = &journal->group_head;
  g_autoptr (GVariant) value = NULL;

  head->batches++;
  head->wall_us = MAX (head->wall_us, sp_clock_wall_us (journal->clock));
  value = g_variant_ref_sink (g_variant_new (
      "(tt@ayx)", head->batches, head->seq,
      g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, head->mac, SP_MAC_LENGTH, 1),
      head->wall_us));
  add_write (journal, group, SP_TABLE_META, SP_HEAD_KEY, value);
}

static void
add_txn (SpJournal *journal, Group *group, SpTxn *txn)
{
  g_array_append_val (group->starts, group->writes->len);
  for (guint i = 0; i < txn->rows->len; i++) {
    const Row *row = g_ptr_array_index (txn->rows, i);

    add_write (journal, group, row->table, row->key, row->value);
  }
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

static void
on_written (const guint32 *results, gsize n_results, const GError *error, gpointer data);

static void
send_group (SpJournal *journal)
{
  g_autofree SpBatch *batches = g_new0 (SpBatch, journal->group->len);
  Group group;

  group_init (&group);
  journal->group_head = journal->head;
  g_clear_pointer (&journal->group_revisions, g_hash_table_unref);
  journal->group_revisions = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  for (guint i = 0; i < journal->group->len; i++)
    add_txn (journal, &group, g_ptr_array_index (journal->group, i));
  for (guint i = 0; i < journal->group->len; i++) {
    guint start = g_array_index (group.starts, guint, i);
    guint end = i + 1 < journal->group->len ? g_array_index (group.starts, guint, i + 1)
                                            : group.writes->len;

    batches[i].writes = &g_array_index (group.writes, SpWrite, start);
    batches[i].n_writes = end - start;
  }
  journal->ports->write (journal->ports->port, batches, journal->group->len, on_written, journal);
  group_clear (&group);
}

static void
flush (SpJournal *journal)
{
  if (journal->group != NULL || journal->dead || g_queue_is_empty (&journal->waiting))
    return;
  journal->group = g_ptr_array_new ();
  while (journal->group->len < MAX_GROUP && !g_queue_is_empty (&journal->waiting))
    g_ptr_array_add (journal->group, g_queue_pop_head (&journal->waiting));
  send_group (journal);
}

static gboolean
on_planned (gpointer data)
{
  SpJournal *journal = data;

  journal->planned = 0;
  flush (journal);
  return G_SOURCE_REMOVE;
}

/* From an idle, so that what one turn of the main loop commits goes in one group. */
static void
plan_flush (SpJournal *journal)
{
  if (journal->planned == 0)
    journal->planned = g_idle_add_full (G_PRIORITY_DEFAULT, on_planned, journal, NULL);
}

/* A store that does not come back must not keep callers waiting for ever. */
static gboolean
fail_those_who_waited (gpointer data)
{
  SpJournal *journal = data;
  gint64 now = sp_clock_boot_ms (journal->clock);
  SpTxn *first;

  while ((first = g_queue_peek_head (&journal->waiting)) != NULL
         && now - first->queued_ms > WAIT_LIMIT_MS) {
    g_autoptr (GError) error
        = g_error_new_literal (SP_PROBLEM, SP_PROBLEM_STORE,
                               "the store does not answer; nothing was changed; try again");

    txn_finish (g_queue_pop_head (&journal->waiting), error);
  }
  if (first != NULL)
    return G_SOURCE_CONTINUE;
  journal->limiter = 0;
  return G_SOURCE_REMOVE;
}

void
sp_journal_commit (SpJournal *journal, SpTxn *txn, SpCommitDone done, gpointer data)
{
  txn->done = done;
  txn->data = data;
  txn->queued_ms = sp_clock_boot_ms (journal->clock);
  g_queue_push_tail (&journal->waiting, txn);
  if (journal->limiter == 0)
    journal->limiter = g_timeout_add_seconds (1, fail_those_who_waited, journal);
  plan_flush (journal);
}

/* ---- after a group ------------------------------------------------------------------------------------------ */

static void
finish_group (SpJournal *journal, const GError *error)
{
  g_autoptr (GPtrArray) group = g_steal_pointer (&journal->group);

  for (guint i = 0; i < group->len; i++)
    txn_finish (g_ptr_array_index (group, i), error);
  plan_flush (journal);
}

static void
accept_group (SpJournal *journal)
{
  GHashTableIter iter;
  gpointer name, revision;
  gboolean moved = journal->group_head.seq != journal->head.seq;

  g_hash_table_iter_init (&iter, journal->group_revisions);
  while (g_hash_table_iter_next (&iter, &name, &revision))
    if (*(gint64 *) revision == 0)
      g_hash_table_remove (journal->revisions, name);
    else
      g_hash_table_insert (journal->revisions, g_strdup (name),
                           g_memdup2 (revision, sizeof (gint64)));
  journal->head = journal->group_head;
  if (moved) {
    g_autofree char *hex = sp_journal_head_hex (journal);

    journal->ports->audit_head (journal->ports->port, journal->head.seq, hex);
  }
  finish_group (journal, NULL);
}

static void
die (SpJournal *journal, const char *message)
{
  g_autoptr (GError) error = g_error_new_literal (SP_PROBLEM, SP_PROBLEM_INTEGRITY, message);

  journal->dead = TRUE;
  journal->ports->fatal (journal->ports->port, error);
  finish_group (journal, error);
}

static void on_head_read (GBytes *value, gint64 revision, const GError *error, gpointer data);

static gboolean
look_at_head (gpointer data)
{
  SpJournal *journal = data;

  journal->retry = 0;
  journal->ports->read (journal->ports->port, SP_TABLE_META, SP_HEAD_KEY, on_head_read, journal);
  return G_SOURCE_REMOVE;
}

/* The head row after a write whose outcome is not known. */
static void
on_head_read (GBytes *value, gint64 revision, const GError *error, gpointer data)
{
  SpJournal *journal = data;
  g_autoptr (GError) local = NULL;
  g_autoptr (GVariant) head = NULL;
  Head found = { 0 };

  if (error != NULL && sp_problem_code (error) != SP_PROBLEM_NOT_FOUND) {
    /* The store is still not there.  Nothing was promised; nothing may be promised either. */
    journal->retry = g_timeout_add (LOOK_AGAIN_MS, look_at_head, journal);
    return;
  }
  if (value != NULL)
    head = unseal_row (journal, SP_TABLE_META, SP_HEAD_KEY, revision, value, SP_HEAD_TYPE, &local);
  if ((value != NULL && head == NULL) || (head != NULL && !head_from_variant (head, &found))) {
    die (journal, "the store's head row was changed by someone else");
  } else if (found.batches == journal->group_head.batches) {
    accept_group (journal);
  } else if (found.batches == journal->head.batches) {
    g_autoptr (GError) failed = g_error_new_literal (
        SP_PROBLEM, SP_PROBLEM_STORE, "the store could not write; nothing was changed; try again");

    finish_group (journal, failed);
  } else {
    die (journal, "the store holds another history than this vault's");
  }
}

static void
on_written (const guint32 *results, gsize n_results, const GError *error, gpointer data)
{
  SpJournal *journal = data;

  if (error != NULL) {
    g_warning ("store: %s; looking what is there", error->message);
    (void) look_at_head (journal);
    return;
  }
  for (gsize i = 0; i < n_results; i++)
    if (results[i] != SP_BATCH_DONE) {
      die (journal, "the store's rows were changed by someone else");
      return;
    }
  accept_group (journal);
}
