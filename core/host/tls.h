/* tls.h - the certificate of a vault, and the pin by which agents know it
 *
 * Nobody signs the certificate: clients compare the digest of its public key with the one that the
 * host gave them, in the form of curl's --pinnedpubkey (RFC 7469 without quotes):
 * "sha256//" and the base64 of the SHA-256 of the SubjectPublicKeyInfo (RFC 5280) in DER.
 */
#pragma once

#include "base/secret.h"

/* A new key (EC, P-256) and a self-signed certificate for it, PEM, certificate first. */
SpSecret *sp_tls_generate (GError **error);
/* The pin of the first certificate of @pem. */
char *sp_tls_pin_pem (SpSecret *pem, GError **error);
/* The pin of a certificate in DER; NULL where it is none. */
char *sp_tls_pin_der (gconstpointer der, gsize length);
/* Whether both pins are well-formed and the same, in time that does not tell where they differ. */
gboolean sp_tls_pin_equal (const char *a, const char *b);
