/* test-words.c - what is a command, and whose */
#include "words.h"

#include <string.h>

#include "base/json.h"

#define FROM "\"from\":{\"id\":42,\"is_bot\":false}"
#define CHAT "\"chat\":{\"id\":42,\"type\":\"private\"}"
#define GROUP "\"chat\":{\"id\":-7,\"type\":\"group\"}"
#define HEAD "\"message_id\":5,\"date\":9,"

static TgWords *
words_of (const char *members)
{
  g_autofree char *text = g_strdup_printf ("{\"update_id\":1,\"message\":{%s}}", members);
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonNode) node = sp_json_parse (text, strlen (text), 0, &error);

  g_assert_no_error (error);
  return tg_words_read (json_node_get_object (node));
}

static void
test_own (void)
{
  g_autoptr (TgWords) words =
      words_of (HEAD FROM "," GROUP ",\"is_topic_message\":true,\"message_thread_id\":3,"
                          "\"text\":\"hello\"");

  g_assert_nonnull (words);
  g_assert_cmpint (words->user, ==, 42);
  g_assert_cmpint (words->chat, ==, -7);
  g_assert_cmpint (words->message, ==, 5);
  g_assert_cmpint (words->thread, ==, 3);
  g_assert_cmpint (words->date, ==, 9);
  g_assert_false (words->private_chat);
  g_assert_cmpstr (words->text, ==, "hello");
}

static void
test_not_own (void)
{
  static const char *const rows[] = {
    "",
    HEAD CHAT ",\"text\":\"x\"",
    HEAD FROM "," CHAT,
    HEAD FROM ",\"text\":\"x\"",
    HEAD FROM "," CHAT ",\"text\":5",
    "\"date\":9," FROM "," CHAT ",\"text\":\"x\"",
    HEAD "\"from\":{\"id\":42}," CHAT ",\"text\":\"x\"",
    HEAD "\"from\":{\"id\":42,\"is_bot\":true}," CHAT ",\"text\":\"x\"",
    HEAD "\"from\":{\"id\":43,\"is_bot\":false}," CHAT ",\"text\":\"x\"",
    HEAD "\"from\":{\"id\":1087968824,\"is_bot\":false}," GROUP ",\"text\":\"x\"",
    HEAD FROM "," GROUP ",\"text\":\"x\",\"sender_chat\":{\"id\":-7}",
    HEAD FROM "," CHAT ",\"text\":\"x\",\"forward_origin\":{}",
    HEAD FROM "," CHAT ",\"text\":\"x\",\"via_bot\":{}",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    g_assert_null (words_of (rows[i]));
}

static void
test_commands (void)
{
  static const struct {
    const char *text;
    gboolean private_chat;
    const char *command;
  } rows[] = {
    { "/status", TRUE, "status" },
    { "/Status please", TRUE, "status" },
    { "/status\nnow", TRUE, "status" },
    { "/status@Our_Bot", TRUE, "status" },
    { "/status@our_bot x", FALSE, "status" },
    { "/status", FALSE, NULL },
    { "/status@other", TRUE, NULL },
    { "/status@our_bot_too", FALSE, NULL },
    { "status", TRUE, NULL },
    { "/", TRUE, NULL },
    { "/st-atus", TRUE, NULL },
    { "/status/x", TRUE, NULL },
    { "/abcdefghijklmnopqrstuvwxyzabcdefg", TRUE, NULL },
    { "", TRUE, NULL },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    TgWords words = { .private_chat = rows[i].private_chat, .text = (char *) rows[i].text };
    g_autofree char *command = tg_words_command (&words, "our_bot");

    g_assert_cmpstr (command, ==, rows[i].command);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/telegram/words/a-persons-own", test_own);
  g_test_add_func ("/telegram/words/nobody-elses", test_not_own);
  g_test_add_func ("/telegram/words/commands-to-this-bot", test_commands);
  return g_test_run ();
}
