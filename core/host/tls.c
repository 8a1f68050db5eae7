/* tls.c - tls.h on GnuTLS */
#include "host/tls.h"

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <string.h>
#include <time.h>

#include "base/problem.h"

#define PIN_PREFIX "sha256//"
#define PIN_LENGTH (8u + 44u)
#define TEN_YEARS (3652 * 24 * 60 * 60)

static const char *const dns_names[] = { "localhost" };
static const char *const addresses[] = { "127.0.0.1", "::1" };

static void
set_failed (GError **error, const char *what, int status)
{
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTERNAL, "%s: %s", what, gnutls_strerror (status));
}

static int
add_names (gnutls_x509_crt_t crt)
{
  int status = 0;

  for (gsize i = 0; status == 0 && i < G_N_ELEMENTS (dns_names); i++)
    status =
        gnutls_x509_crt_set_subject_alt_name (crt, GNUTLS_SAN_DNSNAME, dns_names[i],
                                              (unsigned) strlen (dns_names[i]), GNUTLS_FSAN_APPEND);
  for (gsize i = 0; status == 0 && i < G_N_ELEMENTS (addresses); i++) {
    g_autoptr (GInetAddress) address = g_inet_address_new_from_string (addresses[i]);

    status = gnutls_x509_crt_set_subject_alt_name (
        crt, GNUTLS_SAN_IPADDRESS, g_inet_address_to_bytes (address),
        (unsigned) g_inet_address_get_native_size (address), GNUTLS_FSAN_APPEND);
  }
  return status;
}

static int
fill_certificate (gnutls_x509_crt_t crt, gnutls_x509_privkey_t key)
{
  static const char name[] = "secret-proxy";
  guint8 serial[16];
  time_t now = time (NULL);
  int status = gnutls_rnd (GNUTLS_RND_NONCE, serial, sizeof serial);

  serial[0] &= 0x7f; /* a positive number */
  serial[0] |= 0x40;
  if (status == 0)
    status = gnutls_x509_crt_set_version (crt, 3);
  if (status == 0)
    status = gnutls_x509_crt_set_serial (crt, serial, sizeof serial);
  if (status == 0)
    status =
        gnutls_x509_crt_set_dn_by_oid (crt, GNUTLS_OID_X520_COMMON_NAME, 0, name, sizeof name - 1);
  if (status == 0)
    status = add_names (crt);
  /* A day back: clocks of machines differ. */
  if (status == 0)
    status = gnutls_x509_crt_set_activation_time (crt, now - 24 * 60 * 60);
  if (status == 0)
    status = gnutls_x509_crt_set_expiration_time (crt, now + TEN_YEARS);
  if (status == 0)
    status = gnutls_x509_crt_set_key (crt, key);
  if (status == 0)
    status = gnutls_x509_crt_sign2 (crt, crt, key, GNUTLS_DIG_SHA256, 0);
  return status;
}

static SpSecret *
join_pem (const gnutls_datum_t *crt, const gnutls_datum_t *key)
{
  SpSecret *pem = sp_secret_new ((gsize) crt->size + key->size);

  memcpy (sp_secret_data (pem), crt->data, crt->size);
  memcpy (sp_secret_data (pem) + crt->size, key->data, key->size);
  return pem;
}

SpSecret *
sp_tls_generate (GError **error)
{
  gnutls_datum_t crt_pem = { NULL, 0 }, key_pem = { NULL, 0 };
  gnutls_x509_privkey_t key = NULL;
  gnutls_x509_crt_t crt = NULL;
  SpSecret *pem = NULL;
  int status = gnutls_x509_privkey_init (&key);

  if (status == 0)
    status = gnutls_x509_privkey_generate (key, GNUTLS_PK_ECDSA,
                                           GNUTLS_CURVE_TO_BITS (GNUTLS_ECC_CURVE_SECP256R1), 0);
  if (status == 0)
    status = gnutls_x509_crt_init (&crt);
  if (status == 0)
    status = fill_certificate (crt, key);
  if (status == 0)
    status = gnutls_x509_crt_export2 (crt, GNUTLS_X509_FMT_PEM, &crt_pem);
  if (status == 0)
    status = gnutls_x509_privkey_export2_pkcs8 (key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN,
                                                &key_pem);
  if (status == 0)
    pem = join_pem (&crt_pem, &key_pem);
  else
    set_failed (error, "cannot make a certificate", status);
  if (key_pem.data != NULL)
    sp_wipe (key_pem.data, key_pem.size);
  gnutls_free (key_pem.data);
  gnutls_free (crt_pem.data);
  gnutls_x509_crt_deinit (crt);
  gnutls_x509_privkey_deinit (key);
  return pem;
}

static char *
pin_of (const gnutls_datum_t *data, gnutls_x509_crt_fmt_t format, int *ret_status)
{
  gnutls_datum_t spki = { NULL, 0 };
  gnutls_x509_crt_t crt = NULL;
  gnutls_pubkey_t key = NULL;
  guint8 digest[32];
  char *pin = NULL;
  int status = gnutls_x509_crt_init (&crt);

  if (status == 0)
    status = gnutls_x509_crt_import (crt, data, format);
  if (status == 0)
    status = gnutls_pubkey_init (&key);
  if (status == 0)
    status = gnutls_pubkey_import_x509 (key, crt, 0);
  if (status == 0)
    status = gnutls_pubkey_export2 (key, GNUTLS_X509_FMT_DER, &spki);
  if (status == 0)
    status = gnutls_hash_fast (GNUTLS_DIG_SHA256, spki.data, spki.size, digest);
  if (status == 0) {
    g_autofree char *base64 = g_base64_encode (digest, sizeof digest);

    pin = g_strconcat (PIN_PREFIX, base64, NULL);
  }
  gnutls_free (spki.data);
  gnutls_pubkey_deinit (key);
  gnutls_x509_crt_deinit (crt);
  *ret_status = status;
  return pin;
}

char *
sp_tls_pin_pem (SpSecret *pem, GError **error)
{
  gnutls_datum_t data = { sp_secret_data (pem), (unsigned) sp_secret_length (pem) };
  int status;
  char *pin = pin_of (&data, GNUTLS_X509_FMT_PEM, &status);

  if (pin == NULL)
    set_failed (error, "not a certificate in PEM", status);
  return pin;
}

char *
sp_tls_pin_der (gconstpointer der, gsize length)
{
  gnutls_datum_t data = { (guint8 *) der, (unsigned) length };
  int status;

  return pin_of (&data, GNUTLS_X509_FMT_DER, &status);
}

gboolean
sp_tls_pin_equal (const char *a, const char *b)
{
  return a != NULL && b != NULL && strlen (a) == PIN_LENGTH && strlen (b) == PIN_LENGTH &&
         g_str_has_prefix (a, PIN_PREFIX) && sp_secret_equal (a, b, PIN_LENGTH);
}
