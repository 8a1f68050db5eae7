/* option.c - tables of options: are they sound, and what a set of values means under one
 *
 * Plugins bring their tables along, so a table is checked like any other input: once, when the plugin
 * is loaded.  After that the rest of the core relies on it.  Single values are in option-value.c.
 */
#include "base/option.h"

#include <string.h>

#include "base/problem.h"

#define MAX_KEY 40
#define MAX_HELP 200
#define KNOWN_FLAGS (SP_OPTION_REQUIRED | SP_OPTION_LIST)

static const char *const type_words[] = {
  [SP_OPTION_STRING] = "string",     [SP_OPTION_BOOL] = "bool",     [SP_OPTION_INT] = "int",
  [SP_OPTION_DURATION] = "duration", [SP_OPTION_SIZE] = "size",     [SP_OPTION_PATH] = "path",
  [SP_OPTION_URL] = "url",           [SP_OPTION_CHOICE] = "choice", [SP_OPTION_SECRET] = "secret",
};

const char *
sp_option_type_word (guint32 type)
{
  return type < G_N_ELEMENTS (type_words) ? type_words[type] : NULL;
}

const SpOption *
sp_options_find (const SpOption *options, gsize n_options, const char *key)
{
  for (gsize i = 0; i < n_options; i++)
    if (strcmp (options[i].key, key) == 0)
      return &options[i];
  return NULL;
}

/* ---- names -------------------------------------------------------------------------------------- */

gboolean
sp_is_name (const char *name)
{
  gsize length = strlen (name);

  if (length == 0 || length > 64 || !g_ascii_isalnum (name[0]))
    return FALSE;
  return strspn (name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
         length;
}

/* Levenshtein's distance, two rows of the table at a time. */
static gsize
edit_distance (const char *a, const char *b)
{
  gsize n = strlen (b);
  g_autofree gsize *row = g_new (gsize, n + 1);

  for (gsize j = 0; j <= n; j++)
    row[j] = j;
  for (gsize i = 1; a[i - 1] != '\0'; i++) {
    gsize diagonal = row[0];

    row[0] = i;
    for (gsize j = 1; j <= n; j++) {
      gsize change = diagonal + (a[i - 1] != b[j - 1]);

      diagonal = row[j];
      row[j] = MIN (change, MIN (row[j], row[j - 1]) + 1);
    }
  }
  return row[n];
}

const char *
sp_nearest (const char *name, const char *const *names)
{
  gsize length = strlen (name);
  gsize best = length <= 3 ? 1 : MAX (length / 3, 2);
  const char *nearest = NULL;

  if (length == 0 || length > 64)
    return NULL;
  for (; names != NULL && *names != NULL; names++) {
    gsize distance = strlen (*names) <= 64 ? edit_distance (name, *names) : G_MAXSIZE;

    if (distance < best || (distance == best && nearest == NULL)) {
      best = distance;
      nearest = *names;
    }
  }
  return nearest;
}

char *
sp_did_you_mean (const char *name, const char *const *names)
{
  const char *nearest = sp_nearest (name, names);

  return nearest != NULL ? g_strdup_printf (": did you mean '%s'?", nearest) : g_strdup ("");
}

/* ---- is a table sound? -------------------------------------------------------------------------- */

static gboolean
is_kebab (const char *key)
{
  gsize length = strlen (key);

  if (length == 0 || length > MAX_KEY || !g_ascii_islower (key[0]) || key[length - 1] == '-')
    return FALSE;
  return strspn (key, "abcdefghijklmnopqrstuvwxyz0123456789-") == length &&
         strstr (key, "--") == NULL;
}

static const char *
fault_of_help (const SpOption *option)
{
  const char *help = option->help;
  gsize length = help != NULL ? strlen (help) : 0;

  if (length == 0)
    return "has no help";
  if (length > MAX_HELP || strpbrk (help, "\r\n\t") != NULL || !g_utf8_validate (help, -1, NULL))
    return "its help is not one line of at most 200 bytes";
  /* An abbreviation may stand first. */
  if (g_ascii_isupper (help[0]) && g_ascii_islower (help[1]))
    return "its help starts with a capital letter";
  return help[length - 1] == '.' ? "its help ends with a full stop" : NULL;
}

static const char *
fault_of_type (const SpOption *option)
{
  if (sp_option_type_word (option->type) == NULL)
    return "its type is not known to this version";
  if ((option->flags & ~(guint32) KNOWN_FLAGS) != 0)
    return "it has a flag that is not known to this version";
  if (option->type == SP_OPTION_SECRET && (option->flags & SP_OPTION_LIST) != 0)
    return "a secret can't be a list";
  return NULL;
}

static const char *
fault_of_choices (const SpOption *option)
{
  g_auto (GStrv) choices = NULL;

  if (option->type != SP_OPTION_CHOICE)
    return option->choices != NULL ? "it has choices and is no choice" : NULL;
  if (option->choices == NULL)
    return "it has no choices";
  choices = g_strsplit (option->choices, "|", -1);
  for (gsize i = 0; i == 0 || choices[i] != NULL; i++)
    if (choices[i] == NULL || choices[i][0] == '\0' || strpbrk (choices[i], ", \t\r\n") != NULL)
      return "its choices are not of the form a|b|c";
  return NULL;
}

static gboolean
is_number (guint32 type)
{
  return type == SP_OPTION_INT || type == SP_OPTION_DURATION || type == SP_OPTION_SIZE;
}

static const char *
fault_of_limits (const SpOption *option)
{
  if (option->min == 0 && option->max == 0)
    return NULL;
  if (!is_number (option->type))
    return "it has limits and is no number";
  return option->min > option->max ? "its limits are the wrong way round" : NULL;
}

static const char *
fault_of_fallback (const SpOption *option)
{
  if (option->fallback == NULL)
    return NULL;
  if (option->type == SP_OPTION_SECRET)
    return "a secret can't have a default";
  return (option->flags & SP_OPTION_REQUIRED) != 0 ? "it is required and has a default" : NULL;
}

typedef const char *(*Fault) (const SpOption *option);
static const Fault faults[] = { fault_of_type, fault_of_choices, fault_of_limits, fault_of_fallback,
                                fault_of_help };

static gboolean
check_option (const SpOption *option, GError **error)
{
  for (gsize i = 0; i < G_N_ELEMENTS (faults); i++) {
    const char *fault = faults[i](option);

    if (fault != NULL) {
      g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG, "option '%s': %s", option->key, fault);
      return FALSE;
    }
  }
  if (option->fallback != NULL) {
    g_autoptr (SpOptionValue) value = sp_option_parse (option, option->fallback, error);

    if (value == NULL)
      g_prefix_error (error, "option '%s': its default: ", option->key);
    return value != NULL;
  }
  return TRUE;
}

gboolean
sp_option_is_reserved (const char *key)
{
  static const char *const reserved[] = { "plugin", "where", "critical", "run-as", NULL };

  return g_strv_contains (reserved, key);
}

static gboolean
check_key (const SpOption *options, gsize i, GError **error)
{
  const char *key = options[i].key;

  if (key == NULL || !is_kebab (key)) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG,
                 "option %" G_GSIZE_FORMAT ": its key is not in lower case with dashes", i + 1);
    return FALSE;
  }
  if (sp_option_is_reserved (key)) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG,
                 "option '%s': this key is the core's own in every section", key);
    return FALSE;
  }
  if (sp_options_find (options, i, key) != NULL) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG, "two options are named '%s'", key);
    return FALSE;
  }
  return TRUE;
}

gboolean
sp_options_check (const SpOption *options, gsize n_options, GError **error)
{
  for (gsize i = 0; i < n_options; i++)
    if (!check_key (options, i, error) || !check_option (&options[i], error))
      return FALSE;
  return TRUE;
}

/* ---- a set of values ---------------------------------------------------------------------------- */

static gboolean
check_known (const SpOption *options, gsize n_options, GVariant *given, GError **error)
{
  GVariantIter iter;
  const char *key, *text;

  g_variant_iter_init (&iter, given);
  while (g_variant_iter_next (&iter, "{&s&s}", &key, &text))
    if (sp_options_find (options, n_options, key) == NULL) {
      g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG, "there is no option '%s'", key);
      return FALSE;
    }
  return TRUE;
}

static gboolean
resolve_option (const SpOption *option, GVariant *given, GHashTable *values, GError **error)
{
  const char *text = option->fallback;
  SpOptionValue *value;

  (void) g_variant_lookup (given, option->key, "&s", &text);
  if (text == NULL && (option->flags & SP_OPTION_REQUIRED) != 0 &&
      option->type != SP_OPTION_SECRET) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG, "option '%s' is not set", option->key);
    return FALSE;
  }
  if (text == NULL)
    return TRUE;
  value = sp_option_parse (option, text, error);
  if (value == NULL) {
    g_prefix_error (error, "option '%s': ", option->key);
    return FALSE;
  }
  g_hash_table_insert (values, g_strdup (option->key), value);
  return TRUE;
}

GHashTable *
sp_options_resolve (const SpOption *options, gsize n_options, GVariant *given, GError **error)
{
  g_autoptr (GHashTable) values = g_hash_table_new_full (g_str_hash, g_str_equal, g_free,
                                                         (GDestroyNotify) sp_option_value_free);

  if (!check_known (options, n_options, given, error))
    return NULL;
  for (gsize i = 0; i < n_options; i++)
    if (!resolve_option (&options[i], given, values, error))
      return NULL;
  return g_steal_pointer (&values);
}
