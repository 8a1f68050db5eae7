/* test-sandbox.c - host/image/sandbox.h: what a tool in it sees, may and gives back */
#include "host/image/sandbox.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/problem.h"

#define SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK)
#define MIB ((guint64) 1024 * 1024)

static SpSandboxResult *
run (int in_fd, guint seconds, const char *const *argv, GError **error)
{
  const SpSandboxJob job = {
    .argv = argv,
    .in_fd = in_fd,
    .max_memory = 256 * MIB,
    .max_seconds = seconds,
    .max_output = 4096,
  };

  return sp_sandbox_run (&job, error);
}

#define RUN(...) run (-1, 20, (const char *const[]){ __VA_ARGS__, NULL }, NULL)

static void
assert_run (const SpSandboxResult *result, int status, const char *out)
{
  g_assert_nonnull (result);
  g_assert_cmpstr (result->out, ==, out);
  g_assert_cmpint (result->status, ==, status);
}

static void
test_result (void)
{
  g_autoptr (SpSandboxResult) result = RUN ("sh", "-c", "echo out; echo err >&2; exit 3");

  assert_run (result, 3, "out\n");
  g_assert_cmpstr (result->err, ==, "err\n");
}

static void
test_sees (void)
{
  g_autoptr (SpSandboxResult) files = RUN ("sh", "-c", "echo /* /dev/*");
  g_autoptr (SpSandboxResult) user = RUN ("id", "-u");
  g_autoptr (SpSandboxResult) words = RUN ("sh", "-c", "env | sort");

  assert_run (files, 0, "/bin /dev /lib /lib64 /proc /usr /dev/null\n");
  assert_run (user, 0, "65534\n");
  assert_run (words, 0, "HOME=/\nLC_ALL=C.UTF-8\nPATH=/usr/bin\nPWD=/\n");
}

static void
test_writes (void)
{
  g_autoptr (SpSandboxResult) result =
      RUN ("sh", "-c",
           "for f in /x /dev/x /proc/sys/kernel/core_pattern /usr/x /usr/bin/x; do (: >$f) "
           "2>/dev/null && echo $f; done; "
           "echo end");

  assert_run (result, 0, "end\n");
}

/* ---- the file ----------------------------------------------------------------------------------------- */

static int
file_with (const char *content, gboolean sealed)
{
  int fd = memfd_create ("sandbox", MFD_CLOEXEC | MFD_ALLOW_SEALING);

  g_assert_cmpint (write (fd, content, strlen (content)), ==, (gssize) strlen (content));
  g_assert_cmpint (sealed ? fcntl (fd, F_ADD_SEALS, SEALS) : 0, ==, 0);
  return fd;
}

static void
test_file (void)
{
  static const char *const script = "(echo x >$0; echo x >>$0) 2>/dev/null; cat $0";
  int fd = file_with ("content", TRUE);
  g_autoptr (GError) error = NULL;
  g_autoptr (SpSandboxResult) by_name =
      run (fd, 20, (const char *const[]){ "cat", "{in}", NULL }, &error);
  g_autoptr (SpSandboxResult) written =
      run (fd, 20, (const char *const[]){ "sh", "-c", script, "{in}", NULL }, &error);

  g_assert_no_error (error);
  assert_run (by_name, 0, "content");
  assert_run (written, 0, "content");
  (void) close (fd);
}

static void
test_not_sealed (void)
{
  int fds[] = { file_with ("content", FALSE), open ("/proc/self/exe", O_RDONLY | O_CLOEXEC) };

  for (gsize i = 0; i < G_N_ELEMENTS (fds); i++) {
    g_autoptr (GError) error = NULL;

    g_assert_null (run (fds[i], 20, (const char *const[]){ "cat", "{in}", NULL }, &error));
    g_assert_error (error, SP_PROBLEM, SP_PROBLEM_INTERNAL);
    (void) close (fds[i]);
  }
}

/* ---- bounds ------------------------------------------------------------------------------------------- */

static void
assert_fails (SpProblemCode code, guint seconds, const char *script)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (SpSandboxResult) result =
      run (-1, seconds, (const char *const[]){ "sh", "-c", script, NULL }, &error);

  g_assert_error (error, SP_PROBLEM, (int) code);
  g_assert_null (result);
}

static gboolean
runs_somewhere (const char *word)
{
  g_autoptr (GDir) proc = g_dir_open ("/proc", 0, NULL);
  gboolean found = FALSE;
  const char *name;

  while (!found && (name = g_dir_read_name (proc)) != NULL) {
    g_autofree char *path = g_build_filename ("/proc", name, "cmdline", NULL);
    g_autofree char *text = NULL;
    gsize length = 0;

    found = g_ascii_isdigit (*name) && g_file_get_contents (path, &text, &length, NULL) &&
            memmem (text, length, word, strlen (word)) != NULL;
  }
  return found;
}

static void
test_time (void)
{
  g_autofree char *mark = g_strdup_printf ("86400.%u", (guint) getpid ());
  g_autofree char *waits = g_strdup_printf ("sleep %s & sleep %s", mark, mark);
  gint64 start = g_get_monotonic_time ();

  assert_fails (SP_PROBLEM_TIMED_OUT, 1, waits);
  assert_fails (SP_PROBLEM_TIMED_OUT, 1, "while :; do :; done");
  /* Closing what it was given doesn't end it early. */
  assert_fails (SP_PROBLEM_TIMED_OUT, 1, "exec >&- 2>&-; sleep 86400");
  g_assert_cmpint (g_get_monotonic_time () - start, <, 30 * G_USEC_PER_SEC);
  while (runs_somewhere (mark))
    g_usleep (1000);
}

static void
test_output (void)
{
  g_autoptr (SpSandboxResult) fits = RUN ("head", "-c", "4096", "/usr/bin/sh");

  g_assert_nonnull (fits);
  assert_fails (SP_PROBLEM_TOO_LARGE, 20, "head -c 4097 /usr/bin/sh");
  assert_fails (SP_PROBLEM_TOO_LARGE, 20, "while :; do echo too much; done >&2");
}

static void
test_memory (void)
{
  g_autoptr (SpSandboxResult) less = RUN ("dd", "if=/dev/null", "of=/dev/null", "bs=32M");
  g_autoptr (SpSandboxResult) more = RUN ("dd", "if=/dev/null", "of=/dev/null", "bs=300M");

  assert_run (less, 0, "");
  assert_run (more, 1, "");
}

static void
test_signal (void)
{
  assert_fails (SP_PROBLEM_INTEGRITY, 20, "kill -SEGV $$");
}

static void
test_absent (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (SpSandboxResult) result =
      run (-1, 20, (const char *const[]){ "no-such-tool", NULL }, &error);

  g_assert_null (result);
  g_assert_nonnull (error);
  g_assert_nonnull (strstr (error->message, "no-such-tool"));
}

/* Some machines forbid user namespaces: then there is nothing to try. */
static gboolean
is_possible (void)
{
  const char *argv[] = { "bwrap", "--unshare-all", "--ro-bind", "/", "/", "true", NULL };
  int status = -1;

  return g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL,
                       &status, NULL) &&
         status == 0;
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  if (!is_possible ()) {
    g_print ("1..0 # SKIP bwrap can't make namespaces here\n");
    return 0;
  }
  g_test_add_func ("/sandbox/status-and-output-come-back", test_result);
  g_test_add_func ("/sandbox/shows-programs-and-nothing-else", test_sees);
  g_test_add_func ("/sandbox/nothing-can-be-written", test_writes);
  g_test_add_func ("/sandbox/file-is-shown-and-stays-as-it-is", test_file);
  g_test_add_func ("/sandbox/file-that-is-not-sealed-is-refused", test_not_sealed);
  g_test_add_func ("/sandbox/time-is-bounded-and-nothing-runs-on", test_time);
  g_test_add_func ("/sandbox/output-is-bounded", test_output);
  g_test_add_func ("/sandbox/memory-is-bounded", test_memory);
  g_test_add_func ("/sandbox/end-by-a-signal-is-an-integrity-error", test_signal);
  g_test_add_func ("/sandbox/tool-that-is-not-there-is-named", test_absent);
  return g_test_run ();
}
