/* test-files.c - which files the store takes, makes and refuses */
#include "sql.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static guint
mode_of (const char *path)
{
  GStatBuf info;

  g_assert_cmpint (g_lstat (path, &info), ==, 0);
  return info.st_mode & 07777;
}

static void
assert_mode_with_umask (Fixture *self, mode_t mask)
{
  mode_t before = umask (mask);
  g_autofree char *log = g_strconcat (self->path, "-wal", NULL);

  fixture_open (self);
  fixture_put (self, "k", -1, "v");
  g_assert_cmpuint (umask (before), ==, mask);
  g_assert_cmpuint (mode_of (self->path), ==, 0600);
  g_assert_cmpuint (mode_of (log), ==, 0600);
  fixture_close (self);
  g_assert_cmpint (g_remove (self->path), ==, 0);
}

static void
test_mode (Fixture *self)
{
  assert_mode_with_umask (self, 0);
  assert_mode_with_umask (self, 0777);
}

static void
test_symlink (Fixture *self)
{
  g_autofree char *target = g_build_filename (self->folder, "target", NULL);

  g_assert_cmpint (symlink (target, self->path), ==, 0);
  fixture_assert_refused (self, SP_ERROR_REFUSED, "symbolic link");
  g_assert_false (g_file_test (target, G_FILE_TEST_EXISTS));
}

static void
test_symlinked_log (Fixture *self)
{
  g_autofree char *log = g_strconcat (self->path, "-wal", NULL);

  g_assert_cmpint (symlink ("target", log), ==, 0);
  fixture_assert_refused (self, SP_ERROR_REFUSED, "symbolic link");
}

static void
test_symlinked_folder (Fixture *self)
{
  g_autofree char *folder = g_strconcat (self->folder, "-link", NULL);
  g_autofree char *path = g_build_filename (folder, "vault.db", NULL);

  g_assert_cmpint (symlink (self->folder, folder), ==, 0);
  self->configured = path;
  fixture_open (self);
  g_assert_true (g_file_test (self->path, G_FILE_TEST_IS_REGULAR));
  fixture_close (self);
  g_assert_cmpint (g_remove (folder), ==, 0);
}

static void
test_loose_mode (Fixture *self)
{
  static const mode_t modes[] = { 0640, 0604, 0620, 0602, 0601 };

  fixture_open (self);
  fixture_close (self);
  for (gsize i = 0; i < G_N_ELEMENTS (modes); i++) {
    g_assert_cmpint (g_chmod (self->path, modes[i]), ==, 0);
    fixture_assert_refused (self, SP_ERROR_REFUSED, "others can read or write it");
  }
  g_assert_cmpint (g_chmod (self->path, 0600), ==, 0);
  fixture_open (self);
}

static void
test_loose_folder (Fixture *self)
{
  g_assert_cmpint (g_chmod (self->folder, 0770), ==, 0);
  fixture_assert_refused (self, SP_ERROR_REFUSED, "others can write in the folder");
  g_assert_false (g_file_test (self->path, G_FILE_TEST_EXISTS));
}

static void
test_second_name (Fixture *self)
{
  g_autofree char *other = g_build_filename (self->folder, "other", NULL);

  fixture_open (self);
  fixture_close (self);
  g_assert_cmpint (link (self->path, other), ==, 0);
  fixture_assert_refused (self, SP_ERROR_REFUSED, "second name");
}

static void
test_not_a_file (Fixture *self)
{
  g_assert_cmpint (mkfifo (self->path, 0600), ==, 0);
  fixture_assert_refused (self, SP_ERROR_REFUSED, "not a plain file");
}

static void
test_another_user (Fixture *self)
{
  if (geteuid () != 0) {
    g_test_skip ("giving a file away takes root");
    return;
  }
  fixture_open (self);
  fixture_close (self);
  g_assert_cmpint (chown (self->path, 1, 1), ==, 0);
  fixture_assert_refused (self, SP_ERROR_REFUSED, "belongs to another user");
}

static void
test_missing_folder (Fixture *self)
{
  g_autofree char *path = g_build_filename (self->folder, "none", "vault.db", NULL);

  self->configured = path;
  fixture_assert_refused (self, SP_ERROR_UNAVAILABLE, "none");
}

static void
test_relative_path (Fixture *self)
{
  self->configured = "vault.db";
  fixture_assert_refused (self, SP_ERROR_CONFIG, "absolute");
}

static void
test_configured_path (Fixture *self)
{
  g_autofree char *path = g_build_filename (self->folder, "other?name=%41.db", NULL);

  self->configured = path;
  fixture_open (self);
  g_assert_true (g_file_test (path, G_FILE_TEST_IS_REGULAR));
  g_assert_false (g_file_test (self->path, G_FILE_TEST_EXISTS));
}

static void
test_empty_file_left_by_crash (Fixture *self)
{
  int fd = g_creat (self->path, 0600);

  g_assert_cmpint (fd, >=, 0);
  close (fd);
  fixture_open (self);
  fixture_put (self, "k", 0, "v");
}

static void
test_truncated (Fixture *self)
{
  g_autofree char *log = g_strconcat (self->path, "-wal", NULL);

  fixture_open (self);
  fixture_close (self);
  g_assert_true (
      g_file_set_contents_full (log, "frames", -1, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
  g_assert_cmpint (truncate (self->path, 0), ==, 0);
  fixture_assert_refused (self, SP_ERROR_REFUSED, "it is empty, but its log is not");
  g_assert_cmpint (g_remove (self->path), ==, 0);
  fixture_assert_refused (self, SP_ERROR_REFUSED, "it is missing, but its log is there");
  g_assert_false (g_file_test (self->path, G_FILE_TEST_EXISTS));
}

static void
test_newer (Fixture *self)
{
  fixture_open (self);
  fixture_close (self);
  fixture_sql (self, self->path, "PRAGMA user_version = 7");
  fixture_assert_refused (self, SP_ERROR_REFUSED, "version 7, this release knows version 1");
  fixture_sql (self, self->path, "PRAGMA user_version = 0");
  fixture_assert_refused (self, SP_ERROR_REFUSED, "version 0, this release knows version 1");
}

/* Refused with @words, and not a byte of it changed. */
static void
assert_left_alone (Fixture *self, const char *words)
{
  g_autofree char *before = NULL;
  g_autofree char *after = NULL;
  gsize before_size, after_size;

  g_assert_cmpint (g_chmod (self->path, 0600), ==, 0);
  g_assert_true (g_file_get_contents (self->path, &before, &before_size, NULL));
  fixture_assert_refused (self, SP_ERROR_REFUSED, words);
  g_assert_true (g_file_get_contents (self->path, &after, &after_size, NULL));
  g_assert_cmpmem (before, before_size, after, after_size);
}

static void
test_foreign (Fixture *self)
{
  fixture_sql (self, self->path, "CREATE TABLE bookmarks (url TEXT)");
  assert_left_alone (self, "another program");
  fixture_sql (self, self->path, "PRAGMA journal_mode = WAL; INSERT INTO bookmarks VALUES ('x')");
  assert_left_alone (self, "another program");
}

/* One that another program left in a crash: its log is its data. */
static void
test_foreign_with_log (Fixture *self)
{
  static const char *const sql = "PRAGMA journal_mode = WAL; CREATE TABLE bookmarks (url TEXT)";
  g_autofree char *log = g_strconcat (self->path, "-wal", NULL);
  mode_t before = umask (077);
  sqlite3 *db = NULL;
  GStatBuf info;

  g_assert_cmpint (sqlite3_open (self->path, &db), ==, SQLITE_OK);
  sqlite3_db_config (db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
  g_assert_cmpint (sqlite3_exec (db, sql, NULL, NULL, NULL), ==, SQLITE_OK);
  sqlite3_close (db);
  umask (before);
  assert_left_alone (self, "another program");
  g_assert_cmpint (g_stat (log, &info), ==, 0);
  g_assert_cmpint (info.st_size, >, 0);
}

static void
test_foreign_without_tables (Fixture *self)
{
  fixture_sql (self, self->path, "CREATE TABLE x (y); DROP TABLE x");
  assert_left_alone (self, "another program");
}

static void
test_not_a_database (Fixture *self)
{
  g_autofree char *long_text = g_strnfill (100000, 'x');

  g_assert_true (g_file_set_contents (self->path, "x", 1, NULL));
  assert_left_alone (self, "file is not a database");
  g_assert_true (g_file_set_contents (self->path, long_text, -1, NULL));
  assert_left_alone (self, "file is not a database");
}

static void
test_changed_schema (Fixture *self)
{
  static const char *const changes[][2] = {
    { "CREATE TRIGGER x AFTER INSERT ON rows BEGIN DELETE FROM rows; END", "DROP TRIGGER x" },
    { "CREATE VIEW x AS SELECT * FROM rows", "DROP VIEW x" },
    { "CREATE TABLE x (y)", "DROP TABLE x" },
    { "CREATE INDEX x ON rows (rev)", "DROP INDEX x" },
    { "ALTER TABLE rows ADD COLUMN x ANY", "ALTER TABLE rows DROP COLUMN x" },
    { "DROP TABLE rows", "CREATE TABLE rows (tbl, key, rev, value)" },
  };

  fixture_open (self);
  fixture_close (self);
  for (gsize i = 0; i < G_N_ELEMENTS (changes); i++) {
    fixture_sql (self, self->path, changes[i][0]);
    assert_left_alone (self, "schema is not the one of this program");
    fixture_sql (self, self->path, changes[i][1]);
  }
  assert_left_alone (self, "schema is not the one of this program");
}

static void
test_damaged (Fixture *self)
{
  g_autofree char *data = NULL;
  gsize size;
  char key[16];

  fixture_open (self);
  for (guint i = 0; i < 500; i++) {
    g_snprintf (key, sizeof key, "key-%u", i);
    fixture_put (self, key, 0, "a value of some length");
  }
  fixture_close (self);
  g_assert_true (g_file_get_contents (self->path, &data, &size, NULL));
  g_assert_cmpuint (size, >, 4 * 4096);
  memset (data + 2 * 4096, 0x5a, 4096);
  g_assert_true (g_file_set_contents (self->path, data, (gssize) size, NULL));
  assert_left_alone (self, "restore it from a backup");
}

/* In a process of its own: locks of one process do not keep that process out. */
static gboolean
second_opener_is_refused (Fixture *self)
{
  g_autoptr (GError) error = NULL;
  Fixture second = { .host = self->host, .folder = self->folder, .path = self->path };

  return !fixture_try_open (&second, &error) &&
         g_error_matches (error, SP_ERROR, SP_ERROR_UNAVAILABLE) &&
         strstr (error->message, "in use by another process") != NULL;
}

static void
assert_second_refused (Fixture *self)
{
  int status;
  pid_t child = fork ();

  g_assert_cmpint (child, >=, 0);
  if (child == 0)
    _exit (second_opener_is_refused (self) ? 0 : 1);
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  g_assert_cmpint (status, ==, 0);
}

static void
test_second_opener (Fixture *self)
{
  fixture_open (self);
  assert_second_refused (self);
  fixture_put (self, "k", 0, "one");
  assert_second_refused (self);
  fixture_put (self, "k", 1, "two");
  fixture_assert_row (self, "k", 2, "two");
}

static void
test_second_in_process (Fixture *self)
{
  Fixture second = { .host = self->host, .folder = self->folder, .path = self->path };

  fixture_open (self);
  fixture_assert_refused (&second, SP_ERROR_UNAVAILABLE, "in use by another process");
  /* The attempt has not taken the first one's lock away. */
  assert_second_refused (self);
}

static const FixtureCase cases[] = {
  { "file/is-0600-whatever-the-umask", test_mode, TRUE },
  { "file/symlink-is-refused", test_symlink, TRUE },
  { "file/symlinked-log-is-refused", test_symlinked_log, TRUE },
  { "file/symlink-in-its-folder-is-followed", test_symlinked_folder, TRUE },
  { "file/loose-mode-is-refused", test_loose_mode, TRUE },
  { "file/folder-open-to-others-is-refused", test_loose_folder, TRUE },
  { "file/hard-link-is-refused", test_second_name, TRUE },
  { "file/pipe-is-refused", test_not_a_file, TRUE },
  { "file/another-users-is-refused", test_another_user, TRUE },
  { "file/missing-folder-is-said", test_missing_folder, TRUE },
  { "file/relative-path-is-refused", test_relative_path, TRUE },
  { "file/configured-path-is-used-literally", test_configured_path, TRUE },
  { "file/empty-one-is-filled", test_empty_file_left_by_crash, TRUE },
  { "file/lost-beside-its-log-is-not-begun-anew", test_truncated, TRUE },
  { "database/newer-version-is-refused", test_newer, TRUE },
  { "database/foreign-one-is-left-alone", test_foreign, TRUE },
  { "database/foreign-one-keeps-its-log", test_foreign_with_log, TRUE },
  { "database/foreign-one-without-tables-is-left-alone", test_foreign_without_tables, TRUE },
  { "database/other-file-is-left-alone", test_not_a_database, TRUE },
  { "database/changed-schema-is-refused", test_changed_schema, TRUE },
  { "database/damaged-one-is-refused", test_damaged, TRUE },
  { "database/second-process-is-refused", test_second_opener, TRUE },
  { "database/second-instance-is-refused", test_second_in_process, TRUE },
};

void
add_files_tests (void)
{
  fixture_add_cases (cases, G_N_ELEMENTS (cases));
}
