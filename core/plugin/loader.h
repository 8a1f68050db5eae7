/* loader.h - load a shared object and agree with it on what both sides know
 *
 * Only two processes do this: the plugin host, and the short-lived child that describes a plugin.
 * Neither holds a key.  A loaded plugin stays until the process ends.
 */
#pragma once

#include <secret-proxy/notifier.h>
#include <secret-proxy/store.h>
#include <secret-proxy/vm.h>

/* How far loading came: what it failed at. */
typedef enum {
  SP_LOAD_FILE,    /* it is not there, or its folder or owner can't be trusted */
  SP_LOAD_LINK,    /* the dynamic loader refused it */
  SP_LOAD_SYMBOL,  /* it does not export sp_plugin() */
  SP_LOAD_ABI,     /* numbers, sizes, kind */
  SP_LOAD_WORDS,   /* name, version, summary */
  SP_LOAD_CALLS,   /* one that is needed is missing */
  SP_LOAD_OPTIONS, /* the table of options is not sound */
  SP_LOAD_DONE,
} SpLoadStage;

typedef struct {
  char *path;
  SpPluginFunc entry;     /* its one function */
  SpPlugin plugin;        /* a copy; what the plugin is too old to know is unset */
  SpNotifierOps notifier; /* one of these three, by plugin.kind */
  SpStoreOps store;
  SpVmOps vm;
  SpOption *options; /* a copy, checked */
  gsize n_options;
} SpPluginModule;

/* SP_PROBLEM_CONFIG with the file's name and what does not fit. */
SpPluginModule *sp_plugin_load (const char *path, GError **error);
/* The same; @ret_stage: what it failed at, or SP_LOAD_DONE. */
SpPluginModule *sp_plugin_load_in_stages (const char *path, SpLoadStage *ret_stage, GError **error);
void sp_plugin_module_free (SpPluginModule *module);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpPluginModule, sp_plugin_module_free)

/* The names of the calls that it provides: "open", "close", "post", ...; free the array only. */
const char **sp_plugin_module_calls (const SpPluginModule *module);
