/* ephemeral.h - a folder for a vault that is gone afterwards */
#pragma once

#include <gio/gio.h>

/* Make one, 0700, in memory where there is such a place ($XDG_RUNTIME_DIR, /dev/shm), else among the
 * temporary files.  Its path, to be freed. */
char *sp_ephemeral_make (GError **error);
/* Remove it with all that is in it; follows no link and leaves other file systems alone. */
void sp_ephemeral_remove (const char *path);
