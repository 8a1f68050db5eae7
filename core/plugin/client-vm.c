/* client-vm.c - the calls of virtual machines */
#include "plugin/client-private.h"

#define LONG_MS 60000   /* probe, start, stop */
#define MIDDLE_MS 30000 /* create, destroy */
#define SHORT_MS 10000  /* inspect, list */

static void
finish_plain (SpClientCall *call, GVariant *reply, const GError *error)
{
  SpPluginDone done = (SpPluginDone) call->done;

  if (done != NULL)
    done (error, call->data);
}

/* A call with an id, of which only the end is of interest. */
static void
submit_id (SpPluginClient *client, guint method, const char *id, guint usual, SpPluginDone done,
           gpointer data)
{
  guint deadline = sp_client_deadline (client, usual);

  sp_client_submit (client, method, g_variant_new ("(us)", deadline, id), deadline, finish_plain,
                    G_CALLBACK (done), NULL, data);
}

static void
finish_probe (SpClientCall *call, GVariant *reply, const GError *error)
{
  SpPluginProbed done = (SpPluginProbed) call->done;
  SpVmProbe probe = { .size = sizeof probe };

  if (reply != NULL)
    g_variant_get (reply, "(u&s&s)", &probe.acceleration, &probe.why, &probe.version);
  if (done != NULL)
    done (reply != NULL ? &probe : NULL, error, call->data);
}

void
sp_plugin_client_vm_probe (SpPluginClient *client, SpPluginProbed done, gpointer data)
{
  guint deadline = sp_client_deadline (client, LONG_MS);

  sp_client_submit (client, SP_PLUGIN_VM_PROBE, g_variant_new ("(u)", deadline), deadline,
                    finish_probe, G_CALLBACK (done), NULL, data);
}

void
sp_plugin_client_vm_create (SpPluginClient *client, const SpVmSpec *spec, SpPluginDone done,
                            gpointer data)
{
  guint deadline = sp_client_deadline (client, MIDDLE_MS);

  sp_client_submit (
      client, SP_PLUGIN_VM_CREATE,
      g_variant_new ("(u@" SP_VM_SPEC_TYPE ")", deadline, sp_vm_spec_to_variant (spec)), deadline,
      finish_plain, G_CALLBACK (done), NULL, data);
}

void
sp_plugin_client_vm_start (SpPluginClient *client, const char *id, SpPluginDone done, gpointer data)
{
  submit_id (client, SP_PLUGIN_VM_START, id, LONG_MS, done, data);
}

void
sp_plugin_client_vm_stop (SpPluginClient *client, const char *id, gboolean force, SpPluginDone done,
                          gpointer data)
{
  guint deadline = sp_client_deadline (client, LONG_MS);

  sp_client_submit (client, SP_PLUGIN_VM_STOP, g_variant_new ("(usb)", deadline, id, force),
                    deadline, finish_plain, G_CALLBACK (done), NULL, data);
}

void
sp_plugin_client_vm_destroy (SpPluginClient *client, const char *id, SpPluginDone done,
                             gpointer data)
{
  submit_id (client, SP_PLUGIN_VM_DESTROY, id, MIDDLE_MS, done, data);
}

static void
finish_inspect (SpClientCall *call, GVariant *reply, const GError *error)
{
  SpPluginInspected done = (SpPluginInspected) call->done;
  SpVmInfo info = { .size = sizeof info };

  if (reply != NULL)
    g_variant_get (reply, "(uuxm&sm&s)", &info.state, &info.acceleration, &info.pid, &info.address,
                   &info.why);
  if (done != NULL)
    done (reply != NULL ? &info : NULL, error, call->data);
}

void
sp_plugin_client_vm_inspect (SpPluginClient *client, const char *id, SpPluginInspected done,
                             gpointer data)
{
  guint deadline = sp_client_deadline (client, SHORT_MS);

  sp_client_submit (client, SP_PLUGIN_VM_INSPECT, g_variant_new ("(us)", deadline, id), deadline,
                    finish_inspect, G_CALLBACK (done), NULL, data);
}

static void
finish_list (SpClientCall *call, GVariant *reply, const GError *error)
{
  SpPluginListed done = (SpPluginListed) call->done;
  g_autoptr (GArray) machines = g_array_new (FALSE, FALSE, sizeof (SpPluginMachine));
  g_autoptr (GVariantIter) iter = NULL;
  SpPluginMachine machine;

  if (reply != NULL)
    g_variant_get (reply, "(a(su))", &iter);
  while (iter != NULL && g_variant_iter_next (iter, "(&su)", &machine.id, &machine.state))
    g_array_append_val (machines, machine);
  if (done != NULL)
    done ((const SpPluginMachine *) (gpointer) machines->data, machines->len, error, call->data);
}

void
sp_plugin_client_vm_list (SpPluginClient *client, SpPluginListed done, gpointer data)
{
  guint deadline = sp_client_deadline (client, SHORT_MS);

  sp_client_submit (client, SP_PLUGIN_VM_LIST, g_variant_new ("(u)", deadline), deadline,
                    finish_list, G_CALLBACK (done), NULL, data);
}
