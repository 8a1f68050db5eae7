/* test-source-disk.c - copying a disk that lies on this machine: host/source/source.h */
#include "source-fixture.h"

#include <sys/mount.h>

static void
test_disk (Fixture *fixture, gconstpointer data)
{
  g_autofree char *sha256 = put_disk (fixture);
  g_autoptr (SpSource) source = open_source (fixture);
  Copy copy = { 0 };

  copy_into (source, &copy, fixture->root, NULL, NULL);
  assert_copied (&copy, sha256);
}

static void
test_disk_link (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = in_staging (fixture, SP_STAGING_DISK);
  g_autoptr (SpSource) source = open_source (fixture);
  Copy copy = { 0 };

  g_assert_cmpint (symlink ("/etc/shadow", path), ==, 0);
  copy_into (source, &copy, fixture->root, NULL, NULL);
  assert_copy_failed (&copy, SP_PROBLEM_INTEGRITY, "is a link");
}

static void
test_disk_sparse (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = in_staging (fixture, SP_STAGING_DISK);
  g_autoptr (SpSource) source = open_source (fixture);
  Copy copy = { 0 };

  put (fixture, SP_STAGING_DISK, "x", 1);
  g_assert_cmpint (truncate (path, (off_t) 8 << 40), ==, 0);
  copy_into (source, &copy, fixture->root, NULL, NULL);
  assert_copy_failed (&copy, SP_PROBLEM_TOO_LARGE, "8796093022208");
}

static void
grow (guint64 done, guint64 total, gpointer path)
{
  g_assert_cmpuint (total, ==, DISK_SIZE);
  if (done < total)
    g_assert_cmpint (truncate (path, (off_t) total + 4096), ==, 0);
}

static void
test_disk_grows (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = in_staging (fixture, SP_STAGING_DISK);
  g_autoptr (SpSource) source = open_source (fixture);
  Copy copy = { 0 };

  g_free (put_disk (fixture));
  copy_into (source, &copy, fixture->root, grow, path);
  assert_copy_failed (&copy, SP_PROBLEM_INTEGRITY, "while it was copied");
}

static void
shrink (guint64 done, guint64 total, gpointer path)
{
  g_assert_cmpint (truncate (path, 4096), ==, 0);
}

static void
test_disk_shrinks (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = in_staging (fixture, SP_STAGING_DISK);
  g_autoptr (SpSource) source = open_source (fixture);
  Copy copy = { 0 };

  g_free (put_disk (fixture));
  copy_into (source, &copy, fixture->root, shrink, path);
  assert_copy_failed (&copy, SP_PROBLEM_INTEGRITY, "while it was copied");
}

static void
test_disk_too_slow (Fixture *fixture, gconstpointer data)
{
  g_autoptr (SpSource) source = open_source (fixture);
  Copy copy = { 0 };

  g_free (put_disk (fixture));
  source->copy_ms = 0;
  copy_into (source, &copy, fixture->root, NULL, NULL);
  assert_copy_failed (&copy, SP_PROBLEM_TIMED_OUT, "takes too long");
}

static void
fill_up (guint64 done, guint64 total, gpointer folder)
{
  g_autofree char *path = g_build_filename (folder, "filling", NULL);
  g_autofree char *bytes = g_malloc0 (64 * 1024);
  int fd = open (path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

  while (write (fd, bytes, 64 * 1024) > 0)
    continue;
  (void) close (fd);
}

/* On a file system of @size; it may be full at the start, or get full on the way. */
static void
copy_to_small (Fixture *fixture, const char *size, SpSourceProgress progress)
{
  g_autofree char *folder = g_build_filename (fixture->root, "small", NULL);
  g_autoptr (SpSource) source = NULL;
  Copy copy = { 0 };

  g_free (put_disk (fixture));
  g_assert_cmpint (g_mkdir (folder, 0700), ==, 0);
  if (mount ("tmpfs", folder, "tmpfs", 0, size) != 0) {
    g_test_skip ("nothing can be mounted here");
    return;
  }
  source = open_source (fixture);
  copy_into (source, &copy, folder, progress, folder);
  assert_copy_failed (&copy, SP_PROBLEM_STORE, folder);
  g_assert_cmpint (umount2 (folder, MNT_DETACH), ==, 0);
}

static void
test_disk_no_room (Fixture *fixture, gconstpointer data)
{
  if (!skip_unless_root ())
    copy_to_small (fixture, "size=64k", NULL);
}

static void
test_disk_room_goes (Fixture *fixture, gconstpointer data)
{
  if (!skip_unless_root ())
    copy_to_small (fixture, "size=4m", fill_up);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  (void) umask (022);
  ADD_TEST ("/source/disk/is-copied-with-holes-and-hash", test_disk);
  ADD_TEST ("/source/disk/a-link-is-refused", test_disk_link);
  ADD_TEST ("/source/disk/8-tib-without-data-are-refused", test_disk_sparse);
  ADD_TEST ("/source/disk/growing-while-copied-is-refused", test_disk_grows);
  ADD_TEST ("/source/disk/shrinking-while-copied-is-refused", test_disk_shrinks);
  ADD_TEST ("/source/disk/too-slow-is-given-up", test_disk_too_slow);
  ADD_TEST ("/source/disk/no-room-is-told-before", test_disk_no_room);
  ADD_TEST ("/source/disk/a-full-file-system-is-told", test_disk_room_goes);
  return g_test_run ();
}
