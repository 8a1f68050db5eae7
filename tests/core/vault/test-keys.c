/* test-keys.c - one master key and one vault id give many keys, none of which serves two purposes */
#include <string.h>

#include "base/random.h"
#include "test-loop.h"
#include "vault/keys.h"

/* HKDF-SHA256 of 32 zero bytes, salt "vault", info "secret-proxy/1/rows" (RFC 5869). */
#define KNOWN_ROWS_KEY "4075333ddb80037a406fb93fca2130d8d7bfebc8808d3131fffa6ccc24f53008"

static SpKeys *
keys_new (guint8 byte, const char *vault_id)
{
  g_autoptr (SpSecret) master = sp_secret_new (SP_KEY_LENGTH);

  memset (sp_secret_data (master), byte, SP_KEY_LENGTH);
  return sp_keys_new (master, vault_id);
}

static void
add_key (GHashTable *seen, SpSecret *key)
{
  g_assert_cmpuint (sp_secret_length (key), ==, SP_KEY_LENGTH);
  g_assert_true (g_hash_table_add (seen, sp_hex (sp_secret_data (key), SP_KEY_LENGTH)));
}

static void
test_all_differ (void)
{
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr (SpKeys) one = keys_new (1, "v"), two = keys_new (2, "v"), three = keys_new (1, "w");
  SpKeys *const all[] = { one, two, three };

  for (gsize i = 0; i < G_N_ELEMENTS (all); i++) {
    for (guint purpose = 0; purpose < SP_N_KEYS; purpose++)
      add_key (seen, sp_keys_get (all[i], purpose));
    for (guint epoch = 1; epoch < 4; epoch++) {
      g_autoptr (SpSecret) wrapping = sp_keys_wrapping (all[i], epoch);

      add_key (seen, wrapping);
    }
  }
}

static void
test_same_again (void)
{
  g_autoptr (SpKeys) one = keys_new (1, "v"), again = keys_new (1, "v");

  for (guint purpose = 0; purpose < SP_N_KEYS; purpose++)
    g_assert_true (sp_secret_equal (sp_secret_data (sp_keys_get (one, purpose)),
                                    sp_secret_data (sp_keys_get (again, purpose)), SP_KEY_LENGTH));
  g_assert_cmpstr (sp_keys_vault_id (one), ==, "v");
}

/* What is in a store must stay readable: this value may never change. */
static void
test_known_value (void)
{
  g_autoptr (SpKeys) keys = keys_new (0, "vault");
  g_autofree char *hex = sp_hex (sp_secret_data (sp_keys_get (keys, SP_KEY_ROWS)), SP_KEY_LENGTH);

  g_assert_cmpstr (hex, ==, KNOWN_ROWS_KEY);
}

static void
test_borders_count (void)
{
  g_autoptr (SpKeys) keys = keys_new (1, "v");
  g_autofree char *one = sp_keys_mac_hex (keys, SP_KEY_NAMES, "ab", "c", NULL);
  g_autofree char *other = sp_keys_mac_hex (keys, SP_KEY_NAMES, "a", "bc", NULL);
  g_autofree char *joined = sp_keys_mac_hex (keys, SP_KEY_NAMES, "abc", NULL);
  g_autofree char *purpose = sp_keys_mac_hex (keys, SP_KEY_TOKENS, "ab", "c", NULL);

  g_assert_cmpuint (strlen (one), ==, 2 * SP_MAC_LENGTH);
  g_assert_cmpstr (one, !=, other);
  g_assert_cmpstr (one, !=, joined);
  g_assert_cmpstr (one, !=, purpose);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/keys/all-differ", test_all_differ);
  g_test_add_func ("/keys/same-again", test_same_again);
  g_test_add_func ("/keys/known-value", test_known_value);
  g_test_add_func ("/keys/borders-of-parts-count", test_borders_count);
  return g_test_run ();
}
