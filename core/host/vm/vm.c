/* vm.c - vm.h: a plugin process on a context of its own, which runs while a call waits
 *
 * What must stay true: nothing of the caller's main loop runs inside a call.
 */
#include "host/vm/vm.h"

#include "plugin/find.h"

struct _SpVm {
  GMainContext *context;
  SpPluginProcess *process;
  SpVmProgress progress;
  gpointer progress_data;
};

/* A call that is waited for. */
typedef struct {
  gboolean done;
  GError *error;
  SpVmProbe *probe;
  SpVmInfo *info;
} Wait;

/* ---- the process ------------------------------------------------------------------------------------ */

SpPluginProcess *
sp_vm_process_new (const SpConfigInstance *instance, const char *plugin_dir, const char *state,
                   const SpPluginProcessEvents *events, gpointer data, GError **error)
{
  g_autofree char *dir = plugin_dir != NULL ? g_strdup (plugin_dir) : sp_plugin_default_dir ();
  g_autofree char *path = sp_plugin_find (dir, instance->kind, instance->plugin, error);
  const SpPluginSetup setup = {
    .kind = SP_KIND_VM, .instance = instance->name, .path = path, .options = instance->options
  };

  return path != NULL ? sp_plugin_process_new (&setup, state, events, data, error) : NULL;
}

static void
on_progress (const char *what, gpointer data)
{
  const SpVm *vm = data;

  if (vm->progress != NULL)
    vm->progress (what, vm->progress_data);
}

SpVm *
sp_vm_open (const SpConfigInstance *instance, const char *plugin_dir, const char *state,
            GError **error)
{
  static const SpPluginProcessEvents events = { .progress = on_progress };
  g_autoptr (SpVm) vm = g_new0 (SpVm, 1);

  vm->context = g_main_context_new ();
  g_main_context_push_thread_default (vm->context);
  vm->process = sp_vm_process_new (instance, plugin_dir, state, &events, vm, error);
  g_main_context_pop_thread_default (vm->context);
  return vm->process != NULL ? g_steal_pointer (&vm) : NULL;
}

void
sp_vm_set_progress (SpVm *vm, SpVmProgress progress, gpointer data)
{
  vm->progress = progress;
  vm->progress_data = data;
}

void
sp_vm_close (SpVm *vm)
{
  if (vm == NULL)
    return;
  g_main_context_push_thread_default (vm->context);
  sp_plugin_process_free (vm->process);
  /* What was cancelled gives back its references. */
  while (g_main_context_iteration (vm->context, FALSE))
    ;
  g_main_context_pop_thread_default (vm->context);
  g_main_context_unref (vm->context);
  g_free (vm);
}

/* ---- calls ------------------------------------------------------------------------------------------ */

/* Begin a call: its client, on our context. */
static SpPluginClient *
enter (SpVm *vm)
{
  g_main_context_push_thread_default (vm->context);
  return sp_plugin_process_client (vm->process);
}

static gboolean
leave (SpVm *vm, Wait *wait, GError **error)
{
  while (!wait->done)
    g_main_context_iteration (vm->context, TRUE);
  g_main_context_pop_thread_default (vm->context);
  if (wait->error == NULL)
    return TRUE;
  g_propagate_error (error, wait->error);
  return FALSE;
}

static void
on_done (const GError *error, gpointer data)
{
  Wait *wait = data;

  wait->error = error != NULL ? g_error_copy (error) : NULL;
  wait->done = TRUE;
}

static void
on_probed (const SpVmProbe *probe, const GError *error, gpointer data)
{
  Wait *wait = data;

  if (probe != NULL) {
    *wait->probe = *probe;
    wait->probe->why = g_strdup (probe->why);
    wait->probe->version = g_strdup (probe->version);
  }
  on_done (error, data);
}

static void
on_inspected (const SpVmInfo *info, const GError *error, gpointer data)
{
  Wait *wait = data;

  if (info != NULL) {
    *wait->info = *info;
    wait->info->address = g_strdup (info->address);
    wait->info->why = g_strdup (info->why);
  }
  on_done (error, data);
}

gboolean
sp_vm_probe (SpVm *vm, SpVmProbe *ret_probe, GError **error)
{
  Wait wait = { .probe = ret_probe };

  sp_plugin_client_vm_probe (enter (vm), on_probed, &wait);
  return leave (vm, &wait, error);
}

gboolean
sp_vm_create (SpVm *vm, const SpVmSpec *spec, GError **error)
{
  Wait wait = { .done = FALSE };

  sp_plugin_client_vm_create (enter (vm), spec, on_done, &wait);
  return leave (vm, &wait, error);
}

gboolean
sp_vm_start (SpVm *vm, const char *id, GError **error)
{
  Wait wait = { .done = FALSE };

  sp_plugin_client_vm_start (enter (vm), id, on_done, &wait);
  return leave (vm, &wait, error);
}

gboolean
sp_vm_stop (SpVm *vm, const char *id, gboolean force, GError **error)
{
  Wait wait = { .done = FALSE };

  sp_plugin_client_vm_stop (enter (vm), id, force, on_done, &wait);
  return leave (vm, &wait, error);
}

gboolean
sp_vm_destroy (SpVm *vm, const char *id, GError **error)
{
  Wait wait = { .done = FALSE };

  sp_plugin_client_vm_destroy (enter (vm), id, on_done, &wait);
  return leave (vm, &wait, error);
}

gboolean
sp_vm_inspect (SpVm *vm, const char *id, SpVmInfo *ret_info, GError **error)
{
  Wait wait = { .info = ret_info };

  sp_plugin_client_vm_inspect (enter (vm), id, on_inspected, &wait);
  return leave (vm, &wait, error);
}

void
sp_vm_probe_clear (SpVmProbe *probe)
{
  g_clear_pointer (&probe->why, g_free);
  g_clear_pointer (&probe->version, g_free);
}

void
sp_vm_info_clear (SpVmInfo *info)
{
  g_clear_pointer (&info->address, g_free);
  g_clear_pointer (&info->why, g_free);
}
