/* test-seal.c - sealed pieces open only whole, in their place, with their key */
#include <string.h>

#include "base/problem.h"
#include "test-loop.h"
#include "vault/seal.h"

typedef struct {
  SpSecret *key;
  GBytes *context;
  GBytes *sealed;
} Piece;

static void
set_up (Piece *piece, gconstpointer data)
{
  piece->key = sp_secret_new_random (32);
  piece->context = sp_seal_context (1, "row", "secrets", "db", NULL);
  piece->sealed = sp_seal (piece->key, piece->context, "hunter2", 7);
}

static void
tear_down (Piece *piece, gconstpointer data)
{
  sp_secret_unref (piece->key);
  g_bytes_unref (piece->context);
  g_bytes_unref (piece->sealed);
}

static void
assert_closed (SpSecret *key, GBytes *context, GBytes *sealed)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (sp_unseal (key, context, sealed, &error));
  g_assert_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY);
}

static void
test_round_trip (Piece *piece, gconstpointer data)
{
  g_autoptr (SpSecret) plain = sp_unseal (piece->key, piece->context, piece->sealed, NULL);
  g_autoptr (GBytes) empty = sp_seal (piece->key, piece->context, NULL, 0);
  g_autoptr (SpSecret) nothing = sp_unseal (piece->key, piece->context, empty, NULL);
  g_autoptr (GBytes) again = sp_seal (piece->key, piece->context, "hunter2", 7);

  g_assert_cmpmem (sp_secret_data (plain), sp_secret_length (plain), "hunter2", 7);
  g_assert_cmpuint (g_bytes_get_size (piece->sealed), ==, 7 + SP_SEAL_OVERHEAD);
  g_assert_cmpuint (sp_secret_length (nothing), ==, 0);
  g_assert_false (g_bytes_equal (again, piece->sealed));
}

static void
test_flipped_bit (Piece *piece, gconstpointer data)
{
  gsize length;
  const guint8 *bytes = g_bytes_get_data (piece->sealed, &length);

  for (gsize bit = 0; bit < length * 8; bit++) {
    g_autofree guint8 *copy = g_memdup2 (bytes, length);
    g_autoptr (GBytes) changed = NULL;

    copy[bit / 8] ^= (guint8) (1 << bit % 8);
    changed = g_bytes_new (copy, length);
    assert_closed (piece->key, piece->context, changed);
  }
}

static void
test_cut_or_longer (Piece *piece, gconstpointer data)
{
  gsize length;
  const guint8 *bytes = g_bytes_get_data (piece->sealed, &length);
  g_autofree guint8 *more = g_malloc0 (length + 1);
  g_autoptr (GBytes) longer = NULL;

  for (gsize n = 0; n < length; n++) {
    g_autoptr (GBytes) cut = g_bytes_new (bytes, n);

    assert_closed (piece->key, piece->context, cut);
  }
  memcpy (more, bytes, length);
  longer = g_bytes_new (more, length + 1);
  assert_closed (piece->key, piece->context, longer);
}

static void
test_other_key_or_place (Piece *piece, gconstpointer data)
{
  g_autoptr (SpSecret) key = sp_secret_new_random (32);
  g_autoptr (GBytes) number = sp_seal_context (2, "row", "secrets", "db", NULL);
  g_autoptr (GBytes) name = sp_seal_context (1, "row", "secrets", "dc", NULL);
  /* The borders between the parts count. */
  g_autoptr (GBytes) border = sp_seal_context (1, "row", "secret", "sdb", NULL);
  g_autoptr (GBytes) fewer = sp_seal_context (1, "row", "secrets", NULL);

  assert_closed (key, piece->context, piece->sealed);
  assert_closed (piece->key, number, piece->sealed);
  assert_closed (piece->key, name, piece->sealed);
  assert_closed (piece->key, border, piece->sealed);
  assert_closed (piece->key, fewer, piece->sealed);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add ("/seal/round-trip", Piece, NULL, set_up, test_round_trip, tear_down);
  g_test_add ("/seal/flipped-bit-anywhere", Piece, NULL, set_up, test_flipped_bit, tear_down);
  g_test_add ("/seal/cut-or-longer", Piece, NULL, set_up, test_cut_or_longer, tear_down);
  g_test_add ("/seal/other-key-or-place", Piece, NULL, set_up, test_other_key_or_place, tear_down);
  return g_test_run ();
}
