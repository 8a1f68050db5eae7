/* commands.h - what approvers may ask of the vault by writing to the bot
 *
 * Whoever is not listed gets no answer, and so learns nothing.  What the vault says to it is the core's
 * business; here it is only carried.
 */
#pragma once

#include "bot.h"
#include "words.h"

TgCommands *tg_commands_new (TgBot *bot);
void tg_commands_free (TgCommands *commands);

/* Take in @update if it holds a command. */
void tg_commands_take (TgCommands *commands, JsonObject *update);
/* Show the commands in the menus of the chats, where Telegram does not have them yet. */
void tg_commands_menu (TgCommands *commands);

/* Have the core carry out @command for the writer of @words; what to tell that person, or NULL: nothing.
 * Free it. */
char *
tg_commands_ask (TgBot *bot, const char *command, const TgWords *words, SpAnswerResult *ret_result);
