/* findings.c - findings.h */
#include "cli/findings.h"

#include <stdio.h>

#include "host/audit/judge.h"

static const SpColumn columns[] = {
  { "code", "code", SP_COLUMN_TEXT },
  { "path", "path", SP_COLUMN_TEXT },
  { "message", "message", SP_COLUMN_TEXT },
  { "digest", "digest", SP_COLUMN_TEXT },
};

static JsonArray *
array_of (GPtrArray *findings)
{
  JsonArray *array = json_array_new ();

  for (guint i = 0; i < findings->len; i++) {
    const SpAuditFinding *finding = g_ptr_array_index (findings, i);
    JsonObject *object = json_object_new ();

    json_object_set_string_member (object, "code", finding->code);
    json_object_set_string_member (object, "path", finding->path);
    json_object_set_string_member (object, "message", finding->message);
    json_object_set_string_member (object, "digest", finding->digest);
    json_array_add_object_element (array, object);
  }
  return array;
}

static void
print_json (JsonArray *array)
{
  for (guint i = 0; i < json_array_get_length (array); i++) {
    g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
    JsonObject *object = json_object_new ();

    json_object_set_member (object, "finding", json_node_copy (json_array_get_element (array, i)));
    json_node_take_object (node, object);
    sp_print_json (node);
  }
}

void
sp_print_findings (GPtrArray *findings, gpointer cli)
{
  g_autoptr (JsonArray) array = array_of (findings);
  g_autofree char *table = sp_table_text (array, columns, G_N_ELEMENTS (columns));

  if (sp_cli_has (cli, "json"))
    print_json (array);
  else
    (void) printf ("\n%s\n", table);
  (void) fflush (stdout);
}

void
sp_print_verdict (const SpCli *cli, JsonArray *findings, const SpColumn *shown, gsize n_shown,
                  const char *good)
{
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  g_autofree char *name = sp_escape_text (cli->args[0]);
  g_autofree char *table = NULL;
  guint n = json_array_get_length (findings);
  JsonObject *object = json_object_new ();

  json_object_set_boolean_member (object, "ok", n == 0);
  json_object_set_array_member (object, "findings", findings);
  json_node_take_object (node, object);
  if (n == 0) {
    sp_print_sentence (cli, node, "%s %s", name, good);
    return;
  }
  table = sp_table_text (findings, shown, n_shown);
  sp_print_sentence (cli, node, "%s is refused: %u finding%s\n\n%s", name, n, n == 1 ? "" : "s",
                     g_strchomp (table));
}

void
sp_print_audit (const SpCli *cli, GPtrArray *findings)
{
  sp_print_verdict (cli, array_of (findings), columns, G_N_ELEMENTS (columns),
                    "has nothing but the base image and what is made new anyway");
}
