/* parse.c - the command line against the tables of verbs.c
 *
 * Global options may stand before or after the verb.  A verb has one or two words.  After "--" nothing
 * is an option; for a verb that runs a command nothing is after the first argument, either.
 */
#include <string.h>

#include "base/option.h"
#include "cli/cli.h"

#define PROGRAM "secret-proxy"

typedef struct {
  SpCli *cli;
  char **argv;
  int argc, at;
  GPtrArray *args;
} Parse;

void
sp_cli_free (SpCli *cli)
{
  if (cli == NULL)
    return;
  g_hash_table_unref (cli->options);
  g_strfreev (cli->args);
  g_free (cli);
}

/* ---- looking things up ---------------------------------------------------------------------------- */

static const SpCliOption *
find_in (const SpCliOption *options, gsize n_options, const char *name)
{
  for (gsize i = 0; i < n_options; i++)
    if (g_str_equal (options[i].name, name))
      return &options[i];
  return NULL;
}

static const SpCliOption *
find_option (const SpCliVerb *verb, const char *name)
{
  const SpCliOption *option = find_in (sp_cli_globals, sp_cli_n_globals, name);

  return option == NULL && verb != NULL ? find_in (verb->options, verb->n_options, name) : option;
}

static const SpCliVerb *
find_verb (const char *name)
{
  for (gsize i = 0; i < sp_cli_n_verbs; i++)
    if (g_str_equal (sp_cli_verbs[i].name, name))
      return &sp_cli_verbs[i];
  return NULL;
}

/* Whether @word is the first of two words of a verb. */
static gboolean
is_group (const char *word)
{
  gsize length = strlen (word);

  for (gsize i = 0; i < sp_cli_n_verbs; i++)
    if (strncmp (sp_cli_verbs[i].name, word, length) == 0 && sp_cli_verbs[i].name[length] == ' ')
      return TRUE;
  return FALSE;
}

/* ---- errors -------------------------------------------------------------------------------------------- */

static gboolean
fail_usage (const Parse *parse, GError **error, const char *format, ...) G_GNUC_PRINTF (3, 4);

static gboolean
fail_usage (const Parse *parse, GError **error, const char *format, ...)
{
  g_autofree char *usage = sp_cli_usage (parse->cli->verb);
  g_autofree char *what = NULL;
  va_list args;

  va_start (args, format);
  what = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_USAGE, "%s\n%s", what, usage);
  return FALSE;
}

/* "secret" alone: what could follow. */
static char *
words_after (const char *group)
{
  GString *out = g_string_new (NULL);
  gsize length = strlen (group);

  for (gsize i = 0; i < sp_cli_n_verbs; i++)
    if (strncmp (sp_cli_verbs[i].name, group, length) == 0 && sp_cli_verbs[i].name[length] == ' ')
      g_string_append_printf (out, "%s%s", out->len > 0 ? ", " : "",
                              sp_cli_verbs[i].name + length + 1);
  return g_string_free (out, FALSE);
}

static const char *
nearest_verb (const char *name)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new ();

  for (gsize i = 0; i < sp_cli_n_verbs; i++)
    g_ptr_array_add (names, (gpointer) sp_cli_verbs[i].name);
  g_ptr_array_add (names, NULL);
  return sp_nearest (name, (const char *const *) names->pdata);
}

/* @second may be what a mistyped group is followed by, or an argument, or NULL. */
static gboolean
fail_verb (const Parse *parse, const char *first, const char *second, GError **error)
{
  g_autofree char *both = g_strconcat (first, " ", second, NULL);
  const char *nearest = second ? nearest_verb (both) : NULL;

  if (second == NULL && is_group (first)) {
    g_autofree char *words = words_after (first);

    return fail_usage (parse, error, "'%s' needs one of these after it: %s", first, words);
  }
  if (nearest == NULL)
    nearest = nearest_verb (first);
  if (nearest == NULL)
    return fail_usage (parse, error, "there is no verb '%s'", is_group (first) ? both : first);
  return fail_usage (parse, error, "there is no verb '%s': did you mean '%s'?",
                     second && (is_group (first) || strchr (nearest, ' ')) ? both : first, nearest);
}

static void
add_names (GPtrArray *names, const SpCliOption *options, gsize n_options)
{
  for (gsize i = 0; i < n_options; i++)
    g_ptr_array_add (names, (gpointer) options[i].name);
}

static gboolean
fail_option (const Parse *parse, const char *name, GError **error)
{
  const SpCliVerb *verb = parse->cli->verb;
  g_autoptr (GPtrArray) names = g_ptr_array_new ();
  const char *nearest;

  add_names (names, sp_cli_globals, sp_cli_n_globals);
  if (verb != NULL)
    add_names (names, verb->options, verb->n_options);
  g_ptr_array_add (names, NULL);
  nearest = sp_nearest (name, (const char *const *) names->pdata);
  if (nearest != NULL)
    return fail_usage (parse, error, "there is no option '--%s': did you mean '--%s'?", name,
                       nearest);
  return fail_usage (parse, error, "there is no option '--%s'", name);
}

/* ---- options ------------------------------------------------------------------------------------------- */

static void
add_value (Parse *parse, const SpCliOption *option, const char *value)
{
  GPtrArray *values = g_hash_table_lookup (parse->cli->options, option->name);

  if (values == NULL) {
    values = g_ptr_array_new_with_free_func (g_free);
    g_hash_table_insert (parse->cli->options, (gpointer) option->name, values);
  }
  g_ptr_array_add (values, g_strdup (value));
}

/* At "--name", "--name=value" or "--name value". */
static gboolean
take_option (Parse *parse, GError **error)
{
  const char *text = parse->argv[parse->at++] + 2;
  const char *equals = strchr (text, '=');
  g_autofree char *name = equals ? g_strndup (text, (gsize) (equals - text)) : g_strdup (text);
  const SpCliOption *option = find_option (parse->cli->verb, name);
  const char *value = "";

  if (option == NULL)
    return fail_option (parse, name, error);
  if (option->arg == NULL && equals != NULL)
    return fail_usage (parse, error, "--%s takes no value", name);
  if (option->arg != NULL && equals == NULL && parse->at >= parse->argc)
    return fail_usage (parse, error, "--%s needs a value: %s", name, option->arg);
  if (!option->many && sp_cli_has (parse->cli, name))
    return fail_usage (parse, error, "--%s is given twice", name);
  if (option->arg != NULL)
    value = equals ? equals + 1 : parse->argv[parse->at++];
  add_value (parse, option, value);
  return TRUE;
}

/* ---- words ------------------------------------------------------------------------------------------------ */

/* The next word that is no option, or NULL. */
static const char *
peek_word (const Parse *parse)
{
  if (parse->at >= parse->argc || *parse->argv[parse->at] == '-')
    return NULL;
  return parse->argv[parse->at];
}

static gboolean
take_verb (Parse *parse, GError **error)
{
  const char *first = parse->argv[parse->at++];
  const char *second = is_group (first) ? peek_word (parse) : NULL;
  g_autofree char *name = second ? g_strconcat (first, " ", second, NULL) : g_strdup (first);

  parse->cli->verb = find_verb (name);
  if (parse->cli->verb == NULL)
    return fail_verb (parse, first, peek_word (parse), error);
  parse->at += second != NULL;
  return TRUE;
}

static gboolean
runs_command (const SpCliVerb *verb)
{
  return verb != NULL && verb->max_args == G_MAXUINT;
}

static void
take_rest (Parse *parse)
{
  for (; parse->at < parse->argc; parse->at++)
    g_ptr_array_add (parse->args, g_strdup (parse->argv[parse->at]));
}

static gboolean
take_next (Parse *parse, GError **error)
{
  const char *text = parse->argv[parse->at];

  if (g_str_equal (text, "--")) {
    parse->at++;
    parse->cli->rest = TRUE;
    take_rest (parse);
    return TRUE;
  }
  if (g_str_has_prefix (text, "--"))
    return take_option (parse, error);
  if (*text == '-' && text[1] != 0)
    return fail_usage (parse, error, "there is no option '%s'", text);
  if (parse->cli->verb == NULL)
    return take_verb (parse, error);
  if (runs_command (parse->cli->verb))
    take_rest (parse);
  else
    g_ptr_array_add (parse->args, g_strdup (parse->argv[parse->at++]));
  return TRUE;
}

/* ---- the whole ------------------------------------------------------------------------------------------------ */

static gboolean
check_counts (const Parse *parse, GError **error)
{
  const SpCliVerb *verb = parse->cli->verb;
  guint n = parse->args->len;

  if (sp_cli_has (parse->cli, "help") || sp_cli_has (parse->cli, "version"))
    return TRUE;
  if (verb == NULL)
    return fail_usage (parse, error, "a verb is missing");
  if (n < verb->min_args)
    return fail_usage (parse, error, "'%s' needs more arguments", verb->name);
  if (n > verb->max_args)
    return fail_usage (parse, error, "'%s' takes no argument '%s'", verb->name,
                       (const char *) g_ptr_array_index (parse->args, verb->max_args));
  return TRUE;
}

/* A wrong word must not decide in which form it is complained about. */
static void
note_json (Parse *parse)
{
  for (int i = parse->at; i < parse->argc && !g_str_equal (parse->argv[i], "--"); i++)
    if (g_str_equal (parse->argv[i], "--json") && !sp_cli_has (parse->cli, "json"))
      add_value (parse, find_in (sp_cli_globals, sp_cli_n_globals, "json"), "");
}

gboolean
sp_cli_parse (int argc, char **argv, SpCli **ret_cli, GError **error)
{
  SpCli *cli = g_new0 (SpCli, 1);
  Parse parse = { .cli = cli, .argv = argv, .argc = argc, .at = 1 };
  gboolean good = TRUE;

  cli->options =
      g_hash_table_new_full (g_str_hash, g_str_equal, NULL, (GDestroyNotify) g_ptr_array_unref);
  parse.args = g_ptr_array_new ();
  while (good && parse.at < argc)
    good = take_next (&parse, error);
  if (good)
    good = check_counts (&parse, error);
  else
    note_json (&parse);
  cli->n_args = parse.args->len;
  g_ptr_array_add (parse.args, NULL);
  cli->args = (char **) g_ptr_array_free (parse.args, FALSE);
  *ret_cli = cli;
  return good;
}

/* ---- what was given ----------------------------------------------------------------------------------------- */

gboolean
sp_cli_has (const SpCli *cli, const char *option)
{
  return g_hash_table_contains (cli->options, option);
}

GPtrArray *
sp_cli_all (const SpCli *cli, const char *option)
{
  return g_hash_table_lookup (cli->options, option);
}

const char *
sp_cli_get (const SpCli *cli, const char *option)
{
  GPtrArray *values = sp_cli_all (cli, option);

  return values ? g_ptr_array_index (values, values->len - 1) : NULL;
}

static gboolean
fail_value (const char *option, const char *why, GError **error)
{
  g_autofree char *message = g_strdup_printf ("--%s: %s", option, why);

  g_propagate_error (error, sp_problem_new_full (SP_PROBLEM_USAGE, message, option, 0));
  return FALSE;
}

gboolean
sp_cli_get_seconds (const SpCli *cli, const char *option, gint64 *ret_seconds, GError **error)
{
  const char *text = sp_cli_get (cli, option);
  g_autoptr (GError) local = NULL;
  gint64 ms;

  if (text == NULL)
    return TRUE;
  if (!sp_parse_duration (text, &ms, &local))
    return fail_value (option, local->message, error);
  if (ms % 1000 != 0)
    return fail_value (option, "whole seconds are expected", error);
  *ret_seconds = ms / 1000;
  return TRUE;
}

gboolean
sp_cli_get_int (const SpCli *cli, const char *option, gint64 min, gint64 max, gint64 *ret_value,
                GError **error)
{
  const char *text = sp_cli_get (cli, option);

  if (text == NULL)
    return TRUE;
  if (!g_ascii_string_to_signed (text, 10, min, max, ret_value, NULL)) {
    g_autofree char *why = g_strdup_printf (
        "a number from %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT " is expected", min, max);

    return fail_value (option, why, error);
  }
  return TRUE;
}
