/* host-vm.c - the calls of virtual machines, on the plugin's thread
 *
 * What a plugin says is checked where it can be: states and accelerations are known ones, text is text.
 */
#include "plugin/host-private.h"

#define MAX_MACHINES 1024u

static const char *
id_of (const SpHostJob *job)
{
  const char *id;

  g_variant_get_child (job->args, 1, "&s", &id);
  return id;
}

static gboolean
is_utf8 (const char *text)
{
  return text == NULL || g_utf8_validate (text, -1, NULL);
}

static void
blame (SpHostJob *job, const char *what)
{
  g_set_error (&job->error, SP_ERROR, SP_ERROR_INTERNAL, "%s: a bug of it", what);
}

void
sp_host_run_vm_probe (SpHostJob *job)
{
  SpPluginHost *host = job->host;
  SpVmProbe probe = { .size = sizeof probe };
  g_autofree char *why = NULL;
  g_autofree char *version = NULL;
  gboolean ok = host->module->vm.probe (host->self, &probe, job->cancellable, &job->error);

  why = probe.why;
  version = probe.version;
  if (!sp_host_police ("probe", ok, &job->error))
    return;
  if (probe.acceleration > SP_VM_EMULATED || why == NULL || !is_utf8 (why) || !is_utf8 (version))
    blame (job, "probe() succeeded and did not say what it found");
  else
    job->reply = g_variant_ref_sink (
        g_variant_new ("(uss)", probe.acceleration, why, version != NULL ? version : ""));
}

void
sp_host_run_vm_create (SpHostJob *job)
{
  SpPluginHost *host = job->host;
  g_autoptr (GVariant) value = g_variant_get_child_value (job->args, 1);
  g_autoptr (SpVmSpec) spec = sp_vm_spec_from_variant (value);

  (void) sp_host_police ("create",
                         host->module->vm.create (host->self, spec, job->cancellable, &job->error),
                         &job->error);
}

void
sp_host_run_vm_start (SpHostJob *job)
{
  SpPluginHost *host = job->host;

  (void) sp_host_police (
      "start", host->module->vm.start (host->self, id_of (job), job->cancellable, &job->error),
      &job->error);
}

void
sp_host_run_vm_stop (SpHostJob *job)
{
  SpPluginHost *host = job->host;
  gboolean force;

  g_variant_get_child (job->args, 2, "b", &force);
  (void) sp_host_police (
      "stop", host->module->vm.stop (host->self, id_of (job), force, job->cancellable, &job->error),
      &job->error);
}

void
sp_host_run_vm_destroy (SpHostJob *job)
{
  SpPluginHost *host = job->host;

  (void) sp_host_police (
      "destroy", host->module->vm.destroy (host->self, id_of (job), job->cancellable, &job->error),
      &job->error);
}

static gboolean
is_state (guint32 state)
{
  return state >= SP_VM_ABSENT && state <= SP_VM_FAILED;
}

void
sp_host_run_vm_inspect (SpHostJob *job)
{
  SpPluginHost *host = job->host;
  SpVmInfo info = { .size = sizeof info };
  g_autofree char *address = NULL;
  g_autofree char *why = NULL;
  gboolean ok =
      host->module->vm.inspect (host->self, id_of (job), &info, job->cancellable, &job->error);

  address = info.address;
  why = info.why;
  if (!sp_host_police ("inspect", ok, &job->error))
    return;
  if (!is_state (info.state) || info.acceleration > SP_VM_EMULATED || !is_utf8 (address) ||
      !is_utf8 (why) || (info.state == SP_VM_FAILED && why == NULL))
    blame (job, "inspect() succeeded and did not say what it saw");
  else
    job->reply = g_variant_ref_sink (
        g_variant_new ("(uuxmsms)", info.state, info.acceleration, info.pid, address, why));
}

typedef struct {
  GVariantBuilder machines;
  guint n_machines;
  gboolean senseless;
} List;

static gboolean
take_machine (const char *id, guint32 state, gpointer data)
{
  List *list = data;

  list->senseless |= !is_utf8 (id) || !is_state (state) || ++list->n_machines > MAX_MACHINES;
  if (list->senseless)
    return FALSE;
  g_variant_builder_add (&list->machines, "(su)", id, state);
  return TRUE;
}

void
sp_host_run_vm_list (SpHostJob *job)
{
  SpPluginHost *host = job->host;
  List list = { .n_machines = 0 };
  g_autoptr (GVariant) machines = NULL;
  gboolean ok;

  g_variant_builder_init (&list.machines, G_VARIANT_TYPE ("a(su)"));
  ok = host->module->vm.list (host->self, take_machine, &list, job->cancellable, &job->error);
  machines = g_variant_ref_sink (g_variant_builder_end (&list.machines));
  if (!sp_host_police ("list", ok, &job->error))
    return;
  if (list.senseless)
    blame (job, "list() succeeded and gave machines that make no sense");
  else
    job->reply = g_variant_ref_sink (g_variant_new ("(@a(su))", machines));
}
