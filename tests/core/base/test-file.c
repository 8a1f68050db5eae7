/* test-file.c - private files: base/file.h */
#include "base/file.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/problem.h"

typedef struct {
  char *path;
  int folder;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->path = g_dir_make_tmp ("sp-file-XXXXXX", NULL);
  fixture->folder = sp_file_open_folder (fixture->path, NULL);
  g_assert_cmpint (fixture->folder, >=, 0);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GDir) dir = g_dir_open (fixture->path, 0, NULL);
  const char *name;

  while ((name = g_dir_read_name (dir)) != NULL)
    (void) unlinkat (fixture->folder, name, 0);
  (void) close (fixture->folder);
  (void) g_rmdir (fixture->path);
  g_free (fixture->path);
}

static guint
mode_of (Fixture *fixture, const char *name)
{
  struct stat st;

  g_assert_cmpint (fstatat (fixture->folder, name, &st, 0), ==, 0);
  return st.st_mode & 07777;
}

static void
assert_content (Fixture *fixture, const char *name, const char *content)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (SpSecret) secret = sp_file_read_private (fixture->folder, name, 100, &error);

  g_assert_no_error (error);
  g_assert_cmpmem (sp_secret_data (secret), sp_secret_length (secret), content, strlen (content));
}

static void
test_write (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  mode_t before = umask (0);

  g_assert_true (sp_file_write_private (fixture->folder, "a", SP_FILE_NEW, "one", 3, &error));
  (void) umask (before);
  g_assert_no_error (error);
  g_assert_cmpuint (mode_of (fixture, "a"), ==, 0600);
  assert_content (fixture, "a", "one");
}

static void
test_new_keeps (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (sp_file_write_private (fixture->folder, "a", SP_FILE_NEW, "one", 3, NULL));
  g_assert_false (sp_file_write_private (fixture->folder, "a", SP_FILE_NEW, "two", 3, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_EXISTS);
  assert_content (fixture, "a", "one");
}

static void
test_replace (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GDir) dir = NULL;
  guint n = 0;

  g_assert_true (sp_file_write_private (fixture->folder, "a", SP_FILE_NEW, "one", 3, NULL));
  g_assert_true (sp_file_write_private (fixture->folder, "a", SP_FILE_REPLACE, "two", 3, NULL));
  assert_content (fixture, "a", "two");
  dir = g_dir_open (fixture->path, 0, NULL);
  while (g_dir_read_name (dir) != NULL)
    n++;
  g_assert_cmpuint (n, ==, 1);
}

static void
test_loose_file (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (sp_file_write_private (fixture->folder, "a", SP_FILE_NEW, "one", 3, NULL));
  g_assert_cmpint (fchmodat (fixture->folder, "a", 0640, 0), ==, 0);
  g_assert_null (sp_file_read_private (fixture->folder, "a", 100, &error));
  g_assert_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG);
  g_assert_nonnull (strstr (error->message, "0640"));
}

static void
test_odd_files (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) missing = NULL;
  g_autoptr (GError) fifo = NULL;
  g_autoptr (GError) big = NULL;

  g_assert_null (sp_file_read_private (fixture->folder, "none", 100, &missing));
  g_assert_error (missing, SP_PROBLEM, SP_PROBLEM_NOT_FOUND);
  g_assert_cmpint (mkfifoat (fixture->folder, "fifo", 0600), ==, 0);
  g_assert_null (sp_file_read_private (fixture->folder, "fifo", 100, &fifo));
  g_assert_error (fifo, SP_PROBLEM, SP_PROBLEM_CONFIG);
  g_assert_true (sp_file_write_private (fixture->folder, "a", SP_FILE_NEW, "12345", 5, NULL));
  g_assert_null (sp_file_read_private (fixture->folder, "a", 4, &big));
  g_assert_error (big, G_IO_ERROR, G_IO_ERROR_MESSAGE_TOO_LARGE);
}

static void
test_loose_folder (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (fchmod (fixture->folder, 0750), ==, 0);
  g_assert_cmpint (sp_file_open_folder (fixture->path, &error), ==, -1);
  g_assert_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, func) g_test_add (name, Fixture, NULL, set_up, func, tear_down)
  ADD ("/file/new-file-is-closed-to-others", test_write);
  ADD ("/file/new-never-replaces", test_new_keeps);
  ADD ("/file/replace-leaves-nothing-else", test_replace);
  ADD ("/file/file-that-others-can-read-is-refused", test_loose_file);
  ADD ("/file/missing-fifo-and-too-long-are-errors", test_odd_files);
  ADD ("/file/folder-that-others-can-enter-is-refused", test_loose_folder);
  return g_test_run ();
}
