/* message.h - what is sent to show a notice
 */
#pragma once

#include "bot.h"

/* The keyboard for the choices of @notice at @place, with a token for each; NULL where it has none.
 * Unref it. */
JsonObject *tg_message_keyboard (TgNotices *notices, TgPlace *place, const SpNotice *notice);

/* A keyboard of one button.  Unref it. */
JsonObject *tg_message_lone_button (const char *label, const char *token, SpChoiceStyle style);

/* Make @body an answer to @message of the same chat, if that is there still. */
void tg_message_reply_to (JsonObject *body, gint64 message);

/* The body that sendMessage and editMessageText share: @text, as HTML or plain, without previews of what
 * may look like a link.  Unref it. */
JsonObject *tg_message_body (gint64 chat, const char *text, gboolean html);
