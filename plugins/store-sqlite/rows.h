/* rows.h - the three calls of a store, on an open database */
#pragma once

#include <secret-proxy/store.h>
#include <sqlite3.h>

typedef struct _SpSqliteRows SpSqliteRows;

/* Prepares all statements on @db.  Takes over @db, also where it fails (NULL, with @error). */
SpSqliteRows *sp_sqlite_rows_new (sqlite3 *db, const char *path, GError **error);

/* Ends the statements and closes the database.  NULL is fine. */
void sp_sqlite_rows_free (SpSqliteRows *self);

/* As SpStoreOps documents them.  Errors begin with the database's path. */
gboolean
sp_sqlite_rows_read (SpSqliteRows *self, const char *table, const char *key, GBytes **ret_value,
                     gint64 *ret_revision, GCancellable *cancellable, GError **error);
gboolean
sp_sqlite_rows_scan (SpSqliteRows *self, const char *table, const char *after, SpRowFunc row,
                     gpointer data, GCancellable *cancellable, GError **error);
gboolean sp_sqlite_rows_write (SpSqliteRows *self, SpBatch *batches, gsize n_batches,
                               GCancellable *cancellable, GError **error);
