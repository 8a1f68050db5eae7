/* keeper-unlock.c - vault.unlock: configuration and keys come in, the vault opens
 *
 * The host has checked the configuration; here only its form is checked.  Whatever goes wrong is
 * answered, and the keeper ends: a new one begins from a clean state.
 */
#include <string.h>

#include "base/json.h"
#include "base/problem.h"
#include "daemon/keeper-private.h"

/* ---- reading the configuration -------------------------------------------------------------------------- */

struct _SpUnlock {
  JsonObject *params;
  GVariant *keys; /* a{say} */
};

typedef struct _SpUnlock Unlock;

void
sp_unlock_free (Unlock *unlock)
{
  json_object_unref (unlock->params);
  g_clear_pointer (&unlock->keys, g_variant_unref);
  g_free (unlock);
}

static GVariant *
key_bytes (const Unlock *unlock, const char *name)
{
  return g_variant_lookup_value (unlock->keys, name, G_VARIANT_TYPE_BYTESTRING);
}

static SpSecret *
take_key (const Unlock *unlock, const char *name, gsize length, GError **error)
{
  g_autoptr (GVariant) value = key_bytes (unlock, name);
  gsize got = 0;
  gconstpointer data = value ? g_variant_get_fixed_array (value, &got, 1) : NULL;

  if (data != NULL && (length == 0 || got == length))
    return sp_secret_new_from (data, got);
  sp_problem_set_invalid (error, name, "the key %s is missing or has a wrong length", name);
  return NULL;
}

static JsonObject *
object_member (JsonObject *object, const char *name)
{
  JsonNode *node = json_object_get_member (object, name);

  return node && JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
}

static JsonArray *
array_member (JsonObject *object, const char *name)
{
  JsonNode *node = json_object_get_member (object, name);

  return node && JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;
}

static const char *
text_member (JsonObject *object, const char *name)
{
  const char *text = NULL;

  (void) sp_json_get_string (object, name, &text, NULL);
  return text;
}

static JsonObject *
array_object (JsonArray *array, guint i)
{
  JsonNode *node = json_array_get_element (array, i);

  return JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
}

static GVariant *
options_of (JsonObject *plugin)
{
  JsonObject *options = object_member (plugin, "options");
  g_autoptr (GList) names = options ? json_object_get_members (options) : NULL;
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE ("a{ss}"));
  for (GList *name = names; name != NULL; name = name->next) {
    const char *value = text_member (options, name->data);

    if (value != NULL)
      g_variant_builder_add (&builder, "{ss}", (char *) name->data, value);
  }
  return g_variant_ref_sink (g_variant_builder_end (&builder));
}

/* "notify/NAME/OPTION" -> OPTION for this plugin. */
static GVariant *
secrets_of (const Unlock *unlock, const char *kind, const char *instance)
{
  g_autofree char *prefix = g_strdup_printf ("%s/%s/", kind, instance);
  GVariantBuilder builder;
  GVariantIter iter;
  const char *name;
  GVariant *value;

  g_variant_builder_init (&builder, G_VARIANT_TYPE ("a{say}"));
  g_variant_iter_init (&iter, unlock->keys);
  while (g_variant_iter_next (&iter, "{&s@ay}", &name, &value)) {
    if (g_str_has_prefix (name, prefix))
      g_variant_builder_add (&builder, "{s@ay}", name + strlen (prefix), value);
    g_variant_unref (value);
  }
  return g_variant_ref_sink (g_variant_builder_end (&builder));
}

/* The ids that the approvers have at @notifier. */
static GVariant *
people_of (const Unlock *unlock, const char *notifier)
{
  JsonArray *approvers = array_member (unlock->params, "approvers");
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_STRING_ARRAY);
  for (guint i = 0; approvers && i < json_array_get_length (approvers); i++) {
    JsonObject *approver = array_object (approvers, i);
    JsonObject *ids = approver ? object_member (approver, "ids") : NULL;
    const char *id = ids ? text_member (ids, notifier) : NULL;

    if (id != NULL)
      g_variant_builder_add (&builder, "s", id);
  }
  return g_variant_ref_sink (g_variant_builder_end (&builder));
}

static gboolean
read_approver (SpVaultSettings *settings, JsonObject *object)
{
  const char *name = object ? text_member (object, "name") : NULL;
  JsonObject *ids = object ? object_member (object, "ids") : NULL;
  g_autoptr (GList) notifiers = ids ? json_object_get_members (ids) : NULL;
  SpApprover *approver;

  if (name == NULL)
    return FALSE;
  approver = sp_approver_new (name);
  g_ptr_array_add (settings->approvers, approver);
  for (GList *notifier = notifiers; notifier != NULL; notifier = notifier->next) {
    const char *id = text_member (ids, notifier->data);

    if (id != NULL)
      g_hash_table_insert (approver->ids, g_strdup (notifier->data), g_strdup (id));
  }
  return TRUE;
}

static gboolean
read_numbers (SpVaultSettings *settings, JsonObject *params, GError **error)
{
  gint64 quorum = settings->quorum, rate = settings->agent_rate, pending = settings->agent_pending,
         seq = 0;
  JsonObject *anchor = object_member (params, "anchor");

  if (!sp_json_get_int (params, "quorum", &quorum, error) ||
      !sp_json_get_int (params, "agent_rate", &rate, error) ||
      !sp_json_get_int (params, "agent_pending", &pending, error) ||
      (anchor != NULL && !sp_json_get_int (anchor, "seq", &seq, error)))
    return FALSE;
  settings->quorum = (guint) CLAMP (quorum, 1, 100);
  settings->agent_rate = (guint) CLAMP (rate, 1, 1000000);
  settings->agent_pending = (guint) CLAMP (pending, 1, 512);
  settings->anchor_seq = (guint64) MAX (seq, 0);
  settings->anchor_head = g_strdup (anchor ? text_member (anchor, "head") : NULL);
  return TRUE;
}

static SpVaultSettings *
read_settings (const Unlock *unlock, GError **error)
{
  g_autoptr (SpVaultSettings) settings = sp_vault_settings_new ();
  JsonArray *approvers = array_member (unlock->params, "approvers");
  JsonArray *notifiers = array_member (unlock->params, "notifiers");

  settings->vault_id = g_strdup (text_member (unlock->params, "vault"));
  if (settings->vault_id == NULL) {
    sp_problem_set_invalid (error, "vault", "the vault's id is missing");
    return NULL;
  }
  for (guint i = 0; approvers && i < json_array_get_length (approvers); i++)
    if (!read_approver (settings, array_object (approvers, i))) {
      sp_problem_set_invalid (error, "approvers", "an approver lacks a name");
      return NULL;
    }
  for (guint i = 0; notifiers && i < json_array_get_length (notifiers); i++) {
    JsonObject *object = array_object (notifiers, i);
    const char *name = object ? text_member (object, "name") : NULL;

    if (name != NULL)
      g_ptr_array_add (settings->notifiers, g_strdup (name));
  }
  settings->master = take_key (unlock, "master-key", 32, error);
  if (settings->master == NULL || !read_numbers (settings, unlock->params, error))
    return NULL;
  return g_steal_pointer (&settings);
}

static SpKeeperPlugin *
start_plugin (SpKeeper *keeper, const Unlock *unlock, JsonObject *object, SpKind kind, guint slot,
              GError **error)
{
  const char *word = kind == SP_KIND_STORE ? "store" : "notify";
  const char *name = object ? text_member (object, "name") : NULL;
  const char *path = object ? text_member (object, "plugin") : NULL;
  g_autoptr (GVariant) options = NULL, secrets = NULL, people = NULL;
  SpPluginSetup setup = { .kind = kind, .instance = name, .path = path };

  if (name == NULL || path == NULL || slot >= SP_MAX_SLOTS) {
    sp_problem_set_invalid (error, word, "a %s plugin lacks its name or path", word);
    return NULL;
  }
  setup.options = options = options_of (object);
  setup.secrets = secrets = secrets_of (unlock, word, name);
  setup.people = people = people_of (unlock, name);
  return sp_keeper_plugin_new (keeper, slot, &setup);
}

static gboolean
start_notifiers (SpKeeper *keeper, const Unlock *unlock, GError **error)
{
  JsonArray *notifiers = array_member (unlock->params, "notifiers");

  for (guint i = 0; notifiers && i < json_array_get_length (notifiers); i++) {
    SpKeeperPlugin *plugin = start_plugin (keeper, unlock, array_object (notifiers, i),
                                           SP_KIND_NOTIFIER, SP_SLOT_NOTIFIERS + i, error);

    if (plugin == NULL)
      return FALSE;
    g_ptr_array_add (keeper->notifiers, plugin);
  }
  return TRUE;
}

static gboolean
read_identity (SpKeeper *keeper, const Unlock *unlock, GError **error)
{
  const char *signature = text_member (unlock->params, "signature");
  const char *statement = text_member (unlock->params, "statement");
  gsize length = 0;
  guchar *decoded;

  keeper->vault_key = take_key (unlock, "vault-key", 0, error);
  keeper->tls = keeper->vault_key ? take_key (unlock, "tls", 0, error) : NULL;
  if (keeper->tls == NULL)
    return FALSE;
  if (statement == NULL || signature == NULL) {
    sp_problem_set_invalid (error, "statement", "the ownership statement is missing");
    return FALSE;
  }
  decoded = g_base64_decode (signature, &length);
  keeper->signature = g_bytes_new_take (decoded, length);
  keeper->statement = g_strdup (statement);
  keeper->vault_id = g_strdup (text_member (unlock->params, "vault"));
  keeper->plain_allowed = g_strcmp0 (text_member (unlock->params, "tls"), "optional") == 0;
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
  if (!start_notifiers (keeper, keeper->unlock, &local)) {
    give_up (keeper, local);
    return;
  }
  g_clear_pointer (&keeper->unlock, sp_unlock_free);
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
open_vault (SpKeeper *keeper, const Unlock *unlock, GError **error)
{
  SpVaultSettings *settings = read_settings (unlock, error);

  if (settings == NULL)
    return FALSE;
  if (!read_identity (keeper, unlock, error)) {
    sp_vault_settings_free (settings);
    return FALSE;
  }
  keeper->store = start_plugin (keeper, unlock, object_member (unlock->params, "store"),
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
  g_autoptr (GBytes) bytes = NULL;
  Unlock *unlock;

  if (keeper->unlocking || secret == NULL) {
    error = g_error_new_literal (SP_PROBLEM, secret ? SP_PROBLEM_CONFLICT : SP_PROBLEM_INVALID,
                                 secret ? "the vault is unlocked, or about to be"
                                        : "the keys are missing");
    sp_rpc_fail (keeper->admin, id, error);
    return;
  }
  keeper->unlocking = TRUE;
  keeper->unlock_id = g_strdup (id);
  keeper->unlock = unlock = g_new0 (Unlock, 1);
  unlock->params = json_object_ref (params);
  bytes = sp_secret_to_bytes (secret);
  unlock->keys =
      g_variant_ref_sink (g_variant_new_from_bytes (G_VARIANT_TYPE ("a{say}"), bytes, FALSE));
  if (!g_variant_is_normal_form (unlock->keys))
    sp_problem_set_invalid (&error, "secret_base64", "the keys are not of the agreed form");
  if (error != NULL || !open_vault (keeper, unlock, &error))
    give_up (keeper, error);
}
