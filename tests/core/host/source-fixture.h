/* source-fixture.h - a staging folder of another user for a test, gone after it
 *
 * As root the agent is a user that exists nowhere else, below a folder of root that nobody else can
 * write to; otherwise it is the running user.
 */
#pragma once

#include <fcntl.h>
#include <glib/gstdio.h>
#include <grp.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/problem.h"
#include "host/source/private.h"

#define AGENT_UID 65001u
#define OTHER_UID 65002u
#define MAX_DISK (64u << 20)

typedef struct {
  uid_t agent;
  char *root;
  char *staging;
  SpConfigSource config;
  pid_t helper; /* 0: none */
} Fixture;

static inline void
source_set_up (Fixture *fixture, gconstpointer data)
{
  gboolean is_root = geteuid () == 0;

  fixture->agent = is_root ? AGENT_UID : geteuid ();
  fixture->root = g_build_filename (is_root ? "/run" : g_get_home_dir (), ".sp-test-XXXXXX", NULL);
  g_assert_nonnull (g_mkdtemp (fixture->root));
  g_assert_cmpint (g_chmod (fixture->root, 0755), ==, 0);
  fixture->staging = g_build_filename (fixture->root, "staging", NULL);
  g_assert_cmpint (g_mkdir (fixture->staging, 0700), ==, 0);
  if (is_root)
    g_assert_cmpint (chown (fixture->staging, fixture->agent, fixture->agent), ==, 0);
  fixture->config.name = "test";
  fixture->config.exec = "";
  fixture->config.staging = fixture->staging;
}

static inline void
remove_tree (const char *path)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *child = g_build_filename (path, name, NULL);

    if (!g_file_test (child, G_FILE_TEST_IS_SYMLINK) && g_file_test (child, G_FILE_TEST_IS_DIR))
      remove_tree (child);
    else
      (void) g_unlink (child);
  }
  (void) g_rmdir (path);
}

static inline void
end_helper (Fixture *fixture)
{
  if (fixture->helper == 0)
    return;
  (void) kill (-fixture->helper, SIGKILL);
  (void) kill (fixture->helper, SIGKILL);
  (void) waitpid (fixture->helper, NULL, 0);
  fixture->helper = 0;
}

static inline void
source_tear_down (Fixture *fixture, gconstpointer data)
{
  end_helper (fixture);
  remove_tree (fixture->root);
  g_free (fixture->staging);
  g_free (fixture->root);
}

#define ADD_TEST(name, func) g_test_add (name, Fixture, NULL, source_set_up, func, source_tear_down)

/* TRUE: the test was skipped. */
static inline gboolean
skip_unless_root (void)
{
  if (geteuid () == 0)
    return FALSE;
  g_test_skip ("needs root, to have files of more than one user");
  return TRUE;
}

/* ---- things in the folder ------------------------------------------------------------------------- */

static inline char *
in_staging (Fixture *fixture, const char *name)
{
  return g_build_filename (fixture->staging, name, NULL);
}

static inline void
give_to (const char *path, uid_t uid)
{
  if (geteuid () == 0)
    g_assert_cmpint (lchown (path, uid, uid), ==, 0);
}

static inline void
put (Fixture *fixture, const char *name, const char *bytes, gssize length)
{
  g_autofree char *path = in_staging (fixture, name);
  g_autoptr (GError) error = NULL;

  g_file_set_contents (path, bytes, length, &error);
  g_assert_no_error (error);
  give_to (path, fixture->agent);
}

static inline SpSource *
open_source (Fixture *fixture)
{
  g_autoptr (GError) error = NULL;
  SpSource *source = sp_source_open (&fixture->config, &error);

  g_assert_no_error (error);
  source->answer_ms = 5000;
  source->end_ms = 300;
  return source;
}

/* An error of that code, whose message has @part and nothing that moves a cursor. */
static inline void
assert_problem (GError *error, SpProblemCode code, const char *part)
{
  g_assert_error (error, SP_PROBLEM, (gint) code);
  g_test_message ("%s", error->message);
  g_assert_nonnull (strstr (error->message, part));
  for (const char *p = error->message; *p != 0; p++)
    g_assert_cmpint ((guchar) *p, >=, 0x20);
  g_error_free (error);
}

static inline void
assert_not_opened (Fixture *fixture, SpProblemCode code, const char *part)
{
  GError *error = NULL;

  g_assert_null (sp_source_open (&fixture->config, &error));
  assert_problem (error, code, part);
}

static inline void
assert_not_read (Fixture *fixture, SpSourceFile file, SpProblemCode code, const char *part)
{
  g_autoptr (SpSource) source = open_source (fixture);
  GError *error = NULL;

  g_assert_null (sp_source_read (source, file, &error));
  assert_problem (error, code, part);
}

/* ---- the disk ------------------------------------------------------------------------------------- */

typedef struct {
  int fd;
  char *sha256;
  GError *error;
} Copy;

static inline void
copy_into (SpSource *source, Copy *copy, const char *folder, SpSourceProgress progress,
           gpointer data)
{
  copy->fd = open (folder, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
  g_assert_cmpint (copy->fd, >=, 0);
  g_assert_cmpint (
      sp_source_copy_disk (source, copy->fd, MAX_DISK, progress, data, &copy->sha256, &copy->error),
      ==, copy->sha256 != NULL);
}

static inline void
assert_copy_failed (Copy *copy, SpProblemCode code, const char *part)
{
  (void) close (copy->fd);
  assert_problem (g_steal_pointer (&copy->error), code, part);
}

/* 8 MiB: something at the start, in the middle not on a block's border, and a hole at the end. */
#define DISK_SIZE (8u << 20)

static inline char *
put_disk (Fixture *fixture)
{
  g_autofree char *path = in_staging (fixture, SP_STAGING_DISK);
  g_autofree guint8 *disk = g_malloc0 (DISK_SIZE);
  int fd;

  memset (disk, 'a', 5000);
  memset (disk + (3u << 20) + 777, 'b', 100000);
  fd = open (path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (pwrite (fd, disk, 5000, 0), ==, 5000);
  g_assert_cmpint (pwrite (fd, disk + (3u << 20), 200000, 3u << 20), ==, 200000);
  g_assert_cmpint (ftruncate (fd, DISK_SIZE), ==, 0);
  (void) close (fd);
  give_to (path, fixture->agent);
  return g_compute_checksum_for_data (G_CHECKSUM_SHA256, disk, DISK_SIZE);
}

static inline void
assert_copied (Copy *copy, const char *sha256)
{
  g_autofree guint8 *bytes = g_malloc0 (DISK_SIZE + 1);
  g_autofree char *own = NULL;
  struct stat st;

  g_assert_no_error (copy->error);
  g_assert_cmpstr (copy->sha256, ==, sha256);
  g_assert_cmpint (pread (copy->fd, bytes, DISK_SIZE + 1, 0), ==, DISK_SIZE);
  own = g_compute_checksum_for_data (G_CHECKSUM_SHA256, bytes, DISK_SIZE);
  g_assert_cmpstr (own, ==, sha256);
  g_assert_cmpint (fstat (copy->fd, &st), ==, 0);
  g_assert_cmpint (st.st_blocks * 512, <, 512 * 1024);
  (void) close (copy->fd);
  g_free (copy->sha256);
}

/* ---- processes of the agent ----------------------------------------------------------------------- */

typedef void (*Deed) (Fixture *fixture, gpointer data);

/* Does @deed as @uid in a process of its own, which then waits for its end; back when it is done. */
static inline void
start_helper (Fixture *fixture, uid_t uid, Deed deed, gpointer data)
{
  int ready[2];
  char byte;

  g_assert_cmpint (pipe (ready), ==, 0);
  fixture->helper = fork ();
  if (fixture->helper == 0) {
    (void) setpgid (0, 0);
    if (geteuid () == 0 && (setgroups (0, NULL) != 0 || setresgid (uid, uid, uid) != 0 ||
                            setresuid (uid, uid, uid) != 0))
      _exit (1);
    deed (fixture, data);
    if (write (ready[1], "x", 1) != 1)
      _exit (1);
    for (;;)
      (void) pause ();
  }
  (void) close (ready[1]);
  g_assert_cmpint (read (ready[0], &byte, 1), ==, 1);
  (void) close (ready[0]);
}

/* A copy of @program named @name that runs with @argument as @uid; its number is in qemu.pid.  It has
 * said a first line by then where @speaks. */
static inline void
start_machine (Fixture *fixture, const char *program, const char *name, const char *argument,
               uid_t uid, gboolean speaks)
{
  g_autofree char *path = g_build_filename (fixture->root, name, NULL);
  g_autofree char *bytes = NULL;
  g_autofree char *pid = NULL;
  gsize length;
  int out[2];
  char byte;

  g_assert_true (g_file_get_contents (program, &bytes, &length, NULL));
  g_assert_true (g_file_set_contents_full (path, bytes, (gssize) length, G_FILE_SET_CONTENTS_NONE,
                                           0755, NULL));
  g_assert_cmpint (pipe (out), ==, 0);
  fixture->helper = fork ();
  if (fixture->helper == 0) {
    (void) setpgid (0, 0);
    (void) fcntl (out[1], F_SETFD, FD_CLOEXEC);
    if (speaks)
      (void) dup2 (out[1], STDOUT_FILENO);
    if (geteuid () == 0 && (setgroups (0, NULL) != 0 || setresgid (uid, uid, uid) != 0 ||
                            setresuid (uid, uid, uid) != 0))
      _exit (1);
    (void) execl (path, name, speaks ? "-c" : argument, speaks ? argument : NULL, NULL);
    _exit (1);
  }
  (void) close (out[1]);
  /* Its first line, or the end of the pipe at execl(). */
  g_assert_cmpint (read (out[0], &byte, 1), ==, speaks ? 1 : 0);
  (void) close (out[0]);
  pid = g_strdup_printf ("%d\n", (int) fixture->helper);
  put (fixture, SP_STAGING_PID, pid, -1);
}

static inline gboolean
helper_runs (Fixture *fixture)
{
  siginfo_t info = { 0 };

  g_assert_cmpint (waitid (P_PID, (id_t) fixture->helper, &info, WEXITED | WNOHANG | WNOWAIT), ==,
                   0);
  return info.si_pid == 0;
}
