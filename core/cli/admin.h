/* admin.h - which vault a command line means, and calls to it */
#pragma once

#include "cli/cli.h"
#include "host/resident/admin-client.h"

/* The folder of the vault that --vault names: a path where it has a slash, else a name; new string. */
char *sp_vault_folder (const SpCli *cli);

/* Connect to the vault that --vault names. */
SpAdmin *sp_admin_open (const SpCli *cli, GError **error);

/* The plugins of a vault.status or host.machine, as a table after an empty line. */
void sp_print_plugins (JsonNode *status);

/* Connect, call, close. */
JsonNode *
sp_admin_call_once (const SpCli *cli, const char *method, JsonObject *params, GError **error);
JsonNode *
sp_admin_list_once (const SpCli *cli, const char *method, JsonObject *params, GError **error);
