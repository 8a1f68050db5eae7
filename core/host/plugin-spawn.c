/* plugin-spawn.c - plugin-spawn.h on GSubprocess
 *
 * What must stay true: where another user is asked for, nothing of the program runs as this one.
 */
#include "host/plugin-spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/harden.h"
#include "host/program.h"

#define LINK_FD 3
#define GIVEN_FD 4
#define GRACE_MS 3000u /* longer than a plugin host's own */

/* ---- starting --------------------------------------------------------------------------------------- */

typedef struct {
  const SpUser *user;
  pid_t parent;
} Child;

/* In the child, after fork: only what is safe there. */
static void
in_child (gpointer data)
{
  const Child *child = data;

  /* Becoming another user undoes its death with the parent, so that comes last. */
  if (!sp_user_become_named (child->user) || prctl (PR_SET_PDEATHSIG, SIGKILL) != 0 ||
      getppid () != child->parent)
    _exit (1);
}

static GSubprocessLauncher *
launcher_of (const SpPluginSpawn *how)
{
  GSubprocessLauncher *launcher = g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_NONE);
  int err = fcntl (STDERR_FILENO, F_DUPFD_CLOEXEC, GIVEN_FD + 1);

  g_subprocess_launcher_take_fd (launcher, how->link_fd, LINK_FD);
  if (how->given_fd >= 0)
    g_subprocess_launcher_take_fd (launcher, how->given_fd, GIVEN_FD);
  /* Our stdout is for results. */
  if (err >= 0)
    g_subprocess_launcher_take_stdout_fd (launcher, err);
  sp_program_bind (launcher);
  return launcher;
}

GSubprocess *
sp_plugin_spawn (const SpPluginSpawn *how, GError **error)
{
  g_autoptr (GSubprocessLauncher) launcher = launcher_of (how);
  g_autofree char *program = sp_program_daemon (error);
  Child child = { .user = how->user, .parent = getpid () };

  if (program == NULL)
    return NULL;
  if (how->user != NULL) {
    /* The working directory may be one that it can't be in. */
    g_subprocess_launcher_set_cwd (launcher, "/");
    g_subprocess_launcher_set_child_setup (launcher, in_child, &child, NULL);
  }
  return g_subprocess_launcher_spawn (launcher, error, program, "--role", "plugin-host", "--state",
                                      how->state, how->given_fd >= 0 ? "--given" : NULL, NULL);
}

/* ---- seeing it off ---------------------------------------------------------------------------------- */

static void
on_gone (GObject *object, GAsyncResult *result, gpointer gone)
{
  (void) g_subprocess_wait_finish (G_SUBPROCESS (object), result, NULL);
  *(gboolean *) gone = TRUE;
}

static gboolean
on_grace_over (gpointer process)
{
  g_subprocess_force_exit (process);
  return G_SOURCE_REMOVE;
}

void
sp_plugin_see_off (GSubprocess *process)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (GSource) grace = g_timeout_source_new (GRACE_MS);
  gboolean gone = FALSE;

  g_main_context_push_thread_default (context);
  g_source_set_callback (grace, on_grace_over, process, NULL);
  g_source_attach (grace, context);
  g_subprocess_wait_async (process, NULL, on_gone, &gone);
  while (!gone)
    g_main_context_iteration (context, TRUE);
  g_source_destroy (grace);
  g_main_context_pop_thread_default (context);
}
