/* ownership.h - what the host says about a vault, signed, and how to check it
 *
 * The statement is one JSON object with sorted keys, no white space and no floats, so that everyone
 * who makes it from the same facts gets the same bytes:
 *
 *      acceleration  what the vault VM runs on; "none" where there is no VM
 *      approvers     sha256, hex, of [{"ids":{NOTIFIER:ID,…},"name":NAME},…], sorted likewise
 *      host_key      Ed25519, base64: signs this
 *      maintenance   true, where there is a way in by SSH; else it is not there
 *      measurement   of a vault VM: what boots, each a SHA-256 in hex, an object of strings
 *      taken_at      RFC 3339
 *      tls_pin       as curl's --pinnedpubkey
 *      trust         "local", "exact", "rebuilt", "audited"
 *      type          "secret-proxy-ownership"
 *      v             1
 *      vault         UUID
 *      vault_key     Ed25519, base64: proves
 *
 * The signature is the host key's in the domain SP_SIGN_DOMAIN_OWNERSHIP.  The live proof is the vault
 * key's in the domain SP_SIGN_DOMAIN_PROVE over the nonce, followed by the SHA-256 of the statement's
 * bytes and the 64 bytes of its signature.
 */
#pragma once

#include <json-glib/json-glib.h>

#include "base/config.h"
#include "host/keys.h"

/* @approvers: NULL-terminated. */
char *sp_ownership_approvers (const SpConfigApprover *const *approvers);

typedef struct {
  const char *trust, *acceleration;
  const char *approvers;   /* of sp_ownership_approvers() */
  JsonObject *measurement; /* of strings; NULL: none */
  gboolean maintenance;
} SpOwnership;

/* The statement's text. */
char *sp_ownership_statement (const SpHostKeys *keys, const SpOwnership *ownership);
/* Base64. */
char *sp_ownership_sign (const SpHostKeys *keys, const char *statement, GError **error);

/* The statement as an object, where it is well-formed and the signature is that of @owner_key
 * (base64), which it also names.  SP_PROBLEM_INTEGRITY otherwise. */
JsonObject *sp_ownership_verify (const char *statement, const char *signature,
                                 const char *owner_key, GError **error);
/* Whether @proof (base64) answers @nonce.  @vault_key: of a verified statement. */
gboolean
sp_ownership_verify_proof (const char *statement, const char *signature, const char *vault_key,
                           GBytes *nonce, const char *proof, GError **error);
