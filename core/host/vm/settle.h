/* settle.h - a move to another image that nobody finished is taken back before the vault starts */
#pragma once

#include <gio/gio.h>

/* For the vault in the folder @path, before its lock is taken.  Whoever moves it holds the lock of
 * takeover/journal.h for as long; then, and where a resident process runs, nothing is done.  FALSE: it is
 * half-moved, and could not be mended. */
gboolean sp_vault_settle (const char *path, GError **error);
/* The same for the holder of that lock, where no resident process runs. */
gboolean sp_vault_settle_held (int folder, GError **error);
