/* vm.h - a vm plugin at work for the host
 *
 * Two ways: sp_vm_process_new() for a program with a main loop, which calls sp_plugin_client_vm_*() and
 * hears of changes; and SpVm for steps of the command line, where a call returns when it is done.
 *
 * A machine of the role SP_VM_OWNED ends with the plugin's process; so with sp_vm_close(), too.
 */
#pragma once

#include "base/config.h"
#include "host/vm/plugin-process.h"

/* The plugin of @instance, a [vm NAME] of the config file.  @plugin_dir NULL: the usual one.  @state: the
 * folder where plugins keep their own; made where it is not there. */
SpPluginProcess *
sp_vm_process_new (const SpConfigInstance *instance, const char *plugin_dir, const char *state,
                   const SpPluginProcessEvents *events, gpointer data, GError **error);

/* ---- one step after the other ------------------------------------------------------------------ */

typedef struct _SpVm SpVm;
typedef void (*SpVmProgress) (const char *what, gpointer data);

SpVm *sp_vm_open (const SpConfigInstance *instance, const char *plugin_dir, const char *state,
                  GError **error);
/* @progress hears what a long call does, while it does it. */
void sp_vm_set_progress (SpVm *vm, SpVmProgress progress, gpointer data);

/* See SpVmOps in secret-proxy/vm.h.  Each waits for its end. */
gboolean sp_vm_probe (SpVm *vm, SpVmProbe *ret_probe, GError **error);
gboolean sp_vm_create (SpVm *vm, const SpVmSpec *spec, GError **error);
gboolean sp_vm_start (SpVm *vm, const char *id, GError **error);
gboolean sp_vm_stop (SpVm *vm, const char *id, gboolean force, GError **error);
gboolean sp_vm_destroy (SpVm *vm, const char *id, GError **error);
gboolean sp_vm_inspect (SpVm *vm, const char *id, SpVmInfo *ret_info, GError **error);

/* Free the strings of what probe and inspect have filled in. */
void sp_vm_probe_clear (SpVmProbe *probe);
void sp_vm_info_clear (SpVmInfo *info);

/* Ends the plugin's process. */
void sp_vm_close (SpVm *vm);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpVm, sp_vm_close)
