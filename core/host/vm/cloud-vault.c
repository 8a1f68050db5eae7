/* cloud-vault.c - cloud-vault.h */
#include "host/vm/cloud-vault.h"

#include <string.h>

#include "base/file.h"
#include "host/cloud/seed.h"
#include "host/cloud/ssh-key.h"
#include "host/vm/machine.h"

#define SYSTEM_SIZE (G_GUINT64_CONSTANT (10) << 30)
#define SSH_PORT 22u
#define MAX_LINE 1024u

/* ---- keys ------------------------------------------------------------------------------------------------- */

static gboolean
write_text (int folder, const char *name, const char *text, GError **error)
{
  return sp_file_write_private (folder, name, SP_FILE_REPLACE, text, strlen (text), error);
}

gboolean
sp_cloud_vault_new_login (int folder, const char *vault, char **ret_public, GError **error)
{
  g_autofree char *comment = g_strconcat ("secret-proxy/", vault, NULL);
  g_autoptr (SpSecret) key = NULL;
  g_autofree char *line = NULL;

  if (!sp_ssh_key_new (comment, &key, ret_public, error))
    return FALSE;
  line = g_strconcat (*ret_public, "\n", NULL);
  return sp_file_write_private (folder, SP_VAULT_SSH_KEY, SP_FILE_REPLACE, sp_secret_data (key),
                                sp_secret_length (key), error) &&
         write_text (folder, SP_VAULT_SSH_PUBLIC, line, error);
}

gboolean
sp_cloud_vault_read_login (int folder, char **ret_public, GError **error)
{
  g_autoptr (SpSecret) line = sp_file_read_private (folder, SP_VAULT_SSH_PUBLIC, MAX_LINE, error);

  if (line == NULL) {
    g_prefix_error (error, "the key that opens the vault's machine: ");
    return FALSE;
  }
  *ret_public =
      g_strchomp (g_strndup ((const char *) sp_secret_data (line), sp_secret_length (line)));
  return TRUE;
}

gboolean
sp_cloud_vault_new_host_key (int folder, SpSecret **ret_key, char **ret_public, GError **error)
{
  g_autofree char *known = NULL;

  if (!sp_ssh_key_new ("vault", ret_key, ret_public, error))
    return FALSE;
  known = sp_ssh_known_host (SP_VAULT_SSH_ALIAS, SSH_PORT, *ret_public);
  return write_text (folder, SP_VAULT_SSH_HOSTS, known, error);
}

/* ---- disk and seed ------------------------------------------------------------------------------------------ */

gboolean
sp_cloud_vault_make_system (const SpCloudImage *image, const char *path, GError **error)
{
  g_autofree char *system = g_build_filename (path, SP_VAULT_SYSTEM, NULL);

  return sp_cloud_image_make_system (image, system, SYSTEM_SIZE, error);
}

/* As sp_machine_cmdline() has it for an appliance. */
static void
set_network (SpCloudSeed *seed, const SpVmSettings *settings)
{
  gboolean user = settings->network == SP_VM_NETWORK_USER;

  if (user && settings->dns == NULL)
    return;
  seed->address = user ? SP_MACHINE_USER_ADDRESS : settings->address;
  seed->gateway = user ? SP_MACHINE_USER_GATEWAY : settings->gateway;
  seed->dns = settings->dns ? settings->dns : seed->gateway;
}

gboolean
sp_cloud_vault_make_seed (const SpCloudImage *image, const SpCloudVaultKeys *keys,
                          const SpVmSettings *settings, const char *path, GError **error)
{
  g_autofree char *file = g_build_filename (path, SP_VAULT_SEED, NULL);
  g_autofree char *mac = sp_machine_mac (keys->machine);
  const char *logins[] = { keys->login, NULL };
  SpCloudSeed seed = { .instance_id = keys->machine,
                       .ssh_keys = logins,
                       .host_key = keys->host_key,
                       .host_public = keys->host_public,
                       .mac = mac };

  set_network (&seed, settings);
  return sp_cloud_seed_write (image, &seed, file, error);
}
