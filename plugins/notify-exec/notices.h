/* notices.h - which notices are open, and what becomes of their programs
 *
 *      post --> runs --> has answered (kept until the core has taken it) --> done
 *                  \--> ended without an answer: one may come later -------> done
 *                  \--> "try again" (75): runs again, later
 *                  \--> failed: an alarm ---------------------------------> done
 *      settle: ends it, wherever it is; forgotten
 *
 * The core's memory holds, for each notice, what its program was told, or that it is done; so after a
 * crash the programs that ran are started again, and no other.
 */
#pragma once

#include "message.h"
#include "program.h"

typedef struct {
  SpHost *host;
  NxCommand command;
  char *socket; /* where answers come in */
  gint64 wait_ms;
  GHashTable *notices; /* id -> Notice */
  GHashTable *waits;   /* "post/ID", "settle/ID" -> when its program may be started again */
} NxState;

void nx_notices_init (NxState *state);
/* What was remembered goes on. */
void nx_notices_resume (NxState *state);
/* Every program ends. */
void nx_notices_clear (NxState *state);
void nx_notices_free (NxState *state);

/* The calls of a notifier. */
gboolean
nx_post (NxState *state, const SpNotice *notice, GCancellable *cancellable, GError **error);
gboolean nx_settle (NxState *state, const SpNotice *notice, const SpOutcome *outcome,
                    GCancellable *cancellable, GError **error);
