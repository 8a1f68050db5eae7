/* cloud.c - what steps 1, 7 and 8 do where a vault boots a disk of its own, made of a cloud image
 *
 * For trust `rebuilt` nothing of the agent's is used, not even looked at: the disk is a copy of the host's
 * own base image, and what its first boot makes of it is on a seed of the host's own, with keys that are made
 * now.
 *
 * What must stay true: no byte of the agent's disk, of its seed or of its keys gets into any of the files made
 * here; the private host key of the machine is on the seed and on its own disk only.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/problem.h"
#include "host/cloud/seed.h"
#include "host/cloud/ssh-key.h"
#include "host/takeover/private.h"
#include "host/vm/machine.h"

#define SYSTEM_SIZE (G_GUINT64_CONSTANT (10) << 30)
#define SSH_PORT 22u

/* ---- which image --------------------------------------------------------------------------------------- */

/* As the config and `--image` take it: an id, or the name of a base, of which it is the newest. */
char *
sp_takeover_image_id (const char *state, const char *given)
{
  char *id = given != NULL ? sp_cloud_image_named (state, given) : NULL;

  return id != NULL ? id : g_strdup (given);
}

gboolean
sp_takeover_is_cloud (const char *state, const char *id, gboolean *ret_is, GError **error)
{
  g_autofree char *dir = sp_image_folder_find (state, id, SP_IMAGE_CLOUD, error);
  SpImageKind kind = SP_IMAGE_APPLIANCE;

  if (dir == NULL || !sp_image_folder_kind (dir, &kind, error))
    return FALSE;
  *ret_is = kind == SP_IMAGE_CLOUD;
  return TRUE;
}

gboolean
sp_takeover_is_rebuilt (const SpTakeover *takeover)
{
  return g_strcmp0 (takeover->trust, SP_TRUST_REBUILT) == 0;
}

gboolean
sp_takeover_open_cloud (SpTakeover *takeover, const char *id, GError **error)
{
  takeover->cloud = sp_cloud_image_find (takeover->state, id, error);
  takeover->trust = SP_TRUST_REBUILT;
  takeover->image_id = takeover->cloud ? g_strdup (takeover->cloud->id) : NULL;
  return takeover->cloud != NULL;
}

/* The config's, or else the newest: what the agent names is what it says it has booted, and the host need
 * not have that one. */
gboolean
sp_takeover_choose_cloud (SpTakeover *takeover, const char *claimed, char **ret_why, GError **error)
{
  const char *given = takeover->vault->image;
  g_autofree char *id = sp_takeover_image_id (takeover->state, given);

  if (!sp_takeover_open_cloud (takeover, id, error)) {
    g_prefix_error (error, given ? "[vault %s] image: " : "[vault %s] trust = rebuilt: ",
                    takeover->vault->name);
    return FALSE;
  }
  *ret_why = g_strdup_printf (
      "image %.12s… (%s, %s)%s", takeover->image_id, takeover->cloud->name,
      given ? "as the config says" : "the newest cloud image of this host",
      g_strcmp0 (claimed, takeover->image_id) == 0 ? "" : "; the agent's own is not used");
  return TRUE;
}

/* ---- the disk ------------------------------------------------------------------------------------------ */

gboolean
sp_takeover_make_system (SpTakeover *takeover, char **ret_message, GError **error)
{
  g_autofree char *path = g_build_filename (takeover->folder, SP_VAULT_SYSTEM, NULL);

  if (!sp_cloud_image_make_system (takeover->cloud, path, SYSTEM_SIZE, error))
    return FALSE;
  *ret_message =
      g_strdup_printf ("rebuilt: a new disk of base %s (sha256 %.12s…) of image %.12s…; "
                       "nothing of the agent's disk is used",
                       takeover->cloud->name, takeover->cloud->base.sha256, takeover->image_id);
  return TRUE;
}

void
sp_takeover_undo_trust (gpointer data)
{
  SpTakeover *takeover = data;

  g_clear_pointer (&takeover->audit, sp_audit_free);
  sp_audit_sweep (takeover->state);
  if (!takeover->runs)
    (void) unlinkat (takeover->fd, SP_VAULT_SYSTEM, 0);
}

/* ---- keys and seed -------------------------------------------------------------------------------------- */

static gboolean
write_text (const SpTakeover *takeover, const char *name, const char *text, GError **error)
{
  return sp_file_write_private (takeover->fd, name, SP_FILE_REPLACE, text, strlen (text), error);
}

/* The key that opens the one account: its private half stays here. */
static gboolean
make_login (const SpTakeover *takeover, char **ret_public, GError **error)
{
  g_autofree char *comment = g_strconcat ("secret-proxy/", takeover->vault->name, NULL);
  g_autoptr (SpSecret) key = NULL;
  g_autofree char *line = NULL;

  if (!sp_ssh_key_new (comment, &key, ret_public, error))
    return FALSE;
  line = g_strconcat (*ret_public, "\n", NULL);
  return sp_file_write_private (takeover->fd, SP_VAULT_SSH_KEY, SP_FILE_REPLACE,
                                sp_secret_data (key), sp_secret_length (key), error) &&
         write_text (takeover, SP_VAULT_SSH_PUBLIC, line, error);
}

/* The host key of the machine: its public half is known here before it boots. */
static gboolean
make_host_key (const SpTakeover *takeover, SpSecret **ret_key, char **ret_public, GError **error)
{
  g_autofree char *known = NULL;

  if (!sp_ssh_key_new ("vault", ret_key, ret_public, error))
    return FALSE;
  known = sp_ssh_known_host (SP_VAULT_SSH_ALIAS, SSH_PORT, *ret_public);
  return write_text (takeover, SP_VAULT_SSH_HOSTS, known, error);
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
sp_takeover_make_seed (SpTakeover *takeover, const SpVaultRecord *record,
                       const SpVmSettings *settings, GError **error)
{
  g_autofree char *path = g_build_filename (takeover->folder, SP_VAULT_SEED, NULL);
  g_autofree char *mac = sp_machine_mac (record->machine);
  g_autofree char *login = NULL;
  g_autofree char *host_public = NULL;
  g_autoptr (SpSecret) host_key = NULL;
  const char *keys[] = { NULL, NULL };
  SpCloudSeed seed = { .instance_id = record->machine, .ssh_keys = keys, .mac = mac };

  if (!make_login (takeover, &login, error) ||
      !make_host_key (takeover, &host_key, &host_public, error))
    return FALSE;
  keys[0] = login;
  seed.host_key = host_key;
  seed.host_public = host_public;
  set_network (&seed, settings);
  return (takeover->audit == NULL ||
          sp_takeover_rekey (takeover, login, host_key, host_public, error)) &&
         sp_cloud_seed_write (takeover->cloud, &seed, path, error);
}

void
sp_takeover_undo_seed (const SpTakeover *takeover)
{
  static const char *const names[] = { SP_VAULT_SEED, SP_VAULT_SSH_KEY, SP_VAULT_SSH_PUBLIC,
                                       SP_VAULT_SSH_HOSTS };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    (void) unlinkat (takeover->fd, names[i], 0);
}
