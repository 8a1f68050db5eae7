/* draft.h - a folder beside the images of this host, for one that is being made
 *
 * Each has a name of its own and is held for as long as it is used, so that several are made at the same time,
 * and what is left of a process that was killed is told from what another one is working on.
 */
#pragma once

#include <gio/gio.h>

typedef struct {
  char *path; /* 0700; whatever is in it goes with it */
  int lock;
} SpDraft;

/* In STATE/images, which is made.  Removes those that nobody holds, and what is left of an image whose
 * removal was killed. */
SpDraft *sp_draft_new (const char *state, GError **error);
void sp_draft_free (SpDraft *draft);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpDraft, sp_draft_free)
