/* cloud-vault.h - what the machine of a vault boots where that is made of a cloud image: disk, seed, keys
 *
 * All of it is made here, now, of the host's own base image: for a takeover, and for a vault that moves to another
 * image.  A folder is the vault's, or one in it where this waits for its turn; the files have the names of
 * vault-record.h.
 *
 * What must stay true: no byte of an agent's gets into any of these files; the private host key of the machine is on
 * the seed and on its own disk only.
 */
#pragma once

#include "base/secret.h"
#include "host/cloud/cloud-image.h"
#include "host/vm/vault-record.h"
#include "host/vm/vm-spec.h"

/* The key that opens the one account, whose private half stays in @folder; @ret_public: the line of the other. */
gboolean
sp_cloud_vault_new_login (int folder, const char *vault, char **ret_public, GError **error);
/* The one that was made before. */
gboolean sp_cloud_vault_read_login (int folder, char **ret_public, GError **error);
/* The machine's own, of which the public half is written to @folder before the machine boots. */
gboolean
sp_cloud_vault_new_host_key (int folder, SpSecret **ret_key, char **ret_public, GError **error);

/* The disk in the folder @path, which must not be there.  Blocks. */
gboolean sp_cloud_vault_make_system (const SpCloudImage *image, const char *path, GError **error);

typedef struct {
  const char *machine; /* its id */
  const char *login;   /* the line of the key that opens it */
  SpSecret *host_key;  /* and its own */
  const char *host_public;
} SpCloudVaultKeys;

/* What the first boot is told, in the folder @path. */
gboolean sp_cloud_vault_make_seed (const SpCloudImage *image, const SpCloudVaultKeys *keys,
                                   const SpVmSettings *settings, const char *path, GError **error);
