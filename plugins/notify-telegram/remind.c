/* remind.c - the timer of remind.h
 *
 * What must stay true: once for each notice, also over restarts, so that it is remembered before it is sent;
 * none in a storm, where one more message is the last thing that helps; none for what can only be taken
 * away, such as a grant.
 */
#include "remind.h"

#include "chats.h"
#include "message.h"
#include "queue.h"
#include "text.h"
#include "try.h"
#include "update.h"

#define SHORTEST 120     /* seconds: whoever has less time has just been told */
#define LONGEST_SLEEP 60 /* seconds: the wall clock may be set meanwhile */
#define SUMMARY_MAX 200u

struct _TgRemind {
  TgBot *bot;
  GSource *timer;
  GPtrArray *sendings; /* Sending: those on their way */
};

gint64
tg_remind_time (const SpNotice *notice, gint64 now)
{
  gint64 left = notice->expires_at - now;

  if (notice->expires_at == 0 || left < SHORTEST || !tg_content_asks (notice))
    return 0;
  return now + left / 2;
}

/* ---- one reminder ---------------------------------------------------------------------------------- */

typedef struct {
  TgBot *bot;
  char *notice;
  gint64 chat;
} Sending;

static void
sending_free (gpointer data)
{
  g_free (((Sending *) data)->notice);
  g_free (data);
}

static void
on_ignored (const TgResult *result, gpointer data)
{
}

static void
take_away (TgBot *bot, gint64 chat, gint64 message)
{
  JsonObject *body = json_object_new ();

  json_object_set_int_member (body, "chat_id", chat);
  json_object_set_int_member (body, "message_id", message);
  tg_try_new (bot, "deleteMessage", body, chat, 2, 0, on_ignored, NULL);
}

static void
on_sent (const TgResult *result, gpointer data)
{
  Sending *sending = data;
  TgBot *bot = sending->bot;
  TgNotice *notice = tg_notices_find (bot->notices, sending->notice);
  JsonObject *message = result->outcome == TG_OK && JSON_NODE_HOLDS_OBJECT (result->result)
                            ? json_node_get_object (result->result)
                            : NULL;
  gint64 id = tg_member_int (message, "message_id");
  g_autoptr (GError) error = NULL;

  if (id > 0 && notice != NULL && !notice->closing) {
    tg_notice_place (notice, sending->chat)->reminder = id;
    if (!tg_notices_keep (bot->notices, notice, &error))
      g_message ("a reminder could not be remembered: %s", error->message);
  } else if (id > 0) {
    take_away (bot, sending->chat, id);
  }
  g_ptr_array_remove_fast (bot->remind->sendings, sending);
}

static char *
text_of (const TgNotice *notice)
{
  g_autofree char *about = notice->content != NULL
                               ? tg_content_summary (&notice->content->notice, SUMMARY_MAX)
                               : g_strdup ("");
  g_autoptr (GDateTime) end = g_date_time_new_from_unix_utc (notice->expires_at);
  g_autofree char *time = g_date_time_format (end, "%T UTC");

  return g_strdup_printf ("\xe2\x8f\xb0 Nobody has decided this yet. Time runs out at %s.%s%s",
                          time, *about != '\0' ? "\n" : "", about);
}

static void
send_to (TgBot *bot, TgNotice *notice, TgPlace *place)
{
  g_autofree char *text = text_of (notice);
  JsonObject *body = tg_message_body (place->chat, text, FALSE);
  Sending *sending = g_new0 (Sending, 1);

  sending->bot = bot;
  sending->notice = g_strdup (notice->id);
  sending->chat = place->chat;
  g_ptr_array_add (bot->remind->sendings, sending);
  tg_chats_address (bot, place->chat, body);
  tg_message_reply_to (body, g_array_index (place->messages, gint64, place->messages->len - 1));
  json_object_set_boolean_member (body, "protect_content", TRUE);
  tg_try_new (bot, "sendMessage", body, place->chat, 2, TG_TRY_PACED | TG_TRY_SURE_ONLY, on_sent,
              sending);
}

static void
remind_of (TgBot *bot, TgNotice *notice, gint64 now)
{
  g_autoptr (GError) error = NULL;

  notice->remind_at = TG_REMINDED;
  if (!tg_notices_keep (bot->notices, notice, &error)) {
    notice->remind_at = now + LONGEST_SLEEP;
    g_message ("a reminder is put off, as it could not be remembered: %s", error->message);
    return;
  }
  if (notice->closing || notice->expires_at <= now || tg_queue_is_storm (bot->queue))
    return;
  for (guint i = 0; i < notice->places->len; i++) {
    TgPlace *place = notice->places->pdata[i];

    if (place->messages->len > 0)
      send_to (bot, notice, place);
  }
}

/* ---- when ---------------------------------------------------------------------------------------------- */

typedef struct {
  gint64 now;
  gint64 next;    /* 0: none */
  GPtrArray *due; /* TgNotice */
} Look;

static void
look_at (TgNotice *notice, gpointer data)
{
  Look *look = data;

  if (notice->remind_at <= 0)
    return;
  if (notice->remind_at <= look->now)
    g_ptr_array_add (look->due, notice);
  else if (look->next == 0 || notice->remind_at < look->next)
    look->next = notice->remind_at;
}

static gboolean
on_time (gpointer data)
{
  TgRemind *remind = data;
  Look look = { .now = g_get_real_time () / G_USEC_PER_SEC, .due = g_ptr_array_new () };

  tg_timer_clear (&remind->timer);
  tg_notices_each (remind->bot->notices, look_at, &look);
  for (guint i = 0; i < look.due->len; i++)
    remind_of (remind->bot, look.due->pdata[i], look.now);
  g_ptr_array_unref (look.due);
  tg_remind_plan (remind);
  return G_SOURCE_REMOVE;
}

void
tg_remind_plan (TgRemind *remind)
{
  Look look = { .now = 0, .due = g_ptr_array_new () };
  gint64 now = g_get_real_time () / G_USEC_PER_SEC;

  tg_notices_each (remind->bot->notices, look_at, &look);
  g_ptr_array_unref (look.due);
  tg_timer_clear (&remind->timer);
  if (look.next == 0 || remind->bot->stopping)
    return;
  remind->timer = tg_timer_new (remind->bot->context,
                                (guint) CLAMP (look.next - now, 0, LONGEST_SLEEP) * 1000 + 100,
                                on_time, remind);
}

void
tg_remind_settled (TgRemind *remind, TgNotice *notice)
{
  for (guint i = 0; i < notice->places->len; i++) {
    TgPlace *place = notice->places->pdata[i];

    if (place->reminder != 0)
      take_away (remind->bot, place->chat, place->reminder);
    place->reminder = 0;
  }
}

TgRemind *
tg_remind_new (TgBot *bot)
{
  TgRemind *remind = g_new0 (TgRemind, 1);

  remind->bot = bot;
  remind->sendings = g_ptr_array_new_with_free_func (sending_free);
  return remind;
}

void
tg_remind_free (TgRemind *remind)
{
  if (remind == NULL)
    return;
  tg_timer_clear (&remind->timer);
  g_ptr_array_unref (remind->sendings);
  g_free (remind);
}
