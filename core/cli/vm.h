/* vm.h - which vault in a machine a command line means; for vm.c and vm-update.c */
#pragma once

#include "cli/cli.h"
#include "host/vm/vm-run.h"

/* NAME after the verb, or --vault; a path there says where it lies.  @ret_folder: new string. */
SpVmRunOptions sp_cli_vm_options (SpCli *cli, char **ret_folder);
/* Whether there is a finished vault in @folder, and we may look into it. */
gboolean sp_cli_is_vault (const char *folder, GError **error);
