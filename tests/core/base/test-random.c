/* test-random.c - names that cannot be guessed, and codes that cannot be misread */
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "test-loop.h"

static void
test_ids (void)
{
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  for (guint i = 0; i < 1000; i++) {
    char *id = sp_random_id (16);

    g_assert_cmpuint (strlen (id), ==, 22);
    g_assert_cmpuint (
        strspn (id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"), ==, 22);
    g_assert_true (g_hash_table_add (seen, id));
  }
}

static void
test_codes (void)
{
  for (guint i = 0; i < 1000; i++) {
    g_autofree char *code = sp_random_code (4);

    g_assert_cmpuint (strlen (code), ==, 4);
    g_assert_cmpuint (strcspn (code, "0O1IL5S2Z8BUV"), ==, 4);
  }
}

static void
test_below (void)
{
  guint seen[7] = { 0 };

  for (guint i = 0; i < 7000; i++) {
    guint n = sp_random_below (7);

    g_assert_cmpuint (n, <, 7);
    seen[n]++;
  }
  for (guint i = 0; i < 7; i++)
    g_assert_cmpuint (seen[i], >, 700);
  g_assert_cmpuint (sp_random_below (1), ==, 0);
}

static void
test_text_forms (void)
{
  g_autofree char *url = sp_base64url ("\xfb\xff\xfe", 3);
  g_autofree char *cut = sp_base64url ("a", 1);
  g_autofree char *none = sp_base64url ("", 0);
  g_autofree char *hex = sp_hex ("\x00\x9f\xff", 3);

  g_assert_cmpstr (url, ==, "-__-");
  g_assert_cmpstr (cut, ==, "YQ");
  g_assert_cmpstr (none, ==, "");
  g_assert_cmpstr (hex, ==, "009fff");
}

static void
test_times (void)
{
  g_autofree char *time = sp_time_format (G_GINT64_CONSTANT (1800000000) * G_USEC_PER_SEC + 999999);
  g_autofree char *never = sp_time_format (G_MAXINT64);
  const SpClock *clock = sp_clock_system ();
  gint64 before = sp_clock_boot_ms (clock);

  g_assert_cmpstr (time, ==, "2027-01-15T08:00:00Z");
  g_assert_nonnull (never);
  g_assert_cmpint (sp_clock_boot_ms (clock), >=, before);
  g_assert_cmpstr (clock->boot_id (clock->data), ==, clock->boot_id (clock->data));
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/random/ids-differ", test_ids);
  g_test_add_func ("/random/codes-have-no-look-alikes", test_codes);
  g_test_add_func ("/random/below-is-even", test_below);
  g_test_add_func ("/random/text-forms", test_text_forms);
  g_test_add_func ("/clock/forms", test_times);
  return g_test_run ();
}
