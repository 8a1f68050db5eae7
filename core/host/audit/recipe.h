/* recipe.h - what the recipe adds to a base image: the bundle, its services, and nothing else
 *
 * Each with the exact bytes, modes and places that the bundle's `install` gives them.
 */
#pragma once

#include "host/audit/tree.h"

/* Path -> SpAuditEntry.  Free it with g_hash_table_unref(). */
GHashTable *sp_audit_recipe_none (void);
/* Of the folder of a bundle, which is the host's own; @part: where the system is.  Blocks. */
GHashTable *sp_audit_recipe_of (const char *bundle, guint part, GError **error);
/* The same of its tar. */
GHashTable *sp_audit_recipe_of_tar (const char *tar, guint part, GError **error);
