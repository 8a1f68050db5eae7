/* send.c - the deliveries of send.h
 *
 * A delivery is one notice on its way to one chat.  sendMessage has no key against doubles, so what must
 * stay true: before each request the core remembers that there may be a message which we don't know of,
 * and after a clear answer that there is none; a reply that is lost leads to one more copy, with the same
 * buttons, and further ones only after a long pause; what is shown in the chats keeps its order.
 */
#include "send.h"

#include "message.h"
#include "pace.h"
#include "text.h"
#include "update.h"

#define MAX_UNSURE 2u
#define UNSURE_PAUSE (60 * G_USEC_PER_SEC) /* once that many replies are lost */
#define DIGEST_NONE "-"

typedef enum {
  STATE_OPEN,
  STATE_SENT,
  STATE_FAILED,
} State;

struct _TgDelivery {
  TgBot *bot;
  TgPlace *place;
  char *html, *plain;
  JsonObject *keyboard; /* NULL: for information only */
  gboolean as_plain;
  gboolean active; /* a post() waits for it */
  State state;
  guint failures;
  TgCall *call;
  GSource *timer;
  char *problem;
};

static void delivery_later (TgDelivery *d, guint delay);

/* ---- what is sent --------------------------------------------------------------------------------------- */

static JsonObject *
make_body (TgDelivery *d)
{
  JsonObject *body =
      tg_message_body (d->place->chat, d->as_plain ? d->plain : d->html, !d->as_plain);

  json_object_set_boolean_member (body, "protect_content", TRUE);
  if (d->keyboard != NULL)
    json_object_set_object_member (body, "reply_markup", json_object_ref (d->keyboard));
  return body;
}

/* ---- the answer ------------------------------------------------------------------------------------------- */

static gboolean
keep (TgDelivery *d)
{
  g_autoptr (GError) error = NULL;

  if (tg_notices_keep (d->bot->notices, d->place->notice, &error))
    return TRUE;
  g_free (d->problem);
  d->problem = g_strdup (error->message);
  return FALSE;
}

static void
set_digest (char **digest, char *value)
{
  g_free (*digest);
  *digest = value;
}

/* Later taps show the message as Telegram holds it, so that is what they are compared with. */
static void
take_digests (TgPlace *place, JsonObject *message)
{
  const char *text = tg_member_string (message, "text");
  JsonObject *markup = tg_member_object (message, "reply_markup");

  if (text != NULL)
    set_digest (&place->text_digest, tg_digest_text (text));
  if (markup != NULL)
    set_digest (&place->keys_digest, tg_digest_keys (markup));
}

/* Milliseconds that @place must go without a further copy. */
static guint
hold (TgPlace *place)
{
  gint64 now = g_get_monotonic_time ();

  if (place->unsure >= MAX_UNSURE && place->hold_until == 0)
    place->hold_until = now + UNSURE_PAUSE;
  return place->hold_until > now ? (guint) ((place->hold_until - now) / 1000 + 1) : 0;
}

static void
delivery_again (TgDelivery *d)
{
  guint delay = tg_backoff (++d->failures);
  guint pause = hold (d->place);

  delivery_later (d, MAX (delay, pause));
}

static void
on_again (TgDelivery *d, const TgResult *result)
{
  delivery_again (d);
}

static void
on_ok (TgDelivery *d, const TgResult *result)
{
  JsonObject *message =
      JSON_NODE_HOLDS_OBJECT (result->result) ? json_node_get_object (result->result) : NULL;
  gint64 id = tg_member_int (message, "message_id");

  if (id <= 0) {
    delivery_again (d);
    return;
  }
  take_digests (d->place, message);
  tg_place_add_message (d->place, id);
  d->state = STATE_SENT;
  /* What is not remembered stays as uncertain as it was remembered before the sending. */
  keep (d);
}

static void
on_bad_entities (TgDelivery *d, const TgResult *result)
{
  if (d->as_plain) {
    d->state = STATE_FAILED;
    return;
  }
  d->as_plain = TRUE;
  delivery_later (d, 0);
}

static void
on_failed (TgDelivery *d, const TgResult *result)
{
  d->state = STATE_FAILED;
}

static void
on_migrated (TgDelivery *d, const TgResult *result)
{
  d->state = STATE_FAILED;
  tg_bot_alarm (d->bot, TG_ALARM_MIGRATED,
                "the group %" G_GINT64_FORMAT " has become %" G_GINT64_FORMAT
                " on Telegram; put the new id into the configuration",
                d->place->chat, result->migrated);
}

static void
on_token (TgDelivery *d, const TgResult *result)
{
  g_autofree char *why =
      g_strdup_printf ("telegram does not accept the bot token: %s", result->what);

  tg_bot_health (d->bot, TG_HEALTH_TOKEN, why);
}

static void
on_flood (TgDelivery *d, const TgResult *result)
{
  delivery_later (d, 0);
}

typedef void (*Handler) (TgDelivery *d, const TgResult *result);

static const Handler handlers[TG_N_OUTCOMES] = {
  [TG_OK] = on_ok,
  [TG_SAME] = on_failed,
  [TG_NO_MESSAGE] = on_failed,
  [TG_STALE] = on_failed,
  [TG_BAD_ENTITIES] = on_bad_entities,
  [TG_MIGRATED] = on_migrated,
  [TG_NO_CHAT] = on_failed,
  [TG_REFUSED] = on_failed,
  [TG_TOKEN] = on_token,
  [TG_CONFLICT] = on_again,
  [TG_WEBHOOK] = on_again,
  [TG_FLOOD] = on_flood,
  [TG_TRANSIENT] = on_again,
  [TG_UNREADABLE] = on_again,
  [TG_CANCELLED] = on_again,
};

static void
on_result (const TgResult *result, gpointer data)
{
  TgDelivery *d = data;

  d->call = NULL;
  if (result->outcome != TG_OK && !result->unsure && d->place->unsure > 0)
    d->place->unsure--;
  g_free (d->problem);
  d->problem = g_strdup (result->what);
  handlers[result->outcome](d, result);
}

/* ---- one delivery ------------------------------------------------------------------------------------------ */

static void
delivery_send (TgDelivery *d)
{
  d->place->unsure++;
  d->place->hold_until = 0;
  if (!keep (d)) {
    d->place->unsure--;
    delivery_again (d);
    return;
  }
  tg_pace_mark (d->bot->pace, d->place->chat, g_get_monotonic_time ());
  d->call = tg_api_call (d->bot->api, "sendMessage", make_body (d), d->place->chat, TG_CALL_TIMEOUT,
                         on_result, d);
}

static gboolean
on_turn (gpointer data)
{
  TgDelivery *d = data;
  guint wait = tg_pace_wait (d->bot->pace, d->place->chat, g_get_monotonic_time ());

  tg_timer_clear (&d->timer);
  if (d->place->messages->len > 0)
    d->state = STATE_SENT; /* a tap has shown that it arrived */
  else if (wait > 0)
    delivery_later (d, wait);
  else
    delivery_send (d);
  return G_SOURCE_REMOVE;
}

static void
delivery_later (TgDelivery *d, guint delay)
{
  tg_timer_clear (&d->timer);
  if (d->active && !d->bot->stopping)
    d->timer = tg_timer_new (d->bot->context, delay, on_turn, d);
}

static void
delivery_free (TgDelivery *d)
{
  tg_timer_clear (&d->timer);
  g_clear_pointer (&d->keyboard, json_object_unref);
  g_free (d->html);
  g_free (d->plain);
  g_free (d->problem);
  g_free (d);
}

static TgDelivery *
delivery_new (TgBot *bot, TgPlace *place, const SpNotice *notice)
{
  TgDelivery *d = g_new0 (TgDelivery, 1);

  d->bot = bot;
  d->place = place;
  d->html = tg_text_render (notice, NULL, TG_TEXT_HTML);
  d->plain = tg_text_render (notice, NULL, TG_TEXT_PLAIN);
  d->keyboard = tg_message_keyboard (bot->notices, place, notice);
  set_digest (&place->text_digest, tg_digest_text (d->plain));
  set_digest (&place->keys_digest,
              d->keyboard != NULL ? tg_digest_keys (d->keyboard) : g_strdup (DIGEST_NONE));
  place->delivery = d;
  place->delivery_free = delivery_free;
  return d;
}

/* ---- all deliveries of a notice ------------------------------------------------------------------------------ */

typedef struct {
  TgBot *bot;
  TgNotice *notice;
} Posting;

static gboolean
is_known (gpointer data)
{
  TgBot *bot = data;

  return bot->health != TG_HEALTH_UNKNOWN;
}

/* A tap may have shown that it arrived, while its sending still waits for a word. */
static gboolean
is_open (TgPlace *place)
{
  return place->delivery != NULL && place->delivery->state == STATE_OPEN &&
         place->messages->len == 0;
}

static gboolean
is_posted (gpointer data)
{
  Posting *posting = data;

  if (posting->bot->health == TG_HEALTH_TOKEN)
    return TRUE;
  for (guint i = 0; i < posting->notice->places->len; i++)
    if (is_open (posting->notice->places->pdata[i]))
      return FALSE;
  return TRUE;
}

gboolean
tg_send_halt (TgNotice *notice)
{
  gboolean idle = TRUE;

  for (guint i = 0; i < notice->places->len; i++) {
    TgPlace *place = notice->places->pdata[i];

    if (place->delivery == NULL)
      continue;
    place->delivery->active = FALSE;
    tg_timer_clear (&place->delivery->timer);
    if (place->delivery->call == NULL)
      continue;
    tg_call_drop (place->delivery->call);
    idle = FALSE;
  }
  return idle;
}

/* Where it is not shown yet, a delivery; where one is on its way still, that one. */
static void
prepare (TgBot *bot, TgNotice *known, const SpNotice *notice)
{
  for (guint i = 0; i < bot->chats->len; i++) {
    TgPlace *place = tg_notice_place (known, g_array_index (bot->chats, gint64, i));

    if (place->delivery == NULL && place->messages->len == 0)
      delivery_new (bot, place, notice);
  }
}

static void
start (TgNotice *notice)
{
  for (guint i = 0; i < notice->places->len; i++) {
    TgPlace *place = notice->places->pdata[i];

    if (place->delivery == NULL)
      continue;
    place->delivery->active = TRUE;
    if (place->delivery->call == NULL && place->delivery->state == STATE_OPEN)
      delivery_later (place->delivery, hold (place));
  }
}

static void
alarm_failed (TgBot *bot, TgPlace *place)
{
  tg_bot_alarm (bot, TG_ALARM_UNREACHED,
                "a notice cannot be shown in the Telegram chat %" G_GINT64_FORMAT ": %s",
                place->chat, place->delivery->problem);
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
    TgDelivery *d = place->delivery;

    shown += place->messages->len > 0;
    if (d == NULL || place->messages->len > 0)
      continue;
    problem = d->problem != NULL ? d->problem : problem;
    open = open || is_open (place);
    if (d->state == STATE_FAILED)
      alarm_failed (bot, place);
  }
  if (!open && shown > 0)
    return TRUE;
  g_set_error (error, SP_ERROR, open ? SP_ERROR_UNAVAILABLE : SP_ERROR_REFUSED,
               "the message reached %u of %u chats: %s", shown, bot->chats->len,
               problem != NULL ? problem : "Telegram has not taken it in time");
  return FALSE;
}

/* Deliveries that ended have nothing more to say; a failed one is tried anew by the next post(). */
static void
tidy (TgNotice *notice)
{
  for (guint i = 0; i < notice->places->len; i++) {
    TgPlace *place = notice->places->pdata[i];

    if (place->delivery != NULL && place->delivery->call == NULL)
      g_clear_pointer (&place->delivery, delivery_free);
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

gboolean
tg_send_post (TgBot *bot, const SpNotice *notice, GCancellable *cancellable, GError **error)
{
  TgNotice *known = tg_notices_find (bot->notices, notice->id);
  Posting posting = { .bot = bot };
  gboolean ok;

  if (known == NULL)
    known = tg_notices_add (bot->notices, notice->id, forget_after (notice));
  posting.notice = known;
  if (!tg_bot_wait (bot, is_known, bot, cancellable)) {
    g_set_error (error, SP_ERROR, SP_ERROR_UNAVAILABLE, "telegram has not answered yet");
    return FALSE;
  }
  if (!tg_bot_may_call (bot, error))
    return FALSE;
  prepare (bot, known, notice);
  start (known);
  tg_bot_wait (bot, is_posted, &posting, cancellable);
  tg_send_halt (known);
  ok = tg_bot_may_call (bot, error) && sum_up (bot, known, error);
  tidy (known);
  return ok;
}
