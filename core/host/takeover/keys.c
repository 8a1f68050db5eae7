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
make_volume (const SpTakeover *takeover, const SpVaultRecord *record, const SpVmSettings *settings,
             GError **error)
{
  g_autofree char *path = g_build_filename (takeover->folder, SP_VAULT_DATA, NULL);

  return sp_data_volume_make (path, settings->disk_size, record->data, error);
}

/* What boots says how it came to be trusted, whatever the config would have for another. */
static SpVaultRecord *
record_new (const SpTakeover *takeover)
{
  SpVaultRecord *record = sp_vault_record_new (takeover->image_id, takeover->trust,
                                               takeover->from ? takeover->from->name : NULL);

  if (takeover->cloud != NULL) {
    record->base = g_strdup (takeover->cloud->base.sha256);
    record->bundle = g_strdup (takeover->cloud->bundle_id);
    record->container = takeover->cloud->runtime == SP_CLOUD_IN_CONTAINER;
  }
  return record;
}

gboolean
sp_takeover_keys (gpointer data, char **ret_message, gboolean *ret_skipped, GError **error)
{
  SpTakeover *takeover = data;
  g_autoptr (SpHostKeys) keys = NULL;
  g_autoptr (SpVaultRecord) record = record_new (takeover);
  g_autoptr (SpVmSettings) settings =
      sp_vm_settings_new (takeover->vault->vm, takeover->catalog, error);

  if (settings == NULL)
    return FALSE;
  keys = sp_host_keys_open (takeover->fd, takeover->vault->master_key, error);
  if (keys == NULL || !make_volume (takeover, record, settings, error) ||
      (takeover->cloud != NULL && !sp_takeover_make_seed (takeover, record, settings, error)) ||
      !sp_vault_record_write (record, takeover->fd, error))
    return FALSE;
  *ret_message = g_strdup_printf ("master, vault identity, host, TLS%s; vault %s",
                                  takeover->cloud ? ", SSH, and the machine's own"
                                                  : "; no SSH, an appliance has no login",
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
  sp_takeover_undo_seed (takeover);
  sp_host_keys_remove (takeover->fd);
}
