/* keeper-unlock.c - vault.unlock: configuration and keys come in, the vault opens
 *
 * The host has checked the configuration; here only its form is checked.  Whatever goes wrong is
 * answered, and the keeper ends: a new one begins from a clean state.
 */
#include "base/problem.h"
#include "daemon/keeper-config.h"

static gboolean
start_notifiers (SpKeeper *keeper, const SpKeeperConfig *config, GError **error)
{
  JsonArray *notifiers = sp_keeper_config_notifiers (config);

  for (guint i = 0; notifiers && i < json_array_get_length (notifiers); i++) {
    SpKeeperPlugin *plugin =
        sp_keeper_config_start (config, keeper, sp_keeper_config_object (notifiers, i),
                                SP_KIND_NOTIFIER, SP_SLOT_NOTIFIERS + i, error);

    if (plugin == NULL)
      return FALSE;
    g_ptr_array_add (keeper->notifiers, plugin);
  }
  return TRUE;
}

static gboolean
read_identity (SpKeeper *keeper, const SpKeeperConfig *config, GError **error)
{
  JsonObject *params = sp_keeper_config_params (config);

  keeper->vault_key = sp_keeper_config_key (config, "vault-key", 0, error);
  keeper->tls = keeper->vault_key ? sp_keeper_config_key (config, "tls", 0, error) : NULL;
  if (keeper->tls == NULL ||
      !sp_keeper_config_statement (config, &keeper->statement, &keeper->signature, error))
    return FALSE;
  keeper->vault_id = g_strdup (sp_keeper_text_member (params, "vault"));
  keeper->plain_allowed = g_strcmp0 (sp_keeper_text_member (params, "tls"), "optional") == 0;
  return TRUE;
}

/* ---- opening ------------------------------------------------------------------------------------------------- */

static gboolean
end_soon (gpointer data)
{
  g_main_loop_quit (((SpKeeper *) data)->loop);
  return G_SOURCE_REMOVE;
}

static void
give_up (SpKeeper *keeper, const GError *error)
{
  g_message ("keeper: cannot unlock: %s", error->message);
  if (keeper->unlock_id != NULL)
    sp_rpc_fail (keeper->admin, keeper->unlock_id, error);
  g_clear_pointer (&keeper->unlock_id, g_free);
  /* Time for the answer to leave. */
  g_timeout_add (100, end_soon, keeper);
}

static void
on_opened (const GError *error, gpointer data)
{
  SpKeeper *keeper = data;
  g_autoptr (GError) local = NULL;
  JsonNode *node;
  JsonObject *object;

  if (keeper->unlock_id == NULL)
    return;
  if (error != NULL) {
    give_up (keeper, error);
    return;
  }
  /* Not before: a notifier is given what it remembered when it is opened. */
  if (!start_notifiers (keeper, keeper->config, &local)) {
    give_up (keeper, local);
    return;
  }
  g_clear_pointer (&keeper->config, sp_keeper_config_free);
  keeper->unlocked = TRUE;
  sp_keeper_tell_gate (keeper);
  node = json_node_new (JSON_NODE_OBJECT);
  object = json_object_new ();
  json_node_take_object (node, object);
  json_object_set_string_member (object, "vault", keeper->vault_id);
  json_object_set_string_member (object, "state", "owned");
  sp_rpc_reply (keeper->admin, keeper->unlock_id, node);
  g_clear_pointer (&keeper->unlock_id, g_free);
}

void
sp_keeper_store_changed (SpKeeper *keeper)
{
  g_autoptr (GError) error = NULL;

  if (keeper->store == NULL || keeper->unlock_id == NULL ||
      sp_plugin_client_state (keeper->store->client) != SP_PLUGIN_FAILED)
    return;
  error = g_error_new (SP_PROBLEM, SP_PROBLEM_STORE, "store: %s",
                       sp_plugin_client_why (keeper->store->client));
  give_up (keeper, error);
}

static gboolean
open_vault (SpKeeper *keeper, const SpKeeperConfig *config, GError **error)
{
  SpVaultSettings *settings = sp_keeper_config_settings (config, error);

  if (settings == NULL)
    return FALSE;
  settings->master = sp_keeper_config_key (config, "master-key", 32, error);
  if (settings->master == NULL || !read_identity (keeper, config, error)) {
    sp_vault_settings_free (settings);
    return FALSE;
  }
  keeper->store = sp_keeper_config_start (config, keeper, sp_keeper_config_store (config),
                                          SP_KIND_STORE, SP_SLOT_STORE, error);
  if (keeper->store == NULL) {
    sp_vault_settings_free (settings);
    return FALSE;
  }
  keeper->vault = sp_vault_open (settings, &keeper->ports, sp_clock_system (), on_opened, keeper);
  return TRUE;
}

void
sp_keeper_unlock (SpKeeper *keeper, const char *id, JsonObject *params, SpSecret *secret)
{
  g_autoptr (GError) error = NULL;

  if (keeper->unlocking || secret == NULL) {
    error = g_error_new_literal (SP_PROBLEM, secret ? SP_PROBLEM_CONFLICT : SP_PROBLEM_INVALID,
                                 secret ? "the vault is unlocked, or about to be"
                                        : "the keys are missing");
    sp_rpc_fail (keeper->admin, id, error);
    return;
  }
  keeper->unlocking = TRUE;
  keeper->unlock_id = g_strdup (id);
  keeper->config = sp_keeper_config_new (params, secret, &error);
  if (keeper->config == NULL || !open_vault (keeper, keeper->config, &error))
    give_up (keeper, error);
}
