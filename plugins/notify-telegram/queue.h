/* queue.h - the turn of each request in a storm
 *
 * A few requests are shown at once; then one more each time that one is decided, and one each ten seconds.
 * The others wait, and one message with a count says so (digest.h).  Nobody's are shown only after all of
 * somebody else's.
 */
#pragma once

#include "bot.h"

TgQueue *tg_queue_new (TgBot *bot);
void tg_queue_free (TgQueue *queue);
/* Go on with what waited before a restart; once tg_notices_load() is through. */
void tg_queue_load (TgQueue *queue);

/* Whether @notice, whose content is known if it asks for anything, may be shown now.  FALSE: it has to wait,
 * and is marked so. */
gboolean tg_queue_admit (TgQueue *queue, TgNotice *notice);
/* Make durable that @notice waits.  FALSE: it does not wait then. */
gboolean tg_queue_keep (TgQueue *queue, TgNotice *notice, GError **error);
/* Show @notice where it is not shown yet, in its turn. */
void tg_queue_add (TgQueue *queue, TgNotice *notice);
/* @notice is decided: it is not shown any more, and another may be.  May be repeated. */
void tg_queue_settled (TgQueue *queue, TgNotice *notice);

/* The notices that wait and that @chat lacks, oldest first.  Free the array, not what is in it. */
GPtrArray *tg_queue_waiting (TgQueue *queue, gint64 chat);
/* How many ended before they were shown, since the queue was last empty. */
guint tg_queue_unseen (TgQueue *queue);
/* Whether more is asked than is shown. */
gboolean tg_queue_is_storm (TgQueue *queue);
