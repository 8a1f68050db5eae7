/* parent.c - parent.h
 *
 * What must stay true: every child dies with this process (PR_SET_PDEATHSIG) and with the keeper that
 * asked for it; a child gets exactly the descriptors that it needs; restarts back off.
 */
#include "daemon/parent.h"

#include <errno.h>
#include <glib-unix.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/harden.h"
#include "base/problem.h"
#include "base/user.h"
#include "daemon/control.h"
#include "daemon/volume.h"

#define FIRST_BACKOFF_MS 100u
#define LAST_BACKOFF_MS 5000u
#define GRACE_MS 3000u /* for a plugin to close what it has open */
#define HEALTHY_US (60 * G_USEC_PER_SEC)

typedef struct _Parent Parent;

typedef struct {
  Parent *parent;
  guint slot;
  GPid pid; /* 0: none */
} Child;

struct _Parent {
  const SpParentOptions *options;
  GMainLoop *loop;
  int listen_fd;
  GPid keeper;
  int control; /* to the keeper, -1: none */
  GSource *control_source;
  guint backoff_ms;
  gint64 keeper_since;
  Child children[SP_MAX_SLOTS];
  gboolean ending;
};

/* ---- starting ------------------------------------------------------------------------------------------ */

typedef struct {
  int from, to;
} Passed;

typedef struct {
  const Passed *passed;
  uid_t user; /* 0: as we are */
} Setup;

/* In the new process, before exec: put descriptors where they are expected, and become its user. */
static void
set_up (gpointer data)
{
  const Setup *setup = data;
  const Passed *passed = setup->passed;
  int high[3];
  guint n = 0;

  /* First out of the way, as one may stand where another must go. */
  for (; passed[n].from >= 0; n++)
    high[n] = fcntl (passed[n].from, F_DUPFD, 64);
  for (guint i = 0; i < n; i++) {
    (void) dup2 (high[i], passed[i].to);
    (void) close (high[i]);
  }
  (void) dup2 (STDERR_FILENO, STDOUT_FILENO);
  if (setup->user != 0 && !sp_user_become (setup->user))
    _exit (EXIT_FAILURE);
}

/* The keeper comes first, then the slots. */
static uid_t
user_of (const Parent *parent, guint place)
{
  return parent->options->first_user != 0 ? parent->options->first_user + place : 0;
}

static GPid
spawn (const char *const *argv, const Passed *passed, uid_t user)
{
  Setup setup = { passed, user };
  g_auto (GStrv) environment = sp_clean_environment ();
  g_autoptr (GError) error = NULL;
  GPid pid = 0;

  /* All other descriptors are close-on-exec. */
  if (!g_spawn_async (NULL, (char **) argv, environment,
                      G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_LEAVE_DESCRIPTORS_OPEN, set_up, &setup,
                      &pid, &error))
    g_warning ("parent: %s", error->message);
  return pid;
}

static void
kill_child (Child *child)
{
  if (child->pid != 0)
    (void) kill (child->pid, SIGKILL);
}

/* At the end, when the last child is gone. */
static void
maybe_quit (Parent *parent)
{
  gboolean alive = parent->keeper != 0;

  for (guint i = 0; i < SP_MAX_SLOTS; i++)
    alive = alive || parent->children[i].pid != 0;
  if (parent->ending && !alive)
    g_main_loop_quit (parent->loop);
}

static void
on_child_exit (GPid pid, gint status, gpointer data)
{
  Child *child = data;

  if (WIFSIGNALED (status))
    g_message ("parent: process %d (slot %u) was ended by signal %d", pid, child->slot,
               WTERMSIG (status));
  g_spawn_close_pid (pid);
  if (child->pid != pid)
    return;
  child->pid = 0;
  maybe_quit (child->parent);
  if (child->parent->control >= 0)
    (void) sp_control_send_exit (child->parent->control, child->slot, status);
}

/* With users of their own, plugin hosts can't make their folders beside one another. */
static char *
state_of (const Parent *parent, guint slot)
{
  uid_t user = user_of (parent, 1 + slot);
  g_autofree char *name = NULL;
  g_autofree char *path = NULL;

  if (user == 0)
    return g_strdup (parent->options->state_dir);
  name = slot == SP_SLOT_STORE ? g_strdup ("store") : g_strdup_printf ("slot-%u", slot);
  path = g_build_filename (parent->options->state_dir, name, NULL);
  if ((mkdir (path, 0700) != 0 && errno != EEXIST) || lchown (path, user, user) != 0)
    g_warning ("parent: cannot make %s: %s", path, g_strerror (errno));
  return g_steal_pointer (&path);
}

static void
start_child (Child *child)
{
  Parent *parent = child->parent;
  gboolean is_gate = child->slot == SP_SLOT_GATE;
  g_autofree char *state = is_gate ? NULL : state_of (parent, child->slot);
  const char *const gate[] = { "/proc/self/exe", "--role", "gate", NULL };
  const char *const host[] = { "/proc/self/exe", "--role", "plugin-host", "--state", state, NULL };
  int pair[2];
  Passed passed[] = { { -1, 3 }, { -1, 4 }, { -1, -1 } };

  if (child->pid != 0 || socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
    (void) sp_control_send_exit (parent->control, child->slot, SP_CONTROL_NO_STATUS);
    return;
  }
  passed[0].from = pair[1];
  passed[1].from = is_gate ? parent->listen_fd : -1;
  child->pid = spawn (is_gate ? gate : host, passed, user_of (parent, 1 + child->slot));
  (void) close (pair[1]);
  if (child->pid != 0) {
    g_child_watch_add (child->pid, on_child_exit, child);
    (void) sp_control_send (parent->control, SP_CONTROL_STARTED, child->slot, pair[0]);
  } else {
    (void) sp_control_send_exit (parent->control, child->slot, SP_CONTROL_NO_STATUS);
  }
  (void) close (pair[0]);
}

/* ---- the keeper ------------------------------------------------------------------------------------------- */

static gboolean start_keeper (gpointer data);

static void
drop_control (Parent *parent)
{
  if (parent->control_source != NULL)
    g_source_destroy (parent->control_source);
  g_clear_pointer (&parent->control_source, g_source_unref);
  if (parent->control >= 0)
    (void) close (parent->control);
  parent->control = -1;
}

static void
end (Parent *parent)
{
  parent->ending = TRUE;
  if (parent->keeper != 0)
    (void) kill (parent->keeper, SIGTERM);
  else
    maybe_quit (parent);
}

static gboolean
on_control (int fd, GIOCondition condition, gpointer data)
{
  Parent *parent = data;
  SpControl control;
  int passed, result;

  while ((result = sp_control_receive (fd, &control, &passed)) == 1) {
    if (passed >= 0)
      (void) close (passed);
    if (control.op == SP_CONTROL_START)
      start_child (&parent->children[control.slot]);
    else if (control.op == SP_CONTROL_KILL)
      kill_child (&parent->children[control.slot]);
    else if (control.op == SP_CONTROL_END)
      end (parent);
  }
  if (result != 0)
    return G_SOURCE_CONTINUE;
  g_clear_pointer (&parent->control_source, g_source_unref);
  drop_control (parent);
  return G_SOURCE_REMOVE;
}

typedef struct {
  Parent *parent;
  GPid pids[SP_MAX_SLOTS];
} Leftover;

static gboolean
kill_leftover (gpointer data)
{
  const Leftover *leftover = data;

  for (guint i = 0; i < SP_MAX_SLOTS; i++)
    if (leftover->pids[i] != 0 && leftover->parent->children[i].pid == leftover->pids[i])
      kill_child (&leftover->parent->children[i]);
  return G_SOURCE_REMOVE;
}

/* They see their links close and stop by themselves: a store wants to close its files.  Whoever does
 * not is killed. */
static void
end_children (Parent *parent)
{
  Leftover *leftover = g_new0 (Leftover, 1);

  leftover->parent = parent;
  for (guint i = 0; i < SP_MAX_SLOTS; i++)
    leftover->pids[i] = parent->children[i].pid;
  g_timeout_add_full (G_PRIORITY_DEFAULT, GRACE_MS, kill_leftover, leftover, g_free);
}

static void
on_keeper_exit (GPid pid, gint status, gpointer data)
{
  Parent *parent = data;

  g_spawn_close_pid (pid);
  parent->keeper = 0;
  drop_control (parent);
  end_children (parent);
  if (parent->ending) {
    maybe_quit (parent);
    return;
  }
  if (g_get_monotonic_time () - parent->keeper_since > HEALTHY_US)
    parent->backoff_ms = FIRST_BACKOFF_MS;
  g_message ("parent: the keeper has ended (%s %d); it is started again in %u ms",
             WIFSIGNALED (status) ? "signal" : "status",
             WIFSIGNALED (status) ? WTERMSIG (status) : WEXITSTATUS (status), parent->backoff_ms);
  g_timeout_add (parent->backoff_ms, start_keeper, parent);
  parent->backoff_ms = MIN (parent->backoff_ms * 2, LAST_BACKOFF_MS);
}

static gboolean
start_keeper (gpointer data)
{
  Parent *parent = data;
  gboolean owned = parent->options->admin_fd >= 0;
  const char *const argv[] = { "/proc/self/exe", "--role", "keeper", owned ? "--owned" : NULL,
                               NULL };
  int pair[2];
  Passed passed[] = { { -1, 3 }, { -1, 4 }, { -1, -1 } };

  if (parent->ending)
    return G_SOURCE_REMOVE;
  if (socketpair (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
    g_error ("parent: cannot make a socket pair: %s", g_strerror (errno));
  passed[0].from = pair[1];
  passed[1].from = parent->options->admin_fd;
  parent->keeper = spawn (argv, passed, user_of (parent, 0));
  (void) close (pair[1]);
  parent->control = pair[0];
  parent->keeper_since = g_get_monotonic_time ();
  if (parent->keeper == 0)
    g_error ("parent: cannot start the keeper");
  g_child_watch_add (parent->keeper, on_keeper_exit, parent);
  parent->control_source = g_unix_fd_source_new (parent->control, G_IO_IN | G_IO_HUP);
  g_source_set_callback (parent->control_source, G_SOURCE_FUNC (on_control), parent, NULL);
  g_source_attach (parent->control_source, NULL);
  return G_SOURCE_REMOVE;
}

/* ---- the whole ------------------------------------------------------------------------------------------------ */

static int
open_listener (const char *text, GError **error)
{
  g_autoptr (GSocketConnectable) connectable = NULL;
  g_autoptr (GSocket) socket = NULL;
  g_autoptr (GSocketAddress) resolved = NULL;
  g_autoptr (GSocketAddressEnumerator) addresses = NULL;

  connectable = g_network_address_parse (text, 3737, error);
  if (connectable == NULL)
    return -1;
  addresses = g_socket_connectable_enumerate (connectable);
  resolved = g_socket_address_enumerator_next (addresses, NULL, error);
  if (resolved == NULL)
    return -1;
  socket = g_socket_new (g_socket_address_get_family (resolved), G_SOCKET_TYPE_STREAM,
                         G_SOCKET_PROTOCOL_TCP, error);
  if (socket == NULL || !g_socket_bind (socket, resolved, TRUE, error))
    return -1;
  g_socket_set_listen_backlog (socket, 256);
  if (!g_socket_listen (socket, error))
    return -1;
  return fcntl (g_socket_get_fd (socket), F_DUPFD_CLOEXEC, 3);
}

/* One line for whoever started this: where it listens. */
static void
say_where (int listen_fd)
{
  g_autoptr (GSocket) socket = g_socket_new_from_fd (fcntl (listen_fd, F_DUPFD_CLOEXEC, 3), NULL);
  g_autoptr (GSocketAddress) address = g_socket_get_local_address (socket, NULL);
  g_autofree char *text = g_socket_connectable_to_string (G_SOCKET_CONNECTABLE (address));

  g_print ("{\"listening\":\"%s\",\"pid\":%d}\n", text, (int) getpid ());
  (void) fflush (stdout);
  /* Nobody may wait for more, and children must not hold it. */
  (void) dup2 (STDERR_FILENO, STDOUT_FILENO);
}

static gboolean
on_signal (gpointer data)
{
  end (data);
  return G_SOURCE_CONTINUE;
}

/* It came without: a child gets it as a duplicate, the keeper only. */
static void
keep_admin (const SpParentOptions *options)
{
  if (options->admin_fd >= 0 && fcntl (options->admin_fd, F_SETFD, FD_CLOEXEC) != 0)
    g_warning ("parent: there is no descriptor %d", options->admin_fd);
}

/* Others may pass through it to their own folders; they can't list it. */
static void
open_state (const SpParentOptions *options)
{
  if (options->first_user == 0)
    return;
  if (g_mkdir_with_parents (options->state_dir, 0711) != 0 || chmod (options->state_dir, 0711) != 0)
    g_warning ("parent: cannot make %s: %s", options->state_dir, g_strerror (errno));
  sp_volume_fill (options->state_dir);
}

int
sp_parent_run (const SpParentOptions *options)
{
  g_autoptr (GError) error = NULL;
  Parent parent = { .options = options, .control = -1, .backoff_ms = FIRST_BACKOFF_MS };

  parent.listen_fd = open_listener (options->listen, &error);
  if (parent.listen_fd < 0) {
    g_printerr ("secret-proxyd: cannot listen on %s: %s; choose another address with `listen` or "
                "--port, or end what uses it\n",
                options->listen, error->message);
    return sp_problem_exit (SP_PROBLEM_UNREACHABLE);
  }
  keep_admin (options);
  open_state (options);
  for (guint i = 0; i < SP_MAX_SLOTS; i++)
    parent.children[i] = (Child){ &parent, i, 0 };
  say_where (parent.listen_fd);
  parent.loop = g_main_loop_new (NULL, FALSE);
  g_unix_signal_add (SIGTERM, on_signal, &parent);
  g_unix_signal_add (SIGINT, on_signal, &parent);
  (void) start_keeper (&parent);
  g_main_loop_run (parent.loop);
  g_main_loop_unref (parent.loop);
  return 0;
}
