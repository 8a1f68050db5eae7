/* keys.c - step 8: every key new, an empty data volume, and the record of the vault
 *
 * Nothing that the agent could have seen is a secret afterwards: all of this is made here, now.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/problem.h"
#include "host/keys.h"
#include "host/appliance/plugin-disk.h"
#include "host/takeover/private.h"
#include "host/vm/vm-spec.h"

static gboolean
make_volume (const SpTakeover *takeover, const SpVaultRecord *record, GError **error)
{
  g_autoptr (SpVmSettings) settings =
      sp_vm_settings_new (takeover->vault->vm, takeover->catalog, error);
  g_autofree char *path = g_build_filename (takeover->folder, SP_VAULT_DATA, NULL);

  return settings != NULL && sp_data_volume_make (path, settings->disk_size, record->data, error);
}

gboolean
sp_takeover_keys (gpointer data, char **ret_message, gboolean *ret_skipped, GError **error)
{
  SpTakeover *takeover = data;
  g_autoptr (SpHostKeys) keys = NULL;
  g_autoptr (SpVaultRecord) record = sp_vault_record_new (
      takeover->image->id, takeover->vault->trust, takeover->from ? takeover->from->name : NULL);

  keys = sp_host_keys_open (takeover->fd, takeover->vault->master_key, error);
  if (keys == NULL || !make_volume (takeover, record, error) ||
      !sp_vault_record_write (record, takeover->fd, error))
    return FALSE;
  *ret_message = g_strdup_printf ("master, vault identity, host, TLS; no SSH, an appliance has no "
                                  "login; vault %s",
                                  keys->vault_id);
  return TRUE;
}

void
sp_takeover_undo_keys (gpointer data)
{
  SpTakeover *takeover = data;
  const char *const names[] = { "vault.json", SP_VAULT_DATA };

  if (takeover->runs)
    return;
  /* The record first: without it nobody takes what is left for a vault. */
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    (void) unlinkat (takeover->fd, names[i], 0);
  sp_host_keys_remove (takeover->fd);
}
