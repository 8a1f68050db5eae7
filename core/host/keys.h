/* keys.h - what the host keeps for a vault, in the vault's folder
 *
 *      vault-id     UUID of the vault
 *      taken-at     when the keys were made
 *      master.key   32 random bytes; all that seals the store comes from it
 *      vault.key    Ed25519, PKCS #8 PEM: the vault proves itself with it
 *      host.key     Ed25519, PKCS #8 PEM: the host signs what it says about the vault
 *      tls.pem      certificate and key that agents meet
 *
 * All are made on the first run, `vault-id` last: once it is there the set is complete, and a file
 * that is missing later is never made anew, since the store could not be read with another one.
 */
#pragma once

#include "base/secret.h"

typedef struct {
  char *vault_id;
  char *taken_at;   /* RFC 3339, UTC */
  SpSecret *master; /* 32 bytes */
  SpSecret *vault_key, *host_key, *tls;
  char *vault_public, *host_public; /* base64 of 32 bytes */
  char *tls_pin;
} SpHostKeys;

/* Read them from @folder, a descriptor of sp_file_open_folder(); on the first run make them.
 * @master_key: NULL, or `file:PATH`, where the master key lies elsewhere (32 bytes, private).
 * SP_PROBLEM_CONFIG: looser modes, another owner; SP_PROBLEM_INTEGRITY: damaged or missing. */
SpHostKeys *sp_host_keys_open (int folder, const char *master_key, GError **error);
/* The same, but nothing is made: SP_PROBLEM_NOT_FOUND where there are none. */
SpHostKeys *sp_host_keys_read (int folder, const char *master_key, GError **error);
/* Take them all away, `vault-id` first. */
void sp_host_keys_remove (int folder);
void sp_host_keys_free (SpHostKeys *keys);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpHostKeys, sp_host_keys_free)
