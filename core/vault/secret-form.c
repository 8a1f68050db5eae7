/* secret-form.c - how a secret is kept: what is known of it, and its value under a key of its own
 *
 * Each version of a value has a data key of its own, which seals the value and is itself sealed by the
 * wrapping key of an epoch.
 */
#include <string.h>

#include "base/problem.h"
#include "vault/seal.h"
#include "vault/vault-private.h"

void
sp_stored_secret_free (SpStoredSecret *secret)
{
  if (secret == NULL)
    return;
  g_free (secret->name);
  g_free (secret->description);
  g_strfreev (secret->allow);
  g_clear_pointer (&secret->wrapped, g_bytes_unref);
  g_free (secret);
}

gboolean
sp_stored_secret_allows (const SpStoredSecret *secret, const char *agent)
{
  return secret->allow == NULL || g_strv_contains ((const char *const *) secret->allow, agent);
}

/* ---- stored form ------------------------------------------------------------------------------------ */

static GVariant *
secret_to_variant (const SpStoredSecret *secret)
{
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&builder, "{sv}", "name", g_variant_new_string (secret->name));
  g_variant_builder_add (&builder, "{sv}", "description",
                         g_variant_new_string (secret->description));
  if (secret->allow != NULL)
    g_variant_builder_add (&builder, "{sv}", "allow",
                           g_variant_new_strv ((const char *const *) secret->allow, -1));
  g_variant_builder_add (&builder, "{sv}", "confirm-code",
                         g_variant_new_boolean (secret->confirm_code));
  g_variant_builder_add (&builder, "{sv}", "grant-max", g_variant_new_uint32 (secret->grant_max_s));
  g_variant_builder_add (&builder, "{sv}", "version", g_variant_new_uint32 (secret->version));
  g_variant_builder_add (&builder, "{sv}", "created", g_variant_new_int64 (secret->created_us));
  g_variant_builder_add (&builder, "{sv}", "updated", g_variant_new_int64 (secret->updated_us));
  g_variant_builder_add (&builder, "{sv}", "epoch", g_variant_new_uint32 (secret->epoch));
  g_variant_builder_add (
      &builder, "{sv}", "data-key",
      g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING, secret->wrapped, TRUE));
  return g_variant_builder_end (&builder);
}

SpStoredSecret *
sp_stored_secret_from_variant (GVariant *value, GError **error)
{
  SpStoredSecret *secret = g_new0 (SpStoredSecret, 1);
  g_autoptr (GVariant) wrapped =
      g_variant_lookup_value (value, "data-key", G_VARIANT_TYPE_BYTESTRING);

  (void) g_variant_lookup (value, "allow", "^as", &secret->allow);
  (void) g_variant_lookup (value, "confirm-code", "b", &secret->confirm_code);
  (void) g_variant_lookup (value, "grant-max", "u", &secret->grant_max_s);
  if (wrapped != NULL)
    secret->wrapped = g_variant_get_data_as_bytes (wrapped);
  if (wrapped != NULL && g_variant_lookup (value, "name", "s", &secret->name) &&
      g_variant_lookup (value, "description", "s", &secret->description) &&
      g_variant_lookup (value, "version", "u", &secret->version) &&
      g_variant_lookup (value, "created", "x", &secret->created_us) &&
      g_variant_lookup (value, "updated", "x", &secret->updated_us) &&
      g_variant_lookup (value, "epoch", "u", &secret->epoch))
    return secret;
  sp_stored_secret_free (secret);
  g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY, "a secret lacks a part");
  return NULL;
}

SpStoredSecret *
sp_stored_secret_copy (const SpStoredSecret *secret)
{
  g_autoptr (GVariant) stored = g_variant_ref_sink (secret_to_variant (secret));

  return sp_stored_secret_from_variant (stored, NULL);
}

/* ---- keys and values ---------------------------------------------------------------------------------- */

static GBytes *
context_of (SpVault *vault, const SpStoredSecret *secret, const char *what)
{
  return sp_seal_context (secret->version, what, sp_keys_vault_id (vault->keys), secret->name,
                          NULL);
}

void
sp_stored_secret_wrap (SpVault *vault, SpStoredSecret *secret, SpSecret *data_key, guint epoch)
{
  g_autoptr (SpSecret) wrapping = sp_keys_wrapping (vault->keys, epoch);
  g_autoptr (GBytes) context = context_of (vault, secret, "data-key");

  g_clear_pointer (&secret->wrapped, g_bytes_unref);
  secret->wrapped = sp_seal (wrapping, context, sp_secret_data (data_key), SP_KEY_LENGTH);
  secret->epoch = epoch;
}

SpSecret *
sp_stored_secret_unwrap (SpVault *vault, const SpStoredSecret *secret, GError **error)
{
  g_autoptr (SpSecret) wrapping = sp_keys_wrapping (vault->keys, secret->epoch);
  g_autoptr (GBytes) context = context_of (vault, secret, "data-key");

  return sp_unseal (wrapping, context, secret->wrapped, error);
}

SpSecret *
sp_vault_open_value (SpVault *vault, const SpStoredSecret *secret, GBytes *sealed, GError **error)
{
  g_autoptr (SpSecret) data_key = sp_stored_secret_unwrap (vault, secret, error);
  g_autoptr (GBytes) context = context_of (vault, secret, "value");

  return data_key ? sp_unseal (data_key, context, sealed, error) : NULL;
}

void
sp_stored_secret_put (SpVault *vault, SpTxn *txn, const SpStoredSecret *secret)
{
  g_autofree char *key = sp_vault_blind (vault, SP_TABLE_SECRETS, secret->name);

  sp_txn_put (txn, SP_TABLE_SECRETS, key, secret_to_variant (secret));
}

void
sp_stored_secret_put_value (SpVault *vault, SpTxn *txn, SpStoredSecret *secret, SpSecret *value)
{
  g_autoptr (SpSecret) data_key = sp_secret_new_random (SP_KEY_LENGTH);
  g_autoptr (GBytes) context = context_of (vault, secret, "value");
  g_autoptr (GBytes) sealed =
      sp_seal (data_key, context, sp_secret_data (value), sp_secret_length (value));
  g_autofree char *key = sp_vault_blind (vault, SP_TABLE_VALUES, secret->name);

  sp_stored_secret_wrap (vault, secret, data_key, vault->epoch);
  sp_txn_put (txn, SP_TABLE_VALUES, key,
              g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING, sealed, TRUE));
}
