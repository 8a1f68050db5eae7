/* steps.h - a long undertaking as a table of steps, each told with its time, and undone where it fails
 *
 * A step is begun only when the one before it is done; `done` is told by report(), where a journal
 * belongs.  When a step fails, the ones that were begun are undone from the last to the first, unless a
 * step that can't be undone was begun.
 */
#pragma once

#include <gio/gio.h>

typedef enum {
  SP_STEP_OK,
  SP_STEP_FAILED,
  SP_STEP_SKIPPED,
} SpStepStatus;

extern const char *const sp_step_words[]; /* "ok", "failed", "skipped" */

typedef struct {
  guint number; /* as the design counts them */
  const char *name;
  /* What was done, or why it was skipped, as a sentence without a full stop: @ret_message (free it). */
  gboolean (*run) (gpointer data, char **ret_message, gboolean *ret_skipped, GError **error);
  /* Also where run() failed half-way or was not called at all, and more than once.  What can't be undone
   * is kept in @data, for people.  Unset: nothing to undo. */
  void (*undo) (gpointer data);
  gboolean final; /* once it is begun nothing is undone any more */
} SpStep;

typedef struct {
  const SpStep *step;
  SpStepStatus status;
  gint64 ms;
  const char *message; /* what was done, or what went wrong */
} SpStepReport;

typedef struct {
  /* A step begins; FALSE: it must not (the journal can't be written). */
  gboolean (*begin) (const SpStep *step, gpointer data, GError **error);
  void (*report) (const SpStepReport *report, gpointer data);
  gpointer data; /* for both */
} SpStepWatch;

/* Run those with a number of at least @from.  On failure the error names the step, and @ret_undone says
 * whether all was taken back. */
gboolean sp_steps_run (const SpStep *steps, gsize n_steps, guint from, gpointer data,
                       const SpStepWatch *watch, gboolean *ret_undone, GError **error);
/* Undo those with a number of at most @last, from the last to the first. */
void sp_steps_undo (const SpStep *steps, gsize n_steps, guint last, gpointer data);
