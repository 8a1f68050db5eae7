/* ownership.c - make and check ownership statements: ownership.h */
#include "host/ownership.h"

#include <string.h>

#include "base/json.h"
#include "base/problem.h"
#include "base/sign.h"

#define TYPE "secret-proxy-ownership"
#define VERSION 1
#define MAX_STATEMENT (64u * 1024u)

typedef struct {
  const char *key;
  const char *value;
} Pair;

/* @out ends within an object. */
static void
append_member (GString *out, const char *key, const char *value)
{
  if (out->str[out->len - 1] != '{')
    g_string_append_c (out, ',');
  sp_json_append_string (out, key, -1);
  g_string_append_c (out, ':');
  sp_json_append_string (out, value, -1);
}

static void
append_pairs (GString *out, const Pair *pairs, gsize n_pairs)
{
  g_string_append_c (out, '{');
  for (gsize i = 0; i < n_pairs; i++)
    append_member (out, pairs[i].key, pairs[i].value);
  g_string_append_c (out, '}');
}

/* ---- approvers ------------------------------------------------------------------------------------- */

static int
compare_pairs (gconstpointer a, gconstpointer b)
{
  return strcmp (((const Pair *) a)->key, ((const Pair *) b)->key);
}

static int
compare_approvers (gconstpointer a, gconstpointer b)
{
  return strcmp ((*(const SpConfigApprover *const *) a)->name,
                 (*(const SpConfigApprover *const *) b)->name);
}

static void
append_approver (GString *out, const SpConfigApprover *approver)
{
  g_autoptr (GArray) ids = g_array_new (FALSE, FALSE, sizeof (Pair));
  GVariantIter iter;
  Pair pair;

  g_variant_iter_init (&iter, approver->ids);
  while (g_variant_iter_next (&iter, "{&s&s}", &pair.key, &pair.value))
    g_array_append_val (ids, pair);
  g_array_sort (ids, compare_pairs);
  g_string_append (out, "{\"ids\":");
  append_pairs (out, (const Pair *) (gpointer) ids->data, ids->len);
  g_string_append (out, ",\"name\":");
  sp_json_append_string (out, approver->name, -1);
  g_string_append_c (out, '}');
}

char *
sp_ownership_approvers (const SpConfigApprover *const *approvers)
{
  g_autoptr (GPtrArray) sorted = g_ptr_array_new ();
  g_autoptr (GString) text = g_string_new ("[");

  for (; *approvers != NULL; approvers++)
    g_ptr_array_add (sorted, (gpointer) *approvers);
  g_ptr_array_sort (sorted, compare_approvers);
  for (guint i = 0; i < sorted->len; i++) {
    if (i > 0)
      g_string_append_c (text, ',');
    append_approver (text, g_ptr_array_index (sorted, i));
  }
  g_string_append_c (text, ']');
  return g_compute_checksum_for_string (G_CHECKSUM_SHA256, text->str, (gssize) text->len);
}

/* ---- the statement ----------------------------------------------------------------------------------- */

static void
append_measurement (GString *out, JsonObject *measurement)
{
  g_autoptr (GList) names =
      g_list_sort (json_object_get_members (measurement), (GCompareFunc) strcmp);
  g_autoptr (GArray) pairs = g_array_new (FALSE, FALSE, sizeof (Pair));

  for (GList *name = names; name != NULL; name = name->next) {
    const Pair pair = { name->data, json_object_get_string_member (measurement, name->data) };

    g_array_append_val (pairs, pair);
  }
  g_string_append (out, ",\"measurement\":");
  append_pairs (out, (const Pair *) (gpointer) pairs->data, pairs->len);
}

/* In the order of their names. */
char *
sp_ownership_statement (const SpHostKeys *keys, const SpOwnership *ownership)
{
  g_autoptr (GString) text = g_string_new ("{");

  append_member (text, "acceleration", ownership->acceleration);
  append_member (text, "approvers", ownership->approvers);
  append_member (text, "host_key", keys->host_public);
  if (ownership->maintenance)
    g_string_append (text, ",\"maintenance\":true");
  if (ownership->measurement != NULL)
    append_measurement (text, ownership->measurement);
  append_member (text, "taken_at", keys->taken_at);
  append_member (text, "tls_pin", keys->tls_pin);
  append_member (text, "trust", ownership->trust);
  append_member (text, "type", TYPE);
  g_string_append_printf (text, ",\"v\":%d", VERSION);
  append_member (text, "vault", keys->vault_id);
  append_member (text, "vault_key", keys->vault_public);
  g_string_append_c (text, '}');
  return g_string_free (g_steal_pointer (&text), FALSE);
}

char *
sp_ownership_sign (const SpHostKeys *keys, const char *statement, GError **error)
{
  g_autoptr (GBytes) signature =
      sp_sign (keys->host_key, SP_SIGN_DOMAIN_OWNERSHIP, statement, strlen (statement), error);

  if (signature == NULL)
    return NULL;
  return g_base64_encode (g_bytes_get_data (signature, NULL), g_bytes_get_size (signature));
}

/* ---- checking ------------------------------------------------------------------------------------------- */

static gboolean
fail (GError **error, const char *why)
{
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY, "the ownership statement %s", why);
  return FALSE;
}

static gboolean
check_signature (const char *public_key, const char *domain, gconstpointer data, gsize length,
                 const char *signature)
{
  g_autoptr (SpSecret) raw = sp_secret_from_base64 (signature, strlen (signature));

  return raw != NULL && sp_sign_verify (public_key, domain, data, length, sp_secret_data (raw),
                                        sp_secret_length (raw));
}

static gboolean
check_content (JsonObject *object, const char *owner_key, GError **error)
{
  static const char *const names[] = { "approvers", "acceleration", "host_key",
                                       "taken_at",  "tls_pin",      "trust",
                                       "type",      "vault",        "vault_key" };
  gint64 version = 0;

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++) {
    const char *value = NULL;

    if (!sp_json_get_string (object, names[i], &value, NULL) || value == NULL)
      return fail (error, "lacks a member that it must have");
  }
  if (!sp_json_get_int (object, "v", &version, NULL) || version != VERSION)
    return fail (error, "is of a version that this program does not know");
  if (!g_str_equal (json_object_get_string_member (object, "type"), TYPE))
    return fail (error, "is something else");
  if (!g_str_equal (json_object_get_string_member (object, "host_key"), owner_key))
    return fail (error, "is another owner's");
  return TRUE;
}

JsonObject *
sp_ownership_verify (const char *statement, const char *signature, const char *owner_key,
                     GError **error)
{
  gsize length = strlen (statement);
  g_autoptr (JsonNode) root = NULL;

  if (length > MAX_STATEMENT ||
      !check_signature (owner_key, SP_SIGN_DOMAIN_OWNERSHIP, statement, length, signature)) {
    fail (error, "is not signed by the vault's owner");
    return NULL;
  }
  root = sp_json_parse (statement, length, 0, NULL);
  if (root == NULL || !JSON_NODE_HOLDS_OBJECT (root)) {
    fail (error, "is no JSON object");
    return NULL;
  }
  if (!check_content (json_node_get_object (root), owner_key, error))
    return NULL;
  return json_object_ref (json_node_get_object (root));
}

static void
digest_of (const char *statement, SpSecret *signature, guint8 digest[32])
{
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA256);
  gsize length = 32;

  g_checksum_update (sum, (const guchar *) statement, (gssize) strlen (statement));
  g_checksum_update (sum, sp_secret_data (signature), (gssize) sp_secret_length (signature));
  g_checksum_get_digest (sum, digest, &length);
}

gboolean
sp_ownership_verify_proof (const char *statement, const char *signature, const char *vault_key,
                           GBytes *nonce, const char *proof, GError **error)
{
  g_autoptr (SpSecret) raw = sp_secret_from_base64 (signature, strlen (signature));
  g_autoptr (GByteArray) message = g_byte_array_new ();
  guint8 digest[32];

  if (raw == NULL)
    return fail (error, "has a signature that is no base64");
  digest_of (statement, raw, digest);
  g_byte_array_append (message, g_bytes_get_data (nonce, NULL), (guint) g_bytes_get_size (nonce));
  g_byte_array_append (message, digest, sizeof digest);
  if (check_signature (vault_key, SP_SIGN_DOMAIN_PROVE, message->data, message->len, proof))
    return TRUE;
  return fail (error, "is not proven: what answers does not hold the vault's key");
}
