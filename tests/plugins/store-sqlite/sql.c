/* sql.c - sql.h: the database file as another program would treat it */
#include "sql.h"

void
fixture_sql (Fixture *self, const char *path, const char *sql)
{
  sqlite3 *db = NULL;

  g_assert_null (self->store);
  g_assert_cmpint (sqlite3_open (path, &db), ==, SQLITE_OK);
  g_assert_cmpint (sqlite3_exec (db, sql, NULL, NULL, NULL), ==, SQLITE_OK);
  sqlite3_close (db);
}

void
fixture_copy_file (const char *from, const char *to)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *data = NULL;
  gsize size;

  g_file_get_contents (from, &data, &size, &error);
  g_assert_no_error (error);
  g_file_set_contents_full (to, data, (gssize) size, G_FILE_SET_CONTENTS_NONE, 0600, &error);
  g_assert_no_error (error);
}
