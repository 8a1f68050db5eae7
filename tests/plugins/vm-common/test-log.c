/* test-log.c - the console's log never grows beyond its bound */
#include "log.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
  char *dir, *path, *older;
} Files;

static void
set_up (Files *files, gconstpointer data)
{
  files->dir = g_dir_make_tmp ("sp-log-XXXXXX", NULL);
  files->path = g_build_filename (files->dir, "log", NULL);
  files->older = g_build_filename (files->dir, "log.1", NULL);
}

static void
tear_down (Files *files, gconstpointer data)
{
  (void) g_unlink (files->path);
  (void) g_unlink (files->older);
  g_assert_cmpint (g_rmdir (files->dir), ==, 0);
  g_free (files->dir);
  g_free (files->path);
  g_free (files->older);
}

static char *
content (const char *path)
{
  char *text = NULL;

  return g_file_get_contents (path, &text, NULL, NULL) ? text : g_strdup ("");
}

static void
test_what_is_new_stays (Files *files, gconstpointer data)
{
  g_autoptr (SpQemuLog) log = sp_qemu_log_open (files->path, 100, NULL);
  g_autofree char *newer = NULL;
  g_autofree char *older = NULL;

  for (guint i = 0; i < 30; i++) {
    g_autofree char *line = g_strdup_printf ("line %02u..\n", i);

    sp_qemu_log_write (log, line, strlen (line));
  }
  newer = content (files->path);
  older = content (files->older);
  g_assert_cmpuint (strlen (newer) + strlen (older), <=, 100);
  g_assert_cmpuint (strlen (older), ==, 50);
  g_assert_nonnull (strstr (newer, "line 29"));
}

static void
test_one_write_larger_than_all (Files *files, gconstpointer data)
{
  g_autoptr (SpQemuLog) log = sp_qemu_log_open (files->path, 100, NULL);
  g_autofree char *much = g_strnfill (1000, 'x');
  g_autofree char *newer = NULL;
  g_autofree char *older = NULL;

  sp_qemu_log_write (log, much, 1000);
  newer = content (files->path);
  older = content (files->older);
  g_assert_cmpuint (strlen (newer), ==, 50);
  g_assert_cmpuint (strlen (older), ==, 50);
}

static void
test_it_goes_on_where_it_was (Files *files, gconstpointer data)
{
  SpQemuLog *log = sp_qemu_log_open (files->path, 100, NULL);
  g_autofree char *newer = NULL;
  struct stat st;

  sp_qemu_log_write (log, "one ", 4);
  sp_qemu_log_close (log);
  log = sp_qemu_log_open (files->path, 100, NULL);
  sp_qemu_log_write (log, "two", 3);
  sp_qemu_log_close (log);
  newer = content (files->path);
  g_assert_cmpstr (newer, ==, "one two");
  g_assert_cmpint (stat (files->path, &st), ==, 0);
  g_assert_cmpuint (st.st_mode & 0777, ==, 0600);
}

static void
test_a_link_is_refused (Files *files, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (symlink ("/dev/null", files->path), ==, 0);
  g_assert_null (sp_qemu_log_open (files->path, 100, &error));
  g_assert_nonnull (error);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/vm-common/log/what-is-new-stays", Files, NULL, set_up, test_what_is_new_stays,
              tear_down);
  g_test_add ("/vm-common/log/one-write-larger-than-all", Files, NULL, set_up,
              test_one_write_larger_than_all, tear_down);
  g_test_add ("/vm-common/log/it-goes-on-where-it-was", Files, NULL, set_up,
              test_it_goes_on_where_it_was, tear_down);
  g_test_add ("/vm-common/log/a-link-is-refused", Files, NULL, set_up, test_a_link_is_refused,
              tear_down);
  return g_test_run ();
}
