/* rows.c - the three calls of a store, on an open database
 *
 * A write() is one transaction, hence one sync of the log, and each batch in it a savepoint: a
 * conflict undoes its batch, any error undoes all.
 *
 * What must stay true: what was answered with FALSE does not come back.  A COMMIT that fails late
 * (the sync) may have left the whole transaction in the log, where a start after a crash would find
 * it; so the log is emptied then, and until that works nothing more is written.
 */
#include "rows.h"

#include "database.h"
#include "failure.h"
#include "limits.h"

typedef enum {
  STATEMENT_BEGIN,
  STATEMENT_COMMIT,
  STATEMENT_ROLLBACK,
  STATEMENT_SAVEPOINT,
  STATEMENT_UNDO,
  STATEMENT_RELEASE,
  STATEMENT_READ,
  STATEMENT_REVISION,
  STATEMENT_PUT,
  STATEMENT_REMOVE,
  STATEMENT_SCAN,
  N_STATEMENTS
} Statement;

static const char *const texts[N_STATEMENTS] = {
  [STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
  [STATEMENT_COMMIT] = "COMMIT",
  [STATEMENT_ROLLBACK] = "ROLLBACK",
  [STATEMENT_SAVEPOINT] = "SAVEPOINT batch",
  [STATEMENT_UNDO] = "ROLLBACK TO batch",
  [STATEMENT_RELEASE] = "RELEASE batch",
  [STATEMENT_READ] = "SELECT rev, value FROM rows WHERE tbl = ?1 AND key = ?2",
  [STATEMENT_REVISION] = "SELECT rev FROM rows WHERE tbl = ?1 AND key = ?2",
  [STATEMENT_PUT] = "INSERT INTO rows (tbl, key, rev, value) VALUES (?1, ?2, ?3, ?4) "
                    "ON CONFLICT (tbl, key) DO UPDATE SET rev = excluded.rev, "
                    "value = excluded.value",
  [STATEMENT_REMOVE] = "DELETE FROM rows WHERE tbl = ?1 AND key = ?2",
  [STATEMENT_SCAN] = "SELECT key, rev, value FROM rows WHERE tbl = ?1 AND key > ?2 ORDER BY key",
};

struct _SpSqliteRows {
  sqlite3 *db;
  char *path;
  sqlite3_stmt *statements[N_STATEMENTS];
  gboolean log_dirty; /* the log may hold a transaction that was refused */
};

/* Resets the statement when its scope ends: no lock and no pointer to a value stays behind. */
typedef sqlite3_stmt BoundStatement;

static void
release (BoundStatement *statement)
{
  sqlite3_reset (statement);
  sqlite3_clear_bindings (statement);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (BoundStatement, release)

static gboolean
fail (SpSqliteRows *self, int rc, GError **error)
{
  return sp_sqlite_fail (error, self->path, self->db, rc);
}

/* ---- statements -------------------------------------------------------------------------------- */

/* A statement with its table and key; both must live until it is released. */
static int
bind_address (SpSqliteRows *self, Statement which, const char *table, const char *key)
{
  sqlite3_stmt *statement = self->statements[which];
  int rc = sqlite3_bind_text (statement, 1, table, -1, SQLITE_STATIC);

  return rc == SQLITE_OK ? sqlite3_bind_text (statement, 2, key, -1, SQLITE_STATIC) : rc;
}

static int
bind_value (sqlite3_stmt *statement, int index, GBytes *value)
{
  gsize size;
  const void *data = g_bytes_get_data (value, &size);

  /* SQLite takes a NULL pointer for its NULL, which is not an empty value. */
  return sqlite3_bind_blob (statement, index, size > 0 ? data : "", (int) size, SQLITE_STATIC);
}

static GBytes *
column_value (sqlite3_stmt *statement, int index)
{
  const void *data = sqlite3_column_blob (statement, index);

  return g_bytes_new (data, (gsize) sqlite3_column_bytes (statement, index));
}

/* Runs a statement that returns no row. */
static int
run (SpSqliteRows *self, Statement which)
{
  g_autoptr (BoundStatement) statement = self->statements[which];
  int rc = sqlite3_step (statement);

  return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static gboolean
run_or_fail (SpSqliteRows *self, Statement which, GError **error)
{
  int rc = run (self, which);

  return rc == SQLITE_OK ? TRUE : fail (self, rc, error);
}

/* ---- read and scan ----------------------------------------------------------------------------- */

/* Puts right what an earlier failure may have left, and arms the deadline. */
static gboolean
begin_call (SpSqliteRows *self, GCancellable *cancellable, GError **error)
{
  if (g_cancellable_is_cancelled (cancellable))
    return sp_sqlite_fail_cancelled (error, self->path);
  if (!sqlite3_get_autocommit (self->db) && !run_or_fail (self, STATEMENT_ROLLBACK, error))
    return FALSE;
  sp_sqlite_database_watch (self->db, cancellable);
  return TRUE;
}

static gboolean
read_row (SpSqliteRows *self, const char *table, const char *key, GBytes **ret_value,
          gint64 *ret_revision, GError **error)
{
  g_autoptr (BoundStatement) statement = self->statements[STATEMENT_READ];
  int rc = bind_address (self, STATEMENT_READ, table, key);

  if (rc == SQLITE_OK)
    rc = sqlite3_step (statement);
  if (rc == SQLITE_ROW) {
    *ret_revision = sqlite3_column_int64 (statement, 0);
    *ret_value = column_value (statement, 1);
    return TRUE;
  }
  if (rc != SQLITE_DONE)
    return fail (self, rc, error);
  g_set_error (error, SP_ERROR, SP_ERROR_NOT_FOUND, "%s: table %s has no such row", self->path,
               table);
  return FALSE;
}

gboolean
sp_sqlite_rows_read (SpSqliteRows *self, const char *table, const char *key, GBytes **ret_value,
                     gint64 *ret_revision, GCancellable *cancellable, GError **error)
{
  gboolean ok;

  if (!sp_sqlite_check_address (self->path, table, key, error) ||
      !begin_call (self, cancellable, error))
    return FALSE;
  ok = read_row (self, table, key, ret_value, ret_revision, error);
  sp_sqlite_database_watch (self->db, NULL);
  return ok;
}

static gboolean
pass_row (sqlite3_stmt *statement, SpRowFunc row, gpointer data)
{
  g_autoptr (GBytes) value = column_value (statement, 2);

  return row ((const char *) sqlite3_column_text (statement, 0),
              sqlite3_column_int64 (statement, 1), value, data);
}

static gboolean
scan_rows (SpSqliteRows *self, const char *table, const char *after, SpRowFunc row, gpointer data,
           GCancellable *cancellable, GError **error)
{
  g_autoptr (BoundStatement) statement = self->statements[STATEMENT_SCAN];
  int rc = bind_address (self, STATEMENT_SCAN, table, after);

  if (rc == SQLITE_OK)
    rc = sqlite3_step (statement);
  while (rc == SQLITE_ROW) {
    if (!pass_row (statement, row, data))
      return TRUE;
    /* SQLite asks only now and then, but a row may have taken its receiver long. */
    if (g_cancellable_is_cancelled (cancellable))
      return sp_sqlite_fail_cancelled (error, self->path);
    rc = sqlite3_step (statement);
  }
  return rc == SQLITE_DONE ? TRUE : fail (self, rc, error);
}

gboolean
sp_sqlite_rows_scan (SpSqliteRows *self, const char *table, const char *after, SpRowFunc row,
                     gpointer data, GCancellable *cancellable, GError **error)
{
  gboolean ok;

  /* No key is empty, so all are greater than "". */
  if (after == NULL)
    after = "";
  if (!sp_sqlite_check_address (self->path, table, *after != '\0' ? after : " ", error) ||
      !begin_call (self, cancellable, error))
    return FALSE;
  ok = scan_rows (self, table, after, row, data, cancellable, error);
  sp_sqlite_database_watch (self->db, NULL);
  return ok;
}

/* ---- write ------------------------------------------------------------------------------------- */

/* @ret_revision: 0 where there is no such row. */
static gboolean
current_revision (SpSqliteRows *self, const SpWrite *write, gint64 *ret_revision, GError **error)
{
  g_autoptr (BoundStatement) statement = self->statements[STATEMENT_REVISION];
  int rc = bind_address (self, STATEMENT_REVISION, write->table, write->key);

  *ret_revision = 0;
  if (rc == SQLITE_OK)
    rc = sqlite3_step (statement);
  if (rc == SQLITE_ROW)
    *ret_revision = sqlite3_column_int64 (statement, 0);
  if (rc != SQLITE_ROW && rc != SQLITE_DONE)
    return fail (self, rc, error);
  if (*ret_revision >= 0 && *ret_revision < G_MAXINT64)
    return TRUE;
  return fail (self, SQLITE_CORRUPT, error);
}

static int
put_row (SpSqliteRows *self, const SpWrite *write, gint64 revision)
{
  sqlite3_stmt *statement = self->statements[STATEMENT_PUT];
  int rc = bind_address (self, STATEMENT_PUT, write->table, write->key);

  if (rc == SQLITE_OK)
    rc = sqlite3_bind_int64 (statement, 3, revision);
  if (rc == SQLITE_OK)
    rc = bind_value (statement, 4, write->value);
  return rc == SQLITE_OK ? run (self, STATEMENT_PUT) : rc;
}

static int
remove_row (SpSqliteRows *self, const SpWrite *write)
{
  int rc = bind_address (self, STATEMENT_REMOVE, write->table, write->key);

  return rc == SQLITE_OK ? run (self, STATEMENT_REMOVE) : rc;
}

static gboolean
apply (SpSqliteRows *self, const SpWrite *write, guint32 *ret_result, GError **error)
{
  gint64 revision;
  int rc;

  if (!current_revision (self, write, &revision, error))
    return FALSE;
  if (write->expect != -1 && write->expect != revision) {
    *ret_result = SP_BATCH_CONFLICT;
    return TRUE;
  }
  rc = write->value != NULL ? put_row (self, write, revision + 1) : remove_row (self, write);
  return rc == SQLITE_OK ? TRUE : fail (self, rc, error);
}

static gboolean
write_batch (SpSqliteRows *self, SpBatch *batch, GError **error)
{
  if (!run_or_fail (self, STATEMENT_SAVEPOINT, error))
    return FALSE;
  batch->result = SP_BATCH_DONE;
  for (gsize i = 0; i < batch->n_writes && batch->result == SP_BATCH_DONE; i++)
    if (!apply (self, &batch->writes[i], &batch->result, error))
      return FALSE;
  if (batch->result == SP_BATCH_CONFLICT && !run_or_fail (self, STATEMENT_UNDO, error))
    return FALSE;
  return run_or_fail (self, STATEMENT_RELEASE, error);
}

static gboolean
write_batches (SpSqliteRows *self, SpBatch *batches, gsize n_batches, GError **error)
{
  if (!run_or_fail (self, STATEMENT_BEGIN, error))
    return FALSE;
  for (gsize i = 0; i < n_batches; i++)
    if (!write_batch (self, &batches[i], error))
      return FALSE;
  return TRUE;
}

static int
clear_log (SpSqliteRows *self)
{
  int rc = sp_sqlite_database_checkpoint (self->db);

  self->log_dirty = rc != SQLITE_OK;
  return rc;
}

/* SQLite undoes some failures by itself; what is left, begin_call() tries again. */
static void
roll_back (SpSqliteRows *self)
{
  if (!sqlite3_get_autocommit (self->db))
    run (self, STATEMENT_ROLLBACK);
}

static gboolean
commit (SpSqliteRows *self, GError **error)
{
  if (run_or_fail (self, STATEMENT_COMMIT, error))
    return TRUE;
  roll_back (self);
  if (clear_log (self) == SQLITE_OK)
    g_prefix_error (error, "nothing was kept: ");
  else
    g_prefix_error (error, "nothing was kept, but its traces in the log can't be removed yet: ");
  return FALSE;
}

static gboolean
write_all (SpSqliteRows *self, SpBatch *batches, gsize n_batches, GCancellable *cancellable,
           GError **error)
{
  gboolean ok = write_batches (self, batches, n_batches, error);

  /* From here on it is whole or not at all; being interrupted in between would only blur that. */
  sp_sqlite_database_watch (self->db, NULL);
  if (ok && g_cancellable_is_cancelled (cancellable))
    ok = sp_sqlite_fail_cancelled (error, self->path);
  if (ok)
    return commit (self, error);
  roll_back (self);
  return FALSE;
}

gboolean
sp_sqlite_rows_write (SpSqliteRows *self, SpBatch *batches, gsize n_batches,
                      GCancellable *cancellable, GError **error)
{
  int rc;

  if (!sp_sqlite_check_batches (self->path, batches, n_batches, error) ||
      !begin_call (self, cancellable, error))
    return FALSE;
  rc = self->log_dirty ? clear_log (self) : SQLITE_OK;
  if (rc == SQLITE_OK && write_all (self, batches, n_batches, cancellable, error))
    return TRUE;
  sp_sqlite_database_watch (self->db, NULL);
  for (gsize i = 0; i < n_batches; i++)
    batches[i].result = 0;
  return rc == SQLITE_OK ? FALSE : fail (self, rc, error);
}

/* ---- life -------------------------------------------------------------------------------------- */

SpSqliteRows *
sp_sqlite_rows_new (sqlite3 *db, const char *path, GError **error)
{
  SpSqliteRows *self = g_new0 (SpSqliteRows, 1);

  self->db = db;
  self->path = g_strdup (path);
  for (gsize i = 0; i < N_STATEMENTS; i++) {
    int rc = sqlite3_prepare_v3 (db, texts[i], -1, SQLITE_PREPARE_PERSISTENT, &self->statements[i],
                                 NULL);

    if (rc != SQLITE_OK) {
      fail (self, rc, error);
      sp_sqlite_rows_free (self);
      return NULL;
    }
  }
  return self;
}

void
sp_sqlite_rows_free (SpSqliteRows *self)
{
  if (self == NULL)
    return;
  for (gsize i = 0; i < N_STATEMENTS; i++)
    sqlite3_finalize (self->statements[i]);
  sp_sqlite_database_close (self->db);
  g_free (self->path);
  g_free (self);
}
