/* plugin-process.c - plugin-process.h on GSubprocess
 *
 * What must stay true: there is one process at a time; the client hears of the end of each one exactly
 * once; when this is freed, the process is gone.
 */
#include "host/vm/plugin-process.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/problem.h"
#include "host/program.h"

#define LINK_FD 3
#define GRACE_MS 3000u /* longer than a plugin host's own */

struct _SpPluginProcess {
  SpPluginProcessEvents events;
  gpointer data;
  char *state;
  SpPluginClient *client;
  GSubprocess *process;      /* NULL: none */
  GCancellable *cancellable; /* cancelled when this is freed */
};

/* ---- processes ---------------------------------------------------------------------------------------- */

static GSubprocess *
spawn (const char *state, int link_fd, GError **error)
{
  g_autoptr (GSubprocessLauncher) launcher = g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_NONE);
  g_autofree char *program = sp_program_daemon (error);
  int err = fcntl (STDERR_FILENO, F_DUPFD_CLOEXEC, LINK_FD + 1);

  g_subprocess_launcher_take_fd (launcher, link_fd, LINK_FD);
  /* Our stdout is for results. */
  if (err >= 0)
    g_subprocess_launcher_take_stdout_fd (launcher, err);
  if (program == NULL)
    return NULL;
  sp_program_bind (launcher);
  return g_subprocess_launcher_spawn (launcher, error, program, "--role", "plugin-host", "--state",
                                      state, NULL);
}

static void
on_ended (GObject *object, GAsyncResult *result, gpointer data)
{
  g_autoptr (GError) cancelled = NULL;
  SpPluginProcess *process = data;

  /* Where it was cancelled @data is no more. */
  if (!g_subprocess_wait_finish (G_SUBPROCESS (object), result, &cancelled))
    return;
  g_clear_object (&process->process);
  sp_plugin_client_exited (process->client);
}

static void
want_process (SpPluginClient *client, gpointer data)
{
  SpPluginProcess *process = data;
  g_autoptr (GError) error = NULL;
  int pair[2];

  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
    g_warning ("cannot make a socket pair: %s", g_strerror (errno));
    sp_plugin_client_exited (client);
    return;
  }
  process->process = spawn (process->state, pair[1], &error);
  if (process->process == NULL) {
    g_warning ("cannot start a plugin host: %s", error->message);
    (void) close (pair[0]);
    sp_plugin_client_exited (client);
    return;
  }
  g_subprocess_wait_async (process->process, process->cancellable, on_ended, process);
  sp_plugin_client_attach (client, pair[0]);
}

static void
kill_process (SpPluginClient *client, gpointer data)
{
  SpPluginProcess *process = data;

  if (process->process != NULL)
    g_subprocess_force_exit (process->process);
}

/* ---- what the plugin says ----------------------------------------------------------------------------- */

static void
refuse (SpLinkCall *call)
{
  g_autoptr (GError) error =
      g_error_new_literal (SP_PROBLEM, SP_PROBLEM_INVALID, "this is not for a plugin of this kind");

  sp_link_call_fail (call, error);
}

static void
remember (SpPluginClient *client, const char *key, const char *value, SpLinkCall *call,
          gpointer data)
{
  refuse (call);
}

static void
answer (SpPluginClient *client, const char *notice_id, const char *choice_id, const char *person,
        const char *evidence, SpLinkCall *call, gpointer data)
{
  refuse (call);
}

static void
alarm_raised (SpPluginClient *client, const char *what, gpointer data)
{
  const SpPluginProcess *process = data;

  if (process->events.alarm != NULL)
    process->events.alarm (what, process->data);
}

static void
state_changed (SpPluginClient *client, gpointer data)
{
  const SpPluginProcess *process = data;

  if (process->events.state_changed != NULL)
    process->events.state_changed (process->data);
}

static void
progress (SpPluginClient *client, const char *what, gpointer data)
{
  const SpPluginProcess *process = data;

  if (process->events.progress != NULL)
    process->events.progress (what, process->data);
}

static void
vm_changed (SpPluginClient *client, const char *id, gpointer data)
{
  const SpPluginProcess *process = data;

  if (process->events.vm_changed != NULL)
    process->events.vm_changed (id, process->data);
}

/* ---- life ----------------------------------------------------------------------------------------------- */

SpPluginProcess *
sp_plugin_process_new (const SpPluginSetup *setup, const char *state,
                       const SpPluginProcessEvents *events, gpointer data, GError **error)
{
  static const SpPluginEvents client_events = { .want_process = want_process,
                                                .kill_process = kill_process,
                                                .remember = remember,
                                                .answer = answer,
                                                .alarm = alarm_raised,
                                                .state_changed = state_changed,
                                                .progress = progress,
                                                .vm_changed = vm_changed };
  SpPluginProcess *process;
  int folder = sp_file_open_folder (state, error);

  if (folder < 0)
    return NULL;
  (void) close (folder);
  process = g_new0 (SpPluginProcess, 1);
  process->events = *events;
  process->data = data;
  process->state = g_canonicalize_filename (state, NULL);
  process->cancellable = g_cancellable_new ();
  process->client = sp_plugin_client_new (setup, &client_events, process);
  return process;
}

SpPluginClient *
sp_plugin_process_client (SpPluginProcess *process)
{
  return process->client;
}

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

/* On a context of its own, so that nothing else happens meanwhile. */
static void
wait_until_gone (GSubprocess *process)
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

void
sp_plugin_process_free (SpPluginProcess *process)
{
  if (process == NULL)
    return;
  g_cancellable_cancel (process->cancellable);
  g_object_unref (process->cancellable);
  sp_plugin_client_free (process->client);
  if (process->process != NULL)
    wait_until_gone (process->process);
  g_clear_object (&process->process);
  g_free (process->state);
  g_free (process);
}
