/* test-source.c - a staging folder on this machine, and what a hostile agent puts there: host/source/source.h */
#include "source-fixture.h"

#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

/* ---- the folder ----------------------------------------------------------------------------------- */

static void
test_read (Fixture *fixture, gconstpointer data)
{
  g_autoptr (SpSource) source = open_source (fixture);
  g_autofree char *text = NULL;
  g_autoptr (GError) error = NULL;

  put (fixture, SP_STAGING_READY, "ready\n", -1);
  text = sp_source_read (source, SP_SOURCE_READY, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (text, ==, "ready\n");
  g_assert_true (sp_source_is_local (source));
  g_assert_nonnull (strstr (sp_source_label (source), fixture->staging));
}

static void
test_no_folder (Fixture *fixture, gconstpointer data)
{
  g_assert_cmpint (g_rmdir (fixture->staging), ==, 0);
  assert_not_opened (fixture, SP_PROBLEM_NOT_FOUND, fixture->staging);
}

static void
test_folder_link (Fixture *fixture, gconstpointer data)
{
  g_autofree char *real = g_build_filename (fixture->root, "real", NULL);

  g_assert_cmpint (g_rename (fixture->staging, real), ==, 0);
  g_assert_cmpint (symlink (real, fixture->staging), ==, 0);
  assert_not_opened (fixture, SP_PROBLEM_INTEGRITY, "is a link");
}

static void
test_link_on_the_way (Fixture *fixture, gconstpointer data)
{
  g_autofree char *link = g_build_filename (fixture->root, "link", NULL);
  g_autofree char *path = g_build_filename (link, "staging", NULL);

  g_assert_cmpint (symlink (fixture->root, link), ==, 0);
  fixture->config.staging = path;
  assert_not_opened (fixture, SP_PROBLEM_INTEGRITY, "is a link");
}

static void
test_folder_is_file (Fixture *fixture, gconstpointer data)
{
  g_assert_cmpint (g_rmdir (fixture->staging), ==, 0);
  g_assert_true (g_file_set_contents (fixture->staging, "", 0, NULL));
  assert_not_opened (fixture, SP_PROBLEM_INTEGRITY, "is no folder");
}

static void
test_group_writable (Fixture *fixture, gconstpointer data)
{
  g_assert_cmpint (g_chmod (fixture->staging, 0770), ==, 0);
  assert_not_opened (fixture, SP_PROBLEM_INTEGRITY, "has mode 0770");
}

static void
test_writable_parent (Fixture *fixture, gconstpointer data)
{
  g_assert_cmpint (g_chmod (fixture->root, 0777), ==, 0);
  assert_not_opened (fixture, SP_PROBLEM_INTEGRITY, "has mode 0777");
}

/* As /tmp: whoever came first would be the agent. */
static void
test_sticky_parent (Fixture *fixture, gconstpointer data)
{
  g_assert_cmpint (g_chmod (fixture->root, 01777), ==, 0);
  assert_not_opened (fixture, SP_PROBLEM_INTEGRITY, "has mode 1777");
}

static void
test_foreign_parent (Fixture *fixture, gconstpointer data)
{
  if (skip_unless_root ())
    return;
  give_to (fixture->root, OTHER_UID);
  assert_not_opened (fixture, SP_PROBLEM_INTEGRITY, "belongs to user 65002");
}

static void
test_folder_of_root (Fixture *fixture, gconstpointer data)
{
  if (skip_unless_root ())
    return;
  give_to (fixture->staging, 0);
  assert_not_opened (fixture, SP_PROBLEM_INTEGRITY, "belongs to root");
}

/* ---- small files ---------------------------------------------------------------------------------- */

static void
test_file_missing (Fixture *fixture, gconstpointer data)
{
  assert_not_read (fixture, SP_SOURCE_READY, SP_PROBLEM_NOT_FOUND, "is not there");
}

static void
test_file_link (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = in_staging (fixture, SP_STAGING_READY);

  put (fixture, "real", "x", 1);
  g_assert_cmpint (symlink ("real", path), ==, 0);
  give_to (path, fixture->agent);
  assert_not_read (fixture, SP_SOURCE_READY, SP_PROBLEM_INTEGRITY, "is a link");
}

static void
test_file_of_host (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = in_staging (fixture, SP_STAGING_READY);

  g_assert_cmpint (symlink ("/etc/passwd", path), ==, 0);
  assert_not_read (fixture, SP_SOURCE_READY, SP_PROBLEM_INTEGRITY, "is a link");
}

static void
test_hard_link (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = in_staging (fixture, SP_STAGING_READY);
  g_autofree char *other = in_staging (fixture, "other");

  put (fixture, SP_STAGING_READY, "x", 1);
  g_assert_cmpint (link (path, other), ==, 0);
  assert_not_read (fixture, SP_SOURCE_READY, SP_PROBLEM_INTEGRITY, "has 2 names");
}

static void
test_foreign_file (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = in_staging (fixture, SP_STAGING_READY);

  if (skip_unless_root ())
    return;
  put (fixture, SP_STAGING_READY, "x", 1);
  give_to (path, 0);
  assert_not_read (fixture, SP_SOURCE_READY, SP_PROBLEM_INTEGRITY, "belongs to user 0");
}

static void
test_fifo (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = in_staging (fixture, SP_STAGING_READY);

  g_assert_cmpint (mkfifo (path, 0600), ==, 0);
  give_to (path, fixture->agent);
  assert_not_read (fixture, SP_SOURCE_READY, SP_PROBLEM_INTEGRITY, "is a FIFO");
}

static void
test_folder_as_file (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = in_staging (fixture, SP_STAGING_READY);

  g_assert_cmpint (g_mkdir (path, 0700), ==, 0);
  give_to (path, fixture->agent);
  assert_not_read (fixture, SP_SOURCE_READY, SP_PROBLEM_INTEGRITY, "is a folder");
}

static void
test_device (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = in_staging (fixture, SP_STAGING_READY);

  if (skip_unless_root ())
    return;
  if (mknod (path, S_IFCHR | 0600, makedev (1, 5)) != 0) {
    g_test_skip ("devices can't be made here");
    return;
  }
  give_to (path, fixture->agent);
  assert_not_read (fixture, SP_SOURCE_READY, SP_PROBLEM_INTEGRITY, "is a device");
}

static void
test_mounted_file (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = in_staging (fixture, SP_STAGING_READY);

  if (skip_unless_root ())
    return;
  put (fixture, SP_STAGING_READY, "x", 1);
  if (mount ("/proc/version", path, NULL, MS_BIND, NULL) != 0) {
    g_test_skip ("nothing can be mounted here");
    return;
  }
  assert_not_read (fixture, SP_SOURCE_READY, SP_PROBLEM_INTEGRITY, "leads elsewhere");
  g_assert_cmpint (umount2 (path, MNT_DETACH), ==, 0);
}

static void
test_too_large (Fixture *fixture, gconstpointer data)
{
  g_autofree char *text = g_strnfill (SP_SOURCE_MAX_READ + 1, 'x');
  g_autoptr (SpSource) source = open_source (fixture);
  g_autofree char *read = NULL;

  put (fixture, SP_STAGING_READY, text, SP_SOURCE_MAX_READ);
  read = sp_source_read (source, SP_SOURCE_READY, NULL);
  g_assert_cmpuint (strlen (read), ==, SP_SOURCE_MAX_READ);
  put (fixture, SP_STAGING_READY, text, -1);
  assert_not_read (fixture, SP_SOURCE_READY, SP_PROBLEM_TOO_LARGE, "4096");
}

static void
test_zero_byte (Fixture *fixture, gconstpointer data)
{
  put (fixture, SP_STAGING_READY, "a\0b", 3);
  assert_not_read (fixture, SP_SOURCE_READY, SP_PROBLEM_INTEGRITY, "zero byte");
}

static void
hold_lease (Fixture *fixture, gpointer path)
{
  int fd = open (path, O_RDWR | O_CLOEXEC);

  (void) signal (SIGIO, SIG_IGN);
  if (fd < 0 || fcntl (fd, F_SETLEASE, F_WRLCK) != 0)
    _exit (1);
}

/* A lease makes others wait when they open the file. */
static void
test_lease (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = in_staging (fixture, SP_STAGING_READY);

  put (fixture, SP_STAGING_READY, "x", 1);
  start_helper (fixture, fixture->agent, hold_lease, path);
  assert_not_read (fixture, SP_SOURCE_READY, SP_PROBLEM_INTEGRITY, "lease");
}

/* ---- places outside of the folder ----------------------------------------------------------------- */

static void
test_own_places (Fixture *fixture, gconstpointer data)
{
  g_autofree char *folder = g_build_filename (fixture->root, "elsewhere", NULL);
  g_autofree char *path = g_build_filename (folder, "my-ready", NULL);
  g_autofree char *text = NULL;
  g_autoptr (SpSource) source = NULL;

  g_assert_cmpint (g_mkdir (folder, 0755), ==, 0);
  g_assert_true (g_file_set_contents (path, "there", -1, NULL));
  give_to (path, fixture->agent);
  fixture->config.ready = path;
  source = open_source (fixture);
  text = sp_source_read (source, SP_SOURCE_READY, NULL);
  g_assert_cmpstr (text, ==, "there");
}

static void
test_own_place_for_all (Fixture *fixture, gconstpointer data)
{
  g_autofree char *folder = g_build_filename (fixture->root, "elsewhere", NULL);
  g_autofree char *path = g_build_filename (folder, "my-ready", NULL);

  g_assert_cmpint (g_mkdir (folder, 0700), ==, 0);
  g_assert_cmpint (g_chmod (folder, 01777), ==, 0);
  fixture->config.ready = path;
  assert_not_opened (fixture, SP_PROBLEM_INTEGRITY, "has mode 1777");
}

static void
test_own_place_of_other (Fixture *fixture, gconstpointer data)
{
  g_autofree char *folder = g_build_filename (fixture->root, "elsewhere", NULL);
  g_autofree char *path = g_build_filename (folder, "my-ready", NULL);

  if (skip_unless_root ())
    return;
  g_assert_cmpint (g_mkdir (folder, 0700), ==, 0);
  give_to (folder, OTHER_UID);
  fixture->config.ready = path;
  assert_not_opened (fixture, SP_PROBLEM_INTEGRITY, "belongs to user 65002");
}

/* ---- the monitor ---------------------------------------------------------------------------------- */

static void
serve (Fixture *fixture, gpointer path)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  g_strlcpy (address.sun_path, path, sizeof address.sun_path);
  if (bind (fd, (struct sockaddr *) &address, sizeof address) != 0 || listen (fd, 1) != 0)
    _exit (1);
}

static void
assert_not_connected (Fixture *fixture, SpProblemCode code, const char *part)
{
  g_autoptr (SpSource) source = open_source (fixture);
  GError *error = NULL;
  int in, out;

  g_assert_false (sp_source_connect_monitor (source, &in, &out, &error));
  assert_problem (error, code, part);
}

static void
test_monitor (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = in_staging (fixture, SP_STAGING_MONITOR);
  g_autoptr (SpSource) source = open_source (fixture);
  g_autoptr (GError) error = NULL;
  int in, out;

  start_helper (fixture, fixture->agent, serve, path);
  g_assert_true (sp_source_connect_monitor (source, &in, &out, &error));
  g_assert_no_error (error);
  g_assert_cmpint (in, ==, out);
  g_assert_cmpint (fcntl (in, F_GETFD) & FD_CLOEXEC, !=, 0);
  (void) close (in);
}

static void
test_monitor_link (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = in_staging (fixture, SP_STAGING_MONITOR);
  g_autofree char *other = in_staging (fixture, "docker.sock");

  start_helper (fixture, fixture->agent, serve, other);
  g_assert_cmpint (symlink (other, path), ==, 0);
  assert_not_connected (fixture, SP_PROBLEM_INTEGRITY, "is a link");
}

static void
test_monitor_of_root (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = in_staging (fixture, SP_STAGING_MONITOR);

  if (skip_unless_root ())
    return;
  start_helper (fixture, 0, serve, path);
  assert_not_connected (fixture, SP_PROBLEM_INTEGRITY, "belongs to user 0");
}

/* The file is the agent's, who listens is root. */
static void
test_monitor_served_by_root (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = in_staging (fixture, SP_STAGING_MONITOR);

  if (skip_unless_root ())
    return;
  start_helper (fixture, 0, serve, path);
  give_to (path, fixture->agent);
  assert_not_connected (fixture, SP_PROBLEM_INTEGRITY, "user 0 listens");
}

static void
test_monitor_dead (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = in_staging (fixture, SP_STAGING_MONITOR);

  start_helper (fixture, fixture->agent, serve, path);
  end_helper (fixture);
  assert_not_connected (fixture, SP_PROBLEM_UNREACHABLE, "nobody listens");
}

/* One that listens and never accepts fills its queue by itself. */
static void
test_monitor_full (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = in_staging (fixture, SP_STAGING_MONITOR);
  g_autoptr (SpSource) source = open_source (fixture);
  g_autoptr (GArray) fds = g_array_new (FALSE, FALSE, sizeof (int));
  GError *error = NULL;
  int in, out;

  start_helper (fixture, fixture->agent, serve, path);
  source->answer_ms = 100;
  while (fds->len < 100 && sp_source_connect_monitor (source, &in, &out, &error))
    g_array_append_val (fds, in);
  assert_problem (error, SP_PROBLEM_TIMED_OUT, "queue is full");
  for (guint i = 0; i < fds->len; i++)
    (void) close (g_array_index (fds, int, i));
}

static void
test_monitor_is_file (Fixture *fixture, gconstpointer data)
{
  put (fixture, SP_STAGING_MONITOR, "x", 1);
  assert_not_connected (fixture, SP_PROBLEM_INTEGRITY, "instead of a socket");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  (void) umask (022);
  (void) signal (SIGPIPE, SIG_IGN);
  ADD_TEST ("/source/folder/a-file-is-read", test_read);
  ADD_TEST ("/source/folder/missing-is-not-found", test_no_folder);
  ADD_TEST ("/source/folder/a-link-is-refused", test_folder_link);
  ADD_TEST ("/source/folder/a-link-on-the-way-is-refused", test_link_on_the_way);
  ADD_TEST ("/source/folder/a-file-is-refused", test_folder_is_file);
  ADD_TEST ("/source/folder/group-writable-is-refused", test_group_writable);
  ADD_TEST ("/source/folder/a-parent-for-all-is-refused", test_writable_parent);
  ADD_TEST ("/source/folder/a-sticky-parent-for-all-is-refused", test_sticky_parent);
  ADD_TEST ("/source/folder/a-parent-of-another-user-is-refused", test_foreign_parent);
  ADD_TEST ("/source/folder/that-of-root-is-refused", test_folder_of_root);
  ADD_TEST ("/source/file/missing-is-not-found", test_file_missing);
  ADD_TEST ("/source/file/a-link-is-refused", test_file_link);
  ADD_TEST ("/source/file/a-link-to-the-host-is-refused", test_file_of_host);
  ADD_TEST ("/source/file/a-hard-link-is-refused", test_hard_link);
  ADD_TEST ("/source/file/that-of-another-user-is-refused", test_foreign_file);
  ADD_TEST ("/source/file/a-fifo-is-refused-at-once", test_fifo);
  ADD_TEST ("/source/file/a-folder-is-refused", test_folder_as_file);
  ADD_TEST ("/source/file/a-device-is-refused", test_device);
  ADD_TEST ("/source/file/a-mounted-one-is-refused", test_mounted_file);
  ADD_TEST ("/source/file/too-large-is-refused", test_too_large);
  ADD_TEST ("/source/file/a-zero-byte-is-refused", test_zero_byte);
  ADD_TEST ("/source/file/a-lease-does-not-stop-us", test_lease);
  ADD_TEST ("/source/place/another-folder-may-be-named", test_own_places);
  ADD_TEST ("/source/place/one-for-all-is-refused", test_own_place_for_all);
  ADD_TEST ("/source/place/that-of-another-user-is-refused", test_own_place_of_other);
  ADD_TEST ("/source/monitor/is-connected", test_monitor);
  ADD_TEST ("/source/monitor/a-link-is-refused", test_monitor_link);
  ADD_TEST ("/source/monitor/a-socket-of-root-is-refused", test_monitor_of_root);
  ADD_TEST ("/source/monitor/one-served-by-root-is-refused", test_monitor_served_by_root);
  ADD_TEST ("/source/monitor/nobody-there-is-unreachable", test_monitor_dead);
  ADD_TEST ("/source/monitor/a-full-queue-times-out", test_monitor_full);
  ADD_TEST ("/source/monitor/a-file-is-refused", test_monitor_is_file);
  return g_test_run ();
}
