/* request.c - `secret-proxy request list|approve|deny` and `grant list|revoke` */
#include "cli/admin.h"
#include "cli/output.h"
#include "cli/prompt.h"

static const SpColumn requests[] = {
  { "ID", "id", SP_COLUMN_TEXT },         { "STATUS", "status", SP_COLUMN_TEXT },
  { "CODE", "code", SP_COLUMN_TEXT },     { "AGENT", "agent", SP_COLUMN_TEXT },
  { "SECRET", "secret", SP_COLUMN_TEXT }, { "EXPIRES", "expires_at", SP_COLUMN_TIME },
  { "REASON", "reason", SP_COLUMN_TEXT },
};

static const SpColumn fields[] = {
  { "id", "id", SP_COLUMN_TEXT },
  { "status", "status", SP_COLUMN_TEXT },
  { "agent", "agent", SP_COLUMN_TEXT },
  { "secret", "secret", SP_COLUMN_TEXT },
  { "reason (the agent says)", "reason", SP_COLUMN_TEXT },
  { "code", "code", SP_COLUMN_TEXT },
  { "created", "created_at", SP_COLUMN_TIME },
  { "expires", "expires_at", SP_COLUMN_TIME },
  { "decided", "decided_at", SP_COLUMN_TIME },
  { "decided by", "decided_by", SP_COLUMN_TEXT },
};

static const SpColumn grants[] = {
  { "ID", "id", SP_COLUMN_TEXT },
  { "AGENT", "agent", SP_COLUMN_TEXT },
  { "SECRET", "secret", SP_COLUMN_TEXT },
  { "BY", "decided_by", SP_COLUMN_TEXT },
  { "SINCE", "decided_at", SP_COLUMN_TIME },
  { "UNTIL", "expires_at", SP_COLUMN_TIME },
};

static int
show_request (SpCli *cli, const char *method, JsonObject *params, GError **error)
{
  g_autoptr (JsonNode) request = sp_admin_call_once (cli, method, params, error);

  if (request == NULL)
    return 1;
  sp_print_fields (cli, request, fields, G_N_ELEMENTS (fields));
  return 0;
}

int
sp_cli_request_list (SpCli *cli, GError **error)
{
  const char *status = sp_cli_get (cli, "status");
  g_autoptr (JsonNode) list = sp_admin_list_once (
      cli, "request.list", status ? sp_params_new ("status", status) : NULL, error);

  if (list == NULL)
    return 1;
  sp_print_items (cli, list, requests, G_N_ELEMENTS (requests));
  return 0;
}

int
sp_cli_request_approve (SpCli *cli, GError **error)
{
  g_autoptr (JsonObject) params = sp_params_new ("id", cli->args[0]);
  gint64 seconds = 0;

  if (!sp_cli_get_seconds (cli, "for", &seconds, error))
    return 1;
  if (sp_cli_has (cli, "for"))
    json_object_set_int_member (params, "for", seconds);
  return show_request (cli, "request.approve", g_steal_pointer (&params), error);
}

int
sp_cli_request_deny (SpCli *cli, GError **error)
{
  return show_request (cli, "request.deny", sp_params_new ("id", cli->args[0]), error);
}

int
sp_cli_grant_list (SpCli *cli, GError **error)
{
  g_autoptr (JsonNode) list = sp_admin_list_once (cli, "grant.list", NULL, error);

  if (list == NULL)
    return 1;
  sp_print_items (cli, list, grants, G_N_ELEMENTS (grants));
  return 0;
}

int
sp_cli_grant_revoke (SpCli *cli, GError **error)
{
  if (!sp_confirm (cli, error, "end the grant %s", cli->args[0]))
    return 1;
  return show_request (cli, "grant.revoke", sp_params_new ("id", cli->args[0]), error);
}
