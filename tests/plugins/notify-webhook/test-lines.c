/* test-lines.c - bodies of lines that may be cut, and ids of lines that can't be read */
#include "lines.h"

#include <string.h>

static void
test_whole_lines_only (void)
{
  const char *text = "one\n\ntwo\nthr";
  static const char *const expected[] = { "one", "", "two" };
  WhLines lines = { text, text + strlen (text) };
  const char *line;
  gsize length;

  for (gsize i = 0; i < G_N_ELEMENTS (expected); i++) {
    g_assert_true (wh_lines_next (&lines, &line, &length));
    g_assert_cmpmem (line, length, expected[i], strlen (expected[i]));
  }
  g_assert_false (wh_lines_next (&lines, &line, &length));
  g_assert_cmpstr (lines.at, ==, "thr");
}

static void
test_ids (void)
{
  static const char *const rows[][2] = {
    { "{\"id\":\"sPs71M8A2T\",\"time\":1}", "sPs71M8A2T" },
    { "{\"id\":\"a\"", "a" },
    { "{\"id\":\"a", NULL },
    { "{\"id\":\"\"}", NULL },
    { "{\"id\":\"a&since=all\"}", NULL },
    { "{\"id\":\"\xc3\xa4\"}", NULL },
    { "{\"time\":1,\"id\":\"a\"}", NULL },
    { "{\"id\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}", NULL },
    { "", NULL },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree char *id = wh_lines_id (rows[i][0], strlen (rows[i][0]));

    g_assert_cmpstr (id, ==, rows[i][1]);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/webhook/lines/only-whole-ones", test_whole_lines_only);
  g_test_add_func ("/webhook/lines/ids-are-found-without-reading", test_ids);
  return g_test_run ();
}
