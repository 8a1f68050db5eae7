/* findings.c - findings.h */
#include "cli/findings.h"

#include <stdio.h>

#include "cli/output.h"
#include "host/audit/judge.h"

static const SpColumn columns[] = {
  { "code", "code", SP_COLUMN_TEXT },
  { "path", "path", SP_COLUMN_TEXT },
  { "message", "message", SP_COLUMN_TEXT },
  { "digest", "digest", SP_COLUMN_TEXT },
};

JsonArray *
sp_findings_array (GPtrArray *findings)
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

char *
sp_findings_table (JsonArray *array)
{
  return sp_table_text (array, columns, G_N_ELEMENTS (columns));
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
  g_autoptr (JsonArray) array = sp_findings_array (findings);
  g_autofree char *table = sp_findings_table (array);

  if (sp_cli_has (cli, "json"))
    print_json (array);
  else
    (void) printf ("\n%s\n", table);
  (void) fflush (stdout);
}
