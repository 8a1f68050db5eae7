/* commands.c - the checks and answers of commands.h
 *
 * What must stay true: a command counts only as a listed person's own, fresh, written to this bot, in that
 * person's private chat or in a chat of ours; a message that comes again is not answered again; nobody
 * can make the bot write more than a little.
 */
#include "commands.h"

#include <string.h>

#include "bucket.h"
#include "confirm.h"
#include "message.h"
#include "text.h"
#include "try.h"
#include "update.h"

#define AT_ONCE 6u
#define GAP (10 * G_USEC_PER_SEC)
#define FRESH (15 * 60) /* seconds: Telegram keeps messages for a day */
#define MAX_SEEN 64u
#define REPLY_TRIES 3u
#define MENU_KEY "menu/"

static const struct {
  const char *word;
  const char *command; /* the core's word */
  const char *help;    /* NULL: not in the menu */
  gboolean confirmed;
} rows[] = {
  { "pending", "pending", "requests that wait for a decision", FALSE },
  { "grants", "grants", "approvals that hold for a time", FALSE },
  { "status", "status", "how the vault is", FALSE },
  { "lock", "lock", "end all, and hand out nothing until an administrator unlocks it", TRUE },
  { "help", "help", "what can be asked here", FALSE },
  { "start", "help", NULL, FALSE },
};

typedef struct {
  gint64 chat, message;
} Seen;

struct _TgCommands {
  TgBot *bot;
  GHashTable *buckets; /* user -> TgBucket */
  Seen seen[MAX_SEEN];
  guint next_seen;
  GPtrArray *menus; /* Menu: those on their way */
};

static void
on_ignored (const TgResult *result, gpointer data)
{
}

/* ---- asking the core ------------------------------------------------------------------------------ */

static const char *const defaults[] = {
  [SP_ANSWER_TAKEN] = "Done.",
  [SP_ANSWER_COUNTED] = "Done.",
  [SP_ANSWER_NOT_ALLOWED] = NULL,
  [SP_ANSWER_TOO_LATE] = "It is too late for that.",
  [SP_ANSWER_UNKNOWN] = "This vault does not know that command.",
  [SP_ANSWER_TRY_AGAIN] = "The vault can't answer now. Try again in a moment.",
};

char *
tg_commands_ask (TgBot *bot, const char *command, const TgWords *words, SpAnswerResult *ret_result)
{
  g_autofree char *person = g_strdup_printf ("%" G_GINT64_FORMAT, words->user);
  g_autofree char *evidence = g_strdup_printf (
      "chat %" G_GINT64_FORMAT " message %" G_GINT64_FORMAT, words->chat, words->message);
  g_autofree char *text = NULL;
  SpAnswerResult result = bot->host->api->command (bot->host, person, command, evidence, &text);

  if (result >= G_N_ELEMENTS (defaults))
    result = SP_ANSWER_UNKNOWN;
  if (ret_result != NULL)
    *ret_result = result;
  if (result == SP_ANSWER_NOT_ALLOWED)
    return NULL;
  return text != NULL && *text != '\0' ? tg_text_lines (text, TG_TEXT_MAX_UNITS)
                                       : g_strdup (defaults[result]);
}

static void
reply (TgBot *bot, const TgWords *words, const char *text)
{
  JsonObject *body = tg_message_body (words->chat, text, FALSE);

  json_object_set_boolean_member (body, "protect_content", TRUE);
  tg_message_reply_to (body, words->message);
  if (words->thread != 0)
    json_object_set_int_member (body, "message_thread_id", words->thread);
  tg_try_new (bot, "sendMessage", body, words->chat, REPLY_TRIES, TG_TRY_PACED | TG_TRY_SURE_ONLY,
              on_ignored, NULL);
}

/* ---- who may, and how often ------------------------------------------------------------------------ */

static gboolean
can_ask (TgBot *bot)
{
  return SP_HOST_HAS (bot->host, command) && bot->host->api->command != NULL;
}

static gboolean
is_ours (TgBot *bot, const TgWords *words)
{
  if (words->private_chat)
    return TRUE;
  for (guint i = 0; i < bot->chats->len; i++)
    if (g_array_index (bot->chats, gint64, i) == words->chat)
      return TRUE;
  return FALSE;
}

static gboolean
is_fresh (const TgWords *words)
{
  return ABS (g_get_real_time () / G_USEC_PER_SEC - words->date) <= FRESH;
}

/* A tap that waits keeps Telegram sending the messages beside it. */
static gboolean
is_new (TgCommands *commands, const TgWords *words)
{
  for (guint i = 0; i < MAX_SEEN; i++)
    if (commands->seen[i].chat == words->chat && commands->seen[i].message == words->message)
      return FALSE;
  commands->seen[commands->next_seen] = (Seen){ words->chat, words->message };
  commands->next_seen = (commands->next_seen + 1) % MAX_SEEN;
  return TRUE;
}

static gboolean
is_not_too_much (TgCommands *commands, gint64 user)
{
  TgBucket *bucket = g_hash_table_lookup (commands->buckets, &user);
  gint64 now = g_get_monotonic_time ();

  if (bucket == NULL) {
    bucket = g_new0 (TgBucket, 1);
    tg_bucket_init (bucket, AT_ONCE, GAP, now);
    g_hash_table_insert (commands->buckets, g_memdup2 (&user, sizeof user), bucket);
  }
  return tg_bucket_take (bucket, now);
}

static void
carry_out (TgCommands *commands, const TgWords *words, gsize row)
{
  g_autofree char *text = NULL;

  if (rows[row].confirmed) {
    tg_confirm_ask (commands->bot->confirm, rows[row].command, words);
    return;
  }
  text = tg_commands_ask (commands->bot, rows[row].command, words, NULL);
  if (text != NULL)
    reply (commands->bot, words, text);
}

void
tg_commands_take (TgCommands *commands, JsonObject *update)
{
  TgBot *bot = commands->bot;
  g_autoptr (TgWords) words = tg_words_read (update);
  g_autofree char *word = words != NULL ? tg_words_command (words, bot->name) : NULL;

  if (word == NULL || !can_ask (bot) || !tg_bot_lists (bot, words->user) || !is_ours (bot, words) ||
      !is_fresh (words) || !is_new (commands, words) || !is_not_too_much (commands, words->user))
    return;
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    if (strcmp (word, rows[i].word) == 0)
      carry_out (commands, words, i);
}

/* ---- the menu --------------------------------------------------------------------------------------------- */

typedef struct {
  TgCommands *commands;
  char *key, *value;
} Menu;

static void
menu_free (gpointer data)
{
  Menu *menu = data;

  g_free (menu->key);
  g_free (menu->value);
  g_free (menu);
}

static JsonArray *
menu_rows (void)
{
  JsonArray *array = json_array_new ();

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    JsonObject *row;

    if (rows[i].help == NULL)
      continue;
    row = json_object_new ();
    json_object_set_string_member (row, "command", rows[i].word);
    json_object_set_string_member (row, "description", rows[i].help);
    json_array_add_object_element (array, row);
  }
  return array;
}

static void
on_menu (const TgResult *result, gpointer data)
{
  Menu *menu = data;
  TgCommands *commands = menu->commands;
  SpHost *host = commands->bot->host;
  g_autoptr (GError) error = NULL;

  if (result->outcome == TG_OK && !host->api->remember (host, menu->key, menu->value, &error))
    g_message ("that the menu is set could not be remembered: %s", error->message);
  g_ptr_array_remove_fast (commands->menus, menu);
}

/* Only for this chat: strangers see no menu. */
static void
set_menu (TgCommands *commands, gint64 chat, Menu *menu)
{
  JsonObject *body = json_object_new (), *scope = json_object_new ();

  json_object_set_string_member (scope, "type", "chat");
  json_object_set_int_member (scope, "chat_id", chat);
  json_object_set_array_member (body, "commands", menu_rows ());
  json_object_set_object_member (body, "scope", scope);
  g_ptr_array_add (commands->menus, menu);
  tg_try_new (commands->bot, "setMyCommands", body, chat, 1, 0, on_menu, menu);
}

void
tg_commands_menu (TgCommands *commands)
{
  TgBot *bot = commands->bot;
  g_autoptr (GString) list = g_string_new (NULL);

  if (!can_ask (bot))
    return;
  g_string_append_printf (list, "%" G_GINT64_FORMAT, bot->id);
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    g_string_append_printf (list, "\n%s %s", rows[i].word,
                            rows[i].help != NULL ? rows[i].help : "");
  for (guint i = 0; i < bot->chats->len; i++) {
    gint64 chat = g_array_index (bot->chats, gint64, i);
    Menu *menu = g_new0 (Menu, 1);
    g_autofree char *before = NULL;

    menu->commands = commands;
    menu->key = g_strdup_printf (MENU_KEY "%" G_GINT64_FORMAT, chat);
    menu->value = tg_digest_text (list->str);
    before = bot->host->api->recall (bot->host, menu->key);
    if (g_strcmp0 (before, menu->value) == 0)
      menu_free (menu);
    else
      set_menu (commands, chat, menu);
  }
}

/* ---- life ---------------------------------------------------------------------------------------------------- */

TgCommands *
tg_commands_new (TgBot *bot)
{
  TgCommands *commands = g_new0 (TgCommands, 1);

  commands->bot = bot;
  commands->buckets = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, g_free);
  commands->menus = g_ptr_array_new_with_free_func (menu_free);
  return commands;
}

void
tg_commands_free (TgCommands *commands)
{
  if (commands == NULL)
    return;
  g_hash_table_unref (commands->buckets);
  g_ptr_array_unref (commands->menus);
  g_free (commands);
}
