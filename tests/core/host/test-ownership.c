/* test-ownership.c - ownership statements: host/ownership.h */
#include "host/ownership.h"

#include <string.h>

#include "base/problem.h"
#include "base/sign.h"
#include "folder.h"

static const SpConfigApprover *
approver (const char *name, const char *ids)
{
  SpConfigApprover *result = g_new0 (SpConfigApprover, 1);

  result->name = name;
  result->ids = g_variant_ref_sink (g_variant_new_parsed (ids));
  return result;
}

static void
approver_free (const SpConfigApprover *approver)
{
  g_variant_unref (approver->ids);
  g_free ((gpointer) approver);
}

static void
test_approvers (void)
{
  const SpConfigApprover *alice = approver ("alice", "{'telegram': '1', 'file': 'a'}");
  const SpConfigApprover *again = approver ("alice", "{'file': 'a', 'telegram': '1'}");
  const SpConfigApprover *bob = approver ("bob", "{'telegram': '2'}");
  const SpConfigApprover *one[] = { alice, bob, NULL }, *two[] = { bob, again, NULL };
  const SpConfigApprover *less[] = { alice, NULL };
  g_autofree char *first = sp_ownership_approvers (one);
  g_autofree char *second = sp_ownership_approvers (two);
  g_autofree char *third = sp_ownership_approvers (less);
  g_autofree char *expected = g_compute_checksum_for_string (
      G_CHECKSUM_SHA256, "[{\"ids\":{\"file\":\"a\",\"telegram\":\"1\"},\"name\":\"alice\"}]", -1);

  g_assert_cmpstr (first, ==, second);
  g_assert_cmpstr (first, !=, third);
  g_assert_cmpstr (third, ==, expected);
  approver_free (alice);
  approver_free (again);
  approver_free (bob);
}

static char *
statement_of (const SpHostKeys *keys, const char *trust, JsonObject *measurement)
{
  const SpOwnership ownership = {
    .trust = trust, .acceleration = "none", .approvers = "ab", .measurement = measurement
  };

  return sp_ownership_statement (keys, &ownership);
}

static void
test_measured (Folder *folder, gconstpointer data)
{
  g_autoptr (SpHostKeys) keys = sp_host_keys_open (folder->fd, NULL, NULL);
  g_autoptr (JsonObject) measurement = json_object_new ();
  g_autofree char *statement = NULL;
  g_autofree char *signature = NULL;
  g_autoptr (JsonObject) object = NULL;

  json_object_set_string_member (measurement, "root", "22");
  json_object_set_string_member (measurement, "kernel", "11");
  statement = statement_of (keys, "exact", measurement);
  signature = sp_ownership_sign (keys, statement, NULL);
  object = sp_ownership_verify (statement, signature, keys->host_public, NULL);
  g_assert_nonnull (object);
  g_assert_nonnull (
      strstr (statement, "\",\"measurement\":{\"kernel\":\"11\",\"root\":\"22\"},\"taken_at\":"));
}

/* Whoever looks sees that there is a way in; where there is none the statement is what it always was. */
static void
test_maintenance (Folder *folder, gconstpointer data)
{
  g_autoptr (SpHostKeys) keys = sp_host_keys_open (folder->fd, NULL, NULL);
  g_autofree char *usual = statement_of (keys, "rebuilt", NULL);
  const SpOwnership open = {
    .trust = "rebuilt", .acceleration = "none", .approvers = "ab", .maintenance = TRUE
  };
  g_autofree char *statement = sp_ownership_statement (keys, &open);
  g_autofree char *signature = sp_ownership_sign (keys, statement, NULL);
  g_autoptr (JsonObject) object =
      sp_ownership_verify (statement, signature, keys->host_public, NULL);

  g_assert_nonnull (object);
  g_assert_true (json_object_get_boolean_member (object, "maintenance"));
  g_assert_nonnull (strstr (statement, "\",\"maintenance\":true,\"taken_at\":"));
  g_assert_null (strstr (usual, "maintenance"));
}

static void
test_good (Folder *folder, gconstpointer data)
{
  g_autoptr (SpHostKeys) keys = sp_host_keys_open (folder->fd, NULL, NULL);
  g_autofree char *statement = statement_of (keys, "local", NULL);
  g_autofree char *again = statement_of (keys, "local", NULL);
  g_autofree char *signature = sp_ownership_sign (keys, statement, NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonObject) object =
      sp_ownership_verify (statement, signature, keys->host_public, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (statement, ==, again);
  g_assert_true (g_str_has_prefix (statement, "{\"acceleration\":\"none\",\"approvers\":\"ab\","));
  g_assert_cmpstr (json_object_get_string_member (object, "vault"), ==, keys->vault_id);
  g_assert_cmpstr (json_object_get_string_member (object, "trust"), ==, "local");
  g_assert_cmpint (json_object_get_int_member (object, "v"), ==, 1);
}

static void
assert_refused (const char *statement, const char *signature, const char *key)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (sp_ownership_verify (statement, signature, key, &error));
  g_assert_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY);
}

static void
test_tampered (Folder *folder, gconstpointer data)
{
  g_autoptr (SpHostKeys) keys = sp_host_keys_open (folder->fd, NULL, NULL);
  g_autofree char *statement = statement_of (keys, "audited", NULL);
  g_autofree char *signature = sp_ownership_sign (keys, statement, NULL);
  g_autoptr (GString) changed = g_string_new (statement);

  g_string_replace (changed, "audited", "exact", 1);
  assert_refused (changed->str, signature, keys->host_public);
  assert_refused (statement, signature, keys->vault_public);
  assert_refused (statement, "AAAA", keys->host_public);
  assert_refused (statement, "", keys->host_public);
  assert_refused ("", signature, keys->host_public);
}

/* What is signed by the right key must still be a statement. */
static void
test_signed_nonsense (Folder *folder, gconstpointer data)
{
  static const char *const texts[] = { "", "[]", "{}", "{\"type\":\"secret-proxy-ownership\"}" };
  g_autoptr (SpHostKeys) keys = sp_host_keys_open (folder->fd, NULL, NULL);

  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++) {
    g_autofree char *signature = sp_ownership_sign (keys, texts[i], NULL);

    assert_refused (texts[i], signature, keys->host_public);
  }
}

/* As the keeper makes it. */
static char *
prove (SpHostKeys *keys, GBytes *nonce, const char *statement, const char *signature)
{
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA256);
  g_autoptr (GByteArray) message = g_byte_array_new ();
  g_autoptr (GBytes) proof = NULL;
  g_autofree guint8 *raw = NULL;
  guint8 digest[32];
  gsize length = sizeof digest, n;

  raw = g_base64_decode (signature, &n);
  g_checksum_update (sum, (const guchar *) statement, -1);
  g_checksum_update (sum, raw, (gssize) n);
  g_checksum_get_digest (sum, digest, &length);
  g_byte_array_append (message, g_bytes_get_data (nonce, NULL), (guint) g_bytes_get_size (nonce));
  g_byte_array_append (message, digest, sizeof digest);
  proof = sp_sign (keys->vault_key, SP_SIGN_DOMAIN_PROVE, message->data, message->len, NULL);
  return g_base64_encode (g_bytes_get_data (proof, NULL), g_bytes_get_size (proof));
}

static void
test_proof (Folder *folder, gconstpointer data)
{
  g_autoptr (SpHostKeys) keys = sp_host_keys_open (folder->fd, NULL, NULL);
  g_autofree char *statement = statement_of (keys, "local", NULL);
  g_autofree char *signature = sp_ownership_sign (keys, statement, NULL);
  g_autoptr (GBytes) nonce = g_bytes_new_static ("0123456789abcdef", 16);
  g_autoptr (GBytes) other = g_bytes_new_static ("0123456789abcdeF", 16);
  g_autofree char *proof = prove (keys, nonce, statement, signature);
  g_autoptr (GError) error = NULL;

  g_assert_true (
      sp_ownership_verify_proof (statement, signature, keys->vault_public, nonce, proof, &error));
  g_assert_no_error (error);
  g_assert_false (
      sp_ownership_verify_proof (statement, signature, keys->vault_public, other, proof, NULL));
  g_assert_false (
      sp_ownership_verify_proof (statement, signature, keys->host_public, nonce, proof, NULL));
  g_assert_false (
      sp_ownership_verify_proof ("{}", signature, keys->vault_public, nonce, proof, &error));
  g_assert_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/ownership/digest-of-approvers-is-not-of-their-order", test_approvers);
  ADD_TEST ("/ownership/own-statement-is-good", test_good);
  ADD_TEST ("/ownership/what-was-measured-is-in-it-sorted", test_measured);
  ADD_TEST ("/ownership/maintenance-is-said", test_maintenance);
  ADD_TEST ("/ownership/anything-changed-is-refused", test_tampered);
  ADD_TEST ("/ownership/signed-nonsense-is-refused", test_signed_nonsense);
  ADD_TEST ("/ownership/proof-is-of-this-nonce-and-statement", test_proof);
  return g_test_run ();
}
