/* row-set.h - which rows there are, at which revision, with which content: in one digest
 *
 * Sealing keeps the store from changing or moving a row, but not from putting an old one back, with
 * its old revision.  So a digest over all rows goes into the head row with every batch, and is compared
 * when the store is read again.  The audit log is left out: it has a chain of its own.
 *
 * The rows are spread over buckets, and only those that changed are hashed anew, so a batch costs the
 * same whether the vault holds ten rows or ten thousand.
 */
#pragma once

#include <gio/gio.h>

#define SP_DIGEST_LENGTH 32u

typedef struct _SpRowSet SpRowSet;

SpRowSet *sp_row_set_new (void);
void sp_row_set_free (SpRowSet *set);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpRowSet, sp_row_set_free)

/* 0: there is no such row. */
gint64 sp_row_set_revision (SpRowSet *set, const char *table, const char *key);
/* The row is now at @revision with the content @sealed; NULL: it is gone. */
void
sp_row_set_put (SpRowSet *set, const char *table, const char *key, gint64 revision, GBytes *sealed);
void sp_row_set_digest (SpRowSet *set, guint8 ret_digest[SP_DIGEST_LENGTH]);

/* Changes since sp_row_set_begin() can be taken back, once. */
void sp_row_set_begin (SpRowSet *set);
void sp_row_set_undo (SpRowSet *set);
