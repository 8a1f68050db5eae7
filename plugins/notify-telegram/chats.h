/* chats.h - the chats that show notices: whether they can be reached, and where they have gone
 */
#pragma once

#include "bot.h"

/* Follow what is remembered of groups that got another id. */
void tg_chats_load (TgBot *bot);

/* Say in @body, a message to @chat, which topic of the forum it belongs to, if any. */
void tg_chats_address (TgBot *bot, gint64 chat, JsonObject *body);
/* The topic is not there.  TRUE: there is another way to send. */
gboolean tg_chats_topic_is_gone (TgBot *bot);

/* A notice did not reach @chat, for good.  Told once for each time that the chat is out of reach. */
void tg_chats_failed (TgBot *bot, gint64 chat, TgOutcome outcome, const char *problem);
/* @chat takes messages (again): what it lacks is sent there. */
void tg_chats_reached (TgBot *bot, gint64 chat);
gboolean tg_chats_is_lost (TgBot *bot, gint64 chat);

/* The group @from has become @to. */
void tg_chats_migrate (TgBot *bot, gint64 from, gint64 to);

/* Take in @update if it tells of a chat: who blocked, removed or let in the bot; a new id. */
void tg_chats_take (TgBot *bot, JsonObject *update);
