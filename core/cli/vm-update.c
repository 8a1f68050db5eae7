/* vm-update.c - `secret-proxy vm update` and `vm rollback-image` */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/prompt.h"
#include "cli/step-lines.h"
#include "cli/vm.h"
#include "host/vm/update.h"
#include "host/vm/vault-copy.h"

#define MAX_DEADLINE_S 3600

static gboolean
read_options (SpCli *cli, char **ret_folder, SpUpdateOptions *options, GError **error)
{
  const SpVmRunOptions vm = sp_cli_vm_options (cli, ret_folder);
  gint64 deadline_s = 0;

  if (!sp_cli_is_vault (*ret_folder, error) ||
      !sp_cli_get_seconds (cli, "deadline", &deadline_s, error))
    return FALSE;
  *options = (SpUpdateOptions){ .vault = vm.vault,
                                .folder = *ret_folder,
                                .config = vm.config,
                                .plugin_dir = vm.plugin_dir,
                                .image = sp_cli_get (cli, "image"),
                                .older = sp_cli_has (cli, "older"),
                                .new_disk = sp_cli_has (cli, "new-disk"),
                                .no_copy = sp_cli_has (cli, "no-copy"),
                                .start_ms = (guint) CLAMP (deadline_s, 0, MAX_DEADLINE_S) * 1000,
                                .report = sp_print_step,
                                .data = cli };
  return TRUE;
}

/* For people only: with --json the lines of the steps say it all. */
static int
print_result (const SpCli *cli, const SpUpdateResult *result)
{
  if (result == NULL)
    return 1;
  if (!sp_cli_has (cli, "json"))
    (void) printf ("\nThe vault %s image %s, version %s.\n'secret-proxy vm rollback-image' goes "
                   "back to %s.\n",
                   result->runs ? "runs with" : "is stopped, and has", result->image,
                   result->version, result->previous);
  return 0;
}

int
sp_cli_vm_update (SpCli *cli, GError **error)
{
  g_autofree char *folder = NULL;
  g_autoptr (SpUpdateResult) result = NULL;
  SpUpdateOptions options;

  if (read_options (cli, &folder, &options, error))
    result = sp_update_run (&options, error);
  return print_result (cli, result);
}

static gboolean
may_lose (const SpCli *cli, const char *path, GError **error)
{
  int folder = open (path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  guint64 lost = folder >= 0 ? sp_vault_copy_age (folder) : 0;

  if (folder >= 0)
    (void) close (folder);
  return sp_confirm (cli, error,
                     "put the data of the vault in %s back to what it was before the update? The "
                     "newest %" G_GUINT64_FORMAT " entries of its audit log, and what they tell "
                     "of, will be lost",
                     path, lost);
}

int
sp_cli_vm_rollback (SpCli *cli, GError **error)
{
  g_autofree char *folder = NULL;
  g_autoptr (SpUpdateResult) result = NULL;
  gboolean data = sp_cli_has (cli, "data");
  SpUpdateOptions options;

  if (read_options (cli, &folder, &options, error) && (!data || may_lose (cli, folder, error)))
    result = sp_rollback_run (&options, data, error);
  return print_result (cli, result);
}
