/* words.h - what a person has written to the bot
 *
 * Pure.  Every member of an update may be missing or of another type.
 */
#pragma once

#include <secret-proxy/json.h>

typedef struct {
  gint64 user, chat, message;
  gint64 thread; /* of a forum; 0: none */
  gint64 date;   /* seconds since the epoch, by Telegram's clock */
  gboolean private_chat;
  char *text;
} TgWords;

void tg_words_free (TgWords *words);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TgWords, tg_words_free)

/* What @update tells of a person's own words, or NULL: a bot's, a channel's, an anonymous admin's, forwarded
 * or none. */
TgWords *tg_words_read (JsonObject *update);

/* The command that @words give to the bot called @name (NULL: not known), in lower case; or NULL: none, or
 * not to this bot.  In a group it must be addressed to it.  Free it. */
char *tg_words_command (const TgWords *words, const char *name);
