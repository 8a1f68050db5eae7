/* help.c - usage lines and help texts, made from the tables of verbs.c */
#include <string.h>

#include "cli/cli.h"

#define PROGRAM "secret-proxy"

char *
sp_cli_usage (const SpCliVerb *verb)
{
  if (verb == NULL)
    return g_strdup ("usage: " PROGRAM " [--json] [--config FILE] [--vault NAME|PATH/] VERB …  "
                     "(" PROGRAM " --help lists the verbs)");
  return g_strdup_printf ("usage: " PROGRAM " %s%s%s", verb->name, verb->args ? " " : "",
                          verb->args ? verb->args : "");
}

static void
append_options (GString *out, const SpCliOption *options, gsize n_options)
{
  for (gsize i = 0; i < n_options; i++) {
    g_autofree char *left = g_strdup_printf ("--%s%s%s", options[i].name, options[i].arg ? " " : "",
                                             options[i].arg ? options[i].arg : "");
    glong pad = 24 - g_utf8_strlen (left, -1);

    g_string_append_printf (out, "  %s%*s  %s\n", left, (int) MAX (pad, 0), "", options[i].help);
  }
}

static char *
help_of_verb (const SpCliVerb *verb)
{
  g_autofree char *usage = sp_cli_usage (verb);
  GString *out = g_string_new (NULL);

  g_string_append_printf (out, "%s\n\n%s: %s\n", usage, verb->name, verb->help);
  if (verb->n_options > 0)
    g_string_append (out, "\noptions:\n");
  append_options (out, verb->options, verb->n_options);
  g_string_append (out, "\nfor every verb:\n");
  append_options (out, sp_cli_globals, sp_cli_n_globals);
  return g_string_free (out, FALSE);
}

char *
sp_cli_help (const SpCliVerb *verb)
{
  g_autofree char *usage = NULL;
  GString *out;

  if (verb != NULL)
    return help_of_verb (verb);
  usage = sp_cli_usage (NULL);
  out = g_string_new (usage);
  g_string_append (out, "\n\nverbs:\n");
  for (gsize i = 0; i < sp_cli_n_verbs; i++)
    g_string_append_printf (out, "  %-18s %s\n", sp_cli_verbs[i].name, sp_cli_verbs[i].help);
  g_string_append (out, "\nfor every verb:\n");
  append_options (out, sp_cli_globals, sp_cli_n_globals);
  g_string_append (out,
                   "\nexit status: 0 ok, 1 failed, 2 usage, 3 config, 4 unreachable or locked, "
                   "5 not found,\n6 state conflict, 7 denied, 8 expired or timed out, "
                   "9 integrity\n");
  return g_string_free (out, FALSE);
}
