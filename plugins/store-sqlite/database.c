/* database.c - opens the one database that this store takes for its own
 *
 * A database file can be a program: triggers, views and crafted pages run or get parsed when it is
 * opened.  So SQLite is told to trust nothing in it, and then the file must carry our application
 * id, a version that we know and the very schema text compiled in here, before anything else reads
 * it.  A file is filled only if it has not a single page.
 *
 * What must stay true: the identity and the schema go into an empty file in one transaction of the
 * rollback journal, before the change to WAL.  A crash leaves either an empty file or ours.
 */
#include "database.h"

#include "failure.h"

#include <glib/gstdio.h>

#define APPLICATION_ID 0x53505354 /* "SPST" */
#define USER_VERSION 1

/* Opcodes of SQLite's machine between two looks at the cancellable: a few small statements. */
#define WATCH_INTERVAL 100

/* Bytes of a row or a statement: far above the largest value that rows.c lets through. */
#define LENGTH_LIMIT (1024 * 1024)

#define SCHEMA \
  "CREATE TABLE rows (tbl TEXT NOT NULL, key TEXT NOT NULL COLLATE BINARY, rev INTEGER NOT NULL, " \
  "value BLOB NOT NULL, PRIMARY KEY (tbl, key)) STRICT, WITHOUT ROWID"

typedef struct {
  const char *name;
  const char *value;
  const char *want; /* what the pragma must say afterwards */
} Setting;

/* locking_mode comes first: it must be set before the file is looked at, so that the log's index
 * lives in this process's memory and no second process can join in. */
static const Setting settings[] = {
  { "locking_mode", "EXCLUSIVE", "exclusive" },
  { "trusted_schema", "OFF", "0" },
  { "cell_size_check", "ON", "1" },
  { "mmap_size", "0", "0" },
  { "temp_store", "MEMORY", "2" },
  { "secure_delete", "ON", "1" },
  { "synchronous", "FULL", "2" },
};

static const struct {
  int option;
  int value;
} switches[] = {
  { SQLITE_DBCONFIG_DEFENSIVE, 1 },
  { SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0 },
  { SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0 },
  { SQLITE_DBCONFIG_ENABLE_TRIGGER, 0 },
  { SQLITE_DBCONFIG_ENABLE_VIEW, 0 },
  { SQLITE_DBCONFIG_DQS_DDL, 0 },
  { SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1 }, /* a file that is refused is left as it is */
  { SQLITE_DBCONFIG_DQS_DML, 0 },
};

/* What the statements of rows.c need; anything else is refused when it is prepared. */
static const int allowed_actions[] = {
  SQLITE_SELECT, SQLITE_READ,        SQLITE_INSERT,    SQLITE_UPDATE,
  SQLITE_DELETE, SQLITE_TRANSACTION, SQLITE_SAVEPOINT,
};

static int
authorize (void *data, int action, const char *a, const char *b, const char *database,
           const char *trigger)
{
  for (gsize i = 0; i < G_N_ELEMENTS (allowed_actions); i++)
    if (allowed_actions[i] == action && trigger == NULL)
      return SQLITE_OK;
  return SQLITE_DENY;
}

static int
on_progress (void *data)
{
  return g_cancellable_is_cancelled (data);
}

void
sp_sqlite_database_watch (sqlite3 *db, GCancellable *cancellable)
{
  sqlite3_progress_handler (db, WATCH_INTERVAL, cancellable != NULL ? on_progress : NULL,
                            cancellable);
}

static gboolean
refuse (GError **error, const char *path, const char *why)
{
  g_set_error (error, SP_ERROR, SP_ERROR_REFUSED, "%s: %s", path, why);
  return FALSE;
}

static gboolean
execute (sqlite3 *db, const char *path, const char *sql, GError **error)
{
  int rc = sqlite3_exec (db, sql, NULL, NULL, NULL);

  return rc == SQLITE_OK ? TRUE : sp_sqlite_fail (error, path, db, rc);
}

/* The first column of the first row, as text; NULL with @error. */
static char *
query (sqlite3 *db, const char *path, const char *sql, GError **error)
{
  sqlite3_stmt *statement = NULL;
  g_autofree char *text = NULL;
  int rc = sqlite3_prepare_v2 (db, sql, -1, &statement, NULL);

  if (rc == SQLITE_OK)
    rc = sqlite3_step (statement);
  if (rc == SQLITE_ROW) {
    text = g_strdup ((const char *) sqlite3_column_text (statement, 0));
    rc = text != NULL ? SQLITE_OK : SQLITE_MISMATCH;
  }
  if (rc != SQLITE_OK)
    sp_sqlite_fail (error, path, db, rc);
  sqlite3_finalize (statement);
  return rc == SQLITE_OK ? g_steal_pointer (&text) : NULL;
}

static gboolean
query_number (sqlite3 *db, const char *path, const char *sql, gint64 *ret_number, GError **error)
{
  g_autofree char *text = query (db, path, sql, error);

  if (text == NULL)
    return FALSE;
  *ret_number = g_ascii_strtoll (text, NULL, 10);
  return TRUE;
}

static gboolean
apply_setting (sqlite3 *db, const char *path, const Setting *setting, GError **error)
{
  g_autofree char *set = g_strdup_printf ("PRAGMA %s = %s", setting->name, setting->value);
  g_autofree char *get = g_strdup_printf ("PRAGMA %s", setting->name);
  g_autofree char *got = NULL;

  if (!execute (db, path, set, error))
    return FALSE;
  got = query (db, path, get, error);
  if (got == NULL)
    return FALSE;
  if (g_str_equal (got, setting->want))
    return TRUE;
  g_set_error (error, SP_ERROR, SP_ERROR_UNSUPPORTED,
               "%s: this SQLite (%s) does not take %s = %s; install Debian's", path,
               sqlite3_libversion (), setting->name, setting->value);
  return FALSE;
}

static gboolean
harden (sqlite3 *db, const char *path, GError **error)
{
  for (gsize i = 0; i < G_N_ELEMENTS (switches); i++) {
    int rc = sqlite3_db_config (db, switches[i].option, switches[i].value, NULL);

    if (rc != SQLITE_OK)
      return sp_sqlite_fail (error, path, db, rc);
  }
  sqlite3_limit (db, SQLITE_LIMIT_LENGTH, LENGTH_LIMIT);
  sqlite3_limit (db, SQLITE_LIMIT_ATTACHED, 0);
  for (gsize i = 0; i < G_N_ELEMENTS (settings); i++)
    if (!apply_setting (db, path, &settings[i], error))
      return FALSE;
  if (sqlite3_db_readonly (db, "main") == 0)
    return TRUE;
  return sp_sqlite_fail (error, path, NULL, SQLITE_READONLY);
}

/* SQLite also counts no page in a file of a few bytes, whatever they are, and would write over it. */
static gboolean
check_empty (const char *path, GError **error)
{
  GStatBuf info;

  if (g_stat (path, &info) != 0)
    return sp_sqlite_fail (error, path, NULL, SQLITE_CANTOPEN);
  return info.st_size == 0 ? TRUE : sp_sqlite_fail (error, path, NULL, SQLITE_NOTADB);
}

static gboolean
initialise (sqlite3 *db, const char *path, GError **error)
{
  g_autofree char *identity = g_strdup_printf (
      "PRAGMA application_id = %d; PRAGMA user_version = %d", APPLICATION_ID, USER_VERSION);

  return check_empty (path, error) && execute (db, path, identity, error) &&
         execute (db, path, SCHEMA, error);
}

static gboolean
check_version (const char *path, gint64 version, GError **error)
{
  if (version == USER_VERSION)
    return TRUE;
  g_set_error (error, SP_ERROR, SP_ERROR_REFUSED,
               "%s: its layout has version %" G_GINT64_FORMAT ", this release knows version %d; %s",
               path, version, USER_VERSION,
               version > USER_VERSION
                   ? "install the newer release that wrote it, or restore a backup from before"
                   : "restore it from a backup");
  return FALSE;
}

static gboolean
check_identity (sqlite3 *db, const char *path, GError **error)
{
  gint64 application, version;

  if (!query_number (db, path, "PRAGMA application_id", &application, error) ||
      !query_number (db, path, "PRAGMA user_version", &version, error))
    return FALSE;
  if (application == APPLICATION_ID)
    return check_version (path, version, error);
  g_set_error (error, SP_ERROR, SP_ERROR_REFUSED,
               "%s: the database of another program (its application id is 0x%08x, not 0x%08x); "
               "name another file as path",
               path, (guint) application, (guint) APPLICATION_ID);
  return FALSE;
}

static gboolean
check_schema (sqlite3 *db, const char *path, GError **error)
{
  static const char *const changed =
      "its schema is not the one of this program; restore it from a backup";
  g_autofree char *text = NULL;
  gint64 objects;

  if (!query_number (db, path, "SELECT count (*) FROM sqlite_schema", &objects, error))
    return FALSE;
  if (objects != 1)
    return refuse (error, path, changed);
  text = query (db, path,
                "SELECT type || ' ' || name || ' ' || tbl_name || ' ' || sql FROM sqlite_schema",
                error);
  if (text == NULL)
    return FALSE;
  return g_str_equal (text, "table rows rows " SCHEMA) ? TRUE : refuse (error, path, changed);
}

static gboolean
check_soundness (sqlite3 *db, const char *path, GError **error)
{
  g_autofree char *verdict = query (db, path, "PRAGMA quick_check (1)", error);

  if (verdict == NULL)
    return FALSE;
  if (g_str_equal (verdict, "ok"))
    return TRUE;
  g_set_error (error, SP_ERROR, SP_ERROR_REFUSED, "%s: damaged: %s; restore it from a backup", path,
               verdict);
  return FALSE;
}

/* After this the lock is ours until the database is closed. */
static gboolean
claim (sqlite3 *db, const char *path, GError **error)
{
  gint64 pages;

  /* Asked outside a transaction: inside, SQLite counts the page that it would make. */
  if (!query_number (db, path, "PRAGMA page_count", &pages, error) ||
      !execute (db, path, "BEGIN EXCLUSIVE", error))
    return FALSE;
  if (pages == 0 && !initialise (db, path, error))
    return FALSE;
  return check_identity (db, path, error) && check_schema (db, path, error) &&
         execute (db, path, "COMMIT", error) && check_soundness (db, path, error);
}

static gboolean
use_log (sqlite3 *db, const char *path, GError **error)
{
  g_autofree char *mode = query (db, path, "PRAGMA journal_mode = WAL", error);

  if (mode == NULL)
    return FALSE;
  if (g_str_equal (mode, "wal"))
    return TRUE;
  g_set_error (error, SP_ERROR, SP_ERROR_UNSUPPORTED,
               "%s: its file system cannot hold a write-ahead log; use a local one", path);
  return FALSE;
}

static gboolean
set_up (sqlite3 *db, const char *path, GError **error)
{
  if (!harden (db, path, error) || !claim (db, path, error) || !use_log (db, path, error))
    return FALSE;
  sqlite3_set_authorizer (db, authorize, NULL);
  return TRUE;
}

sqlite3 *
sp_sqlite_database_open (const char *path, GCancellable *cancellable, GError **error)
{
  const int flags =
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_NOMUTEX;
  sqlite3 *db = NULL;
  gboolean ok;
  int rc;

  if (g_cancellable_is_cancelled (cancellable)) {
    sp_sqlite_fail_cancelled (error, path);
    return NULL;
  }
  rc = sqlite3_open_v2 (path, &db, flags, NULL);
  if (rc == SQLITE_OK) {
    sp_sqlite_database_watch (db, cancellable);
    ok = set_up (db, path, error);
    sp_sqlite_database_watch (db, NULL);
  } else
    ok = sp_sqlite_fail (error, path, db, rc);
  if (ok)
    return db;
  sqlite3_close (db);
  return NULL;
}

int
sp_sqlite_database_checkpoint (sqlite3 *db)
{
  return sqlite3_wal_checkpoint_v2 (db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
}

void
sp_sqlite_database_close (sqlite3 *db)
{
  if (db == NULL)
    return;
  /* Closing now also moves the log into the database.  Nothing is lost where that fails: the next
   * start reads the log. */
  sqlite3_db_config (db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
  sqlite3_close (db);
}
