/* test-monitor-child.c - the process that reads the monitor: what it has, how it ends; its parsers */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/problem.h"
#include "base/user.h"
#include "fake-monitor.h"
#include "host/monitor/private.h"
#include "sp-build.h"

#define ENOUGH_MS 20000u
#define SHORT_MS 300u

static char *
read_proc (pid_t pid, const char *name)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/%s", (int) pid, name);
  char *text = NULL;

  (void) g_file_get_contents (path, &text, NULL, NULL);
  return text;
}

/* The value of a line "NAME:\tVALUE" in /proc/PID/status. */
static char *
status_of (pid_t pid, const char *name)
{
  g_autofree char *text = read_proc (pid, "status");
  g_auto (GStrv) lines = g_strsplit (text ? text : "", "\n", -1);
  gsize length = strlen (name);

  for (char **line = lines; *line != NULL; line++)
    if (g_str_has_prefix (*line, name) && (*line)[length] == ':')
      return g_strstrip (g_strdup (*line + length + 1));
  return NULL;
}

/* The one child of this process; 0: there is none. */
static pid_t
child_of_mine (void)
{
  g_autoptr (GDir) dir = g_dir_open ("/proc", 0, NULL);
  g_autofree char *self = g_strdup_printf ("%d", (int) getpid ());
  const char *name;

  while ((name = g_dir_read_name (dir)) != NULL) {
    pid_t pid = atoi (name);
    g_autofree char *parent = pid > 0 ? status_of (pid, "PPid") : NULL;

    if (g_strcmp0 (parent, self) == 0)
      return pid;
  }
  return 0;
}

/* ---- what it has ------------------------------------------------------------------------------------------- */

static void
plays_along (int fd)
{
  g_autofree char *line = NULL;

  fake_greet (fd);
  while ((line = fake_hear (fd)) != NULL) {
    (void) fake_return (fd, fake_id (line), "{}");
    g_clear_pointer (&line, g_free);
  }
}

typedef struct {
  Fake fake;
  SpMonitor *monitor;
  pid_t child;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  int fd = fake_start (&fixture->fake, plays_along);

  fixture->monitor = sp_monitor_open (fd, fd, &error);
  g_assert_no_error (error);
  fixture->child = child_of_mine ();
  g_assert_cmpint (fixture->child, >, 0);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  sp_monitor_free (fixture->monitor);
  fake_join (&fixture->fake);
  g_assert_cmpint (child_of_mine (), ==, 0);
}

static void
test_descriptors (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/fd", (int) fixture->child);
  guint n = 0;

  if (geteuid () != 0 && SP_NOT_DUMPABLE) {
    g_test_skip ("only root may look into the child");
    return;
  }
  for (int fd = 0; fd < 1024; fd++) {
    g_autofree char *name = g_strdup_printf ("%s/%d", path, fd);
    g_autofree char *target = g_file_read_link (name, NULL);

    if (target == NULL)
      continue;
    n++;
    if (fd <= STDERR_FILENO)
      g_assert_cmpstr (target, ==, "/dev/null");
    else
      g_assert_true (fd <= SP_MONITOR_OUT_FD && g_str_has_prefix (target, "socket:"));
  }
  g_assert_cmpuint (n, ==, SP_MONITOR_OUT_FD + 1);
}

static void
test_user (Fixture *fixture, gconstpointer data)
{
  g_autofree char *uids = status_of (fixture->child, "Uid");
  g_autofree char *gids = status_of (fixture->child, "Gid");
  g_autofree char *groups = status_of (fixture->child, "Groups");
  g_autofree char *capabilities = status_of (fixture->child, "CapPrm");
  guint uid = sp_user_for ("monitor");
  g_autofree char *expected = g_strdup_printf ("%u\t%u\t%u\t%u", uid, uid, uid, uid);

  if (geteuid () != 0) {
    g_test_skip ("only root can make it another user");
    return;
  }
  g_assert_cmpuint (uid, !=, 0);
  g_assert_cmpstr (uids, ==, expected);
  g_assert_cmpstr (gids, ==, expected);
  g_assert_cmpstr (groups, ==, "");
  g_assert_cmpstr (capabilities, ==, "0000000000000000");
}

/* "NAME   SOFT   HARD   UNIT" */
static gboolean
is_zero (const char *text, const char *name)
{
  g_autofree char *pattern = g_strconcat (name, " +0 +0 ", NULL);

  return g_regex_match_simple (pattern, text, 0, 0);
}

static void
test_limits (Fixture *fixture, gconstpointer data)
{
  static const char *const names[] = { "Max open files", "Max processes", "Max file size",
                                       "Max core file size", "Max locked memory" };
  g_autofree char *text = read_proc (fixture->child, "limits");
  g_autofree char *privileges = status_of (fixture->child, "NoNewPrivs");

  g_assert_nonnull (text);
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    g_assert_true (is_zero (text, names[i]));
  g_assert_true (!SP_NOT_DUMPABLE || strstr (text, "Max address space         134217728") != NULL);
  g_assert_nonnull (strstr (text, "Max cpu time              10 "));
  g_assert_cmpstr (privileges, ==, "1");
}

static void
test_environment (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/environ", (int) fixture->child);
  g_autofree char *text = NULL;
  gsize length = 0;

  if (!g_file_get_contents (path, &text, &length, NULL)) {
    g_test_skip ("only root may look into the child");
    return;
  }
  g_assert_cmpuint (length, >, 0);
  g_assert_nonnull (memmem (text, length, "PATH=", 5));
  g_assert_null (memmem (text, length, "SP_TEST_TOKEN", strlen ("SP_TEST_TOKEN")));
}

/* What belongs to root although it runs as another user can't be traced by that user. */
static void
test_not_dumpable (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/maps", (int) fixture->child);
  struct stat st;

  g_assert_cmpint (stat (path, &st), ==, 0);
  g_assert_true (st.st_uid == 0 || !SP_NOT_DUMPABLE);
}

/* ---- how it ends -------------------------------------------------------------------------------------------- */

static void
test_hangs (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (kill (fixture->child, SIGSTOP), ==, 0);
  g_assert_false (sp_monitor_do (fixture->monitor, SP_MONITOR_STOP, NULL, SHORT_MS, &error));
  g_assert_error (error, SP_PROBLEM, SP_PROBLEM_TIMED_OUT);
  g_assert_cmpint (child_of_mine (), ==, 0);
}

static void
test_crashes (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (kill (fixture->child, SIGSEGV), ==, 0);
  g_assert_false (sp_monitor_do (fixture->monitor, SP_MONITOR_STOP, NULL, ENOUGH_MS, &error));
  g_assert_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY);
}

static void
test_usable (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < 100; i++)
    g_assert_true (sp_monitor_do (fixture->monitor, SP_MONITOR_GO_ON, NULL, ENOUGH_MS, &error));
  g_assert_no_error (error);
}

/* As a program's stdout and stdin would be. */
static void
test_two_descriptors (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (SpMonitor) monitor = NULL;
  Fake fake;
  int in = fake_start (&fake, plays_along), out = fcntl (in, F_DUPFD_CLOEXEC, 100);

  monitor = sp_monitor_open (in, out, &error);
  g_assert_no_error (error);
  g_assert_cmpint (fcntl (in, F_GETFD), ==, -1);
  g_assert_cmpint (fcntl (out, F_GETFD), ==, -1);
  g_assert_true (sp_monitor_do (monitor, SP_MONITOR_STOP, NULL, ENOUGH_MS, &error));
  g_clear_pointer (&monitor, sp_monitor_free);
  fake_join (&fake);
}

/* ---- its parsers ---------------------------------------------------------------------------------------------- */

static SpQmpKind
kind_of (const char *line)
{
  g_auto (SpQmpMessage) message = { 0 };

  sp_qmp_read (line, strlen (line), &message);
  g_assert_true ((message.kind == SP_QMP_BAD) == (message.wrong != NULL));
  return message.kind;
}

static void
test_depth (void)
{
  g_autoptr (GString) line = g_string_new ("{\"QMP\":");

  for (guint i = 1; i < SP_MONITOR_MAX_DEPTH; i++)
    g_string_append_c (line, '[');
  for (guint i = 1; i < SP_MONITOR_MAX_DEPTH; i++)
    g_string_append_c (line, ']');
  g_string_append (line, "}\r\n");
  /* A list is no greeting, but no nesting either. */
  g_assert_cmpint (kind_of (line->str), ==, SP_QMP_BAD);
  g_string_prepend (line, "{\"event\":\"a\",\"data\":");
  g_string_append (line, "}");
  g_assert_cmpint (kind_of (line->str), ==, SP_QMP_BAD);
  g_string_assign (line, "{\"event\":\"[[[[[[[[[[[[[[[[[[[[[\\\"[\",\"data\":");
  for (guint i = 1; i < SP_MONITOR_MAX_DEPTH; i++)
    g_string_append_c (line, '[');
  for (guint i = 1; i < SP_MONITOR_MAX_DEPTH; i++)
    g_string_append_c (line, ']');
  g_string_append (line, "}\r\n");
  g_assert_cmpint (kind_of (line->str), ==, SP_QMP_EVENT);
}

static void
test_messages (void)
{
  static const struct {
    const char *line;
    SpQmpKind kind;
  } rows[] = {
    { "{\"QMP\":{}}", SP_QMP_GREETING },
    { "{\"return\":{},\"id\":1}\r\n", SP_QMP_RETURN },
    { "{\"return\":\"\",\"id\":1}", SP_QMP_RETURN },
    { "{\"error\":{\"class\":\"a\",\"desc\":\"b\"},\"id\":1}", SP_QMP_ERROR },
    { "{\"event\":\"STOP\",\"data\":{}}", SP_QMP_EVENT },
    { "", SP_QMP_BAD },
    { "\r\n", SP_QMP_BAD },
    { "[]", SP_QMP_BAD },
    { "{}", SP_QMP_BAD },
    { "{\"event\":1}", SP_QMP_BAD },
    { "{\"event\":\"a\",\"return\":{}}", SP_QMP_BAD },
    { "{\"error\":{\"class\":\"a\"},\"id\":1}", SP_QMP_BAD },
    { "{\"error\":\"a\",\"id\":1}", SP_QMP_BAD },
    { "{\"return\":null,\"id\":1}", SP_QMP_BAD },
    { "{\"return\":{},\"id\":1.5}", SP_QMP_BAD },
    { "{\"return\":{},\"id\":99999999999999999999}", SP_QMP_BAD },
    { "{\"return\":{},\"id\":1}{\"return\":{},\"id\":2}", SP_QMP_BAD },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    g_assert_cmpint (kind_of (rows[i].line), ==, rows[i].kind);
}

static void
test_echo (void)
{
  static const struct {
    const char *data;
    SpHumanScan scan;
    const char *text;
  } rows[] = {
    { "stop\r\n(qemu) ", SP_HUMAN_WHOLE, "" },
    { "s\033[K\033[Dst\033[K\033[D\033[Dstop\033[K\r\n(qemu) ", SP_HUMAN_WHOLE, "" },
    { "xx\033[D\033[D\033[D\033[Kstop\033[C\r\n a\r\nb \r\n(qemu) ", SP_HUMAN_WHOLE, "a\r\nb" },
    { "stop\r\n(qemu) not yet\r\n", SP_HUMAN_MORE, NULL },
    { "stop\r\nnot here (qemu) ", SP_HUMAN_MORE, NULL },
    { "stop\r\n", SP_HUMAN_MORE, NULL },
    { "sto", SP_HUMAN_MORE, NULL },
    { "stop\033[D\r\n(qemu) ", SP_HUMAN_WHOLE, "" },
    { "stopp\r\n(qemu) ", SP_HUMAN_BAD, NULL },
    { "sto\r\n(qemu) ", SP_HUMAN_BAD, NULL },
    { "stop\033\r\n(qemu) ", SP_HUMAN_BAD, NULL },
    { "stop\033[\r\n(qemu) ", SP_HUMAN_BAD, NULL },
    { "stop\033[2J\r\n(qemu) ", SP_HUMAN_BAD, NULL },
    { "st\rstop\r\n(qemu) ", SP_HUMAN_BAD, NULL },
    { "\r\n(qemu) ", SP_HUMAN_BAD, NULL },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree char *text = NULL;

    g_assert_cmpint (sp_human_read (rows[i].data, strlen (rows[i].data), "stop", &text), ==,
                     rows[i].scan);
    g_assert_cmpstr (text, ==, rows[i].text);
  }
}

#define ADD(name, func) g_test_add (name, Fixture, NULL, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  if (argc == 2 && g_str_equal (argv[1], "--monitor-child"))
    return sp_monitor_child_main ();
  (void) g_setenv ("SP_TEST_TOKEN", "1", TRUE);
  g_test_init (&argc, &argv, NULL);
  ADD ("/monitor/child/has-no-other-descriptor", test_descriptors);
  ADD ("/monitor/child/is-a-user-of-its-own", test_user);
  ADD ("/monitor/child/is-limited", test_limits);
  ADD ("/monitor/child/has-a-clean-environment", test_environment);
  ADD ("/monitor/child/can-not-be-traced", test_not_dumpable);
  ADD ("/monitor/child/that-hangs-is-killed", test_hangs);
  ADD ("/monitor/child/that-crashes-is-no-success", test_crashes);
  ADD ("/monitor/child/serves-many-commands", test_usable);
  g_test_add_func ("/monitor/child/takes-two-descriptors", test_two_descriptors);
  g_test_add_func ("/monitor/qmp/nesting-is-bounded", test_depth);
  g_test_add_func ("/monitor/qmp/message-is-of-one-kind", test_messages);
  g_test_add_func ("/monitor/human/echo-is-drawn", test_echo);
  return g_test_run ();
}
