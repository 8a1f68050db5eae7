/* test-source-agent.c - what is done as the agent, and to its machine: host/source/source.h */
#include "source-fixture.h"

/* ---- programs ------------------------------------------------------------------------------------- */

static int
run (Fixture *fixture, const char *const *argv, char **ret_out)
{
  g_autoptr (SpSource) source = open_source (fixture);
  g_autoptr (GError) error = NULL;
  int status = 0;

  g_assert_true (sp_source_run (source, argv, 5000, ret_out, &status, &error));
  g_assert_no_error (error);
  return status;
}

static void
test_run_as_agent (Fixture *fixture, gconstpointer data)
{
  const char *const argv[] = { "id", "-u", NULL };
  g_autofree char *expected = g_strdup_printf ("%u\n", fixture->agent);
  g_autofree char *out = NULL;

  g_assert_cmpint (run (fixture, argv, &out), ==, 0);
  g_assert_cmpstr (out, ==, expected);
}

static void
test_run_has_no_groups (Fixture *fixture, gconstpointer data)
{
  const char *const argv[] = { "id", "-G", NULL };
  g_autofree char *out = NULL;

  if (skip_unless_root ())
    return;
  g_assert_cmpint (run (fixture, argv, &out), ==, 0);
  g_assert_cmpstr (out, ==, "65001\n");
}

static void
test_run_clean (Fixture *fixture, gconstpointer data)
{
  const char *const argv[] = { "env", NULL };
  g_autofree char *out = NULL;

  (void) g_setenv ("SECRET", "hunter2", TRUE);
  g_assert_cmpint (run (fixture, argv, &out), ==, 0);
  g_unsetenv ("SECRET");
  g_assert_null (strstr (out, "hunter2"));
  g_assert_nonnull (strstr (out, "PATH="));
}

static void
test_run_status (Fixture *fixture, gconstpointer data)
{
  const char *const fails[] = { "sh", "-c", "exit 3", NULL };
  const char *const dies[] = { "sh", "-c", "kill -9 $$", NULL };
  const char *const missing[] = { "no-such-program", NULL };
  g_autofree char *out[3] = { NULL };

  g_assert_cmpint (run (fixture, fails, &out[0]), ==, 3);
  g_assert_cmpint (run (fixture, dies, &out[1]), ==, -1);
  g_assert_cmpint (run (fixture, missing, &out[2]), ==, 127);
  for (guint i = 1; i < 3; i++)
    g_free (out[i]);
}

static void
assert_run_fails (Fixture *fixture, const char *script, guint ms, SpProblemCode code)
{
  const char *const argv[] = { "sh", "-c", script, NULL };
  g_autoptr (SpSource) source = open_source (fixture);
  g_autofree char *out = NULL;
  GError *error = NULL;
  int status;

  g_assert_false (sp_source_run (source, argv, ms, &out, &status, &error));
  assert_problem (error, code, "sh");
}

static void
test_run_endless (Fixture *fixture, gconstpointer data)
{
  assert_run_fails (fixture, "cat /dev/zero", 20000, SP_PROBLEM_TOO_LARGE);
}

/* What it started ends with it: their pipe closes. */
static void
test_run_hangs (Fixture *fixture, gconstpointer data)
{
  g_autofree char *fifo = in_staging (fixture, "fifo");
  g_autofree char *script = g_strdup_printf ("sleep 1000 > %s & sleep 1000", fifo);
  char byte;
  int fd;

  g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);
  give_to (fifo, fixture->agent);
  fd = open (fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  assert_run_fails (fixture, script, 500, SP_PROBLEM_TIMED_OUT);
  g_assert_cmpint (fcntl (fd, F_SETFL, 0), ==, 0);
  g_assert_cmpint (read (fd, &byte, 1), ==, 0);
  (void) close (fd);
}

/* A pipe that a program left behind keeps open has no end. */
static void
test_run_leaves_one_behind (Fixture *fixture, gconstpointer data)
{
  const char *const argv[] = { "sh", "-c", "echo done; setsid sleep 20 & exit 0", NULL };
  gint64 before = g_get_monotonic_time ();
  g_autofree char *out = NULL;

  g_assert_cmpint (run (fixture, argv, &out), ==, 0);
  g_assert_cmpstr (out, ==, "done\n");
  g_assert_cmpint (g_get_monotonic_time () - before, <, 4 * G_USEC_PER_SEC);
}

/* ---- agent.json ----------------------------------------------------------------------------------- */

static gboolean
write_agent (Fixture *fixture, GError **error)
{
  g_autoptr (SpSource) source = open_source (fixture);
  g_autoptr (SpSecret) content = sp_secret_new_from ("{}\n", 3);

  return sp_source_write_agent (source, content, error);
}

static void
test_agent_file (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = in_staging (fixture, SP_STAGING_AGENT);
  g_autofree char *text = NULL;
  g_autoptr (GError) error = NULL;
  struct stat st;

  put (fixture, SP_STAGING_AGENT, "old and longer", -1);
  g_assert_true (write_agent (fixture, &error));
  g_assert_no_error (error);
  g_assert_cmpint (lstat (path, &st), ==, 0);
  g_assert_cmpuint (st.st_uid, ==, fixture->agent);
  g_assert_cmpuint (st.st_mode & 07777, ==, 0600);
  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  g_assert_cmpstr (text, ==, "{}\n");
}

static void
test_agent_file_link (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = in_staging (fixture, SP_STAGING_AGENT);
  g_autofree char *target = g_build_filename (fixture->root, "target", NULL);
  struct stat st;

  g_assert_cmpint (symlink (target, path), ==, 0);
  g_assert_true (write_agent (fixture, NULL));
  g_assert_false (g_file_test (target, G_FILE_TEST_EXISTS));
  g_assert_cmpint (lstat (path, &st), ==, 0);
  g_assert_true (S_ISREG (st.st_mode));
}

static void
test_agent_file_folder (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = in_staging (fixture, SP_STAGING_AGENT);
  GError *error = NULL;

  g_assert_cmpint (g_mkdir (path, 0700), ==, 0);
  g_assert_false (write_agent (fixture, &error));
  assert_problem (error, SP_PROBLEM_INTEGRITY, SP_STAGING_AGENT);
}

/* Root could write here; the owner of the folder can't, so it is not done. */
static void
test_agent_file_rights (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = g_build_filename (fixture->root, "proof", NULL);
  GError *error = NULL;

  g_assert_cmpint (g_chmod (fixture->staging, 0500), ==, 0);
  g_assert_false (write_agent (fixture, &error));
  assert_problem (error, SP_PROBLEM_INTEGRITY, "Permission denied");
  g_assert_true (g_file_set_contents (path, "own rights are back", -1, NULL));
  g_assert_cmpint (g_chmod (fixture->staging, 0700), ==, 0);
}

/* ---- removing ------------------------------------------------------------------------------------- */

static void
test_remove (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = in_staging (fixture, SP_STAGING_READY);
  g_autofree char *disk = in_staging (fixture, SP_STAGING_DISK);
  g_autofree char *target = in_staging (fixture, "target");
  g_autoptr (SpSource) source = open_source (fixture);

  put (fixture, SP_STAGING_READY, "x", 1);
  put (fixture, "target", "x", 1);
  g_assert_cmpint (symlink (target, disk), ==, 0);
  g_assert_true (sp_source_remove (source, SP_SOURCE_READY, NULL));
  g_assert_true (sp_source_remove (source, SP_SOURCE_READY, NULL));
  g_assert_true (sp_source_remove (source, SP_SOURCE_DISK, NULL));
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
  g_assert_false (g_file_test (disk, G_FILE_TEST_IS_SYMLINK));
  g_assert_true (g_file_test (target, G_FILE_TEST_EXISTS));
}

static void
test_remove_folder (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = in_staging (fixture, SP_STAGING_READY);
  g_autoptr (SpSource) source = open_source (fixture);
  GError *error = NULL;

  g_assert_cmpint (g_mkdir (path, 0700), ==, 0);
  g_assert_false (sp_source_remove (source, SP_SOURCE_READY, &error));
  assert_problem (error, SP_PROBLEM_INTEGRITY, "can't be removed");
}

/* ---- the machine ---------------------------------------------------------------------------------- */

static void
assert_ended (Fixture *fixture)
{
  g_autoptr (SpSource) source = open_source (fixture);
  g_autoptr (GError) error = NULL;

  g_assert_true (sp_source_end_machine (source, &error));
  g_assert_no_error (error);
}

static void
assert_left_alone (Fixture *fixture, const char *part)
{
  g_autoptr (SpSource) source = open_source (fixture);
  GError *error = NULL;

  g_assert_false (sp_source_end_machine (source, &error));
  assert_problem (error, SP_PROBLEM_INTEGRITY, part);
}

static void
test_end (Fixture *fixture, gconstpointer data)
{
  start_machine (fixture, "/bin/sleep", "qemu-system-test", "1000", fixture->agent, FALSE);
  g_assert_true (helper_runs (fixture));
  assert_ended (fixture);
  g_assert_false (helper_runs (fixture));
}

static void
test_end_stubborn (Fixture *fixture, gconstpointer data)
{
  start_machine (fixture, "/bin/sh", "qemu-system-test",
                 "trap '' TERM; echo; while :; do sleep 1; done", fixture->agent, TRUE);
  assert_ended (fixture);
  g_assert_false (helper_runs (fixture));
}

static void
test_end_none (Fixture *fixture, gconstpointer data)
{
  assert_ended (fixture);
}

static void
test_end_gone (Fixture *fixture, gconstpointer data)
{
  start_machine (fixture, "/bin/sleep", "qemu-system-test", "1000", fixture->agent, FALSE);
  end_helper (fixture);
  assert_ended (fixture);
}

static void
test_end_not_machine (Fixture *fixture, gconstpointer data)
{
  start_machine (fixture, "/bin/sleep", "sleep", "1000", fixture->agent, FALSE);
  assert_left_alone (fixture, "is no VM");
  g_assert_true (helper_runs (fixture));
}

static void
test_end_of_other (Fixture *fixture, gconstpointer data)
{
  if (skip_unless_root ())
    return;
  start_machine (fixture, "/bin/sleep", "qemu-system-test", "1000", OTHER_UID, FALSE);
  assert_left_alone (fixture, "of user 65001");
  g_assert_true (helper_runs (fixture));
}

static void
test_end_numbers (Fixture *fixture, gconstpointer data)
{
  static const char *const numbers[] = {
    "1\n",         "0\n",    "-1\n",
    "-2\n",        "",       "\n",
    "2 3\n",       "0x10\n", "99999999999999999999\n",
    "4194305\n",   "+7\n",   " 7\n",
    "\x1b[31m7\n",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (numbers); i++) {
    put (fixture, SP_STAGING_PID, numbers[i], -1);
    assert_left_alone (fixture, "process that may be ended");
  }
}

/* This process itself, which is no QEMU. */
static void
test_end_us (Fixture *fixture, gconstpointer data)
{
  g_autofree char *pid = g_strdup_printf ("%d\n", (int) getpid ());

  put (fixture, SP_STAGING_PID, pid, -1);
  assert_left_alone (fixture, "is no VM");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  (void) umask (022);
  (void) signal (SIGPIPE, SIG_IGN);
  ADD_TEST ("/source/run/is-the-agent", test_run_as_agent);
  ADD_TEST ("/source/run/has-no-other-groups", test_run_has_no_groups);
  ADD_TEST ("/source/run/has-a-clean-environment", test_run_clean);
  ADD_TEST ("/source/run/the-status-is-told", test_run_status);
  ADD_TEST ("/source/run/endless-output-is-cut", test_run_endless);
  ADD_TEST ("/source/run/what-hangs-is-ended-with-its-children", test_run_hangs);
  ADD_TEST ("/source/run/what-is-left-behind-is-not-waited-for", test_run_leaves_one_behind);
  ADD_TEST ("/source/agent-file/is-written-as-the-agent", test_agent_file);
  ADD_TEST ("/source/agent-file/a-link-is-not-followed", test_agent_file_link);
  ADD_TEST ("/source/agent-file/a-folder-is-an-error", test_agent_file_folder);
  ADD_TEST ("/source/agent-file/rights-of-root-are-not-used", test_agent_file_rights);
  ADD_TEST ("/source/remove/twice-is-the-same", test_remove);
  ADD_TEST ("/source/remove/a-folder-is-an-error", test_remove_folder);
  ADD_TEST ("/source/machine/is-ended", test_end);
  ADD_TEST ("/source/machine/is-killed-where-it-does-not-end", test_end_stubborn);
  ADD_TEST ("/source/machine/none-is-fine", test_end_none);
  ADD_TEST ("/source/machine/one-that-is-gone-is-fine", test_end_gone);
  ADD_TEST ("/source/machine/another-program-is-left-alone", test_end_not_machine);
  ADD_TEST ("/source/machine/that-of-another-user-is-left-alone", test_end_of_other);
  ADD_TEST ("/source/machine/strange-numbers-are-refused", test_end_numbers);
  ADD_TEST ("/source/machine/this-process-is-left-alone", test_end_us);
  return g_test_run ();
}
