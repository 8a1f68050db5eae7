/* test-output.c - tables and escapes: cli/output.h */
#include "cli/output.h"

#include <string.h>

#include "base/json.h"

static void
assert_escaped (const char *text, const char *expected)
{
  g_autofree char *escaped = sp_escape_text (text);

  g_assert_cmpstr (escaped, ==, expected);
}

static void
test_escape (void)
{
  assert_escaped ("plain, äöü, 漢字", "plain, äöü, 漢字");
  assert_escaped ("\033[31mred\n\t", "\\x1b[31mred\\x0a\\x09");
  assert_escaped ("a\302\205b", "a\\u{85}b");
  assert_escaped ("x\342\200\256y", "x\\u{202e}y"); /* turns text around */
  assert_escaped ("x\342\200\213y", "x\\u{200b}y"); /* zero width */
  assert_escaped ("\377", "\357\277\275");
}

static void
test_table (void)
{
  static const SpColumn columns[] = {
    { "NAME", "name", SP_COLUMN_TEXT },
    { "FOR", "for", SP_COLUMN_DURATION },
    { "ALLOW", "allow", SP_COLUMN_LIST },
    { "OK", "ok", SP_COLUMN_TEXT },
  };
  const char *text = "[{\"name\":\"a\",\"for\":5400,\"allow\":[\"x\",\"y\"],\"ok\":true},"
                     "{\"name\":\"漢字\",\"for\":null,\"allow\":[],\"ok\":false}]";
  g_autoptr (JsonNode) node = sp_json_parse (text, strlen (text), 0, NULL);
  g_autofree char *table =
      sp_table_text (json_node_get_array (node), columns, G_N_ELEMENTS (columns));

  g_assert_cmpstr (table, ==,
                   "NAME  FOR    ALLOW  OK\n"
                   "a     1h30m  x,y    yes\n"
                   "漢字  -             no\n");
}

static void
test_hostile_rows (void)
{
  static const SpColumn columns[] = { { "REASON", "reason", SP_COLUMN_TEXT },
                                      { "TIME", "time", SP_COLUMN_TIME } };
  const char *text = "[{\"reason\":\"\\u001b]0;x\\u0007\\n\",\"time\":\"\\u001b[2J\"}]";
  g_autoptr (JsonNode) node = sp_json_parse (text, strlen (text), 0, NULL);
  g_autofree char *table =
      sp_table_text (json_node_get_array (node), columns, G_N_ELEMENTS (columns));

  g_assert_null (strchr (table, '\033'));
  g_assert_null (strchr (table, '\a'));
  g_assert_nonnull (strstr (table, "\\x1b]0;x\\x07\\x0a"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/output/control-and-invisible-characters-are-escaped", test_escape);
  g_test_add_func ("/output/columns-are-aligned-by-width-on-screen", test_table);
  g_test_add_func ("/output/text-of-agents-cannot-steer-the-terminal", test_hostile_rows);
  return g_test_run ();
}
