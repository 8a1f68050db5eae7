/* json.c - parsing what the scanner has let through, and what callers do with a tree */
#include "base/json.h"

#include <string.h>

#include "base/problem.h"

JsonNode *
sp_json_parse (const char *text, gsize length, guint32 flags, GError **error)
{
  g_autoptr (JsonParser) parser = json_parser_new_immutable ();
  g_autofree char *repaired = NULL;
  JsonNode *root;

  /* Repairing may triple the length, so the bound is held before as well as after. */
  if (length <= SP_JSON_MAX_LENGTH && (flags & SP_JSON_REPAIR_UTF8) != 0 &&
      !g_utf8_validate_len (text, length, NULL)) {
    text = repaired = g_utf8_make_valid (text, (gssize) length);
    length = strlen (repaired);
  }
  if (!sp_json_check (text, length, error))
    return NULL;
  if (!json_parser_load_from_data (parser, text, (gssize) length, error))
    return NULL;
  root = json_parser_steal_root (parser);
  if (root == NULL)
    g_set_error_literal (error, SP_ERROR, SP_ERROR_REFUSED, "JSON without a value");
  return root;
}

/* ---- objects -------------------------------------------------------------------------------------- */

JsonObject *
sp_json_parse_object (const char *text, gsize length, const char *const *allowed, GError **error)
{
  g_autoptr (GError) local = NULL;
  g_autoptr (JsonNode) root = sp_json_parse (text, length, 0, &local);
  g_autoptr (GList) names = NULL;
  JsonObject *object;

  if (root == NULL || !JSON_NODE_HOLDS_OBJECT (root)) {
    sp_problem_set_invalid (error, NULL, "%s", local ? local->message : "JSON that is no object");
    return NULL;
  }
  object = json_node_get_object (root);
  names = json_object_get_members (object);
  for (GList *name = names; name != NULL; name = name->next)
    if (!g_strv_contains (allowed, name->data)) {
      sp_problem_set_invalid (error, name->data, "there is no field of this name");
      return NULL;
    }
  return json_object_ref (object);
}

static JsonNode *
member_of_type (JsonObject *object, const char *name, GType type, const char *word, GError **error)
{
  JsonNode *node = json_object_get_member (object, name);

  if (node == NULL)
    return NULL;
  if (JSON_NODE_HOLDS_VALUE (node) && json_node_get_value_type (node) == type)
    return node;
  sp_problem_set_invalid (error, name, "%s must be %s", name, word);
  return NULL;
}

gboolean
sp_json_get_string (JsonObject *object, const char *name, const char **ret_value, GError **error)
{
  JsonNode *node = member_of_type (object, name, G_TYPE_STRING, "a string", error);

  if (node != NULL)
    *ret_value = json_node_get_string (node);
  return node != NULL || !json_object_has_member (object, name);
}

gboolean
sp_json_get_int (JsonObject *object, const char *name, gint64 *ret_value, GError **error)
{
  JsonNode *node = member_of_type (object, name, G_TYPE_INT64, "a whole number", error);

  if (node != NULL)
    *ret_value = json_node_get_int (node);
  return node != NULL || !json_object_has_member (object, name);
}

gboolean
sp_json_get_bool (JsonObject *object, const char *name, gboolean *ret_value, GError **error)
{
  JsonNode *node = member_of_type (object, name, G_TYPE_BOOLEAN, "true or false", error);

  if (node != NULL)
    *ret_value = json_node_get_boolean (node);
  return node != NULL || !json_object_has_member (object, name);
}

JsonObject *
sp_json_object_of_strings (GVariant *strings)
{
  JsonObject *object = json_object_new ();
  GVariantIter iter;
  const char *key, *value;

  g_variant_iter_init (&iter, strings);
  while (g_variant_iter_next (&iter, "{&s&s}", &key, &value))
    json_object_set_string_member (object, key, value);
  return object;
}

char *
sp_json_text (JsonNode *node)
{
  return json_to_string (node, FALSE);
}

void
sp_json_append_string (GString *out, const char *text, gssize length)
{
  static const char short_forms[] = { [8] = 'b', [9] = 't', [10] = 'n', [12] = 'f', [13] = 'r' };
  gsize n = length < 0 ? strlen (text) : (gsize) length;

  g_string_append_c (out, '"');
  for (gsize i = 0; i < n; i++) {
    guchar c = (guchar) text[i];

    if (c == '"' || c == '\\')
      g_string_append_c (g_string_append_c (out, '\\'), (char) c);
    else if (c < sizeof short_forms && short_forms[c] != 0)
      g_string_append_c (g_string_append_c (out, '\\'), short_forms[c]);
    else if (c < 0x20 || c == 0x7f)
      g_string_append_printf (out, "\\u%04x", c);
    else
      g_string_append_c (out, (char) c);
  }
  g_string_append_c (out, '"');
}
