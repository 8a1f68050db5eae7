/* poll.h - the long poll, and with it the health of the instance
 */
#pragma once

#include "bot.h"

/* Polls from now on, in the context of @bot; the first thing is to see whether the token is any good. */
TgPoll *tg_poll_new (TgBot *bot);
/* After tg_api_close(): no call of it is under way. */
void tg_poll_free (TgPoll *poll);
