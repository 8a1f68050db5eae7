/* apply.c - `secret-proxy config apply`: a running vault takes the changed config file
 *
 * The resident process reads the file that it was started with, so that a keeper that is started again gets
 * it, too; with --config it is asked whether that is the one which is meant.
 */
#include <stdio.h>

#include "cli/admin.h"
#include "cli/output.h"

static guint
print_texts (JsonObject *object, const char *member, const char *words)
{
  JsonNode *node = json_object_get_member (object, member);
  JsonArray *texts = node && JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;
  guint n = texts ? json_array_get_length (texts) : 0;

  for (guint i = 0; i < n; i++) {
    JsonNode *item = json_array_get_element (texts, i);
    const char *text = JSON_NODE_HOLDS_VALUE (item) ? json_node_get_string (item) : NULL;
    g_autofree char *safe = sp_escape_text (text ? text : "");

    (void) printf ("%s: %s\n", words, safe);
  }
  return n;
}

int
sp_cli_config_apply (SpCli *cli, GError **error)
{
  gboolean dry_run = sp_cli_has (cli, "dry-run");
  JsonObject *params = json_object_new (), *result;
  g_autoptr (JsonNode) node = NULL;
  guint n;

  json_object_set_boolean_member (params, "dry_run", dry_run);
  if (sp_cli_has (cli, "config")) {
    g_autofree char *path = g_canonicalize_filename (sp_cli_get (cli, "config"), NULL);

    json_object_set_string_member (params, "config", path);
  }
  node = sp_admin_call_once (cli, "host.apply", params, error);
  if (node == NULL)
    return 1;
  if (sp_cli_has (cli, "json")) {
    sp_print_json (node);
    return 0;
  }
  result = json_node_get_object (node);
  n = print_texts (result, "changes", dry_run ? "would change" : "changed");
  n += print_texts (result, "needs_restart", "needs a restart");
  if (n == 0)
    (void) printf ("the vault runs with this config already\n");
  return 0;
}
