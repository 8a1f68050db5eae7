/* loader.h - load a shared object and agree with it on what both sides know
 *
 * Only two processes do this: the plugin host, and the short-lived child that describes a plugin.
 * Neither holds a key.  A loaded plugin stays until the process ends.
 */
#pragma once

#include <secret-proxy/notifier.h>
#include <secret-proxy/store.h>
#include <secret-proxy/vm.h>

typedef struct {
  char *path;
  SpPlugin plugin;        /* a copy; what the plugin is too old to know is unset */
  SpNotifierOps notifier; /* one of these three, by plugin.kind */
  SpStoreOps store;
  SpVmOps vm;
  SpOption *options; /* a copy, checked */
  gsize n_options;
} SpPluginModule;

/* SP_PROBLEM_CONFIG with the file's name and what does not fit. */
SpPluginModule *sp_plugin_load (const char *path, GError **error);
void sp_plugin_module_free (SpPluginModule *module);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpPluginModule, sp_plugin_module_free)

/* The names of the calls that it provides: "open", "close", "post", ...; free the array only. */
const char **sp_plugin_module_calls (const SpPluginModule *module);
