/* test-parse.c - the command line: cli/cli.h */
#include "cli/cli.h"

#include <string.h>

static SpCli *
parse (const char *line, GError **error)
{
  g_auto (GStrv) words = g_strsplit (line, " ", -1);
  SpCli *cli = NULL;

  (void) sp_cli_parse ((int) g_strv_length (words), words, &cli, error);
  return cli;
}

static void
test_anywhere (void)
{
  static const char *const lines[] = {
    "secret-proxy --json --vault /x/ secret put NAME --description=a=b",
    "secret-proxy secret put --vault /x/ NAME --json --description a=b",
    "secret-proxy secret put NAME --description a=b --json --vault=/x/",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (lines); i++) {
    g_autoptr (GError) error = NULL;
    g_autoptr (SpCli) cli = parse (lines[i], &error);

    g_assert_no_error (error);
    g_assert_cmpstr (cli->verb->name, ==, "secret put");
    g_assert_true (sp_cli_has (cli, "json"));
    g_assert_cmpstr (sp_cli_get (cli, "vault"), ==, "/x/");
    g_assert_cmpstr (sp_cli_get (cli, "description"), ==, "a=b");
    g_assert_cmpuint (cli->n_args, ==, 1);
    g_assert_cmpstr (cli->args[0], ==, "NAME");
  }
}

static void
test_wrong (void)
{
  static const struct {
    const char *line;
    const char *says;
  } rows[] = {
    { "secret-proxy", "a verb is missing" },
    { "secret-proxy secrt put", "did you mean 'secret put'?" },
    { "secret-proxy secret", "needs one of these after it: put, list, show, rm, rotate" },
    { "secret-proxy secret lsit", "did you mean 'secret list'?" },
    { "secret-proxy statsu", "did you mean 'status'?" },
    { "secret-proxy status --vualt x", "did you mean '--vault'?" },
    { "secret-proxy status x", "takes no argument 'x'" },
    { "secret-proxy secret put", "needs more arguments" },
    { "secret-proxy secret put NAME --confirm", "needs a value" },
    { "secret-proxy secret put NAME --base64=yes", "takes no value" },
    { "secret-proxy --json status --json", "given twice" },
    { "secret-proxy secret list --yes", "no option '--yes'" },
    { "secret-proxy status -x", "no option '-x'" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (GError) error = NULL;
    g_autoptr (SpCli) cli = parse (rows[i].line, &error);

    g_assert_nonnull (cli);
    g_assert_error (error, SP_PROBLEM, SP_PROBLEM_USAGE);
    g_assert_nonnull (strstr (error->message, rows[i].says));
    g_assert_nonnull (strstr (error->message, "\nusage: secret-proxy "));
  }
}

static void
test_command (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (SpCli) cli = parse (
      "secret-proxy exec --secret A=a --secret B=b --reason r -- cmd --json -x -- y", &error);

  g_assert_no_error (error);
  g_assert_cmpuint (sp_cli_all (cli, "secret")->len, ==, 2);
  g_assert_false (sp_cli_has (cli, "json"));
  g_assert_cmpuint (cli->n_args, ==, 5);
  g_assert_cmpstr (cli->args[1], ==, "--json");
  g_assert_cmpstr (cli->args[3], ==, "--");
}

static void
test_dashes (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (SpCli) cli = parse ("secret-proxy request deny -- -id", &error);

  g_assert_no_error (error);
  g_assert_cmpstr (cli->args[0], ==, "-id");
}

static void
test_values (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (SpCli) good = parse ("secret-proxy request approve X --for 90m", &error);
  g_autoptr (SpCli) bad = parse ("secret-proxy request approve X --for 500ms", &error);
  gint64 seconds = 0;

  g_assert_true (sp_cli_get_seconds (good, "for", &seconds, &error));
  g_assert_cmpint (seconds, ==, 5400);
  g_assert_false (sp_cli_get_seconds (bad, "for", &seconds, &error));
  g_assert_error (error, SP_PROBLEM, SP_PROBLEM_USAGE);
  g_assert_cmpstr (sp_problem_field (error), ==, "for");
}

static void
test_json_error (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (SpCli) cli = parse ("secret-proxy nothing --json", &error);

  g_assert_nonnull (error);
  g_assert_true (sp_cli_has (cli, "json"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/parse/global-options-stand-anywhere", test_anywhere);
  g_test_add_func ("/parse/what-is-wrong-is-named-with-a-usage-line", test_wrong);
  g_test_add_func ("/parse/a-command-keeps-its-own-options", test_command);
  g_test_add_func ("/parse/nothing-is-an-option-after-two-dashes", test_dashes);
  g_test_add_func ("/parse/durations-are-whole-seconds", test_values);
  g_test_add_func ("/parse/json-is-noticed-after-an-error", test_json_error);
  return g_test_run ();
}
