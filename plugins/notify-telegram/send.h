/* send.h - bringing a notice to its chats
 */
#pragma once

#include "bot.h"

/* As SpNotifierOps.post: returns when each chat has the message or never will, or @cancellable fires.  A
 * request that is under way then goes on, and its answer is still taken in. */
gboolean
tg_send_post (TgBot *bot, const SpNotice *notice, GCancellable *cancellable, GError **error);

/* Start nothing more for @notice.  TRUE: nothing of it is under way either. */
gboolean tg_send_halt (TgNotice *notice);
