/* send.c - the deliveries of one notice, for send.h
 *
 * What must stay true: what is shown in the chats keeps its order; post() says TRUE only where the core
 * need not come again, and does not keep others waiting for what only waits itself.
 */
#include "send.h"

#include "chats.h"
#include "delivery.h"
#include "queue.h"

#define PATIENCE 3000u /* ms to wait for what has to pause, lest the core come again at once */

typedef struct {
  TgBot *bot;
  TgNotice *notice;
  gboolean impatient;
} Posting;

static gboolean
is_known (gpointer data)
{
  TgBot *bot = data;

  return bot->health != TG_HEALTH_UNKNOWN;
}

gboolean
tg_send_is_over (const TgNotice *notice)
{
  for (guint i = 0; i < notice->places->len; i++)
    if (tg_delivery_is_open (notice->places->pdata[i]))
      return FALSE;
  return TRUE;
}

static gboolean
is_posted (gpointer data)
{
  Posting *posting = data;

  if (posting->bot->health == TG_HEALTH_TOKEN)
    return TRUE;
  for (guint i = 0; i < posting->notice->places->len; i++) {
    const TgPlace *place = posting->notice->places->pdata[i];

    if (tg_delivery_is_open (place) && !(posting->impatient && tg_delivery_is_held (place)))
      return FALSE;
  }
  return TRUE;
}

gboolean
tg_send_halt (TgNotice *notice)
{
  gboolean idle = TRUE;

  for (guint i = 0; i < notice->places->len; i++) {
    TgPlace *place = notice->places->pdata[i];

    if (place->delivery != NULL && !tg_delivery_halt (place->delivery))
      idle = FALSE;
  }
  return idle;
}

/* Where it is not shown yet, a delivery; where one is on its way still, that one. */
static void
begin (TgBot *bot, TgNotice *known, const SpNotice *notice)
{
  for (guint i = 0; i < bot->chats->len; i++) {
    TgPlace *place = tg_notice_place (known, g_array_index (bot->chats, gint64, i));

    if (place->delivery == NULL && place->messages->len == 0)
      tg_delivery_new (bot, place, notice);
    if (place->delivery != NULL)
      tg_delivery_start (place->delivery);
  }
}

void
tg_send_begin (TgBot *bot, TgNotice *notice)
{
  begin (bot, notice, &notice->content->notice);
}

/* What came of it: TRUE where at least one chat shows it and none is open. */
static gboolean
sum_up (TgBot *bot, TgNotice *notice, GError **error)
{
  guint shown = 0;
  const char *problem = NULL;
  gboolean open = FALSE;

  for (guint i = 0; i < notice->places->len; i++) {
    TgPlace *place = notice->places->pdata[i];

    shown += place->messages->len > 0;
    if (place->delivery == NULL || place->messages->len > 0)
      continue;
    problem = place->delivery->problem != NULL ? place->delivery->problem : problem;
    open = open || tg_delivery_is_open (place);
  }
  if (!open && (shown > 0 || notice->waiting != 0))
    return TRUE;
  g_set_error (error, SP_ERROR, open ? SP_ERROR_UNAVAILABLE : SP_ERROR_REFUSED,
               "the message reached %u of %u chats: %s", shown, bot->chats->len,
               problem != NULL ? problem : "Telegram has not taken it in time");
  return FALSE;
}

/* Deliveries that ended have nothing more to say; a failed one is tried anew by the next post(). */
void
tg_send_end (TgBot *bot, TgNotice *notice)
{
  for (guint i = 0; i < notice->places->len; i++) {
    TgPlace *place = notice->places->pdata[i];
    TgDelivery *d = place->delivery;

    if (d == NULL || d->call != NULL)
      continue;
    if (d->state == TG_DELIVERY_FAILED && place->messages->len == 0)
      tg_chats_failed (bot, place->chat, d->outcome, d->problem);
    g_clear_pointer (&place->delivery, place->delivery_free);
  }
}

/* What is for information only may never be settled, and must not be remembered for ever. */
static gint64
forget_after (const SpNotice *notice)
{
  if (notice->expires_at == 0 && notice->n_choices == 0)
    return g_get_real_time () / G_USEC_PER_SEC;
  return notice->expires_at;
}

static TgNotice *
know (TgBot *bot, const SpNotice *notice)
{
  TgNotice *known = tg_notices_find (bot->notices, notice->id);

  if (known == NULL)
    known = tg_notices_add (bot->notices, notice->id, forget_after (notice));
  if (notice->n_choices > 0)
    tg_notice_set_content (known, notice);
  return known;
}

static gboolean
on_impatient (gpointer data)
{
  ((Posting *) data)->impatient = TRUE;
  return G_SOURCE_CONTINUE;
}

static gboolean
deliver (TgBot *bot, TgNotice *known, const SpNotice *notice, GCancellable *cancellable,
         GError **error)
{
  Posting posting = { .bot = bot, .notice = known };
  GSource *patience = tg_timer_new (bot->context, PATIENCE, on_impatient, &posting);
  gboolean ok;

  begin (bot, known, notice);
  tg_bot_wait (bot, is_posted, &posting, cancellable);
  tg_timer_clear (&patience);
  /* What waits for its turn by now is the queue's. */
  if (known->waiting == 0)
    tg_send_halt (known);
  ok = tg_bot_may_call (bot, error) && sum_up (bot, known, error);
  if (known->waiting == 0)
    tg_send_end (bot, known);
  return ok;
}

gboolean
tg_send_post (TgBot *bot, const SpNotice *notice, GCancellable *cancellable, GError **error)
{
  TgNotice *known = know (bot, notice);

  if (known->waiting != 0)
    return TRUE;
  if (!tg_bot_wait (bot, is_known, bot, cancellable)) {
    g_set_error (error, SP_ERROR, SP_ERROR_UNAVAILABLE, "telegram has not answered yet");
    return FALSE;
  }
  if (!tg_bot_may_call (bot, error))
    return FALSE;
  if (!tg_queue_admit (bot->queue, known))
    return tg_queue_keep (bot->queue, known, error);
  return deliver (bot, known, notice, cancellable, error);
}
