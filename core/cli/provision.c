/* provision.c - `secret-proxy provision` */
#include "host/vm/provision.h"

#include "cli/step-lines.h"

/* Two emulators within one another took two minutes. */
#define LONGEST_BOOT_S 3600

static gboolean
need (const SpCli *cli, const char *option, GError **error)
{
  if (sp_cli_has (cli, option))
    return TRUE;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_USAGE, "--%s is needed", option);
  return FALSE;
}

int
sp_cli_provision (SpCli *cli, GError **error)
{
  SpProvisionOptions options = {
    .staging = sp_cli_get (cli, "staging"),
    .image = sp_cli_get (cli, "image"),
    .vm = sp_cli_get (cli, "vm"),
    .plugin_dir = sp_cli_get (cli, "plugin-dir"),
    .memory = sp_cli_get (cli, "memory"),
    .disk = sp_cli_get (cli, "disk"),
    .report = sp_print_step,
    .data = cli,
  };
  gint64 port = 3737, boot_s = 0;

  if (!need (cli, "staging", error) || !need (cli, "image", error) ||
      !sp_cli_get_int (cli, "port", 1, 65535, &port, error) ||
      !sp_cli_get_seconds (cli, "boot-timeout", &boot_s, error))
    return 1;
  options.port = (guint16) port;
  options.boot_s = (guint) CLAMP (boot_s, 0, LONGEST_BOOT_S);
  return sp_provision_run (&options, error) ? 0 : 1;
}
