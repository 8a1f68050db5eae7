/* status.c - `secret-proxy status` */
#include <stdio.h>

#include "cli/admin.h"
#include "cli/output.h"

static const SpColumn fields[] = {
  { "state", "state", SP_COLUMN_TEXT },           { "vault", "vault", SP_COLUMN_TEXT },
  { "version", "version", SP_COLUMN_TEXT },       { "secrets", "secrets", SP_COLUMN_TEXT },
  { "agents", "agents", SP_COLUMN_TEXT },         { "pending", "pending", SP_COLUMN_TEXT },
  { "grants", "grants", SP_COLUMN_TEXT },         { "locked by", "locked_by", SP_COLUMN_TEXT },
  { "locked via", "locked_via", SP_COLUMN_TEXT }, { "locked at", "locked_at", SP_COLUMN_TIME },
};

static const SpColumn plugins[] = {
  { "PLUGIN", "name", SP_COLUMN_TEXT },       { "KIND", "kind", SP_COLUMN_TEXT },
  { "STATE", "state", SP_COLUMN_TEXT },       { "SINCE", "since", SP_COLUMN_TIME },
  { "CRITICAL", "critical", SP_COLUMN_TEXT }, { "WHY", "why", SP_COLUMN_TEXT },
};

void
sp_print_plugins (JsonNode *status)
{
  JsonNode *member = JSON_NODE_HOLDS_OBJECT (status)
                         ? json_object_get_member (json_node_get_object (status), "plugins")
                         : NULL;
  g_autofree char *table = NULL;

  if (member == NULL || !JSON_NODE_HOLDS_ARRAY (member) ||
      json_array_get_length (json_node_get_array (member)) == 0)
    return;
  table = sp_table_text (json_node_get_array (member), plugins, G_N_ELEMENTS (plugins));
  (void) printf ("\n%s", table);
}

int
sp_cli_status (SpCli *cli, GError **error)
{
  g_autoptr (JsonNode) status = sp_admin_call_once (cli, "vault.status", NULL, error);

  if (status == NULL)
    return 1;
  sp_print_fields (cli, status, fields, G_N_ELEMENTS (fields));
  if (!sp_cli_has (cli, "json"))
    sp_print_plugins (status);
  return 0;
}
