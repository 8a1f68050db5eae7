/* test-monitor-machine.c - the client at the monitors of a real machine, in both dialects
 *
 * The machine has a disk and a network but no system: its firmware looks for one while it runs.  It has
 * three monitors: one of each dialect, and another one by which the test sees what the others did.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "base/problem.h"
#include "host/monitor/monitor.h"

#define ENOUGH_MS 60000u
#define SECTOR 512u
#define TURN_US (20 * 1000)

enum { QMP, HUMAN, WITNESS, N_MONITORS };

typedef struct {
  char *folder, *disk, *address;
  guint16 port;
  GPid pid;
  int monitors[N_MONITORS]; /* -1: given away */
} Machine;

/* ---- the machine --------------------------------------------------------------------------------------- */

/* The first sector of the disk: a system that waits for the power button, and then powers off.  The ports are those of the
 * ACPI registers of QEMU's machine "pc": status, enable, control. */
static const guint8 system_sector[] = {
  0xba, 0x02, 0x06, /* mov dx, 0x602 */
  0xb8, 0x00, 0x01, /* mov ax, 0x100: the power button */
  0xef,             /* out dx, ax */
  0xba, 0x00, 0x06, /* mov dx, 0x600 */
  0xed,             /* in ax, dx */
  0xf6, 0xc4, 0x01, /* test ah, 1 */
  0x74, 0xfa,       /* jz to the in */
  0xba, 0x04, 0x06, /* mov dx, 0x604 */
  0xb8, 0x00, 0x20, /* mov ax, 0x2000: soft off */
  0xef,             /* out dx, ax */
  0xf4, 0xeb, 0xfd, /* hlt, for ever */
};

/* A port that is free now. */
static guint16
free_port (void)
{
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl (INADDR_LOOPBACK) } };
  socklen_t length = sizeof address;
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  g_assert_cmpint (bind (fd, (struct sockaddr *) &address, length), ==, 0);
  g_assert_cmpint (getsockname (fd, (struct sockaddr *) &address, &length), ==, 0);
  (void) close (fd);
  return ntohs (address.sin_port);
}

static gboolean
can_connect (guint16 port)
{
  struct sockaddr_in address = { .sin_family = AF_INET,
                                 .sin_port = htons (port),
                                 .sin_addr = { htonl (INADDR_LOOPBACK) } };
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  gboolean done = connect (fd, (struct sockaddr *) &address, sizeof address) == 0;

  (void) close (fd);
  return done;
}

static char *
run (const char *const *argv)
{
  g_autoptr (GError) error = NULL;
  char *out = NULL;
  int status;

  (void) g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &out, NULL,
                       &status, &error);
  g_assert_no_error (error);
  g_assert_cmpint (status, ==, 0);
  return out;
}

static void
start (Machine *machine)
{
  g_autofree char *drive = g_strdup_printf ("file=%s,if=virtio,format=qcow2", machine->disk);
  g_autofree char *net =
      g_strdup_printf ("user,id=net0,restrict=on,hostfwd=tcp:%s-:3737", machine->address);
  const char *const argv[] = {
    "qemu-system-x86_64", "-machine", "pc", "-accel", "tcg,tb-size=16", "-m", "16", "-nodefaults",
    /* As the machines of `provision` are started: a reset would end it. */
    "-no-reboot", "-display", "none", "-netdev", net, "-device",
    "virtio-net-pci,netdev=net0,romfile=", "-drive", drive, "-chardev", "socket,id=q,fd=3", "-mon",
    "chardev=q,mode=control", "-chardev", "socket,id=h,fd=4", "-mon", "chardev=h,mode=readline",
    "-chardev", "socket,id=w,fd=5", "-mon", "chardev=w,mode=control", NULL
  };
  g_autoptr (GError) error = NULL;
  int theirs[N_MONITORS];

  for (guint i = 0; i < N_MONITORS; i++) {
    int pair[2];

    g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
    machine->monitors[i] = pair[0];
    theirs[i] = pair[1];
  }
  (void) g_spawn_async_with_pipes_and_fds (
      NULL, argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, -1, -1, -1,
      theirs, (const int[]){ 3, 4, 5 }, N_MONITORS, &machine->pid, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < N_MONITORS; i++)
    (void) close (theirs[i]);
}

static void
make_disk (Machine *machine)
{
  g_autofree char *raw = g_build_filename (machine->folder, "raw", NULL);
  g_autofree char *sector = g_malloc0 (SECTOR);
  g_autoptr (GError) error = NULL;

  memcpy (sector, system_sector, sizeof system_sector);
  memcpy (sector + SECTOR - 2, "\x55\xaa", 2);
  (void) g_file_set_contents (raw, sector, SECTOR, &error);
  g_assert_no_error (error);
  g_assert_cmpint (truncate (raw, 16 << 20), ==, 0);
  g_free (run ((const char *const[]){ "qemu-img", "convert", "-q", "-f", "raw", "-O", "qcow2", raw,
                                      machine->disk, NULL }));
  (void) g_unlink (raw);
}

static void
set_up (Machine *machine, gconstpointer data)
{
  machine->folder = g_dir_make_tmp ("sp-monitor-XXXXXX", NULL);
  machine->disk = g_build_filename (machine->folder, "disk.qcow2", NULL);
  make_disk (machine);
  machine->port = free_port ();
  machine->address = g_strdup_printf ("127.0.0.1:%u", machine->port);
  start (machine);
}

static void
tear_down (Machine *machine, gconstpointer data)
{
  if (machine->pid != 0) {
    (void) kill (machine->pid, SIGKILL);
    (void) waitpid (machine->pid, NULL, 0);
  }
  for (guint i = 0; i < N_MONITORS; i++)
    if (machine->monitors[i] >= 0)
      (void) close (machine->monitors[i]);
  (void) g_unlink (machine->disk);
  (void) g_rmdir (machine->folder);
  g_free (machine->disk);
  g_free (machine->folder);
  g_free (machine->address);
}

/* ---- the witness --------------------------------------------------------------------------------------- */

static char *
read_line (int fd)
{
  GString *line = g_string_new (NULL);
  char c = 0;

  while (c != '\n') {
    g_assert_cmpint (recv (fd, &c, 1, 0), ==, 1);
    g_string_append_c (line, c);
  }
  return g_string_free (line, FALSE);
}

/* What @command, with whatever follows it, returns. */
static char *
witness (Machine *machine, const char *command)
{
  int fd = machine->monitors[WITNESS];
  g_autofree char *text = g_strdup_printf ("{\"execute\":\"%s}\n", command);
  char *line;

  g_assert_cmpint (send (fd, text, strlen (text), MSG_NOSIGNAL), ==, strlen (text));
  while (strstr (line = read_line (fd), "\"return\"") == NULL)
    g_free (line);
  return line;
}

static gboolean
is_in_state (Machine *machine, const char *state)
{
  g_autofree char *status = witness (machine, "query-status\"");
  g_autofree char *words = g_strdup_printf ("\"status\": \"%s\"", state);

  return strstr (status, words) != NULL;
}

static void
assert_running (Machine *machine, gboolean running)
{
  g_autofree char *status = witness (machine, "query-status\"");

  g_assert_nonnull (strstr (status, running ? "\"running\": true" : "\"running\": false"));
}

/* ---- the test -------------------------------------------------------------------------------------------- */

static void
act (SpMonitor *monitor, SpMonitorVerb verb, const char *argument)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (sp_monitor_do (monitor, verb, argument, ENOUGH_MS, &error) || error != NULL);
  g_assert_no_error (error);
}

static void
refuse (SpMonitor *monitor, SpMonitorVerb verb, const char *argument, const char *word)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (sp_monitor_do (monitor, verb, argument, ENOUGH_MS, &error));
  g_assert_error (error, SP_PROBLEM, SP_PROBLEM_CONFLICT);
  g_assert_nonnull (strstr (error->message, word));
}

static void
check_processors (Machine *machine, SpMonitor *monitor)
{
  act (monitor, SP_MONITOR_STOP, NULL);
  assert_running (machine, FALSE);
  act (monitor, SP_MONITOR_STOP, NULL);
  act (monitor, SP_MONITOR_SAVE, "kept");
  act (monitor, SP_MONITOR_SAVE, "gone");
  act (monitor, SP_MONITOR_GO_ON, NULL);
  assert_running (machine, TRUE);
  act (monitor, SP_MONITOR_FORGET, "gone");
}

static void
check_port (Machine *machine, SpMonitor *monitor)
{
  g_assert_true (can_connect (machine->port));
  act (monitor, SP_MONITOR_RELEASE, machine->address);
  g_assert_false (can_connect (machine->port));
  refuse (monitor, SP_MONITOR_RELEASE, machine->address, "not found");
  act (monitor, SP_MONITOR_CLAIM, machine->address);
  g_assert_true (can_connect (machine->port));
  refuse (monitor, SP_MONITOR_CLAIM, machine->address, "Could not set up");
}

static void
check_checkpoints (Machine *machine)
{
  g_autofree char *list =
      run ((const char *const[]){ "qemu-img", "snapshot", "-l", machine->disk, NULL });

  g_assert_nonnull (strstr (list, "kept"));
  g_assert_null (strstr (list, "gone"));
}

static void
test_verbs (Machine *machine, gconstpointer data)
{
  guint which = GPOINTER_TO_UINT (data);
  g_autoptr (GError) error = NULL;
  g_autoptr (SpMonitor) monitor = NULL;
  int status = -1;

  monitor = sp_monitor_open (machine->monitors[which], machine->monitors[which], &error);
  machine->monitors[which] = -1;
  g_assert_no_error (error);
  g_assert_cmpstr (sp_monitor_dialect (monitor), ==, which == QMP ? "QMP" : "human monitor");
  g_free (read_line (machine->monitors[WITNESS]));
  g_free (witness (machine, "qmp_capabilities\""));
  check_processors (machine, monitor);
  check_port (machine, monitor);
  act (monitor, SP_MONITOR_QUIT, NULL);
  while (waitpid (machine->pid, &status, 0) < 0 && errno == EINTR)
    ;
  machine->pid = 0;
  g_assert_cmpint (status, ==, 0);
  check_checkpoints (machine);
}

/* ---- a guest that powers off ------------------------------------------------------------------------------ */

/* The guest is up when it has enabled the button. */
static void
wait_for_guest (Machine *machine)
{
  gboolean up = FALSE;

  for (gint64 end = g_get_monotonic_time () + ENOUGH_MS * 1000; !up;) {
    g_autofree char *said = witness (
        machine, "human-monitor-command\",\"arguments\":{\"command-line\":\"i /h 0x602\"}");

    up = strstr (said, "= 0x0100") != NULL;
    g_assert_cmpint (g_get_monotonic_time (), <, end);
    g_usleep (up ? 0 : TURN_US);
  }
}

static SpMonitor *
open_monitor (Machine *machine, guint which)
{
  g_autoptr (GError) error = NULL;
  SpMonitor *monitor = sp_monitor_open (machine->monitors[which], machine->monitors[which], &error);

  machine->monitors[which] = -1;
  g_assert_no_error (error);
  return monitor;
}

/* Through one monitor it is told to stay and powers off, through the other one it goes back. */
static void
test_back_after_power_off (Machine *machine, gconstpointer data)
{
  g_autoptr (SpMonitor) there = open_monitor (machine, QMP);
  g_autoptr (SpMonitor) back = open_monitor (machine, HUMAN);

  g_free (read_line (machine->monitors[WITNESS]));
  g_free (witness (machine, "qmp_capabilities\""));
  wait_for_guest (machine);
  act (there, SP_MONITOR_SAVE, "kept");
  refuse (back, SP_MONITOR_STAY, NULL, "no command");
  act (there, SP_MONITOR_STAY, NULL);
  act (there, SP_MONITOR_POWER_OFF, NULL);
  g_assert_true (is_in_state (machine, "shutdown"));
  refuse (back, SP_MONITOR_GO_ON, NULL, "eset");
  act (back, SP_MONITOR_RESET, NULL);
  act (back, SP_MONITOR_LOAD, "kept");
  act (back, SP_MONITOR_GO_ON, NULL);
  g_assert_true (is_in_state (machine, "running"));
  wait_for_guest (machine);
}

static void
test_end_with_power_off (Machine *machine, gconstpointer data)
{
  g_autoptr (SpMonitor) monitor = open_monitor (machine, QMP);
  int status = -1;

  g_free (read_line (machine->monitors[WITNESS]));
  g_free (witness (machine, "qmp_capabilities\""));
  wait_for_guest (machine);
  act (monitor, SP_MONITOR_STAY, NULL);
  act (monitor, SP_MONITOR_LEAVE, NULL);
  act (monitor, SP_MONITOR_POWER_OFF, NULL);
  while (waitpid (machine->pid, &status, 0) < 0 && errno == EINTR)
    ;
  machine->pid = 0;
  g_assert_cmpint (status, ==, 0);
}

int
main (int argc, char **argv)
{
  if (argc == 2 && g_str_equal (argv[1], "--monitor-child"))
    return sp_monitor_child_main ();
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/monitor/machine/qmp", Machine, GUINT_TO_POINTER (QMP), set_up, test_verbs,
              tear_down);
  g_test_add ("/monitor/machine/human", Machine, GUINT_TO_POINTER (HUMAN), set_up, test_verbs,
              tear_down);
  g_test_add ("/monitor/machine/what-has-powered-off-goes-back", Machine, NULL, set_up,
              test_back_after_power_off, tear_down);
  g_test_add ("/monitor/machine/power-off-ends-it", Machine, NULL, set_up, test_end_with_power_off,
              tear_down);
  return g_test_run ();
}
