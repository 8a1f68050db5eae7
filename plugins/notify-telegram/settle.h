/* settle.h - closing a notice in its chats
 */
#pragma once

#include "bot.h"

/* As SpNotifierOps.settle: every message that shows the notice gets the outcome and loses its buttons;
 * then all about it is forgotten.  A message that can't be edited counts as done. */
gboolean tg_settle (TgBot *bot, const SpNotice *notice, const SpOutcome *outcome,
                    GCancellable *cancellable, GError **error);
