/* image-row.c - the row `meta/image`: with which image the store was opened last, and in which form it is
 *
 * A vault is moved to another image by the host's word alone.  What must stay true: a record of the host's
 * that is older than the store, and a daemon that is older than the rows, are refused before a row of
 * another table is read, let alone written; and each exchange of the image is in the audit log.
 */
#include "base/problem.h"
#include "vault/vault-private.h"

gboolean
sp_image_row_take (SpVault *vault, GVariant *value, GError **error)
{
  const SpVaultSettings *settings = vault->settings;
  guint form;

  g_free (vault->image);
  g_variant_get (value, SP_IMAGE_TYPE, &form, &vault->index, &vault->image);
  if (form > SP_VAULT_FORM)
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY,
                 "the store has form %u, and the daemon of this image knows form %u: a newer image "
                 "has written to it, image %.12s…; go on with that one, or put the data of before "
                 "back, too ('secret-proxy vm rollback-image --data')",
                 form, SP_VAULT_FORM, vault->image);
  else if (settings->image != NULL && vault->index > settings->index)
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY,
                 "the store was opened under rollback index %u, with image %.12s…, and the host's "
                 "vault.json has index %u: that file was set back; restore the newer one, or the "
                 "store that belongs to it",
                 vault->index, vault->image, settings->index);
  else
    return TRUE;
  return FALSE;
}

void
sp_image_row_put (SpVault *vault, SpTxn *txn, gboolean made)
{
  const SpVaultSettings *settings = vault->settings;
  g_autofree char *index = NULL;

  if (settings->image == NULL ||
      (vault->index == settings->index && g_strcmp0 (vault->image, settings->image) == 0))
    return;
  sp_txn_put (txn, SP_TABLE_META, SP_IMAGE_KEY,
              g_variant_new (SP_IMAGE_TYPE, SP_VAULT_FORM, settings->index, settings->image));
  index = g_strdup_printf ("%u", settings->index);
  if (!made)
    sp_txn_audit (txn, "vault.updated", "from", vault->image, "to", settings->image, "index", index,
                  NULL);
  g_free (vault->image);
  vault->image = g_strdup (settings->image);
  vault->index = settings->index;
}
