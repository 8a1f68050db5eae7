/* local.c - `secret-proxy local` */
#include "host/resident/local.h"

#include "cli/cli.h"

/* Agents take their token nowhere but over TLS, and to no place below that. */
static gboolean
check_url (const char *url, GError **error)
{
  g_autoptr (GUri) uri = url ? g_uri_parse (url, G_URI_FLAGS_NONE, NULL) : NULL;

  if (url == NULL || (uri != NULL && g_str_equal (g_uri_get_scheme (uri), "https") &&
                      g_uri_get_host (uri) != NULL && *g_uri_get_path (uri) == '\0'))
    return TRUE;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_USAGE,
               "--url takes one such as https://vault.example:3737, without a path, not '%s'", url);
  return FALSE;
}

int
sp_cli_local (SpCli *cli, GError **error)
{
  SpLocalOptions options = {
    .dir = cli->n_args > 0 ? cli->args[0] : NULL,
    .config = sp_cli_get (cli, "config"),
    .vault = sp_cli_get (cli, "vault"),
    .plugin_dir = sp_cli_get (cli, "plugin-dir"),
    .listen = sp_cli_get (cli, "listen"),
    .url = sp_cli_get (cli, "url"),
    .port = -1,
  };
  gint64 port = -1;

  if (sp_cli_has (cli, "ephemeral") == (cli->n_args > 0)) {
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_USAGE,
                         "local needs either a folder for the vault, or --ephemeral");
    return 1;
  }
  if (!check_url (options.url, error) || !sp_cli_get_int (cli, "port", 0, 65535, &port, error))
    return 1;
  options.port = (int) port;
  return sp_local_run (&options, error) ? 0 : 1;
}
