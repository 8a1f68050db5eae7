/* step-lines.c - step-lines.h */
#include "cli/step-lines.h"

#include <stdio.h>

#include "cli/output.h"

static void
print_json (const SpStepReport *report)
{
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  JsonObject *object = json_object_new ();

  json_node_take_object (node, object);
  json_object_set_int_member (object, "step", report->step->number);
  json_object_set_string_member (object, "name", report->step->name);
  json_object_set_string_member (object, "status", sp_step_words[report->status]);
  json_object_set_int_member (object, "ms", report->ms);
  json_object_set_string_member (object, "message", report->message ? report->message : "");
  sp_print_json (node);
}

void
sp_print_step (const SpStepReport *report, guint n_steps, gpointer cli)
{
  g_autofree char *message = report->message ? sp_escape_text (report->message) : NULL;

  if (sp_cli_has (cli, "json"))
    print_json (report);
  else
    (void) printf ("[%2u/%u] %-30s %-8s %7.2f s  %s\n", report->step->number, n_steps,
                   report->step->name, sp_step_words[report->status], (double) report->ms / 1000.0,
                   message ? message : "");
  (void) fflush (stdout);
}
