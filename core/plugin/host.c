/* host.c - the main thread of a plugin host: serve the link, watch the clock, end in time
 *
 * What must stay true: the main thread never runs code of the plugin and never waits for it, so that
 * a deadline always strikes.  One call is in the plugin at a time; stop() comes after it, never
 * inside it, even where the plugin iterates its context while it waits.
 */
#include "plugin/host.h"

#include <unistd.h>

#include "base/option.h"
#include "base/problem.h"
#include "plugin/given.h"
#include "plugin/host-private.h"

#define PATIENCE_MS 2000 /* after a deadline, and for stop() and close() at the end */

void
sp_host_attach (GMainContext *context, GSourceFunc func, gpointer data)
{
  GSource *source = g_idle_source_new ();

  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_callback (source, func, data, NULL);
  g_source_attach (source, context);
  g_source_unref (source);
}

/* ---- the clock -------------------------------------------------------------------------------------- */

static void
job_set_timer (SpHostJob *job, guint ms, GSourceFunc func)
{
  if (job->timer != NULL) {
    g_source_destroy (job->timer);
    g_clear_pointer (&job->timer, g_source_unref);
  }
  if (func == NULL)
    return;
  job->timer = g_timeout_source_new (ms);
  g_source_set_callback (job->timer, func, job, NULL);
  g_source_attach (job->timer, job->host->main_context);
}

static gboolean
on_overrun (gpointer data)
{
  const SpHostJob *job = data;

  g_printerr ("plugin host: %s() went on after its deadline; ending this process\n",
              sp_plugin_calls[job->method].name);
  _exit (SP_PLUGIN_HOST_OVERRUN);
}

static gboolean
on_deadline (gpointer data)
{
  SpHostJob *job = data;

  job_set_timer (job, PATIENCE_MS, on_overrun);
  g_cancellable_cancel (job->cancellable);
  return G_SOURCE_REMOVE;
}

/* ---- jobs ------------------------------------------------------------------------------------------- */

static void
job_free (SpHostJob *job)
{
  job_set_timer (job, 0, NULL);
  g_clear_pointer (&job->args, g_variant_unref);
  g_clear_pointer (&job->blob, g_bytes_unref);
  g_clear_pointer (&job->reply, g_variant_unref);
  g_clear_error (&job->error);
  g_object_unref (job->cancellable);
  g_free (job);
}

static void start_job (SpPluginHost *host, SpHostJob *job);

static SpHostJob *
job_new (SpPluginHost *host, guint method, guint deadline_ms)
{
  SpHostJob *job = g_new0 (SpHostJob, 1);

  job->host = host;
  job->method = method;
  job->deadline_ms = deadline_ms;
  job->cancellable = g_cancellable_new ();
  return job;
}

static void
start_stop (SpPluginHost *host)
{
  start_job (host, job_new (host, SP_PLUGIN_STOP, PATIENCE_MS));
}

/* Back on the main thread. */
static gboolean
on_job_done (gpointer data)
{
  SpHostJob *job = data;
  SpPluginHost *host = job->host;
  gboolean ended = job->call == NULL;

  host->job = NULL;
  if (job->call != NULL && job->error != NULL)
    sp_link_call_fail (g_steal_pointer (&job->call), job->error);
  else if (job->call != NULL)
    sp_link_call_reply (g_steal_pointer (&job->call),
                        job->reply != NULL ? job->reply : g_variant_new ("()"), NULL);
  job_free (job);
  if (ended)
    g_main_loop_quit (host->main_loop);
  else if (host->closing)
    start_stop (host);
  return G_SOURCE_REMOVE;
}

static gboolean
on_plugin_thread (gpointer data)
{
  SpHostJob *job = data;

  sp_host_job_run (job);
  sp_host_attach (job->host->main_context, on_job_done, job);
  return G_SOURCE_REMOVE;
}

static void
start_job (SpPluginHost *host, SpHostJob *job)
{
  host->job = job;
  job_set_timer (job, job->deadline_ms, on_deadline);
  sp_host_attach (host->context, on_plugin_thread, job);
}

/* ---- the link --------------------------------------------------------------------------------------- */

static void
serve (SpPluginHost *host, guint method, SpLinkCall *call, GVariant *args, GBytes *blob)
{
  guint32 deadline_ms;
  SpHostJob *job;

  if (host->job != NULL) {
    g_autoptr (GError) error =
        g_error_new (SP_PROBLEM, SP_PROBLEM_CONFLICT, "%s: another call is in the plugin already",
                     sp_plugin_calls[method].name);
    sp_link_call_fail (call, error);
    return;
  }
  g_variant_get_child (args, 0, "u", &deadline_ms);
  job = job_new (host, method, deadline_ms);
  job->call = call;
  job->args = g_variant_ref (args);
  job->blob = blob != NULL ? g_bytes_ref (blob) : NULL;
  start_job (host, job);
}

#define SERVE(name, method) \
  static void serve_##name (SpLinkCall *call, GVariant *args, GBytes *blob, gpointer host) \
  { \
    serve (host, method, call, args, blob); \
  }

SERVE (open, SP_PLUGIN_OPEN)
SERVE (start, SP_PLUGIN_START)
SERVE (stop, SP_PLUGIN_STOP)
SERVE (post, SP_PLUGIN_POST)
SERVE (settle, SP_PLUGIN_SETTLE)
SERVE (read, SP_PLUGIN_READ)
SERVE (write, SP_PLUGIN_WRITE)
SERVE (scan, SP_PLUGIN_SCAN)
SERVE (vm_probe, SP_PLUGIN_VM_PROBE)
SERVE (vm_create, SP_PLUGIN_VM_CREATE)
SERVE (vm_start, SP_PLUGIN_VM_START)
SERVE (vm_stop, SP_PLUGIN_VM_STOP)
SERVE (vm_destroy, SP_PLUGIN_VM_DESTROY)
SERVE (vm_inspect, SP_PLUGIN_VM_INSPECT)
SERVE (vm_list, SP_PLUGIN_VM_LIST)

static void
serve_recall (SpLinkCall *call, GVariant *args, GBytes *blob, gpointer data)
{
  SpPluginHost *host = data;
  g_autoptr (GVariantIter) iter = NULL;
  char *key, *value;

  g_variant_get (args, "(a{ss})", &iter);
  g_mutex_lock (&host->view.lock);
  while (g_variant_iter_next (iter, "{ss}", &key, &value))
    g_hash_table_replace (host->view.recalled, key, value);
  g_mutex_unlock (&host->view.lock);
  sp_link_call_reply (call, g_variant_new ("()"), NULL);
}

static const SpLinkHandler handlers[SP_PLUGIN_N_CALLS] = {
  [SP_PLUGIN_RECALL] = serve_recall,
  [SP_PLUGIN_OPEN] = serve_open,
  [SP_PLUGIN_START] = serve_start,
  [SP_PLUGIN_STOP] = serve_stop,
  [SP_PLUGIN_POST] = serve_post,
  [SP_PLUGIN_SETTLE] = serve_settle,
  [SP_PLUGIN_READ] = serve_read,
  [SP_PLUGIN_WRITE] = serve_write,
  [SP_PLUGIN_SCAN] = serve_scan,
  [SP_PLUGIN_VM_PROBE] = serve_vm_probe,
  [SP_PLUGIN_VM_CREATE] = serve_vm_create,
  [SP_PLUGIN_VM_START] = serve_vm_start,
  [SP_PLUGIN_VM_STOP] = serve_vm_stop,
  [SP_PLUGIN_VM_DESTROY] = serve_vm_destroy,
  [SP_PLUGIN_VM_INSPECT] = serve_vm_inspect,
  [SP_PLUGIN_VM_LIST] = serve_vm_list,
};

/* Not a timer: it must strike even where the plugin holds up the main thread at the end. */
static gpointer
watch_end (gpointer data)
{
  g_usleep (PATIENCE_MS * 1000);
  _exit (SP_PLUGIN_HOST_OVERRUN);
  return NULL;
}

static void
on_closed (SpLink *link, const GError *why, gpointer data)
{
  SpPluginHost *host = data;

  host->closing = TRUE;
  g_thread_unref (g_thread_new ("end", watch_end, NULL));
  if (host->job != NULL)
    g_cancellable_cancel (host->job->cancellable);
  else
    start_stop (host);
}

/* ---- life ------------------------------------------------------------------------------------------- */

static gpointer
plugin_thread (gpointer data)
{
  SpPluginHost *host = data;

  g_main_context_push_thread_default (host->context);
  g_main_loop_run (host->loop);
  g_main_context_pop_thread_default (host->context);
  return NULL;
}

static SpPluginHost *
host_new (const char *state_dir)
{
  SpPluginHost *host = g_new0 (SpPluginHost, 1);

  sp_host_view_init (&host->view, &sp_host_api);
  host->state_root = state_dir;
  g_mutex_init (&host->remember_lock);
  host->main_context = g_main_context_ref_thread_default ();
  host->main_loop = g_main_loop_new (host->main_context, FALSE);
  host->context = g_main_context_new ();
  host->loop = g_main_loop_new (host->context, FALSE);
  host->thread = g_thread_new ("plugin", plugin_thread, host);
  return host;
}

/* The thread has ended. */
static void
host_free (SpPluginHost *host)
{
  g_main_loop_unref (host->loop);
  g_main_context_unref (host->context);
  g_main_loop_unref (host->main_loop);
  g_main_context_unref (host->main_context);
  g_clear_pointer (&host->given, g_variant_unref);
  g_clear_pointer (&host->secrets, g_hash_table_unref);
  g_clear_pointer (&host->module, sp_plugin_module_free);
  sp_host_view_clear (&host->view);
  g_mutex_clear (&host->remember_lock);
  g_free (host);
}

static int
serve_link (SpPluginHost *host, int link_fd)
{
  const SpLinkSetup setup = { .serve = sp_plugin_calls,
                              .handlers = handlers,
                              .n_serve = SP_PLUGIN_N_CALLS,
                              .call = sp_plugin_upcalls,
                              .n_call = SP_PLUGIN_N_UPCALLS,
                              .closed = on_closed,
                              .data = host };

  host->link = sp_link_new (link_fd, &setup);
  g_main_loop_run (host->main_loop);
  g_main_loop_quit (host->loop);
  g_thread_join (host->thread);
  sp_link_unref (host->link);
  host_free (host);
  return SP_PLUGIN_HOST_OK;
}

int
sp_plugin_host_run (int link_fd, const char *state_dir, int given_fd)
{
  g_autoptr (GError) error = NULL;
  GVariant *given = given_fd >= 0 ? sp_plugin_given_read (given_fd, &error) : NULL;
  SpPluginHost *host;

  if (error != NULL) {
    g_printerr ("plugin host: %s\n", error->message);
    return SP_PLUGIN_HOST_USELESS;
  }
  host = host_new (state_dir);
  host->given = given;
  return serve_link (host, link_fd);
}
