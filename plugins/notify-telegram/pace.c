/* pace.c - the arithmetic of pace.h
 *
 * The gaps are a little wider than the limits, since what counts is when a message arrives.
 */
#include "pace.h"

#define GAP (1050 * G_TIME_SPAN_MILLISECOND)
#define GROUP_SPAN (61 * G_TIME_SPAN_SECOND)
#define GROUP_COUNT 20u

struct _TgPace {
  GHashTable *chats; /* chat -> GArray of gint64, the times of the last GROUP_COUNT messages */
};

TgPace *
tg_pace_new (void)
{
  TgPace *pace = g_new0 (TgPace, 1);

  pace->chats =
      g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, (GDestroyNotify) g_array_unref);
  return pace;
}

void
tg_pace_free (TgPace *pace)
{
  if (pace == NULL)
    return;
  g_hash_table_unref (pace->chats);
  g_free (pace);
}

guint
tg_pace_wait (TgPace *pace, gint64 chat, gint64 now)
{
  GArray *times = g_hash_table_lookup (pace->chats, &chat);
  gint64 next;

  if (times == NULL || times->len == 0)
    return 0;
  next = g_array_index (times, gint64, times->len - 1) + GAP;
  if (chat < 0 && times->len >= GROUP_COUNT)
    next = MAX (next, g_array_index (times, gint64, times->len - GROUP_COUNT) + GROUP_SPAN);
  return next > now ? (guint) ((next - now) / G_TIME_SPAN_MILLISECOND + 1) : 0;
}

void
tg_pace_mark (TgPace *pace, gint64 chat, gint64 now)
{
  GArray *times = g_hash_table_lookup (pace->chats, &chat);

  if (times == NULL) {
    times = g_array_new (FALSE, FALSE, sizeof (gint64));
    g_hash_table_insert (pace->chats, g_memdup2 (&chat, sizeof chat), times);
  }
  if (times->len == GROUP_COUNT)
    g_array_remove_index (times, 0);
  g_array_append_val (times, now);
}
