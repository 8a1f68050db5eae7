/* queue.c - the order of queue.h
 *
 * What must stay true: a notice that waits is remembered with all that it says before the core hears that
 * it is taken, so nothing is dropped by a crash; each wait ends, by a turn or by the end of the matter;
 * nothing is decided here.
 */
#include "queue.h"

#include <string.h>

#include "bucket.h"
#include "digest.h"
#include "record.h"
#include "send.h"

#define AT_ONCE 5u
#define GAP (10 * G_USEC_PER_SEC)
#define TICK 1000u /* ms; the pace of one chat, too */

struct _TgQueue {
  TgBot *bot;
  TgBucket bucket;
  GPtrArray *waiting; /* ids, oldest first */
  GPtrArray *sending; /* ids */
  GHashTable *turns;  /* who asks -> GUINT_TO_POINTER: when they had a turn last */
  guint turn, unseen;
  GSource *timer;
};

static gboolean on_tick (gpointer data);

static void
tick_in (TgQueue *queue, guint delay)
{
  tg_timer_clear (&queue->timer);
  if (!queue->bot->stopping)
    queue->timer = tg_timer_new (queue->bot->context, delay, on_tick, queue);
}

static void
wake (TgQueue *queue)
{
  if (queue->timer == NULL)
    tick_in (queue, TICK);
}

/* ---- whose turn it is ------------------------------------------------------------------------------ */

/* The core's word for who asks; all of one agent's requests share a place in the round. */
static const char *
asker (const TgNotice *notice)
{
  const SpNotice *said = &notice->content->notice;

  for (gsize i = 0; i < said->n_fields; i++)
    if (said->fields[i].origin == SP_FIELD_CORE && strcmp (said->fields[i].label, "Agent") == 0)
      return said->fields[i].value;
  return "";
}

static void
had_turn (TgQueue *queue, TgNotice *notice)
{
  notice->admitted = TRUE;
  g_hash_table_replace (queue->turns, g_strdup (asker (notice)), GUINT_TO_POINTER (++queue->turn));
}

/* Of those who had their turn longest ago, the oldest. */
static TgNotice *
pick (TgQueue *queue)
{
  TgNotice *best = NULL;
  guint best_turn = 0;

  for (guint i = 0; i < queue->waiting->len; i++) {
    TgNotice *notice = tg_notices_find (queue->bot->notices, queue->waiting->pdata[i]);
    guint turn = GPOINTER_TO_UINT (g_hash_table_lookup (queue->turns, asker (notice)));

    if (best == NULL || turn < best_turn) {
      best = notice;
      best_turn = turn;
    }
  }
  return best;
}

static void
take_out (GPtrArray *ids, const char *id)
{
  guint index;

  if (g_ptr_array_find_with_equal_func (ids, id, g_str_equal, &index))
    g_ptr_array_remove_index (ids, index);
}

/* ---- the work ------------------------------------------------------------------------------------------ */

static void
finish (TgQueue *queue, TgNotice *notice)
{
  g_autoptr (GError) error = NULL;

  notice->waiting = 0;
  tg_send_end (queue->bot, notice);
  take_out (queue->sending, notice->id);
  if (!tg_notices_keep (queue->bot->notices, notice, &error))
    g_message ("that a notice was shown could not be remembered: %s", error->message);
}

static void
finish_all (TgQueue *queue)
{
  for (guint i = queue->sending->len; i > 0; i--) {
    TgNotice *notice = tg_notices_find (queue->bot->notices, queue->sending->pdata[i - 1]);

    if (tg_send_is_over (notice))
      finish (queue, notice);
  }
}

static void
begin_one (TgQueue *queue)
{
  TgNotice *notice;

  if (queue->waiting->len == 0 || queue->bot->health != TG_HEALTH_GOOD ||
      !tg_bucket_take (&queue->bucket, g_get_monotonic_time ()))
    return;
  notice = pick (queue);
  had_turn (queue, notice);
  g_ptr_array_add (queue->sending, g_strdup (notice->id));
  take_out (queue->waiting, notice->id);
  tg_send_begin (queue->bot, notice);
}

static gboolean
on_tick (gpointer data)
{
  TgQueue *queue = data;
  gboolean more;

  tg_timer_clear (&queue->timer);
  finish_all (queue);
  begin_one (queue);
  more = tg_digest_update (queue->bot->digest);
  if (queue->waiting->len == 0) {
    g_hash_table_remove_all (queue->turns);
    queue->unseen = more ? queue->unseen : 0;
  }
  if (more || queue->waiting->len > 0 || queue->sending->len > 0)
    tick_in (queue, TICK);
  return G_SOURCE_REMOVE;
}

/* ---- in and out ----------------------------------------------------------------------------------------- */

gboolean
tg_queue_admit (TgQueue *queue, TgNotice *notice)
{
  if (notice->content == NULL || !tg_content_asks (&notice->content->notice) || notice->admitted ||
      tg_notice_is_shown (notice))
    return TRUE;
  if (queue->waiting->len == 0 && tg_bucket_take (&queue->bucket, g_get_monotonic_time ())) {
    had_turn (queue, notice);
    return TRUE;
  }
  /* Rather out of turn than not at all. */
  if (!tg_record_holds_content (notice))
    return TRUE;
  tg_queue_add (queue, notice);
  return FALSE;
}

gboolean
tg_queue_keep (TgQueue *queue, TgNotice *notice, GError **error)
{
  if (tg_notices_keep (queue->bot->notices, notice, error))
    return TRUE;
  notice->waiting = 0;
  take_out (queue->waiting, notice->id);
  return FALSE;
}

void
tg_queue_add (TgQueue *queue, TgNotice *notice)
{
  notice->waiting = MAX (g_get_real_time (), 1);
  g_ptr_array_add (queue->waiting, g_strdup (notice->id));
  wake (queue);
}

void
tg_queue_settled (TgQueue *queue, TgNotice *notice)
{
  gboolean waited =
      g_ptr_array_find_with_equal_func (queue->waiting, notice->id, g_str_equal, NULL);

  if (notice->closing)
    return;
  notice->closing = TRUE;
  take_out (queue->waiting, notice->id);
  take_out (queue->sending, notice->id);
  if (waited && !tg_notice_is_shown (notice))
    queue->unseen++;
  else if (notice->content != NULL && tg_content_asks (&notice->content->notice))
    tg_bucket_give (&queue->bucket);
  if (queue->waiting->len > 0 || queue->timer != NULL)
    tick_in (queue, 0);
}

/* ---- what others want to know ---------------------------------------------------------------------------- */

GPtrArray *
tg_queue_waiting (TgQueue *queue, gint64 chat)
{
  GPtrArray *found = g_ptr_array_new ();

  for (guint i = 0; i < queue->waiting->len; i++) {
    TgNotice *notice = tg_notices_find (queue->bot->notices, queue->waiting->pdata[i]);

    if (tg_notice_place (notice, chat)->messages->len == 0)
      g_ptr_array_add (found, notice);
  }
  return found;
}

guint
tg_queue_unseen (TgQueue *queue)
{
  return queue->unseen;
}

gboolean
tg_queue_is_storm (TgQueue *queue)
{
  return queue->waiting->len > 0 || tg_bucket_is_empty (&queue->bucket, g_get_monotonic_time ());
}

/* ---- life ------------------------------------------------------------------------------------------------------ */

static gboolean
is_lacking (TgBot *bot, TgNotice *notice)
{
  for (guint i = 0; i < bot->chats->len; i++)
    if (tg_notice_place (notice, g_array_index (bot->chats, gint64, i))->messages->len == 0)
      return TRUE;
  return FALSE;
}

typedef struct {
  TgBot *bot;
  GPtrArray *found; /* TgNotice */
} Collection;

/* One that was shown in the last moment before the end still says that it waits. */
static void
collect (TgNotice *notice, gpointer data)
{
  Collection *collection = data;

  if (notice->waiting == 0)
    return;
  if (notice->content != NULL && is_lacking (collection->bot, notice))
    g_ptr_array_add (collection->found, notice);
  else
    notice->waiting = 0;
}

static int
by_age (gconstpointer a, gconstpointer b)
{
  const TgNotice *const *one = a, *const *two = b;

  return (*one)->waiting < (*two)->waiting ? -1 : (*one)->waiting > (*two)->waiting;
}

void
tg_queue_load (TgQueue *queue)
{
  g_autoptr (GPtrArray) found = g_ptr_array_new ();
  Collection collection = { queue->bot, found };

  tg_notices_each (queue->bot->notices, collect, &collection);
  g_ptr_array_sort (found, by_age);
  for (guint i = 0; i < found->len; i++)
    g_ptr_array_add (queue->waiting, g_strdup (((TgNotice *) found->pdata[i])->id));
  tick_in (queue, 0);
}

TgQueue *
tg_queue_new (TgBot *bot)
{
  TgQueue *queue = g_new0 (TgQueue, 1);

  queue->bot = bot;
  tg_bucket_init (&queue->bucket, AT_ONCE, GAP, g_get_monotonic_time ());
  queue->waiting = g_ptr_array_new_with_free_func (g_free);
  queue->sending = g_ptr_array_new_with_free_func (g_free);
  queue->turns = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  return queue;
}

void
tg_queue_free (TgQueue *queue)
{
  if (queue == NULL)
    return;
  tg_timer_clear (&queue->timer);
  g_ptr_array_unref (queue->waiting);
  g_ptr_array_unref (queue->sending);
  g_hash_table_unref (queue->turns);
  g_free (queue);
}
