/* self.c - self.h on GSubprocess with a main context of its own */
#include "host/self.h"

#include <string.h>

#include "base/harden.h"
#include "base/problem.h"
#include "base/secret.h"

typedef struct {
  SpSelfResult *result;
  GError *error;
  gboolean done, late;
} Wait;

void
sp_self_result_free (SpSelfResult *result)
{
  if (result == NULL)
    return;
  if (result->out != NULL)
    sp_wipe (result->out, strlen (result->out));
  g_free (result->out);
  g_free (result->err);
  g_free (result);
}

char *
sp_self_path (GError **error)
{
  return g_file_read_link ("/proc/self/exe", error);
}

char **
sp_self_environment (const char *const *more)
{
  static const char *const kept[] = { "SECRET_PROXY_STATE_DIR", "SECRET_PROXY_PLUGIN_DIR" };
  char **environment = sp_clean_environment ();

  for (gsize i = 0; i < G_N_ELEMENTS (kept); i++)
    if (g_getenv (kept[i]) != NULL)
      environment = g_environ_setenv (environment, kept[i], g_getenv (kept[i]), TRUE);
  for (; more != NULL && *more != NULL; more++) {
    g_auto (GStrv) pair = g_strsplit (*more, "=", 2);

    if (pair[0] != NULL && pair[1] != NULL)
      environment = g_environ_setenv (environment, pair[0], pair[1], TRUE);
  }
  return environment;
}

static void
on_done (GObject *source, GAsyncResult *answer, gpointer data)
{
  GSubprocess *process = G_SUBPROCESS (source);
  Wait *wait = data;

  wait->result = g_new0 (SpSelfResult, 1);
  (void) g_subprocess_communicate_utf8_finish (process, answer, &wait->result->out,
                                               &wait->result->err, &wait->error);
  if (wait->error == NULL)
    wait->result->status =
        g_subprocess_get_if_exited (process) ? g_subprocess_get_exit_status (process) : -1;
  wait->done = TRUE;
}

static gboolean
on_late (gpointer data)
{
  ((Wait *) data)->late = TRUE;
  return G_SOURCE_REMOVE;
}

static GSubprocess *
spawn (const char *const *args, const char *const *more, GError **error)
{
  g_autoptr (GSubprocessLauncher) launcher =
      g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_PIPE);
  g_auto (GStrv) environment = sp_self_environment (more);
  g_autoptr (GPtrArray) argv = g_ptr_array_new ();
  g_autofree char *self = sp_self_path (error);

  if (self == NULL)
    return NULL;
  g_subprocess_launcher_set_environ (launcher, environment);
  g_ptr_array_add (argv, self);
  for (; *args != NULL; args++)
    g_ptr_array_add (argv, (gpointer) *args);
  g_ptr_array_add (argv, NULL);
  return g_subprocess_launcher_spawnv (launcher, (const char *const *) argv->pdata, error);
}

static void
wait_for (Wait *wait, GSubprocess *process, GMainContext *context, guint timeout_ms)
{
  g_autoptr (GSource) timer = g_timeout_source_new (timeout_ms);
  gboolean killed = FALSE;

  g_source_set_callback (timer, on_late, wait, NULL);
  g_source_attach (timer, context);
  g_subprocess_communicate_utf8_async (process, NULL, NULL, on_done, wait);
  while (!wait->done) {
    g_main_context_iteration (context, TRUE);
    if (wait->late && !killed)
      g_subprocess_force_exit (process);
    killed = wait->late;
  }
  g_source_destroy (timer);
}

SpSelfResult *
sp_self_run (const char *const *args, const char *const *more_environment, guint timeout_ms,
             GError **error)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (GSubprocess) process = NULL;
  Wait wait = { .result = NULL };

  g_main_context_push_thread_default (context);
  process = spawn (args, more_environment, error);
  if (process != NULL)
    wait_for (&wait, process, context, timeout_ms);
  g_main_context_pop_thread_default (context);
  if (process == NULL)
    return NULL;
  if (wait.error == NULL && !wait.late)
    return wait.result;
  sp_self_result_free (wait.result);
  if (wait.late)
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_TIMED_OUT, "no answer for %u s", timeout_ms / 1000);
  else
    g_propagate_error (error, g_steal_pointer (&wait.error));
  g_clear_error (&wait.error);
  return NULL;
}
