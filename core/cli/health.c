/* health.c - `secret-proxy health URL --pin PIN`: does what is there answer, with the key that it must have?
 *
 * The takeover runs it on the agent's side; it needs no token.
 */
#include "cli/agent-client.h"
#include "cli/output.h"

int
sp_cli_health (SpCli *cli, GError **error)
{
  g_autoptr (SpAgentFile) file = g_new0 (SpAgentFile, 1);
  g_autoptr (SpAgentClient) client = NULL;
  g_autoptr (JsonObject) answer = NULL;
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  const SpAgentCall call = { .method = "GET", .path = "/health", .timeout_s = 15 };

  if (!sp_cli_has (cli, "pin")) {
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_USAGE,
                         "--pin PIN is needed: who answers must be known by its key");
    return 1;
  }
  file->url = g_strdup (cli->args[0]);
  file->tls_pin = g_strdup (sp_cli_get (cli, "pin"));
  client = sp_agent_client_new (file);
  answer = sp_agent_client_call (client, &call, NULL, error);
  if (answer == NULL)
    return 1;
  json_node_set_object (node, answer);
  sp_print_sentence (cli, node, "%s answers, at the pinned key", file->url);
  return 0;
}
