/* content.c - the copies and the form of content.h
 *
 * The form is JSON in base64.  What must stay true: it is read back by the bounded reader and strictly, and
 * what does not fit is refused as a whole.
 */
#include "content.h"

#include <secret-proxy/json.h>
#include <string.h>

#include "text.h"
#include "update.h"

#define MAX_FIELDS 64u
#define MAX_CHOICES 16u
#define SUMMARY_FIELDS 3u

/* ---- copies -------------------------------------------------------------------------------------- */

static const char *
keep (TgContent *content, const char *text)
{
  char *copy = g_strdup (text != NULL ? text : "");

  g_ptr_array_add (content->texts, copy);
  return copy;
}

/* Room for @n_fields and @n_choices, to be filled in. */
static TgContent *
content_new (const char *id, const char *title, gsize n_fields, gsize n_choices)
{
  TgContent *content = g_new0 (TgContent, 1);

  content->texts = g_ptr_array_new_with_free_func (g_free);
  content->notice.size = sizeof content->notice;
  content->notice.id = keep (content, id);
  content->notice.title = keep (content, title);
  content->notice.fields = g_new0 (SpField, n_fields + 1);
  content->notice.n_fields = n_fields;
  content->notice.choices = g_new0 (SpChoice, n_choices + 1);
  content->notice.n_choices = n_choices;
  return content;
}

static void
set_field (TgContent *content, gsize i, const char *label, const char *value, guint32 origin)
{
  ((SpField *) content->notice.fields)[i] =
      (SpField){ keep (content, label), keep (content, value), origin };
}

static void
set_choice (TgContent *content, gsize i, const char *id, const char *label, guint32 style)
{
  ((SpChoice *) content->notice.choices)[i] =
      (SpChoice){ keep (content, id), keep (content, label), style };
}

TgContent *
tg_content_new (const SpNotice *notice)
{
  TgContent *content = content_new (notice->id, notice->title, notice->n_fields, notice->n_choices);

  content->notice.expires_at = notice->expires_at;
  for (gsize i = 0; i < notice->n_fields; i++)
    set_field (content, i, notice->fields[i].label, notice->fields[i].value,
               notice->fields[i].origin);
  for (gsize i = 0; i < notice->n_choices; i++)
    set_choice (content, i, notice->choices[i].id, notice->choices[i].label,
                notice->choices[i].style);
  return content;
}

void
tg_content_free (TgContent *content)
{
  if (content == NULL)
    return;
  g_ptr_array_unref (content->texts);
  g_free ((gpointer) content->notice.fields);
  g_free ((gpointer) content->notice.choices);
  g_free (content);
}

/* ---- the written form ------------------------------------------------------------------------------ */

static void
add_row (JsonArray *rows, const char *first, const char *second, guint32 number)
{
  JsonArray *row = json_array_new ();

  json_array_add_string_element (row, first);
  json_array_add_string_element (row, second);
  json_array_add_int_element (row, number);
  json_array_add_array_element (rows, row);
}

char *
tg_content_write (const TgContent *content, gsize max)
{
  const SpNotice *notice = &content->notice;
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  JsonObject *object = json_object_new ();
  JsonArray *fields = json_array_new (), *choices = json_array_new ();
  g_autofree char *text = NULL;
  g_autofree char *word = NULL;

  for (gsize i = 0; i < notice->n_fields; i++)
    add_row (fields, notice->fields[i].label, notice->fields[i].value, notice->fields[i].origin);
  for (gsize i = 0; i < notice->n_choices; i++)
    add_row (choices, notice->choices[i].id, notice->choices[i].label, notice->choices[i].style);
  json_object_set_string_member (object, "title", notice->title);
  json_object_set_int_member (object, "expires_at", notice->expires_at);
  json_object_set_array_member (object, "fields", fields);
  json_object_set_array_member (object, "choices", choices);
  json_node_take_object (node, object);
  text = json_to_string (node, FALSE);
  word = g_base64_encode ((const guchar *) text, strlen (text));
  return strlen (word) <= max ? g_steal_pointer (&word) : NULL;
}

static JsonNode *
value_at (JsonArray *row, guint i, GType type)
{
  JsonNode *node = json_array_get_element (row, i);

  return JSON_NODE_HOLDS_VALUE (node) && json_node_get_value_type (node) == type ? node : NULL;
}

/* One row of @rows.  FALSE: not as add_row() makes it. */
static gboolean
read_row (JsonArray *rows, guint i, const char **ret_first, const char **ret_second,
          guint32 *ret_number)
{
  JsonNode *node = json_array_get_element (rows, i);
  JsonArray *row = JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;
  JsonNode *first, *second, *number;

  if (row == NULL || json_array_get_length (row) != 3 ||
      (first = value_at (row, 0, G_TYPE_STRING)) == NULL ||
      (second = value_at (row, 1, G_TYPE_STRING)) == NULL ||
      (number = value_at (row, 2, G_TYPE_INT64)) == NULL)
    return FALSE;
  *ret_first = json_node_get_string (first);
  *ret_second = json_node_get_string (second);
  *ret_number = (guint32) json_node_get_int (number);
  return TRUE;
}

static gboolean
fill (TgContent *content, JsonArray *fields, JsonArray *choices)
{
  const char *first, *second;
  guint32 number;

  for (guint i = 0; i < content->notice.n_fields; i++) {
    if (!read_row (fields, i, &first, &second, &number))
      return FALSE;
    set_field (content, i, first, second, number);
  }
  for (guint i = 0; i < content->notice.n_choices; i++) {
    if (!read_row (choices, i, &first, &second, &number))
      return FALSE;
    set_choice (content, i, first, second, number);
  }
  return TRUE;
}

static JsonArray *
list_of (JsonObject *object, const char *name, guint max)
{
  JsonArray *list = tg_member_array (object, name);

  return list != NULL && json_array_get_length (list) <= max ? list : NULL;
}

TgContent *
tg_content_read (SpHost *host, const char *word, const char *id)
{
  gsize length = 0;
  g_autofree guchar *text = g_base64_decode (word, &length);
  g_autoptr (JsonNode) node = sp_json_read (host, (const char *) text, length, 0, NULL);
  g_autoptr (TgContent) content = NULL;
  JsonArray *fields, *choices;
  JsonObject *object;
  const char *title;

  if (node == NULL || !JSON_NODE_HOLDS_OBJECT (node))
    return NULL;
  object = json_node_get_object (node);
  title = tg_member_string (object, "title");
  fields = list_of (object, "fields", MAX_FIELDS);
  choices = list_of (object, "choices", MAX_CHOICES);
  if (title == NULL || fields == NULL || choices == NULL)
    return NULL;
  content =
      content_new (id, title, json_array_get_length (fields), json_array_get_length (choices));
  content->notice.expires_at = tg_member_int (object, "expires_at");
  return fill (content, fields, choices) ? g_steal_pointer (&content) : NULL;
}

/* ---- what it is about -------------------------------------------------------------------------------- */

gboolean
tg_content_asks (const SpNotice *notice)
{
  for (gsize i = 0; i < notice->n_choices; i++)
    if (notice->choices[i].style != SP_CHOICE_DENY)
      return TRUE;
  return FALSE;
}

char *
tg_content_summary (const SpNotice *notice, gsize max)
{
  g_autoptr (GString) out = g_string_new (NULL);
  guint n = 0;

  for (gsize i = 0; i < notice->n_fields && n < SUMMARY_FIELDS; i++)
    if (notice->fields[i].origin == SP_FIELD_CORE) {
      g_string_append_printf (out, "%s%s: %s", n > 0 ? ", " : "", notice->fields[i].label,
                              notice->fields[i].value);
      n++;
    }
  return tg_text_clean (n > 0 ? out->str : notice->title, max);
}
