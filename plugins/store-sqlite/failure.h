/* failure.h - SQLite's result codes as errors of the core
 *
 * Plugins report with SP_ERROR codes; one table says which SQLite code is which, and what a person
 * can do about it.
 */
#pragma once

#include <secret-proxy/store.h>
#include <sqlite3.h>

/* Sets @error for the code @rc that a call on @db has just returned: "PATH: SQLite's words; what to
 * do".  @db may be NULL.  Callers prefix what they were doing.  Always returns FALSE. */
gboolean sp_sqlite_fail (GError **error, const char *path, sqlite3 *db, int rc);

/* The same for a cancelled call that has not reached SQLite.  Always returns FALSE. */
gboolean sp_sqlite_fail_cancelled (GError **error, const char *path);
