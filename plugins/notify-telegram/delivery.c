/* delivery.c - the steps of delivery.h
 *
 * sendMessage has no key against doubles, so what must stay true: before each request the core remembers
 * that there may be a message which we don't know of, and after a clear answer that there is none; a reply
 * that is lost leads to one more copy, with the same buttons, and further ones only after a long pause.
 * How long to wait is the place's to know, as a delivery may be made anew meanwhile.
 */
#include "delivery.h"

#include "chats.h"
#include "message.h"
#include "pace.h"
#include "remind.h"
#include "text.h"
#include "update.h"

#define MAX_UNSURE 2u
#define UNSURE_PAUSE 60000u /* ms, once that many replies are lost */
#define HELD_MIN (5 * G_USEC_PER_SEC)
#define DIGEST_NONE "-"

static void delivery_later (TgDelivery *d, guint delay);

/* ---- what is sent --------------------------------------------------------------------------------------- */

static JsonObject *
make_body (TgDelivery *d)
{
  JsonObject *body =
      tg_message_body (d->place->chat, d->as_plain ? d->plain : d->html, !d->as_plain);

  json_object_set_boolean_member (body, "protect_content", TRUE);
  tg_chats_address (d->bot, d->place->chat, body);
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

/* Milliseconds that @place must go without a further try. */
static guint
hold (TgPlace *place)
{
  gint64 now = g_get_monotonic_time ();

  if (place->unsure >= MAX_UNSURE && place->hold_until == 0)
    place->hold_until = now + UNSURE_PAUSE * G_TIME_SPAN_MILLISECOND;
  return place->hold_until > now ? (guint) ((place->hold_until - now) / 1000 + 1) : 0;
}

static void
on_again (TgDelivery *d, const TgResult *result)
{
  TgPlace *place = d->place;
  guint delay = tg_backoff (++place->failures);

  if (place->unsure >= MAX_UNSURE)
    delay = MAX (delay, UNSURE_PAUSE);
  place->hold_until = g_get_monotonic_time () + delay * G_TIME_SPAN_MILLISECOND;
  delivery_later (d, hold (place));
}

static void
on_ok (TgDelivery *d, const TgResult *result)
{
  JsonObject *message =
      JSON_NODE_HOLDS_OBJECT (result->result) ? json_node_get_object (result->result) : NULL;
  gint64 id = tg_member_int (message, "message_id");

  if (id <= 0) {
    on_again (d, result);
    return;
  }
  d->place->failures = 0;
  tg_chats_reached (d->bot, d->place->chat);
  take_digests (d->place, message);
  tg_place_add_message (d->place, id);
  d->state = TG_DELIVERY_SENT;
  if (d->place->notice->remind_at == 0)
    d->place->notice->remind_at = d->remind_at;
  /* What is not remembered stays as uncertain as it was remembered before the sending. */
  keep (d);
  tg_remind_plan (d->bot->remind);
}

static void
on_bad_entities (TgDelivery *d, const TgResult *result)
{
  if (d->as_plain) {
    d->state = TG_DELIVERY_FAILED;
    return;
  }
  d->as_plain = TRUE;
  delivery_later (d, 0);
}

static void
on_failed (TgDelivery *d, const TgResult *result)
{
  d->state = TG_DELIVERY_FAILED;
}

static void
on_no_topic (TgDelivery *d, const TgResult *result)
{
  if (tg_chats_topic_is_gone (d->bot))
    delivery_later (d, 0);
  else
    d->state = TG_DELIVERY_FAILED;
}

/* The place, and with it @d, may be gone after that. */
static void
on_migrated (TgDelivery *d, const TgResult *result)
{
  d->state = TG_DELIVERY_FAILED;
  tg_chats_migrate (d->bot, d->place->chat, result->migrated);
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
  [TG_NO_TOPIC] = on_no_topic,
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
  d->outcome = result->outcome;
  if (result->outcome != TG_OK && !result->unsure && d->place->unsure > 0)
    d->place->unsure--;
  g_free (d->problem);
  d->problem = g_strdup (result->what);
  handlers[result->outcome](d, result);
}

/* ---- the way there ------------------------------------------------------------------------------------------ */

static void
delivery_send (TgDelivery *d)
{
  TgPlace *place = d->place;

  place->unsure++;
  place->hold_until = 0;
  if (!keep (d)) {
    place->unsure--;
    on_again (d, NULL);
    return;
  }
  tg_pace_mark (d->bot->pace, place->chat, g_get_monotonic_time ());
  d->call = tg_api_call (d->bot->api, "sendMessage", make_body (d), place->chat, TG_CALL_TIMEOUT,
                         on_result, d);
}

static gboolean
on_turn (gpointer data)
{
  TgDelivery *d = data;
  guint wait = tg_pace_wait (d->bot->pace, d->place->chat, g_get_monotonic_time ());
  guint pause = tg_api_pause (d->bot->api, d->place->chat);

  tg_timer_clear (&d->timer);
  if (d->place->messages->len > 0)
    d->state = TG_DELIVERY_SENT; /* a tap has shown that it arrived */
  else if (wait > 0 || pause > 0)
    delivery_later (d, MAX (wait, pause));
  else
    delivery_send (d);
  return G_SOURCE_REMOVE;
}

static void
delivery_later (TgDelivery *d, guint delay)
{
  tg_timer_clear (&d->timer);
  if (!d->active || d->bot->stopping)
    return;
  d->due = g_get_monotonic_time () + delay * G_TIME_SPAN_MILLISECOND;
  d->timer = tg_timer_new (d->bot->context, delay, on_turn, d);
}

void
tg_delivery_start (TgDelivery *d)
{
  gboolean running = d->active && d->timer != NULL;

  d->active = TRUE;
  if (!running && d->call == NULL && d->state == TG_DELIVERY_OPEN)
    delivery_later (d, hold (d->place));
}

gboolean
tg_delivery_halt (TgDelivery *d)
{
  d->active = FALSE;
  tg_timer_clear (&d->timer);
  if (d->call == NULL)
    return TRUE;
  tg_call_drop (d->call);
  return FALSE;
}

/* A tap may have shown that it arrived, while its sending still waits for a word. */
gboolean
tg_delivery_is_open (const TgPlace *place)
{
  return place->delivery != NULL && place->delivery->state == TG_DELIVERY_OPEN &&
         place->messages->len == 0;
}

gboolean
tg_delivery_is_held (const TgPlace *place)
{
  const TgDelivery *d = place->delivery;

  return tg_delivery_is_open (place) && d->call == NULL &&
         (d->timer == NULL || d->due - g_get_monotonic_time () > HELD_MIN);
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

TgDelivery *
tg_delivery_new (TgBot *bot, TgPlace *place, const SpNotice *notice)
{
  TgDelivery *d = g_new0 (TgDelivery, 1);

  d->bot = bot;
  d->place = place;
  d->html = tg_text_render (notice, NULL, TG_TEXT_HTML);
  d->plain = tg_text_render (notice, NULL, TG_TEXT_PLAIN);
  d->keyboard = tg_message_keyboard (bot->notices, place, notice);
  d->remind_at = tg_remind_time (notice, g_get_real_time () / G_USEC_PER_SEC);
  set_digest (&place->text_digest, tg_digest_text (d->plain));
  set_digest (&place->keys_digest,
              d->keyboard != NULL ? tg_digest_keys (d->keyboard) : g_strdup (DIGEST_NONE));
  place->delivery = d;
  place->delivery_free = delivery_free;
  return d;
}
