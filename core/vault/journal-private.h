/* journal-private.h - what the files of the journal share */
#pragma once

#include "vault/journal.h"

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
} SpJournalHead;

struct _SpJournal {
  SpKeys *keys;
  const SpVaultPorts *ports;
  const SpClock *clock;
  GHashTable *revisions; /* "table/key" -> gint64 */
  GQueue waiting;
  GPtrArray *group; /* of SpTxn, on its way */
  GHashTable *group_revisions;
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
void sp_journal_set_revision (GHashTable *revisions, const char *table, const char *key,
                              gint64 revision);
/* In the group that is being built, or else as it is in the store; 0: no such row. */
gint64 sp_journal_revision (SpJournal *journal, const char *table, const char *key);
gboolean sp_journal_head_from_variant (GVariant *value, SpJournalHead *ret_head);

/* ---- journal-group.c ---------------------------------------------------------------------------------- */

/* Seal, chain and number all of journal->group and hand it to the store. */
void sp_journal_send_group (SpJournal *journal, SpPluginWritten written);
