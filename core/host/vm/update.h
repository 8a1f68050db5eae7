/* update.h - move a vault to another image, and back
 *
 * The data, the keys and what agents know of the vault stay; what boots, and so the measurement, is another.
 * Steps as in a takeover: the vault is stopped, data volume and anchor are copied before anything new is
 * written, the record names the new image *on trial*, the vault is started and has to prove itself; only then
 * the image is kept.  What fails goes back to the image of before by itself; a run that is killed is settled
 * by the next start (settle.h).
 *
 * Going back exchanges the image only: what was accepted meanwhile stays, where the older daemon can read it.
 * Putting back the data as well is another thing, and loses what came after.
 *
 * Called on the command line's thread; everything blocks, under deadlines.
 */
#pragma once

#include "host/steps.h"

typedef struct {
  const char *vault;      /* [vault NAME]; NULL: the only one, or "default" */
  const char *folder;     /* of the vault */
  const char *config;     /* NULL: the one in /etc */
  const char *plugin_dir; /* NULL: the default one */
  const char *image;      /* NULL: the newest of this host */
  gboolean older;         /* it may be of an older version than the vault has had */
  gboolean new_disk;      /* make the machine's own disk anew, also where it could stay */
  gboolean no_copy;       /* keep no copy of the data volume */
  guint start_ms;         /* how long the new image may take to answer; 0: as long as a start may */
  void (*report) (const SpStepReport *report, guint n_steps, gpointer data);
  gpointer data;
} SpUpdateOptions;

typedef struct {
  char *image, *version; /* with which it runs now */
  char *previous;
  gboolean runs; /* it does; else it was stopped before, too */
} SpUpdateResult;

void sp_update_result_free (SpUpdateResult *result);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpUpdateResult, sp_update_result_free)

SpUpdateResult *sp_update_run (const SpUpdateOptions *options, GError **error);
/* To the image of before; @data: with the data of before. */
SpUpdateResult *sp_rollback_run (const SpUpdateOptions *options, gboolean data, GError **error);
