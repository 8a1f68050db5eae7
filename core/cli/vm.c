/* vm.c - `secret-proxy vm run|start|stop|status|log`: the resident process of a vault in a machine */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/state.h"
#include "cli/admin.h"
#include "cli/output.h"
#include "cli/vm.h"
#include "host/vm/image-files.h"
#include "host/vm/vault-copy.h"
#include "host/vm/vault-record.h"
#include "host/vm/vm-control.h"

#define MAX_LOG (4u * 1024u * 1024u)

/* NAME after the verb, or --vault; a path there says where it lies. */
SpVmRunOptions
sp_cli_vm_options (SpCli *cli, char **ret_folder)
{
  const char *given = sp_cli_get (cli, "vault");
  gboolean is_path = given != NULL && strchr (given, '/') != NULL;
  const char *name = cli->n_args > 0 ? cli->args[0] : is_path ? NULL : given;
  g_autofree char *state = sp_state_dir ();

  *ret_folder = cli->n_args > 0 && !is_path ? g_build_filename (state, cli->args[0], NULL)
                                            : sp_vault_folder (cli);
  return (SpVmRunOptions){ .dir = *ret_folder,
                           .config = sp_cli_get (cli, "config"),
                           .vault = name,
                           .plugin_dir = sp_cli_get (cli, "plugin-dir"),
                           .maintenance = sp_cli_has (cli, "maintenance") };
}

/* Whether @name is in @folder. */
static gboolean
is_there (const char *folder, const char *name, GError **error)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);
  struct stat st;

  if (stat (path, &st) == 0)
    return TRUE;
  if (errno == EACCES)
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_DENIED,
                 "only its owner may look into the vault in %s: run this as root", folder);
  else
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_NOT_FOUND,
                 "there is no vault in %s: make one with 'secret-proxy create'", folder);
  return FALSE;
}

gboolean
sp_cli_is_vault (const char *folder, GError **error)
{
  return is_there (folder, "vault.json", error);
}

int
sp_cli_vm_run (SpCli *cli, GError **error)
{
  g_autofree char *folder = NULL;
  const SpVmRunOptions options = sp_cli_vm_options (cli, &folder);

  return sp_cli_is_vault (folder, error) && sp_vm_run (&options, error) ? 0 : 1;
}

static JsonNode *
node_of (const char *folder, const char *state)
{
  JsonNode *node = json_node_new (JSON_NODE_OBJECT);
  JsonObject *object = json_object_new ();

  json_node_take_object (node, object);
  json_object_set_string_member (object, "vault", folder);
  json_object_set_string_member (object, "state", state);
  return node;
}

int
sp_cli_vm_start (SpCli *cli, GError **error)
{
  g_autofree char *folder = NULL;
  const SpVmRunOptions options = sp_cli_vm_options (cli, &folder);
  g_autoptr (JsonNode) node = NULL;

  if (!sp_cli_is_vault (folder, error) || !sp_vm_control_start (&options, error))
    return 1;
  node = node_of (folder, "running");
  sp_print_sentence (cli, node, "the vault in %s runs and is unlocked", folder);
  return 0;
}

int
sp_cli_vm_stop (SpCli *cli, GError **error)
{
  g_autofree char *folder = NULL;
  g_autoptr (JsonNode) node = NULL;
  gboolean ran = FALSE;

  (void) sp_cli_vm_options (cli, &folder);
  /* One that is not finished may run, too. */
  if (!is_there (folder, ".", error) || !sp_vm_control_stop (folder, &ran, error))
    return 1;
  node = node_of (folder, "stopped");
  sp_print_sentence (cli, node, ran ? "the vault in %s has stopped" : "no vault ran in %s", folder);
  return 0;
}

/* ---- status ------------------------------------------------------------------------------------------ */

/* The machine's plugin is there; those in the vault are to be asked for. */
static void
add_plugins_of_vault (SpAdmin *admin, JsonNode *node)
{
  g_autoptr (JsonNode) status = sp_admin_call (admin, "vault.status", NULL, NULL, NULL);
  JsonNode *from = status && JSON_NODE_HOLDS_OBJECT (status)
                       ? json_object_get_member (json_node_get_object (status), "plugins")
                       : NULL;
  JsonNode *to = json_object_get_member (json_node_get_object (node), "plugins");

  if (from == NULL || to == NULL || !JSON_NODE_HOLDS_ARRAY (from) || !JSON_NODE_HOLDS_ARRAY (to))
    return;
  for (guint i = 0; i < json_array_get_length (json_node_get_array (from)); i++)
    json_array_add_element (json_node_get_array (to),
                            json_array_dup_element (json_node_get_array (from), i));
}

/* Of a cloud image that is a disk of the vault's own. */
static gboolean
has_image_of_before (const SpVaultRecord *record, int folder)
{
  g_autoptr (SpVaultRecord) before = sp_image_files_before (folder, record->previous);

  return record->previous != NULL && (record->base == NULL || before != NULL);
}

/* What 'vm rollback-image' can do; NULL: nothing. */
static const char *
way_back (const SpVaultRecord *record, int folder)
{
  const char *image = has_image_of_before (record, folder) ? "image" : NULL;

  if (image != NULL && sp_vault_copy_is_of (folder, record->previous))
    return "image, or image and data";
  if (sp_vault_copy_is_of (folder, record->image))
    return image ? "image, or data" : "data";
  return image;
}

/* What the folder says of images, whether the vault runs or not. */
static void
add_images (JsonNode *node, const char *path)
{
  JsonObject *object = json_node_get_object (node);
  int folder = open (path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  g_autoptr (SpVaultRecord) record = folder >= 0 ? sp_vault_record_read (folder, NULL) : NULL;
  const char *way;

  if (record != NULL) {
    json_object_set_string_member (object, "image", record->image);
    json_object_set_int_member (object, "index", record->index);
    json_object_set_boolean_member (object, "on_trial", record->on_trial || record->restoring);
  }
  if (record != NULL && record->previous != NULL)
    json_object_set_string_member (object, "previous_image", record->previous);
  way = record ? way_back (record, folder) : NULL;
  if (way != NULL)
    json_object_set_string_member (object, "rollback", way);
  if (folder >= 0)
    (void) close (folder);
}

int
sp_cli_vm_status (SpCli *cli, GError **error)
{
  static const SpColumn fields[] = {
    { "state", "state", SP_COLUMN_TEXT },
    { "unlocked", "unlocked", SP_COLUMN_TEXT },
    { "acceleration", "acceleration", SP_COLUMN_TEXT },
    { "trust", "trust", SP_COLUMN_TEXT },
    { "maintenance, SSH at", "ssh", SP_COLUMN_TEXT },
    { "image", "image", SP_COLUMN_TEXT },
    { "image of before", "previous_image", SP_COLUMN_TEXT },
    { "way back", "rollback", SP_COLUMN_TEXT },
    { "rollback index", "index", SP_COLUMN_TEXT },
    { "on trial", "on_trial", SP_COLUMN_TEXT },
    { "url", "url", SP_COLUMN_TEXT },
    { "why it ended last", "why", SP_COLUMN_TEXT },
    { "pid", "pid", SP_COLUMN_TEXT },
  };
  g_autofree char *folder = NULL;
  g_autoptr (SpAdmin) admin = NULL;
  g_autoptr (JsonNode) node = NULL;

  (void) sp_cli_vm_options (cli, &folder);
  if (!sp_cli_is_vault (folder, error))
    return 1;
  admin = sp_admin_open_folder (folder, NULL);
  node = admin ? sp_admin_call (admin, "host.machine", NULL, NULL, error)
               : node_of (folder, "stopped");
  if (node == NULL)
    return 1;
  add_images (node, folder);
  if (admin != NULL)
    add_plugins_of_vault (admin, node);
  sp_print_fields (cli, node, fields, G_N_ELEMENTS (fields));
  if (!sp_cli_has (cli, "json"))
    sp_print_plugins (node);
  return 0;
}

/* ---- log --------------------------------------------------------------------------------------------- */

/* The lines of @path, harmless on a terminal; a file that is not there has none. */
static void
take_lines (JsonArray *items, const char *path)
{
  g_autofree char *text = NULL;
  g_auto (GStrv) lines = NULL;
  gsize length = 0;

  if (!g_file_get_contents (path, &text, &length, NULL) || length > MAX_LOG)
    return;
  lines = g_strsplit (text, "\n", -1);
  for (char **line = lines; *line != NULL; line++) {
    JsonObject *object;
    g_autofree char *valid = g_utf8_make_valid (g_strchomp (*line), -1);

    if (*valid == 0)
      continue;
    object = json_object_new ();
    json_object_set_string_member (object, "line", valid);
    json_array_add_object_element (items, object);
  }
}

static void
print_lines (JsonArray *items)
{
  for (guint i = 0; i < json_array_get_length (items); i++) {
    JsonObject *item = json_array_get_object_element (items, i);
    g_autofree char *line = sp_escape_text (json_object_get_string_member (item, "line"));

    (void) printf ("%s\n", line);
  }
}

int
sp_cli_vm_log (SpCli *cli, GError **error)
{
  g_autofree char *folder = NULL;
  g_autofree char *path = NULL;
  g_autofree char *older = NULL;
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  JsonObject *object = json_object_new ();
  JsonArray *items = json_array_new ();

  json_node_take_object (node, object);
  json_object_set_array_member (object, "items", items);
  json_object_set_null_member (object, "next");
  (void) sp_cli_vm_options (cli, &folder);
  if (!sp_cli_is_vault (folder, error))
    return 1;
  path =
      g_build_filename (folder, sp_cli_has (cli, "host") ? SP_VAULT_LOG : SP_VAULT_CONSOLE, NULL);
  older = g_strconcat (path, ".1", NULL);
  take_lines (items, older);
  take_lines (items, path);
  if (sp_cli_has (cli, "json"))
    sp_print_json (node);
  else
    print_lines (items);
  return 0;
}
