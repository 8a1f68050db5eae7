/* infos.h - what every other channel should hear of: alarms of a notifier, that the vault was locked
 *
 * An info notice has no choices, is shown for an hour, and comes after all that somebody waits for.  Which
 * notifiers show one is durable, so that none is left standing.  How many there are at once is
 * bounded: one who makes noise must not bury what others have to say.
 */
#pragma once

#include "vault/vault-private.h"

#define SP_INFO_TYPE "a{sv}"
#define SP_TABLE_INFOS "infos"

typedef struct {
  const char *kind; /* of one kind from one notifier there are at most: */
  guint most;
  const char *except; /* the notifier that it is about, which is not told; NULL: all are */
  const char *title;
  const char *text;
} SpInfoWhat;

typedef struct _SpInfo SpInfo;

/* Put into @txn that the others are to be told of @what.  NULL: there is nothing to tell; otherwise commit
 * with sp_infos_committed(). */
SpInfo *sp_infos_add (SpVault *vault, SpTxn *txn, const SpInfoWhat *what);
void sp_infos_committed (const GError *error, gpointer info);

/* What was told of this kind holds no longer. */
void sp_infos_end (SpVault *vault, const char *kind);

/* @notifier is another one now, which has shown nothing. */
void sp_infos_post_again (SpVault *vault, const char *notifier);

/* Do what is to be done next for @notifier; it is not busy.  FALSE: there is nothing. */
gboolean sp_infos_next (SpVault *vault, const char *notifier);
/* It was opened anew. */
void sp_infos_post_again (SpVault *vault, const char *notifier);
/* What time brings. */
void sp_infos_tick (SpVault *vault);
/* Milliseconds until there is something to do; -1: nothing. */
gint64 sp_infos_wait_ms (SpVault *vault);

gboolean sp_infos_take (SpVault *vault, GVariant *value, GError **error);
GPtrArray *sp_infos_new (void);
