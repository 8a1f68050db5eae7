/* local.c - `secret-proxy local` */
#include "host/resident/local.h"

#include "cli/cli.h"

int
sp_cli_local (SpCli *cli, GError **error)
{
  SpLocalOptions options = {
    .dir = cli->n_args > 0 ? cli->args[0] : NULL,
    .config = sp_cli_get (cli, "config"),
    .vault = sp_cli_get (cli, "vault"),
    .plugin_dir = sp_cli_get (cli, "plugin-dir"),
    .port = -1,
  };
  gint64 port = -1;

  if (sp_cli_has (cli, "ephemeral") == (cli->n_args > 0)) {
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_USAGE,
                         "local needs either a folder for the vault, or --ephemeral");
    return 1;
  }
  if (!sp_cli_get_int (cli, "port", 0, 65535, &port, error))
    return 1;
  options.port = (int) port;
  return sp_local_run (&options, error) ? 0 : 1;
}
