/* seal.h - authenticated encryption of one piece of data
 *
 * AES-256-GCM (NIST SP 800-38D).  A sealed piece is a format byte, a random 96-bit nonce, the
 * ciphertext and the tag.  What the piece is (vault, table, key, revision, ...) goes in as associated
 * data, so that a piece put in another place does not open.
 */
#pragma once

#include "base/secret.h"

#define SP_SEAL_OVERHEAD (1u + 12u + 16u)

/* Associated data: the strings, each preceded by its length, then the number.  NULL-terminated. */
GBytes *sp_seal_context (guint64 number, ...) G_GNUC_NULL_TERMINATED;

GBytes *sp_seal (SpSecret *key, GBytes *context, gconstpointer data, gsize length);
/* NULL with SP_PROBLEM_INTEGRITY where it was changed, moved, or sealed with another key; nothing of
 * the plaintext is left behind then. */
SpSecret *sp_unseal (SpSecret *key, GBytes *context, GBytes *sealed, GError **error);
