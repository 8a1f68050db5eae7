/* chats.c - the bookkeeping of chats.h
 *
 * What must stay true: only ids that we had from the configuration, or that Telegram named as what such a
 * one has become, are ever written to; a group that moved is followed, as else requests would be lost, but
 * an alarm says so; the old id is not listened to any more.
 */
#include "chats.h"

#include <string.h>

#include "delivery.h"
#include "queue.h"
#include "update.h"

#define MOVED_KEY "moved"
#define GENERAL_TOPIC 1 /* goes without its number: "message thread not found" else */

void
tg_chats_address (TgBot *bot, gint64 chat, JsonObject *body)
{
  if (bot->topic > GENERAL_TOPIC && chat < 0)
    json_object_set_int_member (body, "message_thread_id", bot->topic);
}

gboolean
tg_chats_topic_is_gone (TgBot *bot)
{
  if (bot->topic <= GENERAL_TOPIC)
    return FALSE;
  tg_bot_alarm (bot, TG_ALARM_TOPIC,
                "the topic %" G_GINT64_FORMAT
                " is not in the Telegram group any more; notices go to "
                "its general topic until the configuration names another",
                bot->topic);
  bot->topic = 0;
  return TRUE;
}

/* ---- out of reach, and back ------------------------------------------------------------------------ */

gboolean
tg_chats_is_lost (TgBot *bot, gint64 chat)
{
  return g_hash_table_contains (bot->lost, &chat);
}

void
tg_chats_failed (TgBot *bot, gint64 chat, TgOutcome outcome, const char *problem)
{
  g_autofree char *text = NULL;

  if (outcome == TG_MIGRATED)
    return;
  text = g_strdup_printf ("notices cannot be shown in the Telegram chat %" G_GINT64_FORMAT ": %s",
                          chat, problem != NULL ? problem : "no reason was given");
  if (outcome != TG_NO_CHAT)
    tg_bot_alarm (bot, TG_ALARM_UNREACHED, "%s", text);
  else if (g_hash_table_add (bot->lost, g_memdup2 (&chat, sizeof chat)))
    bot->host->api->alarm (bot->host, text);
}

typedef struct {
  TgBot *bot;
  gint64 chat;
  GPtrArray *found; /* TgNotice */
} Lacking;

static void
find_lacking (TgNotice *notice, gpointer data)
{
  Lacking *lacking = data;
  gint64 now = g_get_real_time () / G_USEC_PER_SEC;
  TgPlace *place;

  if (notice->content == NULL || notice->waiting != 0 ||
      (notice->expires_at != 0 && notice->expires_at <= now))
    return;
  place = tg_notice_place (notice, lacking->chat);
  if (place->delivery == NULL && place->messages->len == 0)
    g_ptr_array_add (lacking->found, notice);
}

static void
send_what_lacks (TgBot *bot, gint64 chat)
{
  Lacking lacking = { bot, chat, g_ptr_array_new () };

  tg_notices_each (bot->notices, find_lacking, &lacking);
  for (guint i = 0; i < lacking.found->len; i++)
    tg_queue_add (bot->queue, lacking.found->pdata[i]);
  g_ptr_array_unref (lacking.found);
}

void
tg_chats_reached (TgBot *bot, gint64 chat)
{
  if (g_hash_table_remove (bot->lost, &chat))
    send_what_lacks (bot, chat);
}

/* ---- a group with a new id ---------------------------------------------------------------------------- */

/* One with a sending under way stays until the answer, which will say the same. */
static void
drop_place (TgNotice *notice, gpointer data)
{
  const Lacking *lacking = data;
  const TgDelivery *delivery = tg_notice_place (notice, lacking->chat)->delivery;

  if (delivery == NULL || delivery->call == NULL)
    tg_notices_drop_place (lacking->bot->notices, notice, lacking->chat);
}

/* TRUE: @from was one of ours. */
static gboolean
replace (TgBot *bot, gint64 from, gint64 to)
{
  for (guint i = 0; i < bot->chats->len; i++)
    if (g_array_index (bot->chats, gint64, i) == from && from < 0 && to < 0 && from != to) {
      g_array_index (bot->chats, gint64, i) = to;
      return TRUE;
    }
  return FALSE;
}

void
tg_chats_migrate (TgBot *bot, gint64 from, gint64 to)
{
  Lacking lacking = { bot, from, NULL };
  g_autofree char *pair = g_strdup_printf ("%" G_GINT64_FORMAT " %" G_GINT64_FORMAT, from, to);
  g_autofree char *text = NULL;
  g_autoptr (GError) error = NULL;

  if (!replace (bot, from, to))
    return;
  text =
      g_strdup_printf ("the group %" G_GINT64_FORMAT " has become %" G_GINT64_FORMAT
                       " on Telegram, and is followed there; put the new id into the configuration",
                       from, to);
  bot->host->api->alarm (bot->host, text);
  if (!bot->host->api->remember (bot->host, MOVED_KEY, pair, &error))
    g_message ("the new id of a group could not be remembered: %s", error->message);
  tg_notices_each (bot->notices, drop_place, &lacking);
  send_what_lacks (bot, to);
}

void
tg_chats_load (TgBot *bot)
{
  g_autofree char *pair = bot->host->api->recall (bot->host, MOVED_KEY);
  g_auto (GStrv) words = g_strsplit (pair != NULL ? pair : "", " ", 2);

  if (g_strv_length (words) == 2)
    replace (bot, g_ascii_strtoll (words[0], NULL, 10), g_ascii_strtoll (words[1], NULL, 10));
}

/* ---- what Telegram tells of chats ---------------------------------------------------------------------- */

static gboolean
is_ours (TgBot *bot, gint64 chat)
{
  for (guint i = 0; i < bot->chats->len; i++)
    if (g_array_index (bot->chats, gint64, i) == chat)
      return TRUE;
  return FALSE;
}

static void
take_membership (TgBot *bot, JsonObject *change)
{
  gint64 chat = tg_member_int (tg_member_object (change, "chat"), "id");
  const char *status = tg_member_string (tg_member_object (change, "new_chat_member"), "status");

  if (status == NULL || !is_ours (bot, chat))
    return;
  if (strcmp (status, "kicked") == 0 || strcmp (status, "left") == 0)
    tg_chats_failed (bot, chat, TG_NO_CHAT, "the bot was blocked or removed there");
  else
    tg_chats_reached (bot, chat);
}

void
tg_chats_take (TgBot *bot, JsonObject *update)
{
  JsonObject *change = tg_member_object (update, "my_chat_member");
  JsonObject *message = tg_member_object (update, "message");
  gint64 chat = tg_member_int (tg_member_object (message, "chat"), "id");
  gint64 to = tg_member_int (message, "migrate_to_chat_id");
  gint64 from = tg_member_int (message, "migrate_from_chat_id");

  if (change != NULL)
    take_membership (bot, change);
  else if (to != 0)
    tg_chats_migrate (bot, chat, to);
  else if (from != 0)
    tg_chats_migrate (bot, from, chat);
}
