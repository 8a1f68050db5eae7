/* file.h - the database file before SQLite sees it */
#pragma once

#include <secret-proxy/store.h>

/* Makes sure that a private file lies at the absolute @path: makes an empty one of mode 0600, or
 * checks the one that is there.  Returns the path with the links of its folder resolved, which is
 * the one to open, or NULL with SP_ERROR_REFUSED or SP_ERROR_UNAVAILABLE. */
char *sp_sqlite_file_prepare (const char *path, GError **error);
