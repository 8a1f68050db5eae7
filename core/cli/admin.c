/* admin.c - admin.h: which vault a command line means */
#include "cli/admin.h"

#include <string.h>

#include "base/state.h"

#define DEFAULT_VAULT "default"

char *
sp_vault_folder (const SpCli *cli)
{
  const char *vault = sp_cli_get (cli, "vault");
  g_autofree char *state = sp_state_dir ();

  if (vault != NULL && strchr (vault, '/') != NULL)
    return g_canonicalize_filename (vault, NULL);
  return g_build_filename (state, vault ? vault : DEFAULT_VAULT, NULL);
}

SpAdmin *
sp_admin_open (const SpCli *cli, GError **error)
{
  g_autofree char *folder = sp_vault_folder (cli);

  return sp_admin_open_folder (folder, error);
}

JsonNode *
sp_admin_call_once (const SpCli *cli, const char *method, JsonObject *params, GError **error)
{
  g_autoptr (JsonObject) held = params;
  g_autoptr (SpAdmin) admin = sp_admin_open (cli, error);

  return admin ? sp_admin_call (admin, method, g_steal_pointer (&held), NULL, error) : NULL;
}

JsonNode *
sp_admin_list_once (const SpCli *cli, const char *method, JsonObject *params, GError **error)
{
  g_autoptr (JsonObject) held = params;
  g_autoptr (SpAdmin) admin = sp_admin_open (cli, error);

  return admin ? sp_admin_list (admin, method, g_steal_pointer (&held), 0, error) : NULL;
}
