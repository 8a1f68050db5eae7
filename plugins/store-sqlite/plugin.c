/* plugin.c - store-sqlite as the core sees it: options, life cycle, the three calls
 *
 * open() only settles the path; start() takes the file, stop() gives it back.  Here an error gets
 * its first words, what was being done; the files below say on what, why, and what to do.
 */
#include "database.h"
#include "file.h"
#include "rows.h"

#define FILE_NAME "vault.db"

typedef struct {
  char *path;         /* as configured; absolute */
  SpSqliteRows *rows; /* while started */
} Store;

static const SpOption options[] = {
  { .key = "path",
    .type = SP_OPTION_PATH,
    .help = "the database file; where absent, " FILE_NAME " in the plugin's own folder" },
};

static gpointer
store_open (SpHost *host, GError **error)
{
  const char *path = sp_config_string (host, "path");
  g_autofree char *fallback = NULL;
  Store *self;

  if (path == NULL)
    path = fallback = g_build_filename (host->api->state_dir (host), FILE_NAME, NULL);
  if (!g_path_is_absolute (path) || g_str_has_suffix (path, G_DIR_SEPARATOR_S)) {
    g_set_error (error, SP_ERROR, SP_ERROR_CONFIG,
                 "path %s is not the absolute path of a file; write one such as "
                 "/var/lib/NAME/" FILE_NAME,
                 path);
    return NULL;
  }
  self = g_new0 (Store, 1);
  self->path = g_strdup (path);
  return self;
}

static SpSqliteRows *
open_rows (const char *configured, GCancellable *cancellable, GError **error)
{
  g_autofree char *path = sp_sqlite_file_prepare (configured, error);
  sqlite3 *db;

  if (path == NULL)
    return NULL;
  db = sp_sqlite_database_open (path, cancellable, error);
  return db != NULL ? sp_sqlite_rows_new (db, path, error) : NULL;
}

static gboolean
store_start (gpointer data, GCancellable *cancellable, GError **error)
{
  Store *self = data;

  if (self->rows == NULL)
    self->rows = open_rows (self->path, cancellable, error);
  if (self->rows != NULL)
    return TRUE;
  g_prefix_error (error, "cannot open the database: ");
  return FALSE;
}

static void
store_stop (gpointer data)
{
  Store *self = data;

  g_clear_pointer (&self->rows, sp_sqlite_rows_free);
}

static void
store_close (gpointer data)
{
  Store *self = data;

  store_stop (self);
  g_free (self->path);
  g_free (self);
}

static gboolean
check_started (Store *self, GError **error)
{
  if (self->rows != NULL)
    return TRUE;
  g_set_error (error, SP_ERROR, SP_ERROR_UNAVAILABLE, "%s: not open; start the store first",
               self->path);
  return FALSE;
}

static gboolean
store_read (gpointer data, const char *table, const char *key, GBytes **ret_value,
            gint64 *ret_revision, GCancellable *cancellable, GError **error)
{
  Store *self = data;

  if (check_started (self, error) &&
      sp_sqlite_rows_read (self->rows, table, key, ret_value, ret_revision, cancellable, error))
    return TRUE;
  g_prefix_error (error, "cannot read a row: ");
  return FALSE;
}

static gboolean
store_write (gpointer data, SpBatch *batches, gsize n_batches, GCancellable *cancellable,
             GError **error)
{
  Store *self = data;

  if (check_started (self, error) &&
      sp_sqlite_rows_write (self->rows, batches, n_batches, cancellable, error))
    return TRUE;
  g_prefix_error (error, "cannot write rows: ");
  return FALSE;
}

static gboolean
store_scan (gpointer data, const char *table, const char *after, SpRowFunc row, gpointer row_data,
            GCancellable *cancellable, GError **error)
{
  Store *self = data;

  if (check_started (self, error) &&
      sp_sqlite_rows_scan (self->rows, table, after, row, row_data, cancellable, error))
    return TRUE;
  g_prefix_error (error, "cannot scan a table: ");
  return FALSE;
}

static const struct _SpStoreOps ops = {
  .read = store_read,
  .write = store_write,
  .scan = store_scan,
};

SP_STORE_PLUGIN (&ops, .name = "sqlite", .version = "0.1.0",
                 .summary = "keeps the vault's sealed rows in one SQLite database file",
                 SP_OPTIONS (options), .open = store_open, .start = store_start, .stop = store_stop,
                 .close = store_close)
