/* journal.h - the only way to the store: sealed rows and audit entries, committed in groups
 *
 * A transaction gathers rows and audit entries.  Committed ones wait while a group is on its way to
 * the store, and then go together, each as a batch of its own: one flush to the disk acknowledges
 * many.  Sealing, revisions and the audit chain are settled when the group is sent, so a group that
 * fails leaves no trace in the chain.
 *
 * Every batch also writes the head row: how many batches there ever were, the end of the audit chain,
 * the wall clock, and a digest of all rows.  When the store dies with a group on its way, the head row tells afterwards whether
 * the group is there.  If it is neither there nor not there, someone else wrote: that is fatal.
 */
#pragma once

#include "base/clock.h"
#include "vault/audit.h"
#include "vault/ports.h"

typedef struct _SpJournal SpJournal;
typedef struct _SpTxn SpTxn;

/* @error NULL: it is durable.  Otherwise SP_PROBLEM_STORE: nothing of it was written. */
typedef void (*SpCommitDone) (const GError *error, gpointer data);

SpJournal *sp_journal_new (SpKeys *keys, const SpVaultPorts *ports, const SpClock *clock);
void sp_journal_free (SpJournal *journal);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpJournal, sp_journal_free)

/* ---- loading: before the first transaction ------------------------------------------------------ */

/* The row @key of @table as it was sealed, of type @type.  While loading: the row is there. */
GVariant *sp_journal_load_row (SpJournal *journal, const char *table, const char *key,
                               gint64 revision, GBytes *sealed, const char *type, GError **error);
/* The same for a row that is only looked at. */
GVariant *sp_journal_open_row (SpJournal *journal, const char *table, const char *key,
                               gint64 revision, GBytes *sealed, const char *type, GError **error);
/* Take over the head row. */
gboolean sp_journal_load_head (SpJournal *journal, gint64 revision, GBytes *sealed, GError **error);
/* All rows are loaded: they must be those that the head row was written with. */
gboolean sp_journal_check_rows (SpJournal *journal, GError **error);

#define SP_TABLE_META "meta"
#define SP_TABLE_AUDIT "audit"
#define SP_HEAD_KEY "head"
#define SP_HEAD_TYPE "(ttayxay)" /* batches, audit seq and MAC, wall clock in µs, rows' digest */

guint64 sp_journal_seq (const SpJournal *journal);
char *sp_journal_head_hex (const SpJournal *journal);
gint64 sp_journal_last_wall_us (const SpJournal *journal);

/* Nothing waits, nothing is on its way. */
gboolean sp_journal_is_idle (const SpJournal *journal);

/* ---- writing ----------------------------------------------------------------------------------------- */

SpTxn *sp_txn_new (SpJournal *journal);
void sp_txn_free (SpTxn *txn);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpTxn, sp_txn_free)

/* @value is consumed if floating; NULL removes the row. */
void sp_txn_put (SpTxn *txn, const char *table, const char *key, GVariant *value);
/* An entry with fields as name, value pairs; pairs whose value is NULL are left out. */
void sp_txn_audit (SpTxn *txn, const char *event, ...) G_GNUC_NULL_TERMINATED;

/* Consumes @txn.  What has waited for 10 seconds without being sent fails. */
void sp_journal_commit (SpJournal *journal, SpTxn *txn, SpCommitDone done, gpointer data);
