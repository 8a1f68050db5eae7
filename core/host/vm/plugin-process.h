/* plugin-process.h - an open plugin on the host: a client, and the process that it wants
 *
 * `secret-proxyd --role plugin-host`, started from the program beside this one, as often as the client
 * asks for it.  It dies with this process, or with the thread that made it: make it on the main thread.
 */
#pragma once

#include "plugin/client.h"

typedef struct _SpPluginProcess SpPluginProcess;

/* Each may be unset. */
typedef struct {
  /* See sp_plugin_client_state(): in DOWN, all that the plugin kept in memory is gone. */
  void (*state_changed) (gpointer data);
  void (*progress) (const char *what, gpointer data);
  void (*vm_changed) (const char *id, gpointer data);
  void (*alarm) (const char *what, gpointer data);
} SpPluginProcessEvents;

/* @state: the folder where plugins have theirs; made with mode 0700 where it is not there.  Asynchronous on the
 * thread-default GMainContext. */
SpPluginProcess *
sp_plugin_process_new (const SpPluginSetup *setup, const char *state,
                       const SpPluginProcessEvents *events, gpointer data, GError **error);
/* For its calls; lives as long as the process. */
SpPluginClient *sp_plugin_process_client (SpPluginProcess *process);
/* Let the plugin stop and wait until its process is gone: at most 3 seconds.  No event comes any more. */
void sp_plugin_process_free (SpPluginProcess *process);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpPluginProcess, sp_plugin_process_free)
