/* journal.c - journal.h: transactions wait, go to the store in groups, and are answered
 *
 * What must stay true: memory (revisions, head) changes only when the store has said "durable"; a
 * transaction is answered exactly once; the order of commits is the order of the audit chain.
 */
#include "vault/journal.h"

#include <string.h>

#include "base/problem.h"
#include "base/random.h"
#include "vault/journal-private.h"

#define MAX_GROUP 64u
#define WAIT_LIMIT_MS 10000
#define LOOK_AGAIN_MS 200

/* ---- transactions ----------------------------------------------------------------------------------- */

static void
row_free (gpointer data)
{
  SpJournalRow *row = data;

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
  SpJournalRow *row = g_new0 (SpJournalRow, 1);

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
  journal->rows = sp_row_set_new ();
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
  sp_row_set_free (journal->rows);
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

gboolean
sp_journal_is_idle (const SpJournal *journal)
{
  return journal->group == NULL && journal->waiting.length == 0;
}

gint64
sp_journal_last_wall_us (const SpJournal *journal)
{
  return journal->head.wall_us;
}

/* ---- sending --------------------------------------------------------------------------------- */

static void
on_written (const guint32 *results, gsize n_results, const GError *error, gpointer data);

static void
flush (SpJournal *journal)
{
  if (journal->group != NULL || journal->dead || g_queue_is_empty (&journal->waiting))
    return;
  journal->group = g_ptr_array_new ();
  while (journal->group->len < MAX_GROUP && !g_queue_is_empty (&journal->waiting))
    g_ptr_array_add (journal->group, g_queue_pop_head (&journal->waiting));
  sp_journal_send_group (journal, on_written);
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

  while ((first = g_queue_peek_head (&journal->waiting)) != NULL &&
         now - first->queued_ms > WAIT_LIMIT_MS) {
    g_autoptr (GError) error = g_error_new_literal (
        SP_PROBLEM, SP_PROBLEM_STORE, "the store does not answer; nothing was changed; try again");

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
  gboolean moved = journal->group_head.seq != journal->head.seq;

  journal->head = journal->group_head;
  journal->head_revision = journal->group_head_revision;
  if (moved) {
    g_autofree char *hex = sp_journal_head_hex (journal);

    journal->ports->audit_head (journal->ports->port, journal->head.seq, hex);
  }
  finish_group (journal, NULL);
}

/* Nothing of it was written. */
static void
reject_group (SpJournal *journal)
{
  g_autoptr (GError) error = g_error_new_literal (
      SP_PROBLEM, SP_PROBLEM_STORE, "the store could not write; nothing was changed; try again");

  sp_row_set_undo (journal->rows);
  finish_group (journal, error);
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
  SpJournalHead found = { 0 };

  if (error != NULL && sp_problem_code (error) != SP_PROBLEM_NOT_FOUND) {
    /* The store is still not there.  Nothing was promised; nothing may be promised either. */
    journal->retry = g_timeout_add (LOOK_AGAIN_MS, look_at_head, journal);
    return;
  }
  if (value != NULL)
    head = sp_journal_unseal_row (journal, SP_TABLE_META, SP_HEAD_KEY, revision, value,
                                  SP_HEAD_TYPE, &local);
  if ((value != NULL && head == NULL) ||
      (head != NULL && !sp_journal_head_from_variant (head, &found))) {
    die (journal, "the store's head row was changed by someone else");
  } else if (found.batches == journal->group_head.batches) {
    accept_group (journal);
  } else if (found.batches == journal->head.batches) {
    reject_group (journal);
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
