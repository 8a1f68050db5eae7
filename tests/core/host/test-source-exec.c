/* test-source-exec.c - an agent VM behind a command, which may be anything: host/source/source.h
 *
 * The commands here run programs as another user, in another network namespace, through a shell as ssh
 * does, or misbehave for one program only.
 */
#include "source-fixture.h"

/* As the agent, like `ssh agent@machine`. */
static void
use_prefix (Fixture *fixture)
{
  fixture->config.exec =
      geteuid () == 0 ? "setpriv --reuid 65001 --regid 65001 --clear-groups --no-new-privs --"
                      : "env";
}

/* Does what it is told, but for @program, in whose place it runs the script @instead. */
static char *
command_with (const char *program, const char *instead)
{
  g_autofree char *script =
      g_strdup_printf ("case $1 in %s) %s;; *) exec \"$@\";; esac", program, instead);
  g_autofree char *quoted = g_shell_quote (script);

  return g_strdup_printf ("sh -c %s x", quoted);
}

static void
use_command (Fixture *fixture, char **ret_command, const char *program, const char *instead)
{
  *ret_command = command_with (program, instead);
  fixture->config.exec = *ret_command;
}

/* ---- what works ----------------------------------------------------------------------------------- */

/* With the command of the config: read, copy, write, run, remove. */
static void
assert_all_works (Fixture *fixture)
{
  const char *const argv[] = { "id", "-u", NULL };
  g_autofree char *sha256 = put_disk (fixture);
  g_autofree char *agent = in_staging (fixture, SP_STAGING_AGENT);
  g_autofree char *ready = in_staging (fixture, SP_STAGING_READY);
  g_autoptr (SpSource) source = open_source (fixture);
  g_autoptr (SpSecret) content = sp_secret_new_from ("{}\n", 3);
  g_autofree char *text = NULL, *out = NULL, *written = NULL;
  g_autoptr (GError) error = NULL;
  Copy copy = { 0 };
  struct stat st;
  int status;

  put (fixture, SP_STAGING_READY, "ready\n", -1);
  text = sp_source_read (source, SP_SOURCE_READY, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (text, ==, "ready\n");
  copy_into (source, &copy, fixture->root, NULL, NULL);
  assert_copied (&copy, sha256);
  g_assert_true (sp_source_write_agent (source, content, &error));
  g_assert_no_error (error);
  g_assert_cmpint (lstat (agent, &st), ==, 0);
  g_assert_cmpuint (st.st_mode & 07777, ==, 0600);
  g_assert_true (g_file_get_contents (agent, &written, NULL, NULL));
  g_assert_cmpstr (written, ==, "{}\n");
  g_assert_true (sp_source_run (source, argv, 5000, &out, &status, &error));
  g_assert_cmpint (status, ==, 0);
  g_assert_true (sp_source_remove (source, SP_SOURCE_READY, &error));
  g_assert_true (sp_source_remove (source, SP_SOURCE_READY, &error));
  g_assert_false (g_file_test (ready, G_FILE_TEST_EXISTS));
}

static void
test_as_other_user (Fixture *fixture, gconstpointer data)
{
  use_prefix (fixture);
  assert_all_works (fixture);
}

/* ssh joins the words with blanks and gives them to a shell. */
static void
test_through_shell (Fixture *fixture, gconstpointer data)
{
  fixture->config.exec = "sh -c 'exec sh -c \"$*\"' ssh";
  assert_all_works (fixture);
}

static gboolean
change_namespace (const char *verb, const char *name)
{
  const char *argv[] = { "ip", "netns", verb, name, NULL };
  int status;

  return g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL,
                       &status, NULL) &&
         status == 0;
}

static void
test_in_namespace (Fixture *fixture, gconstpointer data)
{
  g_autofree char *name = g_strdup_printf ("sp-test-%d", (int) getpid ());
  g_autofree char *prefix = g_strdup_printf ("ip netns exec %s", name);

  if (skip_unless_root ())
    return;
  if (!change_namespace ("add", name)) {
    g_test_skip ("a network namespace can't be made here");
    return;
  }
  fixture->config.exec = prefix;
  assert_all_works (fixture);
  g_assert_true (change_namespace ("delete", name));
}

/* The agent's own rights hold there. */
static void
test_rights (Fixture *fixture, gconstpointer data)
{
  if (skip_unless_root ())
    return;
  use_prefix (fixture);
  fixture->config.ready = "/etc/shadow";
  assert_not_read (fixture, SP_SOURCE_READY, SP_PROBLEM_INTEGRITY, "Permission denied");
}

/* ---- what does not -------------------------------------------------------------------------------- */

static void
test_no_command (Fixture *fixture, gconstpointer data)
{
  fixture->config.exec = "no-such-multipass exec vm --";
  assert_not_opened (fixture, SP_PROBLEM_UNREACHABLE, "no-such-multipass");
}

static void
test_bad_command (Fixture *fixture, gconstpointer data)
{
  fixture->config.exec = "ssh 'unfinished";
  assert_not_opened (fixture, SP_PROBLEM_CONFIG, "is no command");
}

static void
test_status_255 (Fixture *fixture, gconstpointer data)
{
  fixture->config.exec = "sh -c 'echo no route to host >&2; exit 255' ssh";
  assert_not_opened (fixture, SP_PROBLEM_UNREACHABLE, "no route to host");
}

/* A status that a program could have given, too. */
static void
test_status_1 (Fixture *fixture, gconstpointer data)
{
  fixture->config.exec = "sh -c 'echo instance is not running >&2; exit 1' multipass";
  assert_not_opened (fixture, SP_PROBLEM_UNREACHABLE, "instance is not running");
}

static void
test_signal (Fixture *fixture, gconstpointer data)
{
  fixture->config.exec = "sh -c 'kill -9 $$' ssh";
  assert_not_opened (fixture, SP_PROBLEM_UNREACHABLE, "signal");
}

static void
test_no_folder (Fixture *fixture, gconstpointer data)
{
  use_prefix (fixture);
  fixture->config.staging = "/no/such/folder";
  assert_not_opened (fixture, SP_PROBLEM_NOT_FOUND, "/no/such/folder");
}

static void
test_paths (Fixture *fixture, gconstpointer data)
{
  static const char *const paths[] = { "/a b",     "/a;reboot", "/$(id)", "/a'b",
                                       "/\x1b[2J", "/~",        "/a*" };

  use_prefix (fixture);
  for (gsize i = 0; i < G_N_ELEMENTS (paths); i++) {
    fixture->config.staging = paths[i];
    assert_not_opened (fixture, SP_PROBLEM_CONFIG, "absolute paths of letters");
  }
}

static void
test_no_file (Fixture *fixture, gconstpointer data)
{
  use_prefix (fixture);
  assert_not_read (fixture, SP_SOURCE_READY, SP_PROBLEM_NOT_FOUND, SP_STAGING_READY);
}

static void
test_hangs (Fixture *fixture, gconstpointer data)
{
  g_autofree char *command = NULL;
  g_autoptr (SpSource) source = NULL;
  GError *error = NULL;

  use_command (fixture, &command, "cat", "exec sleep 1000");
  source = open_source (fixture);
  source->answer_ms = 200;
  g_assert_null (sp_source_read (source, SP_SOURCE_READY, &error));
  assert_problem (error, SP_PROBLEM_TIMED_OUT, "'sh'");
}

static void
test_endless (Fixture *fixture, gconstpointer data)
{
  g_autofree char *command = NULL;

  use_command (fixture, &command, "cat", "exec cat /dev/zero");
  assert_not_read (fixture, SP_SOURCE_READY, SP_PROBLEM_TOO_LARGE, "4096");
}

static void
test_endless_complaint (Fixture *fixture, gconstpointer data)
{
  g_autofree char *command = NULL;

  use_command (fixture, &command, "cat", "head -c 1000000 /dev/zero | tr '\\0' e >&2; exit 1");
  put (fixture, SP_STAGING_READY, "x", 1);
  assert_not_read (fixture, SP_SOURCE_READY, SP_PROBLEM_INTEGRITY, "…");
}

static void
test_escapes (Fixture *fixture, gconstpointer data)
{
  g_autofree char *command = NULL;

  use_command (fixture, &command, "cat", "printf '\\033[2J\\r\\377bad\\n\\0more' >&2; exit 1");
  put (fixture, SP_STAGING_READY, "x", 1);
  assert_not_read (fixture, SP_SOURCE_READY, SP_PROBLEM_INTEGRITY, "bad");
}

static void
test_lost_on_the_way (Fixture *fixture, gconstpointer data)
{
  g_autofree char *command = NULL;
  g_autoptr (SpSource) source = NULL;
  Copy copy = { 0 };

  use_command (fixture, &command, "cat", "head -c 1000000 \"$2\"; exit 255");
  g_free (put_disk (fixture));
  source = open_source (fixture);
  copy_into (source, &copy, fixture->root, NULL, NULL);
  assert_copy_failed (&copy, SP_PROBLEM_UNREACHABLE, "status 255");
}

static void
test_endless_disk (Fixture *fixture, gconstpointer data)
{
  g_autofree char *command = NULL;
  g_autoptr (SpSource) source = NULL;
  Copy copy = { 0 };

  use_command (fixture, &command, "cat", "exec cat /dev/zero");
  source = open_source (fixture);
  copy_into (source, &copy, fixture->root, NULL, NULL);
  assert_copy_failed (&copy, SP_PROBLEM_TOO_LARGE, "67108864");
}

static void
test_slow_disk (Fixture *fixture, gconstpointer data)
{
  g_autofree char *command = NULL;
  g_autoptr (SpSource) source = NULL;
  Copy copy = { 0 };

  use_command (fixture, &command, "cat", "echo x; exec sleep 1000");
  source = open_source (fixture);
  source->copy_ms = 200;
  copy_into (source, &copy, fixture->root, NULL, NULL);
  assert_copy_failed (&copy, SP_PROBLEM_TIMED_OUT, "'sh'");
}

/* One that is slow may go on for long; one from which nothing comes is not waited for. */
static void
test_silent_disk (Fixture *fixture, gconstpointer data)
{
  g_autofree char *command = NULL;
  g_autoptr (SpSource) source = NULL;
  Copy copy = { 0 };
  gint64 began;

  use_command (fixture, &command, "cat", "echo x; exec sleep 1000");
  source = open_source (fixture);
  source->answer_ms = 200;
  began = g_get_monotonic_time ();
  copy_into (source, &copy, fixture->root, NULL, NULL);
  assert_copy_failed (&copy, SP_PROBLEM_TIMED_OUT, "'sh'");
  g_assert_cmpint (g_get_monotonic_time () - began, <, source->copy_ms * G_TIME_SPAN_MILLISECOND);
}

/* The token goes through stdin, and nothing is left of a failure. */
static void
test_agent_file_fails (Fixture *fixture, gconstpointer data)
{
  g_autofree char *command = NULL;
  g_autofree char *rest = in_staging (fixture, SP_STAGING_AGENT ".new");
  g_autoptr (SpSource) source = NULL;
  g_autoptr (SpSecret) content = sp_secret_new_from ("token", 5);
  GError *error = NULL;

  use_command (fixture, &command, "mv", "echo \"$@\" >&2; exit 1");
  source = open_source (fixture);
  g_assert_false (sp_source_write_agent (source, content, &error));
  g_assert_null (strstr (error->message, "token"));
  assert_problem (error, SP_PROBLEM_INTEGRITY, SP_STAGING_AGENT);
  g_assert_false (g_file_test (rest, G_FILE_TEST_EXISTS));
}

/* ---- the monitor ---------------------------------------------------------------------------------- */

static void
assert_echo (SpSource *source, const char *greeting)
{
  g_autoptr (GError) error = NULL;
  char text[256] = "";
  int in, out;

  g_assert_true (sp_source_connect_monitor (source, &in, &out, &error));
  g_assert_no_error (error);
  g_assert_cmpint (read (in, text, sizeof text - 1), ==, strlen (greeting));
  g_assert_cmpstr (text, ==, greeting);
  g_assert_cmpint (write (out, "x", 1), ==, 1);
  g_assert_cmpint (read (in, text, 1), ==, 1);
  g_assert_cmpint (text[0], ==, 'x');
  (void) close (in);
  (void) close (out);
}

static void
test_relay (Fixture *fixture, gconstpointer data)
{
  g_autofree char *command = NULL;
  g_autofree char *greeting =
      g_strdup_printf ("secret-proxy relay %s/" SP_STAGING_MONITOR "\n", fixture->staging);
  g_autoptr (SpSource) source = NULL;

  use_command (fixture, &command, "secret-proxy", "echo \"$@\"; exec cat");
  source = open_source (fixture);
  assert_echo (source, greeting);
  assert_echo (source, greeting);
}

static void
test_socat (Fixture *fixture, gconstpointer data)
{
  g_autofree char *command = NULL;
  g_autofree char *greeting =
      g_strdup_printf ("socat - UNIX-CONNECT:%s/" SP_STAGING_MONITOR "\n", fixture->staging);
  g_autoptr (SpSource) source = NULL;

  use_command (fixture, &command, "secret-proxy", "exit 127;; socat) echo \"$@\"; exec cat");
  source = open_source (fixture);
  assert_echo (source, greeting);
}

static void
assert_not_connected (Fixture *fixture, const char *program, const char *instead,
                      SpProblemCode code, const char *part)
{
  g_autofree char *command = NULL;
  g_autoptr (SpSource) source = NULL;
  GError *error = NULL;
  int in, out;

  use_command (fixture, &command, program, instead);
  source = open_source (fixture);
  source->answer_ms = 500;
  g_assert_false (sp_source_connect_monitor (source, &in, &out, &error));
  assert_problem (error, code, part);
}

static void
test_no_relay (Fixture *fixture, gconstpointer data)
{
  assert_not_connected (fixture, "secret-proxy|socat", "exit 127", SP_PROBLEM_UNREACHABLE,
                        "install one");
}

static void
test_relay_fails (Fixture *fixture, gconstpointer data)
{
  assert_not_connected (fixture, "secret-proxy", "echo no socket >&2; exit 1",
                        SP_PROBLEM_UNREACHABLE, "no socket");
}

static void
test_relay_silent (Fixture *fixture, gconstpointer data)
{
  assert_not_connected (fixture, "secret-proxy", "exec >&-; exec sleep 1000", SP_PROBLEM_TIMED_OUT,
                        "no greeting");
}

/* ---- the machine ---------------------------------------------------------------------------------- */

static void
test_end (Fixture *fixture, gconstpointer data)
{
  g_autoptr (SpSource) source = NULL;
  g_autoptr (GError) error = NULL;

  use_prefix (fixture);
  start_machine (fixture, "/bin/sh", "qemu-system-test",
                 "trap '' TERM; echo; while :; do sleep 1; done", fixture->agent, TRUE);
  source = open_source (fixture);
  g_assert_true (sp_source_end_machine (source, &error));
  g_assert_no_error (error);
  g_assert_false (helper_runs (fixture));
  end_helper (fixture);
  g_assert_true (sp_source_end_machine (source, &error));
}

static void
test_end_other (Fixture *fixture, gconstpointer data)
{
  g_autoptr (SpSource) source = NULL;
  GError *error = NULL;

  use_prefix (fixture);
  start_machine (fixture, "/bin/sleep", "sleep", "1000", fixture->agent, FALSE);
  source = open_source (fixture);
  g_assert_false (sp_source_end_machine (source, &error));
  assert_problem (error, SP_PROBLEM_INTEGRITY, "is no VM");
  g_assert_true (helper_runs (fixture));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  (void) umask (022);
  (void) signal (SIGPIPE, SIG_IGN);
  ADD_TEST ("/source-exec/all-works/as-another-user", test_as_other_user);
  ADD_TEST ("/source-exec/all-works/through-a-shell", test_through_shell);
  ADD_TEST ("/source-exec/all-works/in-a-namespace", test_in_namespace);
  ADD_TEST ("/source-exec/the-agents-rights-hold", test_rights);
  ADD_TEST ("/source-exec/command/missing-is-unreachable", test_no_command);
  ADD_TEST ("/source-exec/command/unfinished-is-a-config-error", test_bad_command);
  ADD_TEST ("/source-exec/command/status-255-is-unreachable", test_status_255);
  ADD_TEST ("/source-exec/command/status-1-is-told-from-a-missing-file", test_status_1);
  ADD_TEST ("/source-exec/command/a-signal-is-unreachable", test_signal);
  ADD_TEST ("/source-exec/folder/missing-is-not-found", test_no_folder);
  ADD_TEST ("/source-exec/folder/what-a-shell-would-read-is-refused", test_paths);
  ADD_TEST ("/source-exec/file/missing-is-not-found", test_no_file);
  ADD_TEST ("/source-exec/file/hanging-times-out", test_hangs);
  ADD_TEST ("/source-exec/file/endless-output-is-cut", test_endless);
  ADD_TEST ("/source-exec/file/an-endless-complaint-is-cut", test_endless_complaint);
  ADD_TEST ("/source-exec/file/escapes-do-not-show", test_escapes);
  ADD_TEST ("/source-exec/disk/a-lost-connection-is-an-error", test_lost_on_the_way);
  ADD_TEST ("/source-exec/disk/endless-output-is-cut", test_endless_disk);
  ADD_TEST ("/source-exec/disk/too-slow-is-given-up", test_slow_disk);
  ADD_TEST ("/source-exec/disk/silence-is-given-up", test_silent_disk);
  ADD_TEST ("/source-exec/agent-file/a-failure-leaves-nothing", test_agent_file_fails);
  ADD_TEST ("/source-exec/monitor/by-our-relay", test_relay);
  ADD_TEST ("/source-exec/monitor/by-socat", test_socat);
  ADD_TEST ("/source-exec/monitor/neither-is-told", test_no_relay);
  ADD_TEST ("/source-exec/monitor/a-failure-is-told", test_relay_fails);
  ADD_TEST ("/source-exec/monitor/silence-times-out", test_relay_silent);
  ADD_TEST ("/source-exec/machine/is-ended", test_end);
  ADD_TEST ("/source-exec/machine/another-program-is-left-alone", test_end_other);
  return g_test_run ();
}
