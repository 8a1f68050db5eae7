/* confirm.h - a command that counts only with a second tap
 */
#pragma once

#include "bot.h"
#include "update.h"
#include "words.h"

typedef enum {
  TG_CONFIRM_NONE,     /* the tap is about something else */
  TG_CONFIRM_DONE,     /* it counted, or came too late */
  TG_CONFIRM_WRONG,    /* another person's, or on another message */
  TG_CONFIRM_TAMPERED, /* the message does not show any more what we wrote */
} TgConfirmed;

TgConfirm *tg_confirm_new (TgBot *bot);
void tg_confirm_free (TgConfirm *confirm);

/* Ask the writer of @words whether @command is meant. */
void tg_confirm_ask (TgConfirm *confirm, const char *command, const TgWords *words);
/* Take @tap, which passed the checks of update.h.  @ret_text: with DONE, what to tell; to be freed. */
TgConfirmed tg_confirm_take (TgConfirm *confirm, const TgTap *tap, char **ret_text);
