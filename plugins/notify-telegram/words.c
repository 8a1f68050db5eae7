/* words.c - the checks behind words.h
 *
 * What must stay true: only `from` says who wrote, and only where nothing says that it is a stand-in.
 */
#include "words.h"

#include <string.h>

#include "update.h"

#define COMMAND_MAX 32u

void
tg_words_free (TgWords *words)
{
  if (words == NULL)
    return;
  g_free (words->text);
  g_free (words);
}

/* Members that say that the words, or the name above them, are somebody else's. */
static const char *const foreign[] = {
  "sender_chat",          "forward_origin", "forward_from",
  "forward_date",         "via_bot",        "sender_business_bot",
  "is_automatic_forward", "guest_query_id", "business_connection_id",
};

static gboolean
is_own (JsonObject *message)
{
  JsonObject *from = tg_member_object (message, "from");

  for (gsize i = 0; i < G_N_ELEMENTS (foreign); i++)
    if (json_object_has_member (message, foreign[i]))
      return FALSE;
  return !tg_member_bool (from, "is_bot", TRUE) && tg_is_person (tg_member_int (from, "id"));
}

TgWords *
tg_words_read (JsonObject *update)
{
  JsonObject *message = tg_member_object (update, "message");
  JsonObject *chat = tg_member_object (message, "chat");
  const char *text = tg_member_string (message, "text");
  g_autoptr (TgWords) words = NULL;

  if (message == NULL || chat == NULL || text == NULL || !is_own (message))
    return NULL;
  words = g_new0 (TgWords, 1);
  words->user = tg_member_int (tg_member_object (message, "from"), "id");
  words->chat = tg_member_int (chat, "id");
  words->message = tg_member_int (message, "message_id");
  words->thread = tg_member_bool (message, "is_topic_message", FALSE)
                      ? tg_member_int (message, "message_thread_id")
                      : 0;
  words->date = tg_member_int (message, "date");
  words->private_chat =
      words->chat > 0 || g_strcmp0 (tg_member_string (chat, "type"), "private") == 0;
  words->text = g_strdup (text);
  if (words->chat == 0 || words->message <= 0 ||
      (words->private_chat && words->chat != words->user))
    return NULL;
  return g_steal_pointer (&words);
}

char *
tg_words_command (const TgWords *words, const char *name)
{
  static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
  const char *at = words->text;
  gsize length, address;

  if (*at != '/')
    return NULL;
  length = strspn (++at, letters);
  if (length == 0 || length > COMMAND_MAX)
    return NULL;
  if (at[length] == '@') {
    address = strspn (at + length + 1, letters);
    if (name == NULL || address != strlen (name) ||
        g_ascii_strncasecmp (at + length + 1, name, address) != 0)
      return NULL;
  } else if (!words->private_chat || (at[length] != '\0' && !g_ascii_isspace (at[length]))) {
    return NULL;
  }
  return g_ascii_strdown (at, (gssize) length);
}
