/* option-print.c - a table of options for people, for the manual, for scripts */
#include "base/option.h"

#include "base/json.h"

/* "duration, required", "choice (tap, code), default tap", "int (1 to 9), several" */
static char *
describe (const SpOption *option)
{
  GString *out = g_string_new (sp_option_type_word (option->type));
  g_auto (GStrv) choices = g_strsplit (option->choices != NULL ? option->choices : "", "|", -1);
  g_autofree char *all = g_strjoinv (", ", choices);

  if (option->choices != NULL)
    g_string_append_printf (out, " (%s)", all);
  if (option->flags & SP_OPTION_LIST)
    g_string_append (out, ", several separated by commas");
  if (option->flags & SP_OPTION_REQUIRED)
    g_string_append (out, ", required");
  if (option->fallback != NULL)
    g_string_append_printf (out, ", default %s", *option->fallback ? option->fallback : "empty");
  return g_string_free (out, FALSE);
}

char *
sp_options_to_text (const SpOption *options, gsize n_options)
{
  GString *out = g_string_new (NULL);

  for (gsize i = 0; i < n_options; i++) {
    g_autofree char *what = describe (&options[i]);

    g_string_append_printf (out, "  %s  (%s)\n      %s\n", options[i].key, what, options[i].help);
  }
  return g_string_free (out, FALSE);
}

static void
append_cell (GString *out, const char *text)
{
  for (; *text != '\0'; text++) {
    if (*text == '|')
      g_string_append_c (out, '\\');
    g_string_append_c (out, *text);
  }
  g_string_append (out, " | ");
}

static char *
markdown_default (const SpOption *option)
{
  if (option->flags & SP_OPTION_REQUIRED)
    return g_strdup ("required");
  if (option->fallback == NULL)
    return g_strdup ("");
  return g_strdup_printf ("`%s`", option->fallback);
}

static char *
markdown_type (const SpOption *option)
{
  g_auto (GStrv) choices = g_strsplit (option->choices != NULL ? option->choices : "", "|", -1);
  g_autofree char *all = g_strjoinv ("`, `", choices);
  const char *list = option->flags & SP_OPTION_LIST ? " list" : "";

  if (option->choices != NULL)
    return g_strdup_printf ("`%s`%s", all, list);
  return g_strdup_printf ("%s%s", sp_option_type_word (option->type), list);
}

char *
sp_options_to_markdown (const SpOption *options, gsize n_options)
{
  GString *out =
      g_string_new ("| Option | Type | Default | Meaning |\n| --- | --- | --- | --- |\n");

  for (gsize i = 0; i < n_options; i++) {
    g_autofree char *type = markdown_type (&options[i]);
    g_autofree char *fallback = markdown_default (&options[i]);

    g_string_append_printf (out, "| `%s` | ", options[i].key);
    append_cell (out, type);
    append_cell (out, fallback);
    append_cell (out, options[i].help);
    out->str[out->len - 1] = '\n';
  }
  return g_string_free (out, FALSE);
}

static void
append_member (GString *out, const char *name, const char *text)
{
  g_string_append_printf (out, "\"%s\":", name);
  if (text != NULL)
    sp_json_append_string (out, text, -1);
  else
    g_string_append (out, "null");
  g_string_append_c (out, ',');
}

static void
append_choices (GString *out, const char *text)
{
  g_auto (GStrv) choices = g_strsplit (text != NULL ? text : "", "|", -1);

  g_string_append (out, "\"choices\":");
  if (text == NULL)
    g_string_append (out, "null");
  for (gsize i = 0; text != NULL && choices[i] != NULL; i++) {
    g_string_append_c (out, i == 0 ? '[' : ',');
    sp_json_append_string (out, choices[i], -1);
  }
  g_string_append (out, text != NULL ? "]," : ",");
}

static void
append_limits (GString *out, const SpOption *option)
{
  if (option->min == 0 && option->max == 0)
    g_string_append (out, "\"min\":null,\"max\":null,");
  else
    g_string_append_printf (out, "\"min\":%" G_GINT64_FORMAT ",\"max\":%" G_GINT64_FORMAT ",",
                            option->min, option->max);
}

char *
sp_options_to_json (const SpOption *options, gsize n_options)
{
  GString *out = g_string_new ("[");

  for (gsize i = 0; i < n_options; i++) {
    const SpOption *option = &options[i];

    g_string_append (out, i == 0 ? "{" : ",{");
    append_member (out, "key", option->key);
    append_member (out, "type", sp_option_type_word (option->type));
    g_string_append_printf (out, "\"list\":%s,\"required\":%s,",
                            option->flags & SP_OPTION_LIST ? "true" : "false",
                            option->flags & SP_OPTION_REQUIRED ? "true" : "false");
    append_member (out, "default", option->fallback);
    append_choices (out, option->choices);
    append_limits (out, option);
    append_member (out, "help", option->help);
    out->str[out->len - 1] = '}';
  }
  g_string_append_c (out, ']');
  return g_string_free (out, FALSE);
}
