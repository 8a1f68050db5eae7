/* plugin-list.c - `secret-proxy plugin list`: what is installed, who uses it, and how it is there
 *
 * Three sources, and only the first must be there: the plugin folder, the config file, and the running
 * vaults of that.  What could not be read or asked is a note on stderr, so that anybody can list plugins.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/config.h"
#include "base/state.h"
#include "cli/admin.h"
#include "cli/output.h"
#include "plugin/find.h"
#include "plugin/info.h"

/* ---- what is installed ------------------------------------------------------------------------------ */

static void
take_name_of_file (JsonObject *object, const char *path)
{
  g_autofree char *file = g_path_get_basename (path);
  g_autofree char *kind = NULL;
  g_autofree char *name = NULL;

  if (!sp_plugin_split (file, &kind, &name))
    return;
  json_object_set_string_member (object, "kind", kind);
  json_object_set_string_member (object, "name", name);
}

static JsonObject *
add_plugin (JsonArray *items, const char *path, const SpPluginInfo *info, const GError *error)
{
  JsonObject *object = json_object_new ();

  json_array_add_object_element (items, object);
  take_name_of_file (object, path);
  if (info != NULL) {
    json_object_set_string_member (object, "version", info->version);
    json_object_set_string_member (object, "summary", info->summary);
  }
  json_object_set_string_member (object, "path", path);
  if (info == NULL)
    json_object_set_string_member (object, "error", error->message);
  json_object_set_array_member (object, "use", json_array_new ());
  return object;
}

static gboolean
add_installed (JsonArray *items, const char *dir, GError **error)
{
  g_autoptr (GPtrArray) entries = sp_plugin_list (dir, error);

  for (guint i = 0; entries != NULL && i < entries->len; i++) {
    const SpPluginEntry *entry = g_ptr_array_index (entries, i);

    (void) add_plugin (items, entry->path, entry->info, entry->error);
  }
  return entries != NULL;
}

static const char *
text_of (JsonObject *object, const char *member)
{
  return json_object_get_string_member_with_default (object, member, NULL);
}

/* @name NULL: by @path alone. */
static JsonObject *
find_plugin (JsonArray *items, const char *kind, const char *name, const char *path)
{
  for (guint i = 0; i < json_array_get_length (items); i++) {
    JsonObject *item = json_array_get_object_element (items, i);

    if (path != NULL ? g_strcmp0 (text_of (item, "path"), path) == 0
                     : g_strcmp0 (text_of (item, "kind"), kind) == 0 &&
                           g_strcmp0 (text_of (item, "name"), name) == 0)
      return item;
  }
  return NULL;
}

/* ---- who uses it ---------------------------------------------------------------------------------------- */

static void
add_use (JsonObject *plugin, const char *vault, const SpConfigInstance *instance)
{
  JsonObject *use = json_object_new ();

  json_array_add_object_element (json_object_get_array_member (plugin, "use"), use);
  json_object_set_string_member (use, "vault", vault);
  json_object_set_string_member (use, "instance", instance->name);
  if (strcmp (instance->kind, "notify") != 0)
    return;
  json_object_set_string_member (use, "where", instance->on_host ? "host" : "vault");
  json_object_set_boolean_member (use, "critical", instance->critical);
}

/* One that is given by its path may lie elsewhere, one that is named may not be there at all. */
static void
take_instance (JsonArray *items, const char *vault, const SpConfigInstance *instance)
{
  gboolean is_path = instance != NULL && strchr (instance->plugin, '/') != NULL;
  g_autofree char *path = is_path ? g_canonicalize_filename (instance->plugin, NULL) : NULL;
  JsonObject *plugin;

  if (instance == NULL)
    return;
  plugin = find_plugin (items, instance->kind, instance->plugin, path);
  if (plugin == NULL && is_path) {
    g_autoptr (GError) error = NULL;
    g_autoptr (SpPluginInfo) info = sp_plugin_describe (path, &error);

    plugin = add_plugin (items, path, info, error);
  }
  if (plugin != NULL)
    add_use (plugin, vault, instance);
  else
    g_printerr ("secret-proxy: [%s %s]: there is no %s plugin '%s'\n", instance->kind,
                instance->name, instance->kind, instance->plugin);
}

/* ---- how it is there ----------------------------------------------------------------------------------- */

static JsonObject *
find_use (JsonArray *items, const char *vault, const char *kind, const char *instance)
{
  for (guint i = 0; i < json_array_get_length (items); i++) {
    JsonObject *plugin = json_array_get_object_element (items, i);
    JsonArray *uses = json_object_get_array_member (plugin, "use");

    for (guint k = 0; k < json_array_get_length (uses); k++) {
      JsonObject *use = json_array_get_object_element (uses, k);

      if (g_strcmp0 (text_of (plugin, "kind"), kind) == 0 &&
          g_str_equal (text_of (use, "vault"), vault) &&
          g_str_equal (text_of (use, "instance"), instance))
        return use;
    }
  }
  return NULL;
}

/* Where a machine has it, it has that place there: only the name is the same here.  Nothing is loaded because
 * a vault says so. */
static JsonObject *
plugin_of_file (JsonArray *items, const char *path)
{
  g_autofree char *file = g_path_get_basename (path);
  g_autofree char *kind = NULL;
  g_autofree char *name = NULL;
  JsonObject *plugin = find_plugin (items, NULL, NULL, path);

  if (plugin == NULL && !g_file_test (path, G_FILE_TEST_EXISTS) &&
      sp_plugin_split (file, &kind, &name))
    plugin = find_plugin (items, kind, name, NULL);
  return plugin;
}

/* One of which there is only what the vault knows of it. */
static JsonObject *
add_unknown (JsonArray *items, const char *kind, const char *instance, const char *path)
{
  JsonObject *object = json_object_new ();

  json_array_add_object_element (items, object);
  json_object_set_string_member (object, "kind", kind);
  json_object_set_string_member (object, "name", instance);
  if (path != NULL) {
    take_name_of_file (object, path);
    json_object_set_string_member (object, "path", path);
  }
  json_object_set_array_member (object, "use", json_array_new ());
  return object;
}

/* In a vault whose config is not the one that was read. */
static JsonObject *
add_running (JsonArray *items, const char *vault, JsonObject *running)
{
  const char *kind = text_of (running, "kind"), *instance = text_of (running, "name");
  const char *path = text_of (running, "plugin");
  JsonObject *plugin = path != NULL ? plugin_of_file (items, path) : NULL;
  JsonObject *use = json_object_new ();

  if (plugin == NULL)
    plugin = add_unknown (items, kind, instance, path);
  json_array_add_object_element (json_object_get_array_member (plugin, "use"), use);
  json_object_set_string_member (use, "vault", vault);
  json_object_set_string_member (use, "instance", instance);
  return use;
}

static void
take_state (JsonArray *items, const char *vault, JsonObject *running)
{
  static const char *const members[] = { "state", "why", "since", "critical" };
  const char *kind = text_of (running, "kind"), *instance = text_of (running, "name");
  JsonObject *use;

  if (kind == NULL || instance == NULL)
    return;
  use = find_use (items, vault, kind, instance);
  if (use == NULL)
    use = add_running (items, vault, running);
  for (gsize i = 0; i < G_N_ELEMENTS (members); i++)
    if (json_object_has_member (running, members[i]))
      json_object_set_member (use, members[i], json_object_dup_member (running, members[i]));
}

static void
take_states (JsonArray *items, const char *vault, JsonNode *answer)
{
  JsonNode *member = answer && JSON_NODE_HOLDS_OBJECT (answer)
                         ? json_object_get_member (json_node_get_object (answer), "plugins")
                         : NULL;
  JsonArray *plugins =
      member && JSON_NODE_HOLDS_ARRAY (member) ? json_node_get_array (member) : NULL;

  for (guint i = 0; plugins != NULL && i < json_array_get_length (plugins); i++) {
    JsonNode *plugin = json_array_get_element (plugins, i);

    if (JSON_NODE_HOLDS_OBJECT (plugin))
      take_state (items, vault, json_node_get_object (plugin));
  }
}

static void
ask_vault (JsonArray *items, const char *vault, const char *folder)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (SpAdmin) admin = sp_admin_open_folder (folder, &error);
  g_autoptr (JsonNode) status =
      admin ? sp_admin_call (admin, "vault.status", NULL, NULL, &error) : NULL;
  /* A local one has none. */
  g_autoptr (JsonNode) machine =
      status ? sp_admin_call (admin, "host.machine", NULL, NULL, NULL) : NULL;

  if (status == NULL)
    g_printerr ("secret-proxy: vault %s could not be asked, so no states of it: %s\n", vault,
                error->message);
  take_states (items, vault, status);
  take_states (items, vault, machine);
}

static void
take_vault (JsonArray *items, const SpConfigVault *vault)
{
  g_autofree char *state = sp_state_dir ();
  g_autofree char *folder = g_build_filename (state, vault->name, NULL);

  take_instance (items, vault->name, vault->vm);
  take_instance (items, vault->name, vault->store);
  for (guint i = 0; i < vault->n_notifiers; i++)
    take_instance (items, vault->name, vault->notifiers[i]);
  ask_vault (items, vault->name, folder);
}

/* A host without a config has no vaults in use. */
static SpConfig *
read_config (const SpCli *cli)
{
  const char *path = sp_cli_get (cli, "config");
  g_autoptr (GError) error = NULL;
  SpConfig *config;

  if (path == NULL && access (SP_CONFIG_PATH, F_OK) != 0)
    return NULL;
  config = sp_config_read (path, NULL, NULL, &error);
  if (config == NULL)
    g_printerr ("secret-proxy: the config file could not be read, so no use by it: %s\n",
                error->message);
  return config;
}

static void
take_vaults (const SpCli *cli, JsonArray *items)
{
  const char *only = sp_cli_get (cli, "vault");
  g_autoptr (SpConfig) config = read_config (cli);
  g_autofree char *folder = NULL;
  gboolean found = FALSE;

  for (guint i = 0; config != NULL && sp_config_vaults (config)[i] != NULL; i++) {
    const SpConfigVault *vault = sp_config_vaults (config)[i];

    if (only != NULL && !g_str_equal (only, vault->name))
      continue;
    take_vault (items, vault);
    found = TRUE;
  }
  if (only == NULL || found)
    return;
  folder = sp_vault_folder (cli);
  ask_vault (items, only, folder);
}

/* ---- showing ------------------------------------------------------------------------------------------- */

/* A row for each use. */
static void
add_rows (JsonArray *rows, JsonObject *plugin)
{
  static const char *const of_plugin[] = { "kind", "name", "version", "path" };
  static const char *const of_use[] = { "state", "since", "why" };
  JsonArray *uses = json_object_get_array_member (plugin, "use");
  guint n = json_array_get_length (uses);

  for (guint i = 0; i < MAX (n, 1); i++) {
    JsonObject *use = i < n ? json_array_get_object_element (uses, i) : NULL;
    JsonObject *row = json_object_new ();

    json_array_add_object_element (rows, row);
    for (gsize k = 0; k < G_N_ELEMENTS (of_plugin); k++)
      if (json_object_has_member (plugin, of_plugin[k]))
        json_object_set_member (row, of_plugin[k], json_object_dup_member (plugin, of_plugin[k]));
    if (text_of (plugin, "error") != NULL)
      json_object_set_string_member (row, "why", text_of (plugin, "error"));
    if (use == NULL)
      continue;
    json_object_set_string_member (row, "vault", text_of (use, "vault"));
    json_object_set_string_member (row, "instance", text_of (use, "instance"));
    for (gsize k = 0; k < G_N_ELEMENTS (of_use); k++)
      if (text_of (use, of_use[k]) != NULL)
        json_object_set_string_member (row, of_use[k], text_of (use, of_use[k]));
  }
}

static void
print_rows (JsonArray *items)
{
  static const SpColumn columns[] = {
    { "KIND", "kind", SP_COLUMN_TEXT },         { "NAME", "name", SP_COLUMN_TEXT },
    { "VERSION", "version", SP_COLUMN_TEXT },   { "VAULT", "vault", SP_COLUMN_TEXT },
    { "INSTANCE", "instance", SP_COLUMN_TEXT }, { "STATE", "state", SP_COLUMN_TEXT },
    { "SINCE", "since", SP_COLUMN_TIME },       { "PATH", "path", SP_COLUMN_TEXT },
    { "WHY", "why", SP_COLUMN_TEXT },
  };
  g_autoptr (JsonArray) rows = json_array_new ();
  g_autofree char *table = NULL;

  for (guint i = 0; i < json_array_get_length (items); i++)
    add_rows (rows, json_array_get_object_element (items, i));
  table = sp_table_text (rows, columns, G_N_ELEMENTS (columns));
  (void) printf ("%s", table);
}

int
sp_cli_plugin_list (SpCli *cli, GError **error)
{
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  JsonObject *object = json_object_new ();
  JsonArray *items = json_array_new ();

  json_node_take_object (node, object);
  json_object_set_array_member (object, "items", items);
  json_object_set_null_member (object, "next");
  if (!add_installed (items, sp_cli_get (cli, "plugin-dir"), error))
    return 1;
  take_vaults (cli, items);
  if (sp_cli_has (cli, "json"))
    sp_print_json (node);
  else
    print_rows (items);
  return 0;
}
