/* bucket.h - how much may happen at once, and how often for long
 *
 * A token bucket: it holds at most @max tokens, and gets one more every @gap microseconds.  Times are
 * monotonic and the caller's, so that tests need no clock.
 */
#pragma once

#include <glib.h>

typedef struct {
  guint max, left;
  gint64 gap, at; /* @at: when the last token came by itself */
} TgBucket;

/* Full. */
void tg_bucket_init (TgBucket *bucket, guint max, gint64 gap, gint64 now);
/* Take a token.  FALSE: there is none. */
gboolean tg_bucket_take (TgBucket *bucket, gint64 now);
/* Put one back, unless it is full. */
void tg_bucket_give (TgBucket *bucket);
/* Whether there is none to take. */
gboolean tg_bucket_is_empty (TgBucket *bucket, gint64 now);
