/* keeper-config.c - keeper-config.h: the params of vault.unlock turned into what the keeper works with */
#include "daemon/keeper-config.h"

#include <string.h>

#include "base/json.h"
#include "base/problem.h"

struct _SpKeeperConfig {
  JsonObject *params;
  GVariant *keys; /* a{say} */
};

void
sp_keeper_config_free (SpKeeperConfig *config)
{
  if (config == NULL)
    return;
  json_object_unref (config->params);
  g_clear_pointer (&config->keys, g_variant_unref);
  g_free (config);
}

SpKeeperConfig *
sp_keeper_config_new (JsonObject *params, SpSecret *secret, GError **error)
{
  g_autoptr (SpKeeperConfig) config = g_new0 (SpKeeperConfig, 1);
  g_autoptr (GBytes) bytes = sp_secret_to_bytes (secret);

  config->params = json_object_ref (params);
  config->keys =
      g_variant_ref_sink (g_variant_new_from_bytes (G_VARIANT_TYPE ("a{say}"), bytes, FALSE));
  if (g_variant_is_normal_form (config->keys))
    return g_steal_pointer (&config);
  sp_problem_set_invalid (error, "secret_base64", "the keys are not of the agreed form");
  return NULL;
}

static GVariant *
key_bytes (const SpKeeperConfig *config, const char *name)
{
  return g_variant_lookup_value (config->keys, name, G_VARIANT_TYPE_BYTESTRING);
}

SpSecret *
sp_keeper_config_key (const SpKeeperConfig *config, const char *name, gsize length, GError **error)
{
  g_autoptr (GVariant) value = key_bytes (config, name);
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

const char *
sp_keeper_text_member (JsonObject *object, const char *name)
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
    const char *value = sp_keeper_text_member (options, name->data);

    if (value != NULL)
      g_variant_builder_add (&builder, "{ss}", (char *) name->data, value);
  }
  return g_variant_ref_sink (g_variant_builder_end (&builder));
}

static const char *
kind_word (SpKind kind)
{
  return kind == SP_KIND_STORE ? "store" : "notify";
}

/* "notify/NAME/OPTION" -> OPTION for this plugin. */
static GVariant *
secrets_of (const SpKeeperConfig *config, const char *kind, const char *instance)
{
  g_autofree char *prefix = g_strdup_printf ("%s/%s/", kind, instance);
  GVariantBuilder builder;
  GVariantIter iter;
  const char *name;
  GVariant *value;

  g_variant_builder_init (&builder, G_VARIANT_TYPE ("a{say}"));
  g_variant_iter_init (&iter, config->keys);
  while (g_variant_iter_next (&iter, "{&s@ay}", &name, &value)) {
    if (g_str_has_prefix (name, prefix))
      g_variant_builder_add (&builder, "{s@ay}", name + strlen (prefix), value);
    g_variant_unref (value);
  }
  return g_variant_ref_sink (g_variant_builder_end (&builder));
}

/* The ids that the approvers have at @notifier. */
static GVariant *
people_of (const SpKeeperConfig *config, const char *notifier)
{
  JsonArray *approvers = array_member (config->params, "approvers");
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_STRING_ARRAY);
  for (guint i = 0; approvers && i < json_array_get_length (approvers); i++) {
    JsonObject *approver = array_object (approvers, i);
    JsonObject *ids = approver ? object_member (approver, "ids") : NULL;
    const char *id = ids ? sp_keeper_text_member (ids, notifier) : NULL;

    if (id != NULL)
      g_variant_builder_add (&builder, "s", id);
  }
  return g_variant_ref_sink (g_variant_builder_end (&builder));
}

static gboolean
is_critical (JsonObject *object)
{
  return json_object_get_boolean_member_with_default (object, "critical", TRUE);
}

static gboolean
read_approver (SpVaultSettings *settings, JsonObject *object)
{
  const char *name = object ? sp_keeper_text_member (object, "name") : NULL;
  JsonObject *ids = object ? object_member (object, "ids") : NULL;
  g_autoptr (GList) notifiers = ids ? json_object_get_members (ids) : NULL;
  SpApprover *approver;

  if (name == NULL)
    return FALSE;
  approver = sp_approver_new (name);
  g_ptr_array_add (settings->approvers, approver);
  for (GList *notifier = notifiers; notifier != NULL; notifier = notifier->next) {
    const char *id = sp_keeper_text_member (ids, notifier->data);

    if (id != NULL)
      g_hash_table_insert (approver->ids, g_strdup (notifier->data), g_strdup (id));
  }
  return TRUE;
}

static gboolean
read_numbers (SpVaultSettings *settings, JsonObject *params, GError **error)
{
  gint64 quorum = settings->quorum, rate = settings->agent_rate, pending = settings->agent_pending,
         seq = 0, index = 0;
  JsonObject *anchor = object_member (params, "anchor");

  if (!sp_json_get_int (params, "quorum", &quorum, error) ||
      !sp_json_get_int (params, "agent_rate", &rate, error) ||
      !sp_json_get_int (params, "agent_pending", &pending, error) ||
      !sp_json_get_int (params, "index", &index, error) ||
      (anchor != NULL && !sp_json_get_int (anchor, "seq", &seq, error)))
    return FALSE;
  settings->quorum = (guint) CLAMP (quorum, 1, 100);
  settings->agent_rate = (guint) CLAMP (rate, 1, 1000000);
  settings->agent_pending = (guint) CLAMP (pending, 1, 512);
  settings->anchor_seq = (guint64) MAX (seq, 0);
  settings->anchor_head = g_strdup (anchor ? sp_keeper_text_member (anchor, "head") : NULL);
  settings->index = (guint) CLAMP (index, 0, G_MAXINT32);
  settings->image = g_strdup (sp_keeper_text_member (params, "image"));
  return TRUE;
}

gboolean
sp_keeper_config_statement (const SpKeeperConfig *config, char **ret_statement,
                            GBytes **ret_signature, GError **error)
{
  const char *signature = sp_keeper_text_member (config->params, "signature");
  const char *statement = sp_keeper_text_member (config->params, "statement");
  gsize length = 0;
  guchar *decoded;

  if (statement == NULL || signature == NULL) {
    sp_problem_set_invalid (error, "statement", "the ownership statement is missing");
    return FALSE;
  }
  decoded = g_base64_decode (signature, &length);
  *ret_signature = g_bytes_new_take (decoded, length);
  *ret_statement = g_strdup (statement);
  return TRUE;
}

/* What the statement, which the host has signed, says of it. */
static char *
trust_of (const SpKeeperConfig *config)
{
  const char *statement = sp_keeper_text_member (config->params, "statement");
  g_autoptr (JsonNode) node =
      statement ? sp_json_parse (statement, strlen (statement), 0, NULL) : NULL;

  return node != NULL && JSON_NODE_HOLDS_OBJECT (node)
             ? g_strdup (sp_keeper_text_member (json_node_get_object (node), "trust"))
             : NULL;
}

SpVaultSettings *
sp_keeper_config_settings (const SpKeeperConfig *config, GError **error)
{
  g_autoptr (SpVaultSettings) settings = sp_vault_settings_new ();
  JsonArray *approvers = array_member (config->params, "approvers");
  JsonArray *notifiers = array_member (config->params, "notifiers");

  settings->vault_id = g_strdup (sp_keeper_text_member (config->params, "vault"));
  if (settings->vault_id == NULL) {
    sp_problem_set_invalid (error, "vault", "the vault's id is missing");
    return NULL;
  }
  settings->trust = trust_of (config);
  for (guint i = 0; approvers && i < json_array_get_length (approvers); i++)
    if (!read_approver (settings, array_object (approvers, i))) {
      sp_problem_set_invalid (error, "approvers", "an approver lacks a name");
      return NULL;
    }
  for (guint i = 0; notifiers && i < json_array_get_length (notifiers); i++) {
    JsonObject *object = array_object (notifiers, i);
    const char *name = object ? sp_keeper_text_member (object, "name") : NULL;

    if (name == NULL)
      continue;
    g_ptr_array_add (settings->notifiers, g_strdup (name));
    if (!is_critical (object))
      g_hash_table_add (settings->optional, g_strdup (name));
  }
  if (!read_numbers (settings, config->params, error))
    return NULL;
  return g_steal_pointer (&settings);
}

/* ---- plugins ----------------------------------------------------------------------------------------------- */

static gboolean
read_setup (const SpKeeperConfig *config, SpKind kind, JsonObject *object, SpPluginSetup *setup,
            GError **error)
{
  const char *word = kind_word (kind);

  setup->kind = kind;
  setup->instance = object ? sp_keeper_text_member (object, "name") : NULL;
  setup->path = object ? sp_keeper_text_member (object, "plugin") : NULL;
  setup->failed = object ? sp_keeper_text_member (object, "failed") : NULL;
  if (setup->instance == NULL || (setup->path == NULL && setup->failed == NULL)) {
    sp_problem_set_invalid (error, word, "a %s plugin lacks its name or path", word);
    return FALSE;
  }
  setup->options = options_of (object);
  setup->secrets = secrets_of (config, word, setup->instance);
  setup->people = people_of (config, setup->instance);
  return TRUE;
}

static void
setup_clear (SpPluginSetup *setup)
{
  g_clear_pointer (&setup->options, g_variant_unref);
  g_clear_pointer (&setup->secrets, g_variant_unref);
  g_clear_pointer (&setup->people, g_variant_unref);
}

/* One on the host gets its options there: "marks" are digests of them. */
static GHashTable *
marks_of (const SpPluginSetup *setup, JsonObject *object)
{
  GHashTable *marks = sp_keeper_marks_new (setup, is_critical (object));
  const char *where = sp_keeper_text_member (object, "where");
  JsonObject *given = object_member (object, "marks");
  g_autoptr (GList) names = given ? json_object_get_members (given) : NULL;

  g_hash_table_insert (marks, g_strdup ("where"), g_strdup (where ? where : "vault"));
  for (GList *name = names; name != NULL; name = name->next)
    g_hash_table_insert (marks, g_strdup (name->data),
                         g_strdup (sp_keeper_text_member (given, name->data)));
  return marks;
}

GHashTable *
sp_keeper_config_marks (const SpKeeperConfig *config, JsonObject *object, GError **error)
{
  SpPluginSetup setup = { 0 };
  GHashTable *marks = NULL;

  if (read_setup (config, SP_KIND_NOTIFIER, object, &setup, error))
    marks = marks_of (&setup, object);
  setup_clear (&setup);
  return marks;
}

SpKeeperPlugin *
sp_keeper_config_start (const SpKeeperConfig *config, SpKeeper *keeper, JsonObject *object,
                        SpKind kind, guint slot, GError **error)
{
  SpPluginSetup setup = { 0 };
  SpKeeperPlugin *plugin;
  gboolean on_host =
      kind == SP_KIND_NOTIFIER && g_strcmp0 (sp_keeper_text_member (object, "where"), "host") == 0;

  if (slot >= SP_MAX_SLOTS) {
    sp_problem_set_invalid (error, kind_word (kind), "there are more than %u notifiers",
                            SP_MAX_SLOTS - SP_SLOT_NOTIFIERS);
    return NULL;
  }
  if (!read_setup (config, kind, object, &setup, error))
    return NULL;
  plugin = sp_keeper_plugin_new (keeper, slot, on_host, &setup);
  plugin->critical = is_critical (object);
  plugin->marks = marks_of (&setup, object);
  if (setup.failed != NULL)
    g_message ("%s %s: it can't be opened: %s", kind_word (kind), setup.instance, setup.failed);
  setup_clear (&setup);
  return plugin;
}

JsonArray *
sp_keeper_config_notifiers (const SpKeeperConfig *config)
{
  return array_member (config->params, "notifiers");
}

JsonObject *
sp_keeper_config_store (const SpKeeperConfig *config)
{
  return object_member (config->params, "store");
}

JsonObject *
sp_keeper_config_params (const SpKeeperConfig *config)
{
  return config->params;
}

JsonObject *
sp_keeper_config_object (JsonArray *array, guint i)
{
  return array_object (array, i);
}
