/* audit.c - `secret-proxy audit show|verify` */
#include <stdio.h>

#include "base/json.h"
#include "cli/admin.h"
#include "cli/output.h"

/* What every entry has; the others are printed as NAME=VALUE. */
static const char *const common[] = { "seq", "time", "event", NULL };

static char *
value_text (JsonNode *value)
{
  g_autofree char *text = NULL;

  if (JSON_NODE_HOLDS_VALUE (value) && json_node_get_value_type (value) == G_TYPE_STRING)
    return sp_escape_text (json_node_get_string (value));
  text = sp_json_text (value);
  return sp_escape_text (text);
}

/* The members of an entry that are its event's own, as one text for the table. */
static void
add_details (JsonObject *entry)
{
  g_autoptr (GList) names = json_object_get_members (entry);
  g_autoptr (GString) details = g_string_new (NULL);

  for (GList *name = names; name != NULL; name = name->next) {
    g_autofree char *text = NULL;

    if (g_strv_contains (common, name->data))
      continue;
    text = value_text (json_object_get_member (entry, name->data));
    g_string_append_printf (details, "%s%s=%s", details->len > 0 ? " " : "",
                            (const char *) name->data, text);
  }
  json_object_set_string_member (entry, " details", details->str);
}

static void
print_table (const SpCli *cli, JsonNode *list)
{
  static const SpColumn columns[] = {
    { "SEQ", "seq", SP_COLUMN_TEXT },
    { "TIME", "time", SP_COLUMN_TIME },
    { "EVENT", "event", SP_COLUMN_TEXT },
    { "DETAILS", " details", SP_COLUMN_TEXT },
  };
  JsonArray *items = json_object_get_array_member (json_node_get_object (list), "items");

  for (guint i = 0; i < json_array_get_length (items); i++)
    add_details (json_array_get_object_element (items, i));
  sp_print_items (cli, list, columns, G_N_ELEMENTS (columns));
}

int
sp_cli_audit_show (SpCli *cli, GError **error)
{
  g_autoptr (SpAdmin) admin = NULL;
  g_autoptr (JsonNode) list = NULL;
  g_autoptr (JsonObject) params = json_object_new ();
  gint64 after = -1, limit = 0;

  if (!sp_cli_get_int (cli, "after", 0, G_MAXINT64, &after, error) ||
      !sp_cli_get_int (cli, "limit", 1, 1000000, &limit, error))
    return 1;
  if (after >= 0)
    json_object_set_string_member (params, "after", sp_cli_get (cli, "after"));
  admin = sp_admin_open (cli, error);
  list = admin
             ? sp_admin_list (admin, "audit.show", g_steal_pointer (&params), (guint) limit, error)
             : NULL;
  if (list == NULL)
    return 1;
  if (sp_cli_has (cli, "json"))
    sp_print_json (list);
  else
    print_table (cli, list);
  return 0;
}

int
sp_cli_audit_verify (SpCli *cli, GError **error)
{
  static const SpColumn fields[] = {
    { "ok", "ok", SP_COLUMN_TEXT },
    { "entries", "entries", SP_COLUMN_TEXT },
    { "head", "head", SP_COLUMN_TEXT },
    { "first bad entry", "first_bad", SP_COLUMN_TEXT },
  };
  g_autoptr (JsonNode) result = sp_admin_call_once (cli, "audit.verify", NULL, error);
  gboolean ok = FALSE;

  if (result == NULL)
    return 1;
  sp_print_fields (cli, result, fields, G_N_ELEMENTS (fields));
  if (JSON_NODE_HOLDS_OBJECT (result))
    (void) sp_json_get_bool (json_node_get_object (result), "ok", &ok, NULL);
  return ok ? 0 : sp_problem_exit (SP_PROBLEM_INTEGRITY);
}
