/* vm-ssh.c - `secret-proxy vm ssh [VAULT] [-- COMMAND]`: into a vault's machine, while it is in maintenance
 *
 * It becomes the ssh of this host, with the vault's own key and the host key that was made for the machine;
 * nothing of the user's configuration is read, and no other key is tried or taken.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "cli/admin.h"
#include "cli/vm.h"
#include "host/vm/vault-record.h"

#define SSH "ssh"
#define USER "proxy"

/* A name may stand before the command; without one "--" comes first. */
static SpCli
without_command (const SpCli *cli, char ***ret_command)
{
  SpCli named = *cli;

  named.n_args = cli->rest ? 0 : MIN (cli->n_args, 1);
  *ret_command = cli->args + named.n_args;
  if (!cli->rest && **ret_command != NULL && g_str_equal (**ret_command, "--"))
    (*ret_command)++;
  return named;
}

/* "127.0.0.1:2222" of a machine that is in maintenance. */
static char *
address_of (const char *folder, const char *name, GError **error)
{
  g_autoptr (SpAdmin) admin = sp_admin_open_folder (folder, error);
  g_autoptr (JsonNode) machine =
      admin ? sp_admin_call (admin, "host.machine", NULL, NULL, error) : NULL;
  const char *address = NULL;

  if (machine == NULL)
    return NULL;
  if (JSON_NODE_HOLDS_OBJECT (machine) &&
      sp_json_get_string (json_node_get_object (machine), "ssh", &address, NULL) && address != NULL)
    return g_strdup (address);
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFLICT,
               "the vault in %s is not in maintenance, so nobody can log in: 'vm stop', then 'vm "
               "start %s --maintenance'",
               folder, name ? name : "VAULT");
  return NULL;
}

/* Lines for ssh's -o.  A path may have spaces. */
static void
add_option (GPtrArray *argv, char *option)
{
  g_ptr_array_add (argv, g_strdup ("-o"));
  g_ptr_array_add (argv, option);
}

static GPtrArray *
ssh_argv (const char *folder, const char *address, char **command)
{
  static const char *const options[] = { "GlobalKnownHostsFile=/dev/null",
                                         "StrictHostKeyChecking=yes",
                                         "UpdateHostKeys=no",
                                         "IdentitiesOnly=yes",
                                         "IdentityAgent=none",
                                         "PreferredAuthentications=publickey",
                                         "ClearAllForwardings=yes" };
  const char *colon = strrchr (address, ':');
  GPtrArray *argv = g_ptr_array_new_with_free_func (g_free);

  g_ptr_array_add (argv, g_strdup (SSH));
  g_ptr_array_add (argv, g_strdup ("-F"));
  g_ptr_array_add (argv, g_strdup ("none"));
  for (gsize i = 0; i < G_N_ELEMENTS (options); i++)
    add_option (argv, g_strdup (options[i]));
  add_option (argv, g_strdup ("HostKeyAlias=" SP_VAULT_SSH_ALIAS));
  add_option (argv, g_strdup_printf ("UserKnownHostsFile=\"%s/" SP_VAULT_SSH_HOSTS "\"", folder));
  add_option (argv, g_strdup_printf ("IdentityFile=\"%s/" SP_VAULT_SSH_KEY "\"", folder));
  add_option (argv, g_strdup_printf ("Port=%s", colon + 1));
  g_ptr_array_add (argv, g_strdup_printf (USER "@%.*s", (int) (colon - address), address));
  if (*command != NULL)
    g_ptr_array_add (argv, g_strdup ("--"));
  for (; *command != NULL; command++)
    g_ptr_array_add (argv, g_strdup (*command));
  g_ptr_array_add (argv, NULL);
  return argv;
}

int
sp_cli_vm_ssh (SpCli *cli, GError **error)
{
  char **command;
  SpCli named = without_command (cli, &command);
  g_autofree char *folder = NULL;
  const SpVmRunOptions vm = sp_cli_vm_options (&named, &folder);
  g_autofree char *address = NULL;
  g_autoptr (GPtrArray) argv = NULL;

  if (!sp_cli_is_vault (folder, error))
    return 1;
  address = address_of (folder, vm.vault, error);
  if (address == NULL)
    return 1;
  argv = ssh_argv (folder, address, command);
  (void) execvp (SSH, (char **) argv->pdata);
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG,
               "cannot run " SSH ": %s; install the package "
               "openssh-client",
               g_strerror (errno));
  return 1;
}
