/* test-body.c - what each kind of service is sent, with hostile text in it */
#include "body.h"

#include <string.h>

#include "text.h"
#include "token.h"

#define SECRET "correct-horse-battery-staple"
#define HOSTILE \
  "<!channel> *b* _i_ `c` <https://evil.example|x> & \"q\" \\ \xe2\x80\xae" \
  "rtl"

static const SpField fields[] = {
  { "Agent", "build & <co>", SP_FIELD_CORE },
  { "Reason", HOSTILE, SP_FIELD_AGENT },
  { "Secret", "prod_db", SP_FIELD_CORE },
};
static const SpChoice codes[] = {
  { "code:AAAA", "AAAA", SP_CHOICE_PLAIN },
  { "code:BBBB", "BBBB", SP_CHOICE_PLAIN },
  { "code:CCCC", "CCCC", SP_CHOICE_PLAIN },
  { "deny", "Deny", SP_CHOICE_DENY },
};
static const SpNotice usual = {
  .size = sizeof usual,
  .id = "n1",
  .title = "An agent asks",
  .fields = fields,
  .n_fields = G_N_ELEMENTS (fields),
  .choices = codes,
  .n_choices = G_N_ELEMENTS (codes),
  .expires_at = 1700000000,
};

static WhMaker
maker_new (GBytes *key, const char *answers)
{
  WhMaker maker = { .key = key, .instance = "hook", .answers = answers };

  return maker;
}

static GBytes *
key_new (void)
{
  return g_bytes_new_static (SECRET, strlen (SECRET));
}

static void
test_json (void)
{
  g_autoptr (GBytes) key = key_new ();
  WhMaker maker = maker_new (key, NULL);
  g_autoptr (JsonObject) body = wh_template_json.notice (&maker, &usual, "-", "d1");
  JsonObject *reason =
      json_array_get_object_element (json_object_get_array_member (body, "fields"), 1);
  JsonArray *choices = json_object_get_array_member (body, "choices");

  g_assert_cmpstr (json_object_get_string_member (body, "event"), ==, "notice");
  g_assert_cmpstr (json_object_get_string_member (body, "delivery"), ==, "d1");
  g_assert_cmpstr (json_object_get_string_member (body, "instance"), ==, "hook");
  g_assert_cmpint (json_object_get_int_member (body, "expires_at"), ==, 1700000000);
  g_assert_cmpstr (json_object_get_string_member (reason, "value"), ==, HOSTILE);
  g_assert_cmpstr (json_object_get_string_member (reason, "origin"), ==, "agent");
  g_assert_cmpuint (json_array_get_length (choices), ==, 4);
}

/* An origin of a later core is a claim until it is known to be none. */
static void
test_json_unknown_origin (void)
{
  g_autoptr (GBytes) key = key_new ();
  WhMaker maker = maker_new (key, NULL);
  SpField odd = { "X", "y", 77 };
  SpNotice notice = usual;
  g_autoptr (JsonObject) body = NULL;
  JsonObject *field;

  notice.fields = &odd;
  notice.n_fields = 1;
  notice.expires_at = 0;
  body = wh_template_json.notice (&maker, &notice, "-", "d1");
  field = json_array_get_object_element (json_object_get_array_member (body, "fields"), 0);
  g_assert_cmpstr (json_object_get_string_member (field, "origin"), ==, "agent");
  g_assert_true (json_object_get_null_member (body, "expires_at"));
}

static void
test_ntfy_buttons (void)
{
  g_autoptr (GBytes) key = key_new ();
  WhMaker maker = maker_new (key, "https://ntfy.example/answers");
  g_autoptr (JsonObject) body = wh_template_ntfy.notice (&maker, &usual, "alice", "d1");
  JsonArray *actions = json_object_get_array_member (body, "actions");

  g_assert_cmpstr (json_object_get_string_member (body, "topic"), ==, "alice");
  g_assert_cmpstr (json_object_get_string_member (body, "sequence_id"), ==, "n1");
  g_assert_cmpuint (json_array_get_length (actions), ==, 3);
  for (guint i = 0; i < 3; i++) {
    JsonObject *action = json_array_get_object_element (actions, i);
    const char *text = json_object_get_string_member (action, "body");
    g_auto (WhToken) token = { 0 };

    g_assert_cmpstr (json_object_get_string_member (action, "url"), ==, maker.answers);
    g_assert_cmpint (wh_token_read (key, text, &token), ==, WH_TOKEN_GOOD);
    g_assert_cmpstr (token.choice, ==, codes[i].id);
    g_assert_cmpstr (token.person, ==, "alice");
    g_assert_cmpint (token.expires_at, ==, usual.expires_at);
  }
  g_assert_true (g_str_has_prefix (json_object_get_string_member (body, "message"), "To deny: "));
}

static void
test_ntfy_without_answers (void)
{
  g_autoptr (GBytes) key = key_new ();
  WhMaker maker = maker_new (key, NULL);
  g_autoptr (JsonObject) body = wh_template_ntfy.notice (&maker, &usual, "alice", "d1");

  g_assert_false (json_object_has_member (body, "actions"));
  g_assert_nonnull (strstr (json_object_get_string_member (body, "message"), "another channel"));
}

/* However long an agent's text is, the core's text is whole, and the server takes it. */
static void
test_ntfy_fits (void)
{
  g_autoptr (GBytes) key = key_new ();
  WhMaker maker = maker_new (key, "https://a-rather-long-name-of-a-server.example/answers");
  g_autofree char *quotes = g_strnfill (900, '"');
  SpField many[12];
  SpNotice notice = usual;
  g_autoptr (JsonObject) body = NULL;
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  g_autofree char *text = NULL;
  const char *message;

  for (gsize i = 0; i < G_N_ELEMENTS (many); i++)
    many[i] = i == 11 ? fields[0] : (SpField){ "Reason", quotes, SP_FIELD_AGENT };
  notice.fields = many;
  notice.n_fields = G_N_ELEMENTS (many);
  body = wh_template_ntfy.notice (&maker, &notice, "alice", "d1");
  message = json_object_get_string_member (body, "message");
  g_assert_cmpuint (strlen (message), <=, 2000);
  g_assert_nonnull (strstr (message, "Agent: build & <co>"));
  json_node_set_object (node, body);
  text = json_to_string (node, FALSE);
  g_assert_cmpuint (strlen (text), <=, 8192);
}

static void
test_ntfy_tells_what_is_not_told_else (void)
{
  g_autoptr (GBytes) key = key_new ();
  WhMaker maker = maker_new (key, NULL);
  WhJudged judged = { "n1", "approve", "alice", SP_ANSWER_TAKEN, "approved" };
  g_autoptr (JsonObject) body = NULL;

  g_assert_null (wh_template_ntfy.answered (&maker, &judged, "d1"));
  judged.result = SP_ANSWER_UNKNOWN;
  g_assert_null (wh_template_ntfy.answered (&maker, &judged, "d1"));
  judged.result = SP_ANSWER_COUNTED;
  judged.text = "counted: 1 of 2";
  body = wh_template_ntfy.answered (&maker, &judged, "d1");
  g_assert_cmpstr (json_object_get_string_member (body, "topic"), ==, "alice");
  g_assert_cmpstr (json_object_get_string_member (body, "message"), ==, "counted: 1 of 2");
}

static const char *
block_text (JsonObject *body, guint i)
{
  JsonObject *block =
      json_array_get_object_element (json_object_get_array_member (body, "blocks"), i);
  JsonObject *text = json_object_get_object_member (block, "text");

  g_assert_cmpstr (json_object_get_string_member (text, "type"), ==, "plain_text");
  return json_object_get_string_member (text, "text");
}

static void
test_slack (void)
{
  g_autoptr (GBytes) key = key_new ();
  WhMaker maker = maker_new (key, NULL);
  g_autoptr (JsonObject) body = wh_template_slack.notice (&maker, &usual, "-", "d1");

  g_assert_cmpstr (json_object_get_string_member (body, "text"), ==, "An agent asks");
  g_assert_cmpstr (block_text (body, 0), ==, "An agent asks");
  g_assert_cmpstr (
      block_text (body, 1), ==,
      "Agent: build &amp; &lt;co&gt;\nSecret: prod_db\nExpires: 2023-11-14 22:13:20 UTC");
  g_assert_cmpstr (
      block_text (body, 2), ==,
      "In the agent's own words (a claim, not checked):\n"
      "Reason: &lt;!channel&gt; *b* _i_ `c` &lt;https://evil.example|x&gt; &amp; \"q\" \\ rtl");
}

static void
test_slack_fits (void)
{
  g_autoptr (GBytes) key = key_new ();
  WhMaker maker = maker_new (key, NULL);
  g_autofree char *long_text = g_strnfill (5000, '<');
  SpField many[40];
  SpNotice notice = usual;
  SpOutcome outcome = { sizeof outcome, SP_OUTCOME_DENIED, long_text };
  g_autoptr (JsonObject) body = NULL;

  for (gsize i = 0; i < G_N_ELEMENTS (many); i++)
    many[i] = (SpField){ "Reason", long_text, i % 2 ? SP_FIELD_AGENT : SP_FIELD_CORE };
  notice.fields = many;
  notice.n_fields = G_N_ELEMENTS (many);
  body = wh_template_slack.settled (&maker, &notice, &outcome, "-", "d1");
  g_assert_cmpuint (strlen (block_text (body, 0)), <=, 150);
  for (guint i = 1; i < 3; i++) {
    g_assert_cmpuint (strlen (block_text (body, i)), <=, 3000);
    g_assert_true (g_str_has_suffix (block_text (body, i), "&lt;"));
  }
}

static void
test_text (void)
{
  g_autofree char *cut = wh_text_clean ("\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80", 2);
  g_autofree char *bytes = wh_text_cut_bytes ("a\xf0\x9f\x98\x80", 4);
  g_autofree char *whole = wh_text_cut_bytes ("a\xf0\x9f\x98\x80", 5);
  g_autofree char *line = wh_text_first_line ("a\x1b[2Jb\xff\nc", 9);
  g_autofree char *none = wh_text_first_line (NULL, 0);

  g_assert_cmpstr (cut, ==, "\xf0\x9f\x98\x80\xe2\x80\xa6");
  g_assert_cmpstr (bytes, ==, "a");
  g_assert_cmpstr (whole, ==, "a\xf0\x9f\x98\x80");
  g_assert_cmpstr (line, ==, "a[2Jb\xef\xbf\xbd");
  g_assert_cmpstr (none, ==, "");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/webhook/json/says-everything", test_json);
  g_test_add_func ("/webhook/json/an-unknown-origin-is-a-claim", test_json_unknown_origin);
  g_test_add_func ("/webhook/ntfy/three-buttons-with-tokens", test_ntfy_buttons);
  g_test_add_func ("/webhook/ntfy/no-buttons-without-answers", test_ntfy_without_answers);
  g_test_add_func ("/webhook/ntfy/always-fits", test_ntfy_fits);
  g_test_add_func ("/webhook/ntfy/tells-votes-and-refusals", test_ntfy_tells_what_is_not_told_else);
  g_test_add_func ("/webhook/slack/an-agents-text-is-plain", test_slack);
  g_test_add_func ("/webhook/slack/always-fits", test_slack_fits);
  g_test_add_func ("/webhook/text/cut-and-cleaned", test_text);
  return g_test_run ();
}
