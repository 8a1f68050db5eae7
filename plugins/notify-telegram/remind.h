/* remind.h - a word at half time about a request that nobody has decided
 */
#pragma once

#include "bot.h"

/* When to remind of @notice, which is shown at @now (seconds since the epoch); 0: never.  Pure. */
gint64 tg_remind_time (const SpNotice *notice, gint64 now);

TgRemind *tg_remind_new (TgBot *bot);
void tg_remind_free (TgRemind *remind);
/* Look anew when the next one is due. */
void tg_remind_plan (TgRemind *remind);
/* @notice is decided: take the reminders away. */
void tg_remind_settled (TgRemind *remind, TgNotice *notice);
