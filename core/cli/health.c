/* health.c - `secret-proxy health`: does a vault work, and what in it does not
 *
 * With URL and --pin: does what is there answer, with the key that it must have?  The takeover runs it on
 * the agent's side; it needs no token.  Without: the vault is asked as its administrator, and every plugin
 * that does not work is named.
 */
#include <stdio.h>

#include "cli/admin.h"
#include "cli/agent-client.h"
#include "cli/output.h"

#define UNHEALTHY 4

/* ---- as an administrator ------------------------------------------------------------------------------- */

static JsonArray *
broken_of (JsonNode *status)
{
  JsonArray *broken = json_array_new ();
  JsonNode *member = json_object_get_member (json_node_get_object (status), "plugins");
  JsonArray *plugins =
      member && JSON_NODE_HOLDS_ARRAY (member) ? json_node_get_array (member) : NULL;

  for (guint i = 0; plugins != NULL && i < json_array_get_length (plugins); i++) {
    JsonNode *node = json_array_get_element (plugins, i);
    const char *state =
        JSON_NODE_HOLDS_OBJECT (node)
            ? json_object_get_string_member_with_default (json_node_get_object (node), "state", "")
            : "ready";

    if (!g_str_equal (state, "ready"))
      json_array_add_element (broken, json_node_copy (node));
  }
  return broken;
}

static void
print_broken (JsonObject *plugin)
{
  static const char *const members[] = { "kind", "name", "state", "since", "why" };
  char *texts[G_N_ELEMENTS (members)];
  gboolean critical = json_object_get_boolean_member_with_default (plugin, "critical", TRUE);

  for (gsize i = 0; i < G_N_ELEMENTS (members); i++)
    texts[i] =
        sp_escape_text (json_object_get_string_member_with_default (plugin, members[i], "?"));
  (void) printf ("%s %s is %s since %s: %s%s\n", texts[0], texts[1], texts[2], texts[3], texts[4],
                 critical ? "" : "; the vault serves without it");
  for (gsize i = 0; i < G_N_ELEMENTS (members); i++)
    g_free (texts[i]);
}

static int
health_of_vault (SpCli *cli, GError **error)
{
  g_autoptr (JsonNode) status = sp_admin_call_once (cli, "vault.status", NULL, error);
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  JsonObject *object = json_object_new ();
  JsonArray *broken;
  const char *health;

  json_node_take_object (node, object);
  if (status == NULL)
    return 1;
  health = json_object_get_string_member_with_default (json_node_get_object (status), "health",
                                                       "unknown");
  broken = broken_of (status);
  json_object_set_string_member (object, "status", health);
  json_object_set_array_member (object, "broken", broken);
  if (g_str_equal (health, "ok"))
    sp_print_sentence (cli, node, "the vault works");
  else
    sp_print_sentence (cli, node, "the vault does not work: %s", health);
  for (guint i = 0; !sp_cli_has (cli, "json") && i < json_array_get_length (broken); i++)
    print_broken (json_array_get_object_element (broken, i));
  return g_str_equal (health, "ok") ? 0 : UNHEALTHY;
}

/* ---- from anywhere --------------------------------------------------------------------------------------- */

int
sp_cli_health (SpCli *cli, GError **error)
{
  g_autoptr (SpAgentFile) file = g_new0 (SpAgentFile, 1);
  g_autoptr (SpAgentClient) client = NULL;
  g_autoptr (JsonObject) answer = NULL;
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  const SpAgentCall call = { .method = "GET", .path = "/health", .timeout_s = 15 };

  if (cli->n_args == 0 && !sp_cli_has (cli, "pin"))
    return health_of_vault (cli, error);
  if (cli->n_args == 0 || !sp_cli_has (cli, "pin")) {
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_USAGE,
                         "URL and --pin PIN go together: who answers must be known by its key");
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
