/* send.h - bringing notices, and what became of them, to the service
 */
#pragma once

#include "hook.h"

/* As SpNotifierOps has them: they try until the service has taken it, refuses it, or time is up. */
gboolean
wh_send_post (WhHook *hook, const SpNotice *notice, GCancellable *cancellable, GError **error);
gboolean wh_send_settle (WhHook *hook, const SpNotice *notice, const SpOutcome *outcome,
                         GCancellable *cancellable, GError **error);

/* Tell the service, once, what the core made of an answer.  Nobody waits for it. */
void wh_send_answered (WhHook *hook, const WhJudged *judged);
