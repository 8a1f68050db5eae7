/* bucket.c - the arithmetic of bucket.h */
#include "bucket.h"

static void
refill (TgBucket *bucket, gint64 now)
{
  gint64 more = (now - bucket->at) / bucket->gap;

  if (more <= 0)
    return;
  bucket->at += more * bucket->gap;
  bucket->left = (guint) MIN ((gint64) bucket->max, bucket->left + more);
}

void
tg_bucket_init (TgBucket *bucket, guint max, gint64 gap, gint64 now)
{
  *bucket = (TgBucket){ .max = max, .left = max, .gap = gap, .at = now };
}

gboolean
tg_bucket_take (TgBucket *bucket, gint64 now)
{
  refill (bucket, now);
  if (bucket->left == 0)
    return FALSE;
  /* A full one gains nothing by waiting: the time counts from the first that is taken. */
  if (bucket->left == bucket->max)
    bucket->at = now;
  bucket->left--;
  return TRUE;
}

void
tg_bucket_give (TgBucket *bucket)
{
  bucket->left = MIN (bucket->max, bucket->left + 1);
}

gboolean
tg_bucket_is_empty (TgBucket *bucket, gint64 now)
{
  refill (bucket, now);
  return bucket->left == 0;
}
