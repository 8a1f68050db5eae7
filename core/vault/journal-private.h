/* journal-private.h - what the files of the journal share */
#pragma once

#include "vault/journal.h"
#include "vault/row-set.h"

typedef struct {
  char *table;
  char *key;
  GVariant *value;
} SpJournalRow;

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
  guint8 rows[SP_DIGEST_LENGTH]; /* of all rows but this one and the audit log's */
} SpJournalHead;

struct _SpJournal {
  SpKeys *keys;
  const SpVaultPorts *ports;
  const SpClock *clock;
  SpRowSet *rows; /* as in the store, and as the group on its way will leave it */
  gint64 head_revision, group_head_revision; /* of the head row */
  GQueue waiting;
  GPtrArray *group; /* of SpTxn, on its way */
  SpJournalHead head, group_head;
  gboolean dead;
  guint planned, retry, limiter;
};

/* ---- journal-rows.c: rows, sealed and opened, and their revisions ------------------------------------ */

GBytes *sp_journal_seal_row (SpJournal *journal, const char *table, const char *key,
                             gint64 revision, GVariant *value);
/* Without remembering the revision. */
GVariant *sp_journal_unseal_row (SpJournal *journal, const char *table, const char *key,
                                 gint64 revision, GBytes *sealed, const char *type, GError **error);
gboolean sp_journal_head_from_variant (GVariant *value, SpJournalHead *ret_head);
GVariant *sp_journal_head_to_variant (const SpJournalHead *head); /* floating */

/* ---- journal-group.c ---------------------------------------------------------------------------------- */

/* Seal, chain and number all of journal->group and hand it to the store. */
void sp_journal_send_group (SpJournal *journal, SpPluginWritten written);
