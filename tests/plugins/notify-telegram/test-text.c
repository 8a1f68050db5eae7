/* test-text.c - the message as text */
#include "text.h"

#include <string.h>

static const SpField fields[] = {
  { "Agent", "build & co", SP_FIELD_CORE },
  { "Reason", "<b>do</b> it", SP_FIELD_AGENT },
  { "Secret", "prod/db", SP_FIELD_CORE },
};

static const SpNotice usual = {
  .size = sizeof usual,
  .id = "n1",
  .title = "Secret <request>",
  .fields = fields,
  .n_fields = G_N_ELEMENTS (fields),
  .expires_at = 1700000000,
};

static void
test_html (void)
{
  g_autofree char *text = tg_text_render (&usual, NULL, TG_TEXT_HTML);

  g_assert_cmpstr (text, ==,
                   "<b>Secret &lt;request&gt;</b>\n"
                   "Agent: <code>build &amp; co</code>\n"
                   "Secret: <code>prod/db</code>\n"
                   "Expires: <code>2023-11-14 22:13:20 UTC</code>\n\n"
                   "In the agent's own words (a claim, not checked):\n"
                   "<blockquote>Reason: <code>&lt;b&gt;do&lt;/b&gt; it</code></blockquote>");
}

static void
test_plain_shows_the_same (void)
{
  g_autofree char *text = tg_text_render (&usual, NULL, TG_TEXT_PLAIN);

  g_assert_cmpstr (text, ==,
                   "Secret <request>\nAgent: build & co\nSecret: prod/db\n"
                   "Expires: 2023-11-14 22:13:20 UTC\n\n"
                   "In the agent's own words (a claim, not checked):\nReason: <b>do</b> it");
}

static void
test_outcome_on_top (void)
{
  SpOutcome outcome = { sizeof outcome, SP_OUTCOME_DENIED, "Denied by <alice>" };
  g_autofree char *text = tg_text_render (&usual, &outcome, TG_TEXT_HTML);

  g_assert_true (
      g_str_has_prefix (text, "<b>\xe2\x9d\x8c Denied by &lt;alice&gt;</b>\n\n<b>Secret "));
}

static void
test_never_too_long (void)
{
  g_autofree char *smile = g_strnfill (4 * 2000, ' ');
  SpField many[40];
  SpNotice notice = usual;
  SpOutcome outcome = { sizeof outcome, SP_OUTCOME_APPROVED, "Approved" };

  for (gsize i = 0; i < 2000; i++)
    memcpy (smile + 4 * i, "\xf0\x9f\x98\x80", 4);
  for (gsize i = 0; i < G_N_ELEMENTS (many); i++)
    many[i] = (SpField){ "Reason", smile, i < 4 ? SP_FIELD_CORE : SP_FIELD_AGENT };
  notice.fields = many;
  notice.n_fields = G_N_ELEMENTS (many);
  for (int i = 0; i < 2; i++) {
    g_autofree char *text = tg_text_render (&notice, i == 0 ? NULL : &outcome, TG_TEXT_PLAIN);
    g_autofree char *html = tg_text_render (&notice, i == 0 ? NULL : &outcome, TG_TEXT_HTML);

    g_assert_true (g_utf8_validate (text, -1, NULL));
    g_assert_cmpuint (tg_text_units (text), <=, TG_TEXT_MAX_UNITS);
    g_assert_cmpuint (tg_text_units (text), >, TG_TEXT_MAX_UNITS - 3);
    g_assert_true (g_str_has_suffix (html, "</blockquote>"));
  }
}

static void
test_clean (void)
{
  static const char *const rows[][2] = {
    { "a\nb\t c  d", "a b c d" },
    { " x ", "x" },
    { "a\xe2\x80\xae"
      "b\xe2\x81\xa6"
      "c",
      "abc" }, /* bidi override, isolate */
    { "a\xe2\x80\x8b\xe2\x80\x8d\xef\xbb\xbf"
      "b",
      "ab" }, /* zero width */
    { "a\xe2\x80\xa8"
      "b",
      "a b" }, /* line separator */
    { "a\x01\x7f"
      "b",
      "ab" },
    { "a\xf3\xa0\x81\x81"
      "b",
      "ab" }, /* tag character */
    { "a\xe3\x85\xa4"
      "b",
      "ab" }, /* Hangul filler */
    { "", "" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree char *text = tg_text_clean (rows[i][0], 100);

    g_assert_cmpstr (text, ==, rows[i][1]);
  }
}

static void
test_lines (void)
{
  g_autofree char *whole = tg_text_lines (" a\x01 b \n\n c\xe2\x80\xae", 100);
  g_autofree char *cut = tg_text_lines ("abc\ndefghij\nk", 10);

  g_assert_cmpstr (whole, ==, "a b\n\nc");
  g_assert_cmpstr (cut, ==, "abc\xe2\x80\xa6");
}

static void
test_cut_keeps_code_points (void)
{
  g_autofree char *cut = tg_text_clean ("\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80", 2);
  g_autofree char *whole = tg_text_clean ("\xf0\x9f\x98\x80\xf0\x9f\x98\x80", 2);

  g_assert_cmpstr (cut, ==, "\xf0\x9f\x98\x80\xe2\x80\xa6");
  g_assert_cmpstr (whole, ==, "\xf0\x9f\x98\x80\xf0\x9f\x98\x80");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/telegram/text/lines-are-kept-and-cut-whole", test_lines);
  g_test_add_func ("/telegram/text/html-is-escaped-and-claims-come-last", test_html);
  g_test_add_func ("/telegram/text/plain-shows-the-same", test_plain_shows_the_same);
  g_test_add_func ("/telegram/text/outcome-is-on-top", test_outcome_on_top);
  g_test_add_func ("/telegram/text/never-too-long", test_never_too_long);
  g_test_add_func ("/telegram/text/invisible-characters-go", test_clean);
  g_test_add_func ("/telegram/text/cut-keeps-code-points", test_cut_keeps_code_points);
  return g_test_run ();
}
