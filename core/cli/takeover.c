/* takeover.c - `secret-proxy takeover` and `create` */
#include "host/takeover/takeover.h"

#include <stdio.h>
#include <string.h>

#include "cli/admin.h"
#include "cli/findings.h"
#include "cli/step-lines.h"

static SpTakeoverOptions
options_of (SpCli *cli, const char *vault, const char *folder)
{
  const char *given = sp_cli_get (cli, "vault");
  gboolean is_path = given != NULL && strchr (given, '/') != NULL;

  return (SpTakeoverOptions){ .vault = vault ? vault : (is_path ? NULL : given),
                              .folder = is_path ? folder : NULL,
                              .config = sp_cli_get (cli, "config"),
                              .plugin_dir = sp_cli_get (cli, "plugin-dir"),
                              .accept = sp_cli_get (cli, "accept"),
                              .report = sp_print_step,
                              .found = sp_print_findings,
                              .data = cli };
}

/* For people only: with --json the lines of the steps say it all. */
static void
print_result (const SpCli *cli, const SpTakeoverResult *result)
{
  if (result->warning != NULL)
    g_printerr ("secret-proxy: warning: %s\n", result->warning);
  if (sp_cli_has (cli, "json"))
    return;
  (void) printf ("\nThe vault is at %s. To see it from the agent's side:\n"
                 "  curl -k --pinnedpubkey '%s' %s/health\n",
                 result->url, result->tls_pin, result->url);
}

static int
abort_it (const SpTakeoverOptions *options, GError **error)
{
  g_autofree char *left = NULL;

  if (!sp_takeover_abort (options, &left, error))
    return 1;
  g_printerr ("secret-proxy: the takeover was taken back%s%s\n",
              left ? ", but this was in vain: " : "", left ? left : "");
  return 0;
}

int
sp_cli_takeover (SpCli *cli, GError **error)
{
  g_autofree char *folder = sp_vault_folder (cli);
  SpTakeoverOptions options = options_of (cli, NULL, folder);
  g_autoptr (SpTakeoverResult) result = NULL;
  gint64 approval_s = 0;

  options.source = cli->args[0];
  if (!sp_cli_get_seconds (cli, "approval-timeout", &approval_s, error))
    return 1;
  options.approval_s = (guint) CLAMP (approval_s, 0, 3600);
  if (sp_cli_has (cli, "abort"))
    return abort_it (&options, error);
  result = sp_cli_has (cli, "resume") ? sp_takeover_resume (&options, error)
                                      : sp_takeover_run (&options, error);
  if (result == NULL)
    return 1;
  print_result (cli, result);
  return 0;
}

int
sp_cli_create (SpCli *cli, GError **error)
{
  g_autofree char *folder = sp_vault_folder (cli);
  SpTakeoverOptions options = options_of (cli, cli->args[0], folder);
  g_autoptr (SpTakeoverResult) result = NULL;

  options.image = sp_cli_get (cli, "image");
  result = sp_create_run (&options, error);
  if (result == NULL)
    return 1;
  print_result (cli, result);
  return 0;
}
