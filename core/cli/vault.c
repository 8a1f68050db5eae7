/* vault.c - `secret-proxy vault lock|unlock`
 *
 * Approvers can lock, too; only an administrator unlocks.
 */
#include "cli/admin.h"
#include "cli/output.h"
#include "cli/prompt.h"

int
sp_cli_vault_lock (SpCli *cli, GError **error)
{
  g_autoptr (JsonNode) answer = NULL;

  if (!sp_confirm (cli, error,
                   "end all requests and grants, and hand out nothing until 'vault unlock'"))
    return 1;
  answer = sp_admin_call_once (cli, "lock.set", NULL, error);
  if (answer == NULL)
    return 1;
  sp_print_sentence (cli, answer, "the vault is locked");
  return 0;
}

int
sp_cli_vault_unlock (SpCli *cli, GError **error)
{
  g_autoptr (JsonNode) answer = sp_admin_call_once (cli, "lock.clear", NULL, error);

  if (answer == NULL)
    return 1;
  sp_print_sentence (cli, answer, "the vault is unlocked; what had ended stays so");
  return 0;
}
