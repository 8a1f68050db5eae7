/* send.h - bringing a notice to its chats
 */
#pragma once

#include "bot.h"

/* As SpNotifierOps.post: returns when each chat has the message or never will, when the notice waits for
 * its turn and the core can rely on that, or when @cancellable fires.  A request that is under way then
 * goes on, and its answer is still taken in.  It ends early where all that is left has to pause, so that
 * others are served. */
gboolean
tg_send_post (TgBot *bot, const SpNotice *notice, GCancellable *cancellable, GError **error);

/* Bring @notice, whose content is known, to the chats that lack it; without waiting. */
void tg_send_begin (TgBot *bot, TgNotice *notice);
/* Whether nothing of it is open any more. */
gboolean tg_send_is_over (const TgNotice *notice);
/* Tell of the chats that did not get it, and drop what has ended. */
void tg_send_end (TgBot *bot, TgNotice *notice);

/* Start nothing more for @notice.  TRUE: nothing of it is under way either. */
gboolean tg_send_halt (TgNotice *notice);
