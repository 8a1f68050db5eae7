/* local.c - `secret-proxy local` */
#include "host/resident/local.h"

#include "cli/cli.h"

int
sp_cli_local (SpCli *cli, GError **error)
{
  SpLocalOptions options = {
    .dir = cli->args[0],
    .config = sp_cli_get (cli, "config"),
    .vault = sp_cli_get (cli, "vault"),
    .plugin_dir = sp_cli_get (cli, "plugin-dir"),
    .port = -1,
  };
  gint64 port = -1;

  if (!sp_cli_get_int (cli, "port", 0, 65535, &port, error))
    return 1;
  options.port = (int) port;
  return sp_local_run (&options, error) ? 0 : 1;
}
