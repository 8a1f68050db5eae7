/* keys.c - keys.h on GnuTLS */
#include "vault/keys.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <string.h>

#include "base/random.h"

struct _SpKeys {
  char *vault_id;
  SpSecret *extracted; /* HKDF's pseudorandom key */
  SpSecret *keys[SP_N_KEYS];
};

static const char *const purposes[SP_N_KEYS] = {
  [SP_KEY_ROWS] = "rows",     [SP_KEY_NAMES] = "names",     [SP_KEY_AUDIT] = "audit",
  [SP_KEY_TOKENS] = "tokens", [SP_KEY_NOTICES] = "notices",
};

static SpSecret *
expand (SpKeys *keys, const char *purpose)
{
  g_autofree char *info = g_strconcat ("secret-proxy/1/", purpose, NULL);
  SpSecret *key = sp_secret_new (SP_KEY_LENGTH);
  const gnutls_datum_t prk = { sp_secret_data (keys->extracted), SP_KEY_LENGTH };
  const gnutls_datum_t info_datum = { (guchar *) info, (guint) strlen (info) };

  if (gnutls_hkdf_expand (GNUTLS_MAC_SHA256, &prk, &info_datum, sp_secret_data (key),
                          SP_KEY_LENGTH) != 0)
    g_error ("GnuTLS cannot derive a key");
  return key;
}

SpKeys *
sp_keys_new (SpSecret *master, const char *vault_id)
{
  SpKeys *keys = g_new0 (SpKeys, 1);
  const gnutls_datum_t ikm = { sp_secret_data (master), (guint) sp_secret_length (master) };
  const gnutls_datum_t salt = { (guchar *) vault_id, (guint) strlen (vault_id) };

  keys->vault_id = g_strdup (vault_id);
  keys->extracted = sp_secret_new (SP_KEY_LENGTH);
  if (gnutls_hkdf_extract (GNUTLS_MAC_SHA256, &ikm, &salt, sp_secret_data (keys->extracted)) != 0)
    g_error ("GnuTLS cannot derive a key");
  for (guint i = 0; i < SP_N_KEYS; i++)
    keys->keys[i] = expand (keys, purposes[i]);
  return keys;
}

void
sp_keys_free (SpKeys *keys)
{
  if (keys == NULL)
    return;
  for (guint i = 0; i < SP_N_KEYS; i++)
    sp_secret_unref (keys->keys[i]);
  sp_secret_unref (keys->extracted);
  g_free (keys->vault_id);
  g_free (keys);
}

const char *
sp_keys_vault_id (const SpKeys *keys)
{
  return keys->vault_id;
}

SpSecret *
sp_keys_get (SpKeys *keys, SpKeyPurpose purpose)
{
  return keys->keys[purpose];
}

SpSecret *
sp_keys_wrapping (SpKeys *keys, guint epoch)
{
  g_autofree char *purpose = g_strdup_printf ("wrap/%u", epoch);

  return expand (keys, purpose);
}

static void
mac_part (gnutls_hmac_hd_t hmac, gconstpointer data, gsize length)
{
  const guint64 prefix = GUINT64_TO_BE ((guint64) length);

  if (gnutls_hmac (hmac, &prefix, sizeof prefix) != 0 ||
      (length > 0 && gnutls_hmac (hmac, data, length) != 0))
    g_error ("GnuTLS cannot compute a MAC");
}

static gnutls_hmac_hd_t
mac_begin (SpKeys *keys, SpKeyPurpose purpose)
{
  gnutls_hmac_hd_t hmac;

  if (gnutls_hmac_init (&hmac, GNUTLS_MAC_SHA256, sp_secret_data (keys->keys[purpose]),
                        SP_KEY_LENGTH) != 0)
    g_error ("GnuTLS cannot compute a MAC");
  return hmac;
}

void
sp_keys_mac (SpKeys *keys, SpKeyPurpose purpose, const GBytes *const *parts, gsize n_parts,
             guint8 mac[SP_MAC_LENGTH])
{
  gnutls_hmac_hd_t hmac = mac_begin (keys, purpose);

  for (gsize i = 0; i < n_parts; i++) {
    gsize length;
    gconstpointer data = g_bytes_get_data ((GBytes *) parts[i], &length);

    mac_part (hmac, data, length);
  }
  gnutls_hmac_deinit (hmac, mac);
}

char *
sp_keys_mac_hex (SpKeys *keys, SpKeyPurpose purpose, ...)
{
  gnutls_hmac_hd_t hmac = mac_begin (keys, purpose);
  guint8 mac[SP_MAC_LENGTH];
  const char *part;
  va_list parts;

  va_start (parts, purpose);
  while ((part = va_arg (parts, const char *)) != NULL)
    mac_part (hmac, part, strlen (part));
  va_end (parts);
  gnutls_hmac_deinit (hmac, mac);
  return sp_hex (mac, sizeof mac);
}
