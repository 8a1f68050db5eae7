/* test-sign.c - Ed25519 with domains: base/sign.h */
#include "base/sign.h"

#include <string.h>

static const char message[] = "what is said";

static void
test_good (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (SpSecret) key = sp_sign_generate (&error);
  g_autofree char *public = sp_sign_public (key, &error);
  g_autoptr (GBytes) signature = NULL;

  g_assert_no_error (error);
  g_assert_cmpuint (strlen (public), ==, 44);
  signature = sp_sign (key, SP_SIGN_DOMAIN_PROVE, message, sizeof message, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g_bytes_get_size (signature), ==, 64);
  g_assert_true (sp_sign_verify (public, SP_SIGN_DOMAIN_PROVE, message, sizeof message,
                                 g_bytes_get_data (signature, NULL), 64));
}

static void
test_bad (void)
{
  g_autoptr (SpSecret) key = sp_sign_generate (NULL);
  g_autoptr (SpSecret) other = sp_sign_generate (NULL);
  g_autofree char *public = sp_sign_public (key, NULL);
  g_autofree char *other_public = sp_sign_public (other, NULL);
  g_autoptr (GBytes) signature = sp_sign (key, SP_SIGN_DOMAIN_PROVE, message, sizeof message, NULL);
  g_autofree guint8 *bytes = g_memdup2 (g_bytes_get_data (signature, NULL), 64);

  g_assert_false (
      sp_sign_verify (public, SP_SIGN_DOMAIN_OWNERSHIP, message, sizeof message, bytes, 64));
  g_assert_false (
      sp_sign_verify (other_public, SP_SIGN_DOMAIN_PROVE, message, sizeof message, bytes, 64));
  g_assert_false (
      sp_sign_verify (public, SP_SIGN_DOMAIN_PROVE, message, sizeof message - 1, bytes, 64));
  g_assert_false (
      sp_sign_verify (public, SP_SIGN_DOMAIN_PROVE, message, sizeof message, bytes, 63));
  g_assert_false (
      sp_sign_verify ("not base64", SP_SIGN_DOMAIN_PROVE, message, sizeof message, bytes, 64));
  bytes[10] ^= 1;
  g_assert_false (
      sp_sign_verify (public, SP_SIGN_DOMAIN_PROVE, message, sizeof message, bytes, 64));
}

/* RFC 8032 section 7.1, test 1: the signature of the empty message fits no message of ours, since the
 * domain is always in front. */
static void
test_no_bare_signature (void)
{
  static const guint8 public[32] = { 0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7,
                                     0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a,
                                     0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25,
                                     0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a };
  static const guint8 signature[64] = {
    0xe5, 0x56, 0x43, 0x00, 0xc3, 0x60, 0xac, 0x72, 0x90, 0x86, 0xe2, 0xcc, 0x80, 0x6e, 0x82, 0x8a,
    0x84, 0x87, 0x7f, 0x1e, 0xb8, 0xe5, 0xd9, 0x74, 0xd8, 0x73, 0xe0, 0x65, 0x22, 0x49, 0x01, 0x55,
    0x5f, 0xb8, 0x82, 0x15, 0x90, 0xa3, 0x3b, 0xac, 0xc6, 0x1e, 0x39, 0x70, 0x1c, 0xf9, 0xb4, 0x6b,
    0xd2, 0x5b, 0xf5, 0xf0, 0x59, 0x5b, 0xbe, 0x24, 0x65, 0x51, 0x41, 0x43, 0x8e, 0x7a, 0x10, 0x0b
  };
  g_autofree char *text = g_base64_encode (public, sizeof public);

  g_assert_false (sp_sign_verify (text, "", "", 0, signature, sizeof signature));
}

static void
test_not_a_key (void)
{
  g_autoptr (SpSecret) secret = sp_secret_new_from ("nothing", 7);
  g_autoptr (GError) error = NULL;

  g_assert_null (sp_sign_public (secret, &error));
  g_assert_nonnull (error);
  g_assert_null (strstr (error->message, "nothing"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/sign/own-signature-is-good", test_good);
  g_test_add_func ("/sign/anything-changed-is-bad", test_bad);
  g_test_add_func ("/sign/signature-without-a-domain-is-bad", test_no_bare_signature);
  g_test_add_func ("/sign/what-is-no-key-is-an-error", test_not_a_key);
  return g_test_run ();
}
