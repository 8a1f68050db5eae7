/* failure.c - SQLite's result codes as errors of the core
 *
 * UNAVAILABLE is for what may pass by itself or by an admin's hand (space, disk, lock), REFUSED for
 * a file that must not be used as it is.  A code that is not in the table is a bug somewhere, and
 * is called one.
 */
#include "failure.h"

typedef struct {
  int primary; /* SQLite's primary result code */
  SpErrorCode code;
  const char *advice;
} Meaning;

static const Meaning meanings[] = {
  { SQLITE_FULL, SP_ERROR_UNAVAILABLE, "free space on its file system" },
  { SQLITE_IOERR, SP_ERROR_UNAVAILABLE, "check the disk, its free space and the system's log" },
  { SQLITE_READONLY, SP_ERROR_UNAVAILABLE, "make the file and its file system writable" },
  { SQLITE_CANTOPEN, SP_ERROR_UNAVAILABLE, "check that its folder exists and may be written to" },
  { SQLITE_BUSY, SP_ERROR_UNAVAILABLE, "it is in use by another process, which must end first" },
  { SQLITE_LOCKED, SP_ERROR_UNAVAILABLE, "it is in use by another process, which must end first" },
  { SQLITE_PROTOCOL, SP_ERROR_UNAVAILABLE,
    "it is in use by another process, which must end first" },
  { SQLITE_NOMEM, SP_ERROR_UNAVAILABLE, "give this machine more memory" },
  { SQLITE_INTERRUPT, SP_ERROR_UNAVAILABLE, "the time allowed for it ran out; try again" },
  { SQLITE_CORRUPT, SP_ERROR_REFUSED, "restore it from a backup" },
  { SQLITE_NOTADB, SP_ERROR_REFUSED, "name another file as path, or restore it from a backup" },
  { SQLITE_FORMAT, SP_ERROR_REFUSED, "restore it from a backup" },
  { SQLITE_CONSTRAINT, SP_ERROR_REFUSED, "restore it from a backup" },
  { SQLITE_MISMATCH, SP_ERROR_REFUSED, "restore it from a backup" },
  { SQLITE_PERM, SP_ERROR_REFUSED, "check the owner and the mode of the file" },
  { SQLITE_AUTH, SP_ERROR_REFUSED, "restore it from a backup" },
  { SQLITE_TOOBIG, SP_ERROR_REFUSED, "keep smaller values" },
};

static const Meaning unexpected = { 0, SP_ERROR_INTERNAL, "this is a bug; please report it" };

static const Meaning *
find_meaning (int rc)
{
  int primary = rc & 0xff; /* the rest is SQLite's extended code */

  for (gsize i = 0; i < G_N_ELEMENTS (meanings); i++)
    if (meanings[i].primary == primary)
      return &meanings[i];
  return &unexpected;
}

/* SQLite remembers the system's error only for these two; elsewhere it is an old one. */
static int
system_error (sqlite3 *db, int rc)
{
  int primary = rc & 0xff;

  if (db == NULL || (primary != SQLITE_IOERR && primary != SQLITE_CANTOPEN))
    return 0;
  return sqlite3_system_errno (db);
}

gboolean
sp_sqlite_fail (GError **error, const char *path, sqlite3 *db, int rc)
{
  const Meaning *meaning = find_meaning (rc);
  /* The words of the connection say more, but are about this call only while it has the code. */
  gboolean current = db != NULL && sqlite3_extended_errcode (db) == rc;
  const char *words = current ? sqlite3_errmsg (db) : sqlite3_errstr (rc);
  int number = system_error (db, rc);

  if (number != 0)
    g_set_error (error, SP_ERROR, meaning->code, "%s: %s (%s); %s", path, words,
                 g_strerror (number), meaning->advice);
  else
    g_set_error (error, SP_ERROR, meaning->code, "%s: %s; %s", path, words, meaning->advice);
  return FALSE;
}

gboolean
sp_sqlite_fail_cancelled (GError **error, const char *path)
{
  return sp_sqlite_fail (error, path, NULL, SQLITE_INTERRUPT);
}
