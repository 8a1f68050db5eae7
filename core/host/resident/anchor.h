/* anchor.h - the newest head of the audit log, kept on the host
 *
 * The log lies where the vault's store lies; this does not.  So a store that was set back or cut off
 * shows at the next unlock.  The file `anchor` in the vault's folder is {"head":HEX,"seq":N}.
 *
 * Only forward: a smaller number than the one that is kept is not taken.  Written by a thread, at most
 * about five times a second, and at the end; what a power cut takes from it is the last moment.
 */
#pragma once

#include <gio/gio.h>

typedef struct _SpAnchor SpAnchor;

/* Read it from @folder, a descriptor of which a copy is kept.
 * SP_PROBLEM_INTEGRITY where the file is damaged. */
SpAnchor *sp_anchor_open (int folder, GError **error);
/* Writes what is not written yet. */
void sp_anchor_free (SpAnchor *anchor);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpAnchor, sp_anchor_free)

/* FALSE: there is none yet.  @ret_head is the anchor's. */
gboolean sp_anchor_get (SpAnchor *anchor, guint64 *ret_seq, const char **ret_head);
/* @head: lower-case hex; what is not well-formed is dropped with a warning. */
void sp_anchor_update (SpAnchor *anchor, guint64 seq, const char *head);
/* Write now; blocks. */
gboolean sp_anchor_flush (SpAnchor *anchor, GError **error);
