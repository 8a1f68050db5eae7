/* test-secret.c - secret memory: base64 both ways, shortening, reading a descriptor */
#include <string.h>
#include <unistd.h>

#include "base/secret.h"
#include "test-loop.h"

static void
test_base64_round_trip (void)
{
  guint8 data[70];

  for (gsize i = 0; i < sizeof data; i++)
    data[i] = (guint8) (i * 37 + 250);
  for (gsize length = 0; length <= sizeof data; length++) {
    g_autoptr (SpSecret) text = sp_secret_to_base64 (data, length);
    g_autofree char *expected = g_base64_encode (data, length);
    g_autoptr (SpSecret) back = NULL;

    g_assert_cmpmem (sp_secret_data (text), sp_secret_length (text), expected, strlen (expected));
    back = sp_secret_from_base64 ((const char *) sp_secret_data (text), sp_secret_length (text));
    g_assert_nonnull (back);
    g_assert_cmpmem (sp_secret_data (back), sp_secret_length (back), data, length);
  }
}

static void
test_base64_is_strict (void)
{
  static const char *const bad[] = { "A",
                                     "AA",
                                     "AAA",
                                     "A===",
                                     "====",
                                     "=",
                                     "AA=A",
                                     "A=A=",
                                     "AA A",
                                     "AAAA ",
                                     "AA==AAAA",
                                     "AAA\n",
                                     "AA-_",
                                     "AAAA=",
                                     "AAAAA===",
                                     "AAA*",
                                     "\xc3\xa4\xc3\xa4" };

  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    g_assert_null (sp_secret_from_base64 (bad[i], strlen (bad[i])));
  g_assert_null (sp_secret_from_base64 ("AA\0A", 4));
}

static void
test_truncate (void)
{
  g_autoptr (SpSecret) secret = sp_secret_new_from ("hunter2", 7);

  sp_secret_truncate (secret, 3);
  g_assert_cmpuint (sp_secret_length (secret), ==, 3);
  /* The memory is still there: what was cut off is gone from it. */
  g_assert_cmpmem (sp_secret_data (secret), 7, "hun\0\0\0\0", 7);
  sp_secret_truncate (secret, 0);
  g_assert_cmpuint (sp_secret_length (secret), ==, 0);
}

static void
test_bytes_hold_the_memory (void)
{
  SpSecret *secret = sp_secret_new_from ("hunter2", 7);
  g_autoptr (GBytes) bytes = sp_secret_to_bytes (secret);

  sp_secret_unref (secret);
  g_assert_cmpmem (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes), "hunter2", 7);
}

static void
test_sizes (void)
{
  static const gsize sizes[] = { 0, 1, 4095, 4096, 4097, 100000 };

  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++) {
    g_autoptr (SpSecret) secret = sp_secret_new (sizes[i]);

    g_assert_cmpuint (sp_secret_length (secret), ==, sizes[i]);
    for (gsize j = 0; j < sizes[i]; j++)
      g_assert_cmpuint (sp_secret_data (secret)[j], ==, 0);
  }
}

static void
test_random (void)
{
  g_autoptr (SpSecret) one = sp_secret_new_random (32), other = sp_secret_new_random (32);

  g_assert_false (sp_secret_equal (sp_secret_data (one), sp_secret_data (other), 32));
  g_assert_true (sp_secret_equal (sp_secret_data (one), sp_secret_data (one), 32));
  g_assert_true (sp_secret_equal ("a", "b", 0));
}

static SpSecret *
read_through_pipe (const char *text, gsize length, gsize max, GError **error)
{
  SpSecret *secret;
  int fds[2];

  g_assert_cmpint (pipe (fds), ==, 0);
  g_assert_cmpint (write (fds[1], text, length), ==, (gssize) length);
  (void) close (fds[1]);
  secret = sp_secret_read_fd (fds[0], max, error);
  (void) close (fds[0]);
  return secret;
}

static void
test_read_fd (void)
{
  g_autoptr (SpSecret) exact = read_through_pipe ("12345678", 8, 8, NULL);
  g_autoptr (SpSecret) less = read_through_pipe ("a\0b\n", 4, 8, NULL);
  g_autoptr (SpSecret) none = read_through_pipe ("", 0, 0, NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (GError) bad = NULL;

  g_assert_cmpmem (sp_secret_data (exact), sp_secret_length (exact), "12345678", 8);
  g_assert_cmpmem (sp_secret_data (less), sp_secret_length (less), "a\0b\n", 4);
  g_assert_cmpuint (sp_secret_length (none), ==, 0);
  g_assert_null (read_through_pipe ("123456789", 9, 8, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_MESSAGE_TOO_LARGE);
  g_assert_null (strstr (error->message, "1234"));
  g_assert_null (sp_secret_read_fd (-1, 8, &bad));
  g_assert_nonnull (bad);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/secret/base64-round-trip", test_base64_round_trip);
  g_test_add_func ("/secret/base64-is-strict", test_base64_is_strict);
  g_test_add_func ("/secret/truncate-wipes", test_truncate);
  g_test_add_func ("/secret/bytes-hold-the-memory", test_bytes_hold_the_memory);
  g_test_add_func ("/secret/any-size-begins-as-zeros", test_sizes);
  g_test_add_func ("/secret/random-and-equal", test_random);
  g_test_add_func ("/secret/read-fd-is-bounded", test_read_fd);
  return g_test_run ();
}
