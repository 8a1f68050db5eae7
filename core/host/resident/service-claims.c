/* service-claims.c - what the vault is told at each unlock, and what the host says about it */
#include <string.h>

#include "base/problem.h"
#include "host/ownership.h"
#include "host/resident/service-private.h"
#include "host/resident/unlock.h"

gboolean
sp_service_state (const SpService *service, const SpConfig *config, char **ret_statement,
                  char **ret_signature, GError **error)
{
  g_autofree char *approvers = sp_ownership_approvers (sp_config_approvers (config));
  const SpOwnership ownership = { service->trust, service->acceleration, approvers,
                                  service->measurement, service->maintenance };
  g_autofree char *statement = sp_ownership_statement (service->keys, &ownership);

  *ret_signature = sp_ownership_sign (service->keys, statement, error);
  if (*ret_signature == NULL)
    return FALSE;
  *ret_statement = g_steal_pointer (&statement);
  return TRUE;
}

gboolean
sp_service_claim (SpService *service, const SpServiceClaim *claim, GError **error)
{
  g_free (service->trust);
  service->trust = g_strdup (claim->trust);
  g_free (service->acceleration);
  service->acceleration = g_strdup (claim->acceleration);
  g_free (service->image);
  service->image = g_strdup (claim->image);
  service->index = claim->index;
  service->maintenance = claim->maintenance;
  g_clear_pointer (&service->measurement, json_object_unref);
  service->measurement = claim->measurement ? json_object_ref (claim->measurement) : NULL;
  g_clear_pointer (&service->statement, g_free);
  g_clear_pointer (&service->signature, g_free);
  return sp_service_state (service, service->config, &service->statement, &service->signature,
                           error);
}

/* ---- what the resident process asks for --------------------------------------------------------------- */

SpUnlock
sp_service_unlock_of (const SpService *service, const SpConfig *config, const SpConfigVault *vault)
{
  return (SpUnlock){
    .config = config,
    .vault = vault,
    .keys = service->keys,
    .anchor = service->anchor,
    .marks_key = service->marks_key,
    .plugin_dir = service->plugin_dir,
    .map = service->backend.map,
    .map_data = service->data,
    .trust = service->trust,
    .image = service->image,
    .index = service->index,
    .tls_required = service->tls_required,
    .statement = service->statement,
    .signature = service->signature,
  };
}

static SpRpcMessage *
unlock_message (const char *id, gpointer data, GError **error)
{
  SpService *service = data;
  const SpUnlock unlock = sp_service_unlock_of (service, service->config, service->vault);

  return sp_unlock_message (&unlock, id, error);
}

static JsonNode *
node_of (JsonObject *object)
{
  JsonNode *node = json_node_new (JSON_NODE_OBJECT);

  json_node_take_object (node, object);
  return node;
}

static JsonNode *
endpoint (gpointer data, GError **error)
{
  SpService *service = data;
  JsonObject *object;

  if (service->url == NULL) {
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_LOCKED, "the vault is starting: try again");
    return NULL;
  }
  object = json_object_new ();
  json_object_set_string_member (object, "url", service->url);
  json_object_set_string_member (object, "tls_pin", service->keys->tls_pin);
  json_object_set_string_member (object, "owner_key", service->keys->host_public);
  return node_of (object);
}

static JsonNode *
ownership (gpointer data, GError **error)
{
  SpService *service = data;
  JsonObject *object;

  if (service->statement == NULL) {
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_LOCKED, "the vault is starting: try again");
    return NULL;
  }
  object = json_object_new ();
  json_object_set_string_member (object, "statement", service->statement);
  json_object_set_string_member (object, "signature", service->signature);
  return node_of (object);
}

static JsonNode *
machine (gpointer data, GError **error)
{
  SpService *service = data;
  JsonObject *object = service->backend.describe ? service->backend.describe (service->data) : NULL;

  if (object == NULL) {
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_NOT_FOUND, "this vault runs in no machine");
    return NULL;
  }
  json_object_set_boolean_member (object, "unlocked", sp_resident_is_unlocked (service->resident));
  if (service->url != NULL)
    json_object_set_string_member (object, "url", service->url);
  return node_of (object);
}

static void
on_unlocked (gpointer data)
{
  SpService *service = data;
  gboolean again = service->ready;

  service->ready = TRUE;
  if (again)
    g_printerr ("secret-proxy: the vault is unlocked again\n");
  if (service->backend.unlocked != NULL)
    service->backend.unlocked (again, service->data);
  sp_service_apply_wanted (service);
}

static gboolean
unlock_again (gpointer data)
{
  SpService *service = data;

  service->again = 0;
  sp_resident_unlock (service->resident);
  return G_SOURCE_REMOVE;
}

/* What another try may mend.  A store that fails may recover, but one that never worked is the
 * administrator's to mend. */
static gboolean
may_pass (const SpService *service, const GError *error)
{
  SpProblemCode code = sp_problem_code (error);

  return code == SP_PROBLEM_UNREACHABLE || code == SP_PROBLEM_TIMED_OUT ||
         (service->ready && code != SP_PROBLEM_INTEGRITY);
}

static void
on_refused (const GError *error, gpointer data)
{
  SpService *service = data;

  if (service->stopping)
    return;
  if (!may_pass (service, error)) {
    /* It writes down that it was unlocked. */
    const char *hint =
        sp_problem_code (error) == SP_PROBLEM_STORE ? "; is its disk full? See 'disk-size'" : "";
    g_autoptr (GError) final = g_error_new (error->domain, error->code,
                                            "cannot unlock the vault: %s%s", error->message, hint);

    sp_service_finish (service, final);
    return;
  }
  g_printerr ("secret-proxy: cannot unlock the vault: %s; trying again\n", error->message);
  sp_service_try_later (service, unlock_again);
}

/* ---- notifiers with `where = host` --------------------------------------------------------------------- */

static const SpConfigInstance *
find_notifier (const char *name, gpointer data)
{
  const SpConfigVault *vault = sp_service_coming (data);

  for (guint i = 0; i < vault->n_notifiers; i++)
    if (vault->notifiers[i]->on_host && g_str_equal (vault->notifiers[i]->name, name))
      return vault->notifiers[i];
  return NULL;
}

static void
tell_keeper (SpRpcMessage *message, gpointer data)
{
  sp_resident_notify (((SpService *) data)->resident, message);
}

SpNotifiers *
sp_service_notifiers_new (SpService *service)
{
  const SpNotifiersSetup setup = { .path = service->path,
                                   .vault_id = service->keys->vault_id,
                                   .plugin_dir = service->plugin_dir,
                                   .find = find_notifier,
                                   .tell = tell_keeper,
                                   .data = service };

  return sp_notifiers_new (&setup);
}

static void
on_plugin (const SpRpcMessage *message, gpointer data)
{
  sp_notifiers_take (((SpService *) data)->notifiers, message);
}

static void
on_keeper_gone (gpointer data)
{
  sp_notifiers_stop (((SpService *) data)->notifiers);
}

/* ---- another config -------------------------------------------------------------------------------------- */

static void
on_apply (JsonObject *params, SpResidentAsk *ask, gpointer data)
{
  gboolean dry_run = json_object_get_boolean_member_with_default (params, "dry_run", FALSE);

  sp_service_apply (data, dry_run,
                    json_object_get_string_member_with_default (params, "config", NULL), ask);
}

SpResident *
sp_service_resident_new (SpService *service)
{
  static const SpResidentEvents events = {
    .unlock_message = unlock_message,
    .unlocked = on_unlocked,
    .refused = on_refused,
    .endpoint = endpoint,
    .ownership = ownership,
    .machine = machine,
    .plugin = on_plugin,
    .keeper_gone = on_keeper_gone,
    .apply = on_apply,
  };

  return sp_resident_new (&events, service->anchor, service);
}
