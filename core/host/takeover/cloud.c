/* cloud.c - what steps 1, 7 and 8 do where a vault boots a disk of its own, made of a cloud image
 *
 * For trust `rebuilt` nothing of the agent's is used, not even looked at: the disk is a copy of the host's
 * own base image, and what its first boot makes of it is on a seed of the host's own, with keys that are made
 * now (vm/cloud-vault.h).
 */
#include <unistd.h>

#include "host/takeover/private.h"
#include "host/vm/cloud-vault.h"

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
  if (!sp_cloud_vault_make_system (takeover->cloud, takeover->folder, error))
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

gboolean
sp_takeover_make_seed (SpTakeover *takeover, const SpVaultRecord *record,
                       const SpVmSettings *settings, GError **error)
{
  g_autofree char *login = NULL;
  g_autofree char *host_public = NULL;
  g_autoptr (SpSecret) host_key = NULL;
  SpCloudVaultKeys keys = { .machine = record->machine };

  if (!sp_cloud_vault_new_login (takeover->fd, takeover->vault->name, &login, error) ||
      !sp_cloud_vault_new_host_key (takeover->fd, &host_key, &host_public, error))
    return FALSE;
  keys.login = login;
  keys.host_key = host_key;
  keys.host_public = host_public;
  return (takeover->audit == NULL ||
          sp_takeover_rekey (takeover, login, host_key, host_public, error)) &&
         sp_cloud_vault_make_seed (takeover->cloud, &keys, settings, takeover->folder, error);
}

void
sp_takeover_undo_seed (const SpTakeover *takeover)
{
  static const char *const names[] = { SP_VAULT_SEED, SP_VAULT_SSH_KEY, SP_VAULT_SSH_PUBLIC,
                                       SP_VAULT_SSH_HOSTS };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    (void) unlinkat (takeover->fd, names[i], 0);
}
