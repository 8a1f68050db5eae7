/* output.c - output.h */
#include "cli/output.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"

/* ---- one cell --------------------------------------------------------------------------------------- */

static gboolean
is_harmless (gunichar c)
{
  switch (g_unichar_type (c)) {
  case G_UNICODE_CONTROL:
  case G_UNICODE_FORMAT:
  case G_UNICODE_UNASSIGNED:
  case G_UNICODE_PRIVATE_USE:
  case G_UNICODE_SURROGATE:
  case G_UNICODE_LINE_SEPARATOR:
  case G_UNICODE_PARAGRAPH_SEPARATOR:
    return FALSE;
  default:
    return TRUE;
  }
}

char *
sp_escape_text (const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  GString *out = g_string_new (NULL);

  for (const char *p = valid; *p != 0; p = g_utf8_next_char (p)) {
    gunichar c = g_utf8_get_char (p);

    if (is_harmless (c))
      g_string_append_unichar (out, c);
    else if (c < 0x80)
      g_string_append_printf (out, "\\x%02x", c);
    else
      g_string_append_printf (out, "\\u{%x}", c);
  }
  return g_string_free (out, FALSE);
}

static char *
local_time (const char *text)
{
  g_autoptr (GDateTime) time = g_date_time_new_from_iso8601 (text, NULL);
  g_autoptr (GDateTime) local = time ? g_date_time_to_local (time) : NULL;

  return local ? g_date_time_format (local, "%Y-%m-%d %H:%M:%S") : sp_escape_text (text);
}

static char *
duration (gint64 seconds)
{
  static const struct {
    gint64 seconds;
    char unit;
  } units[] = { { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' } };
  GString *out = g_string_new (NULL);

  for (gsize i = 0; i < G_N_ELEMENTS (units); i++) {
    if (seconds >= units[i].seconds)
      g_string_append_printf (out, "%" G_GINT64_FORMAT "%c", seconds / units[i].seconds,
                              units[i].unit);
    seconds %= units[i].seconds;
  }
  return g_string_free (out, FALSE);
}

static char *
list_text (JsonArray *array)
{
  g_autoptr (GString) out = g_string_new (NULL);

  for (guint i = 0; i < json_array_get_length (array); i++) {
    JsonNode *node = json_array_get_element (array, i);

    if (i > 0)
      g_string_append_c (out, ',');
    if (JSON_NODE_HOLDS_VALUE (node) && json_node_get_value_type (node) == G_TYPE_STRING)
      g_string_append (out, json_node_get_string (node));
  }
  return sp_escape_text (out->str);
}

static char *
string_text (const SpColumn *column, const char *text)
{
  return column->kind == SP_COLUMN_TIME ? local_time (text) : sp_escape_text (text);
}

static char *
number_text (const SpColumn *column, gint64 value)
{
  return column->kind == SP_COLUMN_DURATION && value > 0
             ? duration (value)
             : g_strdup_printf ("%" G_GINT64_FORMAT, value);
}

static char *
cell_text (JsonObject *object, const SpColumn *column)
{
  JsonNode *node = json_object_get_member (object, column->member);
  g_autofree char *text = NULL;

  if (node == NULL || JSON_NODE_HOLDS_NULL (node))
    return g_strdup ("-");
  if (JSON_NODE_HOLDS_ARRAY (node))
    return list_text (json_node_get_array (node));
  if (JSON_NODE_HOLDS_OBJECT (node)) {
    text = sp_json_text (node);
    return sp_escape_text (text);
  }
  if (json_node_get_value_type (node) == G_TYPE_STRING)
    return string_text (column, json_node_get_string (node));
  if (json_node_get_value_type (node) == G_TYPE_INT64)
    return number_text (column, json_node_get_int (node));
  return g_strdup (json_node_get_boolean (node) ? "yes" : "no");
}

/* ---- tables ------------------------------------------------------------------------------------------ */

static gsize
width_of (const char *text)
{
  gsize width = 0;

  for (; *text != 0; text = g_utf8_next_char (text)) {
    gunichar c = g_utf8_get_char (text);

    if (!g_unichar_iszerowidth (c))
      width += g_unichar_iswide (c) ? 2 : 1;
  }
  return width;
}

static void
append_row (GString *out, char **cells, const gsize *widths, gsize n)
{
  for (gsize i = 0; i < n; i++) {
    gsize pad = i + 1 < n ? widths[i] - width_of (cells[i]) + 2 : 0;

    g_string_append (out, cells[i]);
    for (; pad > 0; pad--)
      g_string_append_c (out, ' ');
  }
  g_string_append_c (out, '\n');
}

static char **
row_of (JsonObject *object, const SpColumn *columns, gsize n)
{
  char **cells = g_new0 (char *, n + 1);

  for (gsize i = 0; i < n; i++)
    cells[i] = object ? cell_text (object, &columns[i]) : g_strdup (columns[i].title);
  return cells;
}

char *
sp_table_text (JsonArray *items, const SpColumn *columns, gsize n_columns)
{
  g_autoptr (GPtrArray) rows = g_ptr_array_new_with_free_func ((GDestroyNotify) g_strfreev);
  g_autofree gsize *widths = g_new0 (gsize, n_columns);
  GString *out = g_string_new (NULL);

  g_ptr_array_add (rows, row_of (NULL, columns, n_columns));
  for (guint i = 0; i < json_array_get_length (items); i++)
    g_ptr_array_add (rows, row_of (json_array_get_object_element (items, i), columns, n_columns));
  for (guint row = 0; row < rows->len; row++)
    for (gsize i = 0; i < n_columns; i++)
      widths[i] = MAX (widths[i], width_of (((char **) g_ptr_array_index (rows, row))[i]));
  for (guint row = 0; row < rows->len; row++)
    append_row (out, g_ptr_array_index (rows, row), widths, n_columns);
  return g_string_free (out, FALSE);
}

/* ---- printing ------------------------------------------------------------------------------------------ */

void
sp_print_json (JsonNode *node)
{
  g_autofree char *text = sp_json_text (node);

  (void) printf ("%s\n", text);
}

void
sp_print_error (const GError *error)
{
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  g_autofree char *message = g_utf8_make_valid (error->message, -1);
  JsonObject *object = json_object_new (), *inner = json_object_new ();

  json_object_set_string_member (inner, "code", sp_problem_slug (sp_problem_code (error)));
  json_object_set_string_member (inner, "message", message);
  if (sp_problem_field (error) != NULL)
    json_object_set_string_member (inner, "field", sp_problem_field (error));
  json_object_set_object_member (object, "error", inner);
  json_node_take_object (node, object);
  sp_print_json (node);
}

static JsonArray *
items_of (JsonNode *node)
{
  JsonNode *items = JSON_NODE_HOLDS_OBJECT (node)
                        ? json_object_get_member (json_node_get_object (node), "items")
                        : NULL;

  return items && JSON_NODE_HOLDS_ARRAY (items) ? json_node_get_array (items) : NULL;
}

void
sp_print_items (const SpCli *cli, JsonNode *node, const SpColumn *columns, gsize n_columns)
{
  JsonArray *items = items_of (node);
  g_autofree char *text = NULL;

  if (sp_cli_has (cli, "json") || items == NULL) {
    sp_print_json (node);
    return;
  }
  if (json_array_get_length (items) == 0) {
    g_printerr ("nothing to list\n");
    return;
  }
  text = sp_table_text (items, columns, n_columns);
  (void) fputs (text, stdout);
}

void
sp_print_fields (const SpCli *cli, JsonNode *node, const SpColumn *columns, gsize n_columns)
{
  JsonObject *object = JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
  gsize width = 0;

  if (sp_cli_has (cli, "json") || object == NULL) {
    sp_print_json (node);
    return;
  }
  for (gsize i = 0; i < n_columns; i++)
    if (json_object_has_member (object, columns[i].member))
      width = MAX (width, strlen (columns[i].title));
  for (gsize i = 0; i < n_columns; i++)
    if (json_object_has_member (object, columns[i].member)) {
      g_autofree char *text = cell_text (object, &columns[i]);

      (void) printf ("%-*s  %s\n", (int) width, columns[i].title, text);
    }
}

void
sp_print_sentence (const SpCli *cli, JsonNode *node, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  if (sp_cli_has (cli, "json")) {
    sp_print_json (node);
    return;
  }
  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  (void) printf ("%s\n", text);
}
