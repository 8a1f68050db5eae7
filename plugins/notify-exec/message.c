/* message.c - message.h */
#include "message.h"

#include <string.h>

/* ---- what a program is told ------------------------------------------------------------------------- */

/* The core has cleaned it, but programs print values on terminals: nothing that steers one gets there. */
static char *
visible (const char *value)
{
  GString *out = g_string_new (NULL);

  for (; *value != '\0'; value = g_utf8_next_char (value)) {
    gunichar c = g_utf8_get_char (value);
    GUnicodeType type = g_unichar_type (c);

    g_string_append_unichar (out, type == G_UNICODE_CONTROL || type == G_UNICODE_FORMAT ? ' ' : c);
  }
  return g_string_free (out, FALSE);
}

static JsonArray *
array_of_fields (const SpNotice *notice)
{
  JsonArray *array = json_array_new ();

  for (gsize i = 0; i < notice->n_fields; i++) {
    const SpField *field = &notice->fields[i];
    JsonObject *object = json_object_new ();
    g_autofree char *value = visible (field->value);

    json_object_set_string_member (object, "label", field->label);
    json_object_set_string_member (object, "value", value);
    json_object_set_string_member (object, "origin",
                                   field->origin == SP_FIELD_AGENT ? "agent" : "core");
    json_array_add_object_element (array, object);
  }
  return array;
}

static JsonArray *
array_of_choices (const SpNotice *notice)
{
  static const char *const styles[] = {
    [SP_CHOICE_PLAIN] = "plain", [SP_CHOICE_APPROVE] = "approve", [SP_CHOICE_DENY] = "deny"
  };
  JsonArray *array = json_array_new ();

  for (gsize i = 0; i < notice->n_choices; i++) {
    const SpChoice *choice = &notice->choices[i];
    JsonObject *object = json_object_new ();

    json_object_set_string_member (object, "id", choice->id);
    json_object_set_string_member (object, "label", choice->label);
    json_object_set_string_member (
        object, "style", choice->style < G_N_ELEMENTS (styles) ? styles[choice->style] : "plain");
    json_array_add_object_element (array, object);
  }
  return array;
}

static JsonObject *
object_of_outcome (const SpOutcome *outcome)
{
  static const char *const kinds[] = {
    [SP_OUTCOME_APPROVED] = "approved", [SP_OUTCOME_DENIED] = "denied",
    [SP_OUTCOME_EXPIRED] = "expired",   [SP_OUTCOME_CANCELLED] = "cancelled",
    [SP_OUTCOME_REVOKED] = "revoked",
  };
  const char *kind = outcome->kind < G_N_ELEMENTS (kinds) ? kinds[outcome->kind] : NULL;
  JsonObject *object = json_object_new ();

  json_object_set_string_member (object, "kind", kind ? kind : "closed");
  json_object_set_string_member (object, "text", outcome->text);
  return object;
}

static gboolean
is_visible (gunichar c)
{
  switch (g_unichar_type (c)) {
  case G_UNICODE_CONTROL:
  case G_UNICODE_FORMAT:
  case G_UNICODE_UNASSIGNED:
  case G_UNICODE_PRIVATE_USE:
  case G_UNICODE_LINE_SEPARATOR:
  case G_UNICODE_PARAGRAPH_SEPARATOR:
    return FALSE;
  default:
    return TRUE;
  }
}

static void
append_escaped (GString *out, gunichar c)
{
  if (c < 0x10000)
    g_string_append_printf (out, "\\u%04x", c);
  else
    g_string_append_printf (out, "\\u%04x\\u%04x", 0xd800 + ((c - 0x10000) >> 10),
                            0xdc00 + (c & 0x3ff));
}

/* What no eye sees can only be inside of a string, where it may be escaped: so the line is harmless where a
 * program writes it to a log or a terminal as it is. */
static char *
line_of (const char *json)
{
  GString *out = g_string_new (NULL);

  for (const char *p = json; *p != '\0'; p = g_utf8_next_char (p))
    if (is_visible (g_utf8_get_char (p)))
      g_string_append_unichar (out, g_utf8_get_char (p));
    else
      append_escaped (out, g_utf8_get_char (p));
  g_string_append_c (out, '\n');
  return g_string_free (out, FALSE);
}

static void
add_surroundings (JsonObject *object, SpHost *host, const char *socket)
{
  const char *const *people = host->api->people (host);
  JsonArray *array = json_array_new ();

  for (; people != NULL && *people != NULL; people++)
    json_array_add_string_element (array, *people);
  json_object_set_string_member (object, "notifier", host->api->instance (host));
  json_object_set_array_member (object, "people", array);
  json_object_set_string_member (object, "socket", socket);
}

char *
nx_message (SpHost *host, const char *socket, const SpNotice *notice, const SpOutcome *outcome)
{
  g_autoptr (JsonNode) root = json_node_new (JSON_NODE_OBJECT);
  JsonObject *object = json_object_new ();
  g_autofree char *text = NULL;

  json_node_take_object (root, object);
  json_object_set_string_member (object, "event", outcome ? "settle" : "post");
  json_object_set_string_member (object, "id", notice->id);
  json_object_set_string_member (object, "title", notice->title);
  json_object_set_array_member (object, "fields", array_of_fields (notice));
  json_object_set_array_member (object, "choices", array_of_choices (notice));
  json_object_set_int_member (object, "expires_at", notice->expires_at);
  if (outcome != NULL)
    json_object_set_object_member (object, "outcome", object_of_outcome (outcome));
  if (host != NULL)
    add_surroundings (object, host, socket);
  text = json_to_string (root, FALSE);
  return line_of (text);
}

/* ---- what it says ----------------------------------------------------------------------------------- */

void
nx_answer_clear (NxAnswer *answer)
{
  g_clear_pointer (&answer->notice, g_free);
  g_clear_pointer (&answer->choice, g_free);
  g_clear_pointer (&answer->person, g_free);
}

static char **
place_of (NxAnswer *answer, const char *name, gboolean with_notice)
{
  if (strcmp (name, "choice") == 0)
    return &answer->choice;
  if (strcmp (name, "person") == 0)
    return &answer->person;
  return with_notice && strcmp (name, "notice") == 0 ? &answer->notice : NULL;
}

static gboolean
take_members (JsonObject *object, gboolean with_notice, NxAnswer *answer, GError **error)
{
  g_autoptr (GList) names = json_object_get_members (object);

  for (GList *name = names; name != NULL; name = name->next) {
    JsonNode *node = json_object_get_member (object, name->data);
    char **place = place_of (answer, name->data, with_notice);

    if (place == NULL || !JSON_NODE_HOLDS_VALUE (node) ||
        json_node_get_value_type (node) != G_TYPE_STRING) {
      g_set_error_literal (error, SP_ERROR, SP_ERROR_REFUSED,
                           "an answer has the strings choice and person, and nothing else");
      return FALSE;
    }
    *place = g_strdup (json_node_get_string (node));
  }
  return TRUE;
}

gboolean
nx_answer_read (SpHost *host, const char *text, gsize length, gboolean with_notice,
                NxAnswer *ret_answer, GError **error)
{
  g_autoptr (JsonNode) root = sp_json_read (host, text, length, 0, error);
  g_auto (NxAnswer) answer = { .notice = NULL };

  if (root == NULL)
    return FALSE;
  if (!JSON_NODE_HOLDS_OBJECT (root)) {
    g_set_error_literal (error, SP_ERROR, SP_ERROR_REFUSED, "an answer is a JSON object");
    return FALSE;
  }
  if (!take_members (json_node_get_object (root), with_notice, &answer, error))
    return FALSE;
  if (answer.choice == NULL || answer.person == NULL || (with_notice && answer.notice == NULL)) {
    g_set_error (error, SP_ERROR, SP_ERROR_REFUSED, "an answer needs %schoice and person",
                 with_notice ? "notice, " : "");
    return FALSE;
  }
  *ret_answer = answer;
  memset (&answer, 0, sizeof answer);
  return TRUE;
}

const char *
nx_result_word (SpAnswerResult result)
{
  static const char *const words[] = {
    [SP_ANSWER_TAKEN] = "taken",
    [SP_ANSWER_COUNTED] = "counted",
    [SP_ANSWER_NOT_ALLOWED] = "not-allowed",
    [SP_ANSWER_TOO_LATE] = "too-late",
    [SP_ANSWER_UNKNOWN] = "unknown",
    [SP_ANSWER_TRY_AGAIN] = "try-again",
  };

  return result < G_N_ELEMENTS (words) ? words[result] : "try-again";
}
