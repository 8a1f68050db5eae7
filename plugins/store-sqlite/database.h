/* database.h - opens the one database that this store takes for its own */
#pragma once

#include <secret-proxy/store.h>
#include <sqlite3.h>

/* Opens the private file at @path (see file.h), hardened and locked for this process, with its
 * identity, its schema and its soundness checked; an empty file is given the schema.  Returns NULL
 * with SP_ERROR_REFUSED for a file that is not ours, newer, changed or damaged, and
 * SP_ERROR_UNAVAILABLE for one that can't be used now.  Close it with sp_sqlite_database_close(). */
sqlite3 *sp_sqlite_database_open (const char *path, GCancellable *cancellable, GError **error);

/* Moves what is in the log into the database and ends the log.  A SQLite result code. */
int sp_sqlite_database_checkpoint (sqlite3 *db);

/* Checkpoints and closes.  All statements must be finalized.  NULL is fine. */
void sp_sqlite_database_close (sqlite3 *db);

/* Has what runs on @db from here on end with SQLITE_INTERRUPT once @cancellable is cancelled.
 * NULL: nothing interrupts it. */
void sp_sqlite_database_watch (sqlite3 *db, GCancellable *cancellable);
