/* plugin-process.c - plugin-process.h on GSubprocess
 *
 * What must stay true: there is one process at a time; the client hears of the end of each one exactly
 * once; when this is freed, the process is gone.
 */
#include "host/vm/plugin-process.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/problem.h"
#include "host/plugin-spawn.h"

struct _SpPluginProcess {
  SpPluginProcessEvents events;
  gpointer data;
  char *state;
  SpPluginClient *client;
  GSubprocess *process;      /* NULL: none */
  GCancellable *cancellable; /* cancelled when this is freed */
};

/* ---- processes ---------------------------------------------------------------------------------------- */

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
  SpPluginSpawn how = { .state = process->state, .given_fd = -1 };
  g_autoptr (GError) error = NULL;
  int pair[2];

  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
    g_warning ("cannot make a socket pair: %s", g_strerror (errno));
    sp_plugin_client_exited (client);
    return;
  }
  how.link_fd = pair[1];
  process->process = sp_plugin_spawn (&how, &error);
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

void
sp_plugin_process_free (SpPluginProcess *process)
{
  if (process == NULL)
    return;
  g_cancellable_cancel (process->cancellable);
  g_object_unref (process->cancellable);
  sp_plugin_client_free (process->client);
  if (process->process != NULL)
    sp_plugin_see_off (process->process);
  g_clear_object (&process->process);
  g_free (process->state);
  g_free (process);
}
