/* sign.h - Ed25519 (RFC 8032) with a domain in front of every message
 *
 * A signature made for one purpose must be worth nothing for another, so what is signed is the
 * domain, a zero byte, and the message.
 */
#pragma once

#include "base/secret.h"

#define SP_SIGN_DOMAIN_OWNERSHIP "secret-proxy/ownership/v1"
#define SP_SIGN_DOMAIN_PROVE "secret-proxy/prove/v1"

/* A new private key, PKCS #8 PEM. */
SpSecret *sp_sign_generate (GError **error);
/* Base64 of the 32 bytes of the public key that belongs to @key (PEM). */
char *sp_sign_public (SpSecret *key, GError **error);
/* 64 bytes. */
GBytes *
sp_sign (SpSecret *key, const char *domain, gconstpointer message, gsize length, GError **error);
/* TRUE if and only if it is good. */
gboolean sp_sign_verify (const char *public_base64, const char *domain, gconstpointer message,
                         gsize length, gconstpointer signature, gsize signature_length);
