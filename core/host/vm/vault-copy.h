/* vault-copy.h - what a vault was before it was moved to another image: the folder `before` in its own
 *
 * It has `data.raw`, `anchor` and `vault.json` of then, made while nothing ran and before anything new was
 * written; so they belong together.  A copy is made as `before.new`, and takes the place of the older one only
 * when the new image is kept.  It takes no room where the file system shares blocks (reflink), else as much as
 * the data volume has taken.
 */
#pragma once

#include <gio/gio.h>

/* @ret_message: how it was copied, for people.  SP_PROBLEM_STORE: there is no room. */
gboolean sp_vault_copy_make (int folder, char **ret_message, GError **error);
/* The move is taken back: the draft goes, where nothing was written since; else it stays as the way back. */
void sp_vault_copy_undo (int folder);
/* FALSE with @error: the older one is still the one that is there. */
gboolean sp_vault_copy_adopt (int folder, GError **error);

/* Whether it is there and is of a time when @image booted. */
gboolean sp_vault_copy_is_of (int folder, const char *image);
/* How many entries the audit log has more now than in the copy. */
guint64 sp_vault_copy_age (int folder);

/* Put it back; the data of now are kept as `data.after`.  May be interrupted and repeated. */
gboolean sp_vault_copy_restore (int folder, GError **error);
/* It is put back for good. */
void sp_vault_copy_finish (int folder);

#define SP_VAULT_AFTER "data.after"
