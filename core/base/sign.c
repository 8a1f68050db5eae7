/* sign.c - sign.h on GnuTLS
 *
 * What must stay true: the message that is signed always begins with its domain and a zero byte, and
 * the PEM of a private key is in no memory that is not wiped.
 */
#include "base/sign.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <string.h>

#include "base/problem.h"

#define PUBLIC_LENGTH 32u
#define SIGNATURE_LENGTH 64u

static void
set_failed (GError **error, const char *what, int status)
{
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTERNAL, "%s: %s", what, gnutls_strerror (status));
}

static void
datum_wipe (gnutls_datum_t *datum)
{
  if (datum->data != NULL)
    sp_wipe (datum->data, datum->size);
  gnutls_free (datum->data);
  datum->data = NULL;
}

SpSecret *
sp_sign_generate (GError **error)
{
  gnutls_x509_privkey_t key = NULL;
  gnutls_datum_t pem = { NULL, 0 };
  SpSecret *secret = NULL;
  int status = gnutls_x509_privkey_init (&key);

  if (status == 0)
    status = gnutls_x509_privkey_generate (key, GNUTLS_PK_EDDSA_ED25519, 256, 0);
  if (status == 0)
    status =
        gnutls_x509_privkey_export2_pkcs8 (key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &pem);
  if (status == 0)
    secret = sp_secret_new_from (pem.data, pem.size);
  else
    set_failed (error, "cannot make an Ed25519 key", status);
  datum_wipe (&pem);
  gnutls_x509_privkey_deinit (key);
  return secret;
}

static gnutls_x509_privkey_t
open_key (SpSecret *pem, GError **error)
{
  gnutls_datum_t datum = { sp_secret_data (pem), (unsigned) sp_secret_length (pem) };
  gnutls_x509_privkey_t key = NULL;
  int status = gnutls_x509_privkey_init (&key);

  if (status == 0)
    status = gnutls_x509_privkey_import2 (key, &datum, GNUTLS_X509_FMT_PEM, NULL, 0);
  if (status == 0 && gnutls_x509_privkey_get_pk_algorithm (key) != GNUTLS_PK_EDDSA_ED25519)
    status = GNUTLS_E_UNSUPPORTED_SIGNATURE_ALGORITHM;
  if (status == 0)
    return key;
  set_failed (error, "not an Ed25519 private key in PEM", status);
  gnutls_x509_privkey_deinit (key);
  return NULL;
}

char *
sp_sign_public (SpSecret *pem, GError **error)
{
  gnutls_x509_privkey_t key = open_key (pem, error);
  gnutls_datum_t x = { NULL, 0 }, private_part = { NULL, 0 };
  gnutls_ecc_curve_t curve;
  char *text = NULL;
  int status;

  if (key == NULL)
    return NULL;
  status = gnutls_x509_privkey_export_ecc_raw (key, &curve, &x, NULL, &private_part);
  if (status == 0 && x.size == PUBLIC_LENGTH)
    text = g_base64_encode (x.data, x.size);
  else
    set_failed (error, "cannot take the public key out", status);
  datum_wipe (&private_part);
  gnutls_free (x.data);
  gnutls_x509_privkey_deinit (key);
  return text;
}

/* What is signed: the domain, a zero byte, the message. */
static GByteArray *
with_domain (const char *domain, gconstpointer message, gsize length)
{
  GByteArray *bytes = g_byte_array_new ();

  g_byte_array_append (bytes, (const guint8 *) domain, (guint) strlen (domain) + 1);
  g_byte_array_append (bytes, message, (guint) length);
  return bytes;
}

GBytes *
sp_sign (SpSecret *pem, const char *domain, gconstpointer message, gsize length, GError **error)
{
  g_autoptr (GByteArray) bytes = with_domain (domain, message, length);
  gnutls_datum_t data = { bytes->data, bytes->len }, signature = { NULL, 0 };
  gnutls_x509_privkey_t key = open_key (pem, error);
  gnutls_privkey_t signer = NULL;
  GBytes *result = NULL;
  int status;

  if (key == NULL)
    return NULL;
  status = gnutls_privkey_init (&signer);
  if (status == 0)
    status = gnutls_privkey_import_x509 (signer, key, GNUTLS_PRIVKEY_IMPORT_COPY);
  if (status == 0)
    status = gnutls_privkey_sign_data2 (signer, GNUTLS_SIGN_EDDSA_ED25519, 0, &data, &signature);
  if (status == 0)
    result = g_bytes_new (signature.data, signature.size);
  else
    set_failed (error, "cannot sign", status);
  gnutls_free (signature.data);
  gnutls_privkey_deinit (signer);
  gnutls_x509_privkey_deinit (key);
  return result;
}

gboolean
sp_sign_verify (const char *public_base64, const char *domain, gconstpointer message, gsize length,
                gconstpointer signature, gsize signature_length)
{
  g_autoptr (SpSecret) raw = sp_secret_from_base64 (public_base64, strlen (public_base64));
  g_autoptr (GByteArray) bytes = NULL;
  gnutls_datum_t x, data, given = { (guint8 *) signature, (unsigned) signature_length };
  gnutls_pubkey_t key = NULL;
  int status;

  if (raw == NULL || sp_secret_length (raw) != PUBLIC_LENGTH ||
      signature_length != SIGNATURE_LENGTH)
    return FALSE;
  bytes = with_domain (domain, message, length);
  data = (gnutls_datum_t){ bytes->data, bytes->len };
  x = (gnutls_datum_t){ sp_secret_data (raw), PUBLIC_LENGTH };
  status = gnutls_pubkey_init (&key);
  if (status == 0)
    status = gnutls_pubkey_import_ecc_raw (key, GNUTLS_ECC_CURVE_ED25519, &x, NULL);
  if (status == 0)
    status = gnutls_pubkey_verify_data2 (key, GNUTLS_SIGN_EDDSA_ED25519, 0, &data, &given);
  gnutls_pubkey_deinit (key);
  return status >= 0;
}
