/* keys.h - the keys of a vault, all derived from one master key
 *
 * HKDF-SHA256 (RFC 5869) with the vault's id as salt and a purpose as info: no key serves two
 * purposes, none is on a disk.
 */
#pragma once

#include "base/secret.h"

#define SP_KEY_LENGTH 32u
#define SP_MAC_LENGTH 32u

typedef enum {
  SP_KEY_ROWS,    /* seals every row of the store */
  SP_KEY_NAMES,   /* blinds the names of rows */
  SP_KEY_AUDIT,   /* chains the audit log */
  SP_KEY_TOKENS,  /* turns agents' tokens into what is kept of them */
  SP_KEY_NOTICES, /* names notices */
  SP_N_KEYS
} SpKeyPurpose;

typedef struct _SpKeys SpKeys;

/* @master: SP_KEY_LENGTH bytes; a reference is kept. */
SpKeys *sp_keys_new (SpSecret *master, const char *vault_id);
void sp_keys_free (SpKeys *keys);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpKeys, sp_keys_free)

const char *sp_keys_vault_id (const SpKeys *keys);
SpSecret *sp_keys_get (SpKeys *keys, SpKeyPurpose purpose); /* the keys' */
/* The key that wraps data keys in @epoch.  The caller's. */
SpSecret *sp_keys_wrapping (SpKeys *keys, guint epoch);

/* HMAC-SHA256 (RFC 2104) of the parts, each preceded by its length, into @mac. */
void sp_keys_mac (SpKeys *keys, SpKeyPurpose purpose, const GBytes *const *parts, gsize n_parts,
                  guint8 mac[SP_MAC_LENGTH]);
/* The same over strings, as hex; NULL-terminated. */
char *sp_keys_mac_hex (SpKeys *keys, SpKeyPurpose purpose, ...) G_GNUC_NULL_TERMINATED;
