/* reply.c - how operations answer, and how they check what they were given */
#include <string.h>

#include "base/json.h"
#include "base/problem.h"
#include "vault/vault-private.h"

typedef struct {
  JsonNode *json;
  char *id;
  GError *error;
  SpVaultDone done;
  gpointer data;
} Later;

static void
later_free (gpointer data)
{
  Later *later = data;

  g_clear_pointer (&later->json, json_node_unref);
  g_clear_error (&later->error);
  g_free (later->id);
  g_free (later);
}

static gboolean
answer_now (gpointer data)
{
  Later *later = data;
  const SpVaultResult result = { .json = later->json, .id = later->id };

  later->done (later->error ? NULL : &result, later->error, later->data);
  return G_SOURCE_REMOVE;
}

static void
answer_later (JsonNode *json, const char *id, GError *error, SpVaultDone done, gpointer data)
{
  Later *later = g_new0 (Later, 1);

  later->json = json;
  later->id = g_strdup (id);
  later->error = error;
  later->done = done;
  later->data = data;
  g_idle_add_full (G_PRIORITY_DEFAULT, answer_now, later, later_free);
}

void
sp_answer_json (JsonNode *node, const char *id, SpVaultDone done, gpointer data)
{
  answer_later (node, id, NULL, done, data);
}

void
sp_answer_error (GError *error, SpVaultDone done, gpointer data)
{
  answer_later (NULL, NULL, error, done, data);
}

JsonNode *
sp_page_json (JsonArray *items, const char *next)
{
  JsonNode *node = json_node_new (JSON_NODE_OBJECT);
  JsonObject *object = json_object_new ();

  json_node_take_object (node, object);
  json_object_set_array_member (object, "items", items);
  if (next != NULL)
    json_object_set_string_member (object, "next", next);
  else
    json_object_set_null_member (object, "next");
  return node;
}

static gboolean
is_string_array (JsonNode *node)
{
  JsonArray *array;

  if (!JSON_NODE_HOLDS_ARRAY (node))
    return FALSE;
  array = json_node_get_array (node);
  for (guint i = 0; i < json_array_get_length (array); i++) {
    JsonNode *item = json_array_get_element (array, i);

    if (!JSON_NODE_HOLDS_VALUE (item) || json_node_get_value_type (item) != G_TYPE_STRING)
      return FALSE;
  }
  return TRUE;
}

static gboolean
has_type (JsonNode *node, const char *type)
{
  if (g_str_equal (type, "as"))
    return is_string_array (node);
  return JSON_NODE_HOLDS_VALUE (node) &&
         json_node_get_value_type (node) == (*type == 's' ? G_TYPE_STRING : G_TYPE_INT64);
}

static const char *
type_of_param (const char *const *allowed, const char *name)
{
  gsize length = strlen (name);

  for (; *allowed != NULL; allowed++)
    if (strncmp (*allowed, name, length) == 0 && (*allowed)[length] == ':')
      return *allowed + length + 1;
  return NULL;
}

gboolean
sp_params_check (JsonObject *params, const char *const *allowed, GError **error)
{
  g_autoptr (GList) names = json_object_get_members (params);

  for (GList *name = names; name != NULL; name = name->next) {
    const char *type = type_of_param (allowed, name->data);

    if (type == NULL) {
      sp_problem_set_invalid (error, name->data, "there is no field %s", (char *) name->data);
      return FALSE;
    }
    if (!has_type (json_object_get_member (params, name->data), type)) {
      sp_problem_set_invalid (error, name->data, "field %s has the wrong type",
                              (char *) name->data);
      return FALSE;
    }
  }
  return TRUE;
}

gboolean
sp_name_check (const char *what, const char *name, GError **error)
{
  gsize length = name ? strlen (name) : 0;
  gboolean good = length > 0 && length <= 128 && g_ascii_isalnum (name[0]);

  for (gsize i = 0; good && i < length; i++)
    good = g_ascii_isalnum (name[i]) || strchr ("._/-", name[i]) != NULL;
  if (!good)
    sp_problem_set_invalid (error, "name",
                            "%s needs a name of 1 to 128 letters, digits, dots, dashes, "
                            "underscores or slashes that begins with a letter or digit",
                            what);
  return good;
}
