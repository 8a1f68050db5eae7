/* listen.h - what came of one child: its report, its output, its end */
#pragma once

#include "plugin/check/case.h"

typedef struct {
  guint32 rule; /* SpCheckRule */
  char *text;
} SpCheckBlame;

typedef struct {
  char verdict; /* SP_CHECK_FAILS, SP_CHECK_SKIPS, SP_CHECK_AWAY; 0: none */
  char *text;   /* of the verdict */
  char *call;   /* in which it was when it ended; NULL: in none */
  GPtrArray *blames;
  gboolean begun, done, hangs, timed_out;
  int shape;        /* -1: nothing was said of it */
  GByteArray *said; /* what came on stdout; a part */
  int status;       /* as waitpid() gives it */
} SpCheckOutcome;

void sp_check_outcome_free (SpCheckOutcome *outcome);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpCheckOutcome, sp_check_outcome_free)

/* Run a child with @order to its end, or to the end of @limit_ms; blocks.  All that it has started is ended
 * with it.  NULL: @error. */
SpCheckOutcome *sp_check_listen (GVariant *order, guint limit_ms, GError **error);
