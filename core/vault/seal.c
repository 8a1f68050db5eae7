/* seal.c - seal.h on GnuTLS */
#include "vault/seal.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <string.h>

#include "base/problem.h"

#define FORMAT 1u
#define NONCE 12u
#define TAG 16u

GBytes *
sp_seal_context (guint64 number, ...)
{
  GByteArray *out = g_byte_array_new ();
  const guint64 last = GUINT64_TO_BE (number);
  const char *part;
  va_list parts;

  va_start (parts, number);
  while ((part = va_arg (parts, const char *)) != NULL) {
    const guint64 length = GUINT64_TO_BE ((guint64) strlen (part));

    g_byte_array_append (out, (const guint8 *) &length, sizeof length);
    g_byte_array_append (out, (const guint8 *) part, (guint) strlen (part));
  }
  va_end (parts);
  g_byte_array_append (out, (const guint8 *) &last, sizeof last);
  return g_byte_array_free_to_bytes (out);
}

static gnutls_aead_cipher_hd_t
cipher_new (SpSecret *key)
{
  const gnutls_datum_t datum = { sp_secret_data (key), (guint) sp_secret_length (key) };
  gnutls_aead_cipher_hd_t cipher;

  if (gnutls_aead_cipher_init (&cipher, GNUTLS_CIPHER_AES_256_GCM, &datum) != 0)
    g_error ("GnuTLS has no AES-256-GCM");
  return cipher;
}

GBytes *
sp_seal (SpSecret *key, GBytes *context, gconstpointer data, gsize length)
{
  gnutls_aead_cipher_hd_t cipher = cipher_new (key);
  gsize context_length, room = length + TAG;
  gconstpointer context_data = g_bytes_get_data (context, &context_length);
  guint8 *out = g_malloc (length + SP_SEAL_OVERHEAD);

  out[0] = FORMAT;
  if (gnutls_rnd (GNUTLS_RND_NONCE, out + 1, NONCE) != 0 ||
      gnutls_aead_cipher_encrypt (cipher, out + 1, NONCE, context_data, context_length, TAG, data,
                                  length, out + 1 + NONCE, &room) != 0)
    g_error ("GnuTLS cannot encrypt");
  gnutls_aead_cipher_deinit (cipher);
  return g_bytes_new_take (out, length + SP_SEAL_OVERHEAD);
}

SpSecret *
sp_unseal (SpSecret *key, GBytes *context, GBytes *sealed, GError **error)
{
  gsize length, context_length, room;
  const guint8 *data = g_bytes_get_data (sealed, &length);
  gconstpointer context_data = g_bytes_get_data (context, &context_length);
  g_autoptr (SpSecret) plain = NULL;
  gnutls_aead_cipher_hd_t cipher;
  int result;

  if (length < SP_SEAL_OVERHEAD || data[0] != FORMAT) {
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY, "sealed data of an unknown form");
    return NULL;
  }
  room = length - SP_SEAL_OVERHEAD;
  plain = sp_secret_new (room);
  cipher = cipher_new (key);
  /* GnuTLS leaves the plaintext in the buffer even where the tag is wrong; dropping the secret
   * wipes it. */
  result = gnutls_aead_cipher_decrypt (cipher, data + 1, NONCE, context_data, context_length, TAG,
                                       data + 1 + NONCE, length - 1 - NONCE, sp_secret_data (plain),
                                       &room);
  gnutls_aead_cipher_deinit (cipher);
  if (result != 0) {
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY,
                         "sealed data was changed, or belongs to other keys");
    return NULL;
  }
  return g_steal_pointer (&plain);
}
