/* harness-notice.c - reads the fields and choices of harness-notice.h
 *
 * What a scenario sends is trusted to have the right form; only the counts are bounded.
 */
#include "harness-notice.h"

static void
read_fields (JsonObject *command, HarnessNotice *out)
{
  JsonArray *fields = json_object_get_array_member (command, "fields");

  for (guint i = 0; i < json_array_get_length (fields) && i < G_N_ELEMENTS (out->fields); i++) {
    JsonArray *field = json_array_get_array_element (fields, i);

    out->fields[i].label = json_array_get_string_element (field, 0);
    out->fields[i].value = json_array_get_string_element (field, 1);
    out->fields[i].origin = (guint32) json_array_get_int_element (field, 2);
    out->notice.n_fields = i + 1;
  }
}

static void
read_choices (JsonObject *command, HarnessNotice *out)
{
  JsonArray *choices = json_object_get_array_member (command, "choices");

  for (guint i = 0; i < json_array_get_length (choices) && i < G_N_ELEMENTS (out->choices); i++) {
    JsonArray *choice = json_array_get_array_element (choices, i);

    out->choices[i].id = json_array_get_string_element (choice, 0);
    out->choices[i].label = json_array_get_string_element (choice, 1);
    out->choices[i].style = (guint32) json_array_get_int_element (choice, 2);
    out->notice.n_choices = i + 1;
  }
}

void
harness_notice_read (JsonObject *command, HarnessNotice *out)
{
  out->notice.size = sizeof out->notice;
  out->notice.id = json_object_get_string_member (command, "id");
  out->notice.title = json_object_get_string_member (command, "title");
  out->notice.expires_at = json_object_get_int_member_with_default (command, "expires_at", 0);
  out->notice.fields = out->fields;
  out->notice.choices = out->choices;
  read_fields (command, out);
  read_choices (command, out);
}
