/* provision.c - `secret-proxy provision` */
#include "host/vm/provision.h"

#include <stdio.h>
#include <string.h>

#include "cli/output.h"
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

/* A line as a step would have it, and what it would do below it. */
static void
print_plan (guint number, guint n_steps, const char *name, const char *text, gpointer cli)
{
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  JsonObject *object = json_object_new ();

  json_node_take_object (node, object);
  json_object_set_int_member (object, "step", number);
  json_object_set_string_member (object, "name", name);
  json_object_set_string_member (object, "status", "planned");
  json_object_set_int_member (object, "ms", 0);
  json_object_set_string_member (object, "message", text);
  if (sp_cli_has (cli, "json")) {
    sp_print_json (node);
    return;
  }
  (void) printf ("[%2u/%u] %-30s planned\n", number, n_steps, name);
  for (char **line = lines; *line != NULL; line++) {
    g_autofree char *harmless = sp_escape_text (*line);

    (void) printf ("        %s\n", harmless);
  }
}

int
sp_cli_provision (SpCli *cli, GError **error)
{
  SpProvisionOptions options = {
    .staging = sp_cli_get (cli, "staging"),
    .image = sp_cli_get (cli, "image"),
    .sha512 = sp_cli_get (cli, "sha512"),
    .templates = sp_cli_get (cli, "templates"),
    .runtime = sp_cli_get (cli, "runtime"),
    .vm = sp_cli_get (cli, "vm"),
    .plugin_dir = sp_cli_get (cli, "plugin-dir"),
    .memory = sp_cli_get (cli, "memory"),
    .disk = sp_cli_get (cli, "disk"),
    .report = sp_print_step,
    .data = cli,
  };
  gint64 port = 3737, ssh_port = 0, boot_s = 0;

  if (!need (cli, "staging", error) || !need (cli, "image", error) ||
      !sp_cli_get_int (cli, "port", 1, 65535, &port, error) ||
      !sp_cli_get_int (cli, "ssh-port", 1, 65535, &ssh_port, error) ||
      !sp_cli_get_seconds (cli, "boot-timeout", &boot_s, error))
    return 1;
  options.port = (guint16) port;
  options.ssh_port = (guint16) ssh_port;
  options.boot_s = (guint) CLAMP (boot_s, 0, LONGEST_BOOT_S);
  if (sp_cli_has (cli, "dry-run"))
    return sp_provision_plan (&options, print_plan, cli, error) ? 0 : 1;
  return sp_provision_run (&options, error) ? 0 : 1;
}
