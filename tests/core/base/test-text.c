/* test-text.c - what a stranger writes, as a person gets to see it */
#include "base/text.h"
#include "test-loop.h"

static const struct {
  const char *from;
  gsize most;
  const char *to;
} samples[] = {
  { "", 10, "" },
  { "plain", 10, "plain" },
  { "  a \t\r\n b  ", 10, "a b" },
  { "a\u2028b\u2029c\u00a0d\u3000e", 20, "a b c d e" },
  { "a\x01\x1b[31mb\x7f", 20, "a[31mb" },
  { "a\u202eb\u2066c\u200fd", 20, "abcd" },       /* bidirectional */
  { "a\u200bb\u200dc\ufeffd\u00ad", 20, "abcd" }, /* zero width, soft hyphen */
  { "a\U000e0041\U000e0042b", 20, "ab" },         /* tags */
  { "a\ue000b\U000f0000c", 20, "abc" },           /* private use */
  { "a\u3164b\u115fc\u2800d\ufe0fe", 20, "abcde" },
  { "a\U000e0100\U000e01efb\u034fc\u180bd", 20, "abcd" }, /* selectors, joiners */
  { "\u202e\u200b", 20, "" },
  { "ä€😀", 3, "ä€😀" },
  { "abcde", 5, "abcde" },
  { "abcde \u200b\n", 5, "abcde" },
  { "abcdef", 5, "abcd…" },
  { "ä€😀äö", 3, "ä€…" },
  { "ab cdef", 3, "ab…" },
};

static void
test_samples (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (samples); i++) {
    g_autofree char *clean = sp_text_clean (samples[i].from, samples[i].most);

    g_assert_cmpstr (clean, ==, samples[i].to);
    g_assert_cmpint (g_utf8_strlen (clean, -1), <=, (glong) samples[i].most);
  }
}

/* Every character alone: the result is that character, or nothing at all. */
static void
test_every_character (void)
{
  for (gunichar c = 1; c < 0x110000; c++) {
    char text[8] = "", *end = text;
    g_autofree char *clean = NULL;

    if (!g_unichar_validate (c))
      continue;
    end += g_unichar_to_utf8 (c, text);
    *end = 0;
    clean = sp_text_clean (text, 1);
    g_assert_true (*clean == 0 || g_str_equal (clean, text));
    if (g_unichar_iscntrl (c) || g_unichar_isspace (c) || g_unichar_type (c) == G_UNICODE_FORMAT)
      g_assert_cmpstr (clean, ==, "");
  }
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/text/one-harmless-line", test_samples);
  g_test_add_func ("/text/every-character", test_every_character);
  return g_test_run ();
}
