/* agent.c - `secret-proxy agent add|list|revoke` */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "cli/admin.h"
#include "host/agent-file.h"
#include "cli/output.h"
#include "cli/prompt.h"

static const char *
member (JsonNode *node, const char *name)
{
  const char *text = NULL;

  if (node != NULL && JSON_NODE_HOLDS_OBJECT (node))
    (void) sp_json_get_string (json_node_get_object (node), name, &text, NULL);
  return text ? text : "";
}

static gboolean
write_file (JsonNode *agent, JsonNode *endpoint, const char *path, GError **error)
{
  g_autoptr (SpAgentFile) file = g_new0 (SpAgentFile, 1);
  const char *token = member (agent, "token");

  file->url = g_strdup (member (endpoint, "url"));
  file->tls_pin = g_strdup (member (endpoint, "tls_pin"));
  file->owner_key = g_strdup (member (endpoint, "owner_key"));
  file->token = sp_secret_new_from (token, strlen (token));
  if (sp_agent_file_write (file, path, error))
    return TRUE;
  g_prefix_error (error,
                  "the agent %s was added, but its file was not written, so revoke it and "
                  "add it under another name: ",
                  member (agent, "agent"));
  return FALSE;
}

static int
add_with_file (SpCli *cli, SpAdmin *admin, const char *path, GError **error)
{
  g_autoptr (JsonNode) endpoint = NULL;
  g_autoptr (JsonNode) agent = NULL;
  g_autoptr (JsonNode) result = json_node_new (JSON_NODE_OBJECT);

  if (!sp_agent_file_may_write (path, error))
    return 1;
  endpoint = sp_admin_call (admin, "host.endpoint", NULL, NULL, error);
  if (endpoint == NULL)
    return 1;
  agent = sp_admin_call (admin, "agent.add", sp_params_new ("name", cli->args[0]), NULL, error);
  if (agent == NULL || !write_file (agent, endpoint, path, error))
    return 1;
  json_node_take_object (result, sp_params_new ("agent", member (agent, "agent")));
  json_object_set_string_member (json_node_get_object (result), "file", path);
  sp_print_sentence (cli, result, "added %s; its token is in %s", cli->args[0], path);
  return 0;
}

int
sp_cli_agent_add (SpCli *cli, GError **error)
{
  static const SpColumn fields[] = { { "agent", "agent", SP_COLUMN_TEXT },
                                     { "token", "token", SP_COLUMN_TEXT } };
  g_autoptr (SpAdmin) admin = sp_admin_open (cli, error);
  g_autoptr (JsonNode) agent = NULL;

  if (admin == NULL)
    return 1;
  if (sp_cli_has (cli, "write"))
    return add_with_file (cli, admin, sp_cli_get (cli, "write"), error);
  agent = sp_admin_call (admin, "agent.add", sp_params_new ("name", cli->args[0]), NULL, error);
  if (agent == NULL)
    return 1;
  sp_print_fields (cli, agent, fields, G_N_ELEMENTS (fields));
  if (!sp_cli_has (cli, "json"))
    g_printerr ("the token is not shown again\n");
  return 0;
}

int
sp_cli_agent_list (SpCli *cli, GError **error)
{
  static const SpColumn columns[] = {
    { "AGENT", "agent", SP_COLUMN_TEXT },
    { "CREATED", "created_at", SP_COLUMN_TIME },
    { "REVOKED", "revoked_at", SP_COLUMN_TIME },
  };
  g_autoptr (JsonNode) list = sp_admin_list_once (cli, "agent.list", NULL, error);

  if (list == NULL)
    return 1;
  sp_print_items (cli, list, columns, G_N_ELEMENTS (columns));
  return 0;
}

int
sp_cli_agent_revoke (SpCli *cli, GError **error)
{
  g_autoptr (JsonNode) result = NULL;

  if (!sp_confirm (cli, error, "end the access of the agent %s", cli->args[0]))
    return 1;
  result = sp_admin_call_once (cli, "agent.revoke", sp_params_new ("name", cli->args[0]), error);
  if (result == NULL)
    return 1;
  sp_print_sentence (cli, result, "%s has no access any more", cli->args[0]);
  return 0;
}
