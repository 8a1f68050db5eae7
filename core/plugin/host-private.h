/* host-private.h - between the files of the plugin host
 *
 * host.c is the main thread: link, clock, end.  host-calls.c, host-store.c and host-vm.c run on
 * the plugin's thread and turn calls of the link into calls of the plugin.  host-api.c is what the plugin
 * calls back, from any thread.
 */
#pragma once

#include "base/link.h"
#include "plugin/host-view.h"
#include "plugin/loader.h"
#include "plugin/protocol.h"

typedef struct {
  SpHostView view; /* first: a plugin's SpHost is the first of it */

  /* Of the main thread. */
  SpLink *link;
  GMainContext *main_context;
  GMainLoop *main_loop;
  struct _SpHostJob *job; /* the call that runs, or NULL */
  gboolean closing;

  /* Of the plugin's thread. */
  GThread *thread;
  GMainContext *context;
  GMainLoop *loop;
  SpPluginModule *module;
  gpointer self; /* NULL: not open */
  gboolean started;

  /* Set while it is opened, read only after that. */
  const char *state_root;
  GVariant *given;     /* of SP_PLUGIN_GIVEN_TYPE: counts instead of what the link says; or NULL */
  GHashTable *secrets; /* key -> SpSecret */

  /* Of any thread. */
  GMutex remember_lock; /* one remember() at a time, so that both copies agree */
  /* Under the view's lock. */
  gint64 alarm_window; /* when the current minute of alarms began, monotonic µs */
  guint n_alarms, n_dropped;
} SpPluginHost;

/* A call on its way through the plugin's thread. */
typedef struct _SpHostJob {
  SpPluginHost *host;
  SpLinkCall *call; /* NULL: nobody waits for the result */
  guint method;     /* SpPluginCall */
  guint deadline_ms;
  GVariant *args;
  GBytes *blob;
  GCancellable *cancellable;
  GSource *timer; /* first the deadline, then the end of patience */
  GVariant *reply;
  GError *error;
} SpHostJob;

/* On the plugin's thread: do what @job says; sets reply or error. */
void sp_host_job_run (SpHostJob *job);

/* The calls of stores: host-store.c. */
void sp_host_run_read (SpHostJob *job);
void sp_host_run_write (SpHostJob *job);
void sp_host_run_scan (SpHostJob *job);

/* The calls of virtual machines: host-vm.c. */
void sp_host_run_vm_probe (SpHostJob *job);
void sp_host_run_vm_create (SpHostJob *job);
void sp_host_run_vm_start (SpHostJob *job);
void sp_host_run_vm_stop (SpHostJob *job);
void sp_host_run_vm_destroy (SpHostJob *job);
void sp_host_run_vm_inspect (SpHostJob *job);
void sp_host_run_vm_list (SpHostJob *job);

/* TRUE if and only if no error is set: a plugin that breaks that rule gets an error that says so.
 * @call names what was called. */
gboolean sp_host_police (const char *call, gboolean ok, GError **why);

/* The table behind SpHost.api. */
extern const SpHostApi sp_host_api;

/* Attach @func to @context.  Unlike g_main_context_invoke() it is never run by the caller's thread. */
void sp_host_attach (GMainContext *context, GSourceFunc func, gpointer data);
