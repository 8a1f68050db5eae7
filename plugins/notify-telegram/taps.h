/* taps.h - what becomes of a tap
 */
#pragma once

#include "bot.h"

TgTaps *tg_taps_new (TgBot *bot);
void tg_taps_free (TgTaps *taps);

/* Take in @update, whatever it is.  TRUE: it may be confirmed to Telegram; FALSE: a tap that the core
 * could not record, which is kept here and tried again, and must stay with Telegram too. */
gboolean tg_taps_take (TgTaps *taps, JsonNode *update);
