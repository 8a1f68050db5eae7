/* config.c - `secret-proxy config check|show` */
#include "base/config.h"

#include <stdio.h>

#include "base/json.h"
#include "base/option.h"
#include "cli/output.h"
#include "plugin/info.h"

static SpConfig *
read_config (const SpCli *cli, GError **error)
{
  g_autoptr (SpPluginCatalog) catalog = sp_plugin_catalog_new (sp_cli_get (cli, "plugin-dir"));

  return sp_config_read (sp_cli_get (cli, "config"), sp_plugin_catalog_describe, catalog, error);
}

static JsonArray *
array_of_texts (const char *const *texts)
{
  JsonArray *array = json_array_new ();

  for (; *texts != NULL; texts++)
    json_array_add_string_element (array, *texts);
  return array;
}

static JsonNode *
node_of (JsonObject *object)
{
  JsonNode *node = json_node_new (JSON_NODE_OBJECT);

  json_node_take_object (node, object);
  return node;
}

int
sp_cli_config_check (SpCli *cli, GError **error)
{
  g_autoptr (SpConfig) config = read_config (cli, error);
  g_autoptr (JsonNode) node = NULL;
  JsonObject *object;
  const char *path = sp_cli_get (cli, "config");

  if (config == NULL)
    return 1;
  object = json_object_new ();
  node = node_of (object);
  json_object_set_boolean_member (object, "ok", TRUE);
  json_object_set_array_member (object, "warnings", array_of_texts (sp_config_warnings (config)));
  for (const char *const *warning = sp_config_warnings (config); *warning != NULL; warning++)
    g_printerr ("warning: %s\n", *warning);
  sp_print_sentence (cli, node, "%s is good", path ? path : SP_CONFIG_PATH);
  return 0;
}

/* ---- show ---------------------------------------------------------------------------------------------- */

static void
set_text (JsonObject *object, const char *name, const char *text)
{
  if (text != NULL)
    json_object_set_string_member (object, name, text);
  else
    json_object_set_null_member (object, name);
}

static JsonObject *
object_of_vault (const SpConfigVault *vault)
{
  JsonObject *object = json_object_new ();
  JsonArray *notifiers = json_array_new ();

  for (guint i = 0; i < vault->n_notifiers; i++)
    json_array_add_string_element (notifiers, vault->notifiers[i]->name);
  set_text (object, "name", vault->name);
  set_text (object, "vm", vault->vm ? vault->vm->name : NULL);
  set_text (object, "store", vault->store ? vault->store->name : NULL);
  json_object_set_array_member (object, "notify", notifiers);
  json_object_set_int_member (object, "quorum", vault->quorum);
  set_text (object, "listen", vault->listen);
  set_text (object, "tls", vault->tls_required ? "required" : "optional");
  set_text (object, "trust", vault->trust);
  json_object_set_boolean_member (object, "allow_emulation", vault->allow_emulation);
  set_text (object, "master_key", vault->master_key);
  return object;
}

static JsonObject *
object_of_instance (const SpConfigInstance *instance)
{
  JsonObject *object = json_object_new ();

  set_text (object, "kind", instance->kind);
  set_text (object, "name", instance->name);
  set_text (object, "plugin", instance->plugin);
  if (strcmp (instance->kind, "notify") == 0) {
    set_text (object, "where", instance->on_host ? "host" : "vault");
    json_object_set_boolean_member (object, "critical", instance->critical);
    set_text (object, "run_as", instance->run_as);
  }
  json_object_set_object_member (object, "options", sp_json_object_of_strings (instance->options));
  json_object_set_object_member (object, "secrets", sp_json_object_of_strings (instance->secrets));
  return object;
}

static JsonObject *
object_of_approver (const SpConfigApprover *approver)
{
  JsonObject *object = json_object_new ();

  set_text (object, "name", approver->name);
  json_object_set_object_member (object, "ids", sp_json_object_of_strings (approver->ids));
  return object;
}

static JsonObject *
object_of_source (const SpConfigSource *source)
{
  JsonObject *object = json_object_new ();

  set_text (object, "name", source->name);
  set_text (object, "exec", source->exec);
  set_text (object, "staging", source->staging);
  set_text (object, "disk", source->disk);
  set_text (object, "monitor", source->monitor);
  set_text (object, "ready", source->ready);
  set_text (object, "accept", source->accept);
  return object;
}

static JsonNode *
node_of_config (const SpConfig *config)
{
  JsonObject *object = json_object_new ();
  JsonArray *vaults = json_array_new (), *instances = json_array_new ();
  JsonArray *approvers = json_array_new (), *sources = json_array_new ();

  for (const SpConfigVault *const *it = sp_config_vaults (config); *it != NULL; it++)
    json_array_add_object_element (vaults, object_of_vault (*it));
  for (const SpConfigInstance *const *it = sp_config_instances (config); *it != NULL; it++)
    json_array_add_object_element (instances, object_of_instance (*it));
  for (const SpConfigApprover *const *it = sp_config_approvers (config); *it != NULL; it++)
    json_array_add_object_element (approvers, object_of_approver (*it));
  for (const SpConfigSource *const *it = sp_config_sources (config); *it != NULL; it++)
    json_array_add_object_element (sources, object_of_source (*it));
  json_object_set_array_member (object, "vaults", vaults);
  json_object_set_array_member (object, "plugins", instances);
  json_object_set_array_member (object, "approvers", approvers);
  json_object_set_array_member (object, "sources", sources);
  return node_of (object);
}

static void
print_table (JsonObject *object, const char *name, const SpColumn *columns, gsize n_columns)
{
  JsonArray *items = json_object_get_array_member (object, name);
  g_autofree char *text = NULL;

  if (json_array_get_length (items) == 0)
    return;
  text = sp_table_text (items, columns, n_columns);
  (void) printf ("%s:\n%s\n", name, text);
}

static void
print_config (JsonObject *object)
{
  static const SpColumn vaults[] = {
    { "NAME", "name", SP_COLUMN_TEXT },     { "VM", "vm", SP_COLUMN_TEXT },
    { "STORE", "store", SP_COLUMN_TEXT },   { "NOTIFY", "notify", SP_COLUMN_LIST },
    { "QUORUM", "quorum", SP_COLUMN_TEXT }, { "LISTEN", "listen", SP_COLUMN_TEXT },
    { "TLS", "tls", SP_COLUMN_TEXT },       { "TRUST", "trust", SP_COLUMN_TEXT },
  };
  static const SpColumn plugins[] = {
    { "KIND", "kind", SP_COLUMN_TEXT },       { "NAME", "name", SP_COLUMN_TEXT },
    { "PLUGIN", "plugin", SP_COLUMN_TEXT },   { "OPTIONS", "options", SP_COLUMN_TEXT },
    { "SECRETS", "secrets", SP_COLUMN_TEXT },
  };
  static const SpColumn approvers[] = { { "NAME", "name", SP_COLUMN_TEXT },
                                        { "IDS", "ids", SP_COLUMN_TEXT } };
  static const SpColumn sources[] = { { "NAME", "name", SP_COLUMN_TEXT },
                                      { "EXEC", "exec", SP_COLUMN_TEXT },
                                      { "STAGING", "staging", SP_COLUMN_TEXT } };

  print_table (object, "vaults", vaults, G_N_ELEMENTS (vaults));
  print_table (object, "plugins", plugins, G_N_ELEMENTS (plugins));
  print_table (object, "approvers", approvers, G_N_ELEMENTS (approvers));
  print_table (object, "sources", sources, G_N_ELEMENTS (sources));
}

int
sp_cli_config_show (SpCli *cli, GError **error)
{
  g_autoptr (SpConfig) config = read_config (cli, error);
  g_autoptr (JsonNode) node = config ? node_of_config (config) : NULL;

  if (node == NULL)
    return 1;
  if (sp_cli_has (cli, "json"))
    sp_print_json (node);
  else
    print_config (json_node_get_object (node));
  return 0;
}
