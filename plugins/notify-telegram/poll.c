/* poll.c - the loop of poll.h
 *
 * One call at a time: getMe until it succeeds, then getUpdates for ever.  What must stay true:
 *
 * - An update is confirmed (by a higher offset) only after tg_taps_take() said so.
 * - The offset is never stored and never trusted: it starts unset, follows what Telegram sent last, and
 *   no update is dropped for having a lower id, since Telegram starts ids anew.
 * - An answer that can't be read is asked for again one update at a time, and only an update that was
 *   unreadable alone, twice, is stepped over: else a forged one could hide the taps behind it.
 * - However Telegram answers, there is a pause before it is asked again.
 */
#include "poll.h"

#include "chats.h"
#include "commands.h"
#include "taps.h"
#include "text.h"
#include "update.h"

#define BATCH 100
#define QUICK 300u         /* ms: an answer sooner than that, and without news, came too soon */
#define HELD_PAUSE 2000u   /* ms, while a tap waits for the core */
#define TOKEN_PAUSE 60000u /* ms between tries with a token that was refused */
#define CONFLICT_MIN 3000u /* ms */
#define CONFLICT_MAX 60000u
#define ANSWER_MARGIN 15000u /* ms that the answer to a long poll may take beyond its end */
#define POISON_LOOKS 2u
#define BOT_KEY "bot"

struct _TgPoll {
  TgBot *bot;
  GSource *timer;
  TgCall *call;
  gboolean identified;
  gboolean webhook_told; /* while it lasts */
  gboolean careful;      /* after trouble: a short poll tells sooner whether it is over */
  gint64 offset;         /* 0: from the earliest that Telegram has */
  guint limit;
  gint64 asked_at; /* monotonic */
  guint failures, conflicts;
  gint64 poison; /* the update that could not be read */
  guint poison_looks;
};

static void poll_later (TgPoll *poll, guint delay);

/* ---- trouble -------------------------------------------------------------------------------------------- */

static void
set_health (TgPoll *poll, TgHealth health, const char *what, const TgResult *result)
{
  g_autofree char *why = g_strdup_printf ("%s: %s", what, result->what);

  tg_bot_health (poll->bot, health, why);
}

static guint
conflict_pause (TgPoll *poll)
{
  guint pause = CONFLICT_MIN << MIN (poll->conflicts, 5u);

  poll->conflicts++;
  poll->careful = TRUE;
  return MIN (CONFLICT_MAX, pause);
}

static void
on_trouble (TgPoll *poll, const TgResult *result)
{
  poll->failures++;
  poll->careful = TRUE;
  /* A single hiccup of a connection that worked is no news. */
  if (poll->bot->health != TG_HEALTH_GOOD || poll->failures > 1)
    set_health (poll, TG_HEALTH_UNREACHABLE, "telegram is out of reach", result);
  poll_later (poll, tg_backoff (poll->failures));
}

static void
on_token (TgPoll *poll, const TgResult *result)
{
  poll->identified = FALSE;
  set_health (poll, TG_HEALTH_TOKEN,
              "telegram does not accept the bot token; put the right one where bot-token points to",
              result);
  poll_later (poll, TOKEN_PAUSE);
}

static void
on_conflict (TgPoll *poll, const TgResult *result)
{
  /* Once for each time that it begins; it is shown in health for as long as it lasts. */
  if (poll->bot->health != TG_HEALTH_CONFLICT)
    tg_bot_alarm (
        poll->bot, TG_ALARM_CONFLICT,
        "another program uses the Telegram bot token and takes answers away; if it is not yours, "
        "make a new token");
  set_health (
      poll, TG_HEALTH_CONFLICT,
      "another program uses the bot token, so answers may be lost; stop it, or make a new token",
      result);
  poll_later (poll, conflict_pause (poll));
}

static void
on_webhook_info (const TgResult *result, gpointer data)
{
  TgPoll *poll = data;
  JsonObject *info = result->outcome == TG_OK && JSON_NODE_HOLDS_OBJECT (result->result)
                         ? json_node_get_object (result->result)
                         : NULL;
  const char *url = tg_member_string (info, "url");
  g_autoptr (GUri) uri = url != NULL ? g_uri_parse (url, G_URI_FLAGS_NONE, NULL) : NULL;
  g_autofree char *host =
      tg_text_clean (uri != NULL ? g_uri_get_host (uri) : "unknown", TG_TOAST_MAX);

  poll->call = NULL;
  if (result->outcome == TG_OK && url != NULL && *url != '\0' && !poll->webhook_told) {
    poll->webhook_told = TRUE;
    tg_bot_alarm (
        poll->bot, TG_ALARM_WEBHOOK,
        "somebody has set a webhook at the host %s for the Telegram bot, so answers go there; "
        "take it away, or make a new token",
        host);
  }
  poll_later (poll, conflict_pause (poll));
}

static void
on_webhook (TgPoll *poll, const TgResult *result)
{
  set_health (
      poll, TG_HEALTH_WEBHOOK,
      "a webhook is set for the bot, so answers do not arrive; take it away, or make a new token",
      result);
  poll->call = tg_api_call (poll->bot->api, "getWebhookInfo", NULL, 0, TG_CALL_TIMEOUT,
                            on_webhook_info, poll);
}

static void
on_flood (TgPoll *poll, const TgResult *result)
{
  poll_later (poll, 0); /* the pause is kept below */
}

/* ---- what can't be read --------------------------------------------------------------------------------- */

static void
step_over (TgPoll *poll)
{
  tg_bot_alarm (
      poll->bot, TG_ALARM_POISON,
      "an update from Telegram could not be read and was left out; somebody may be sending "
      "broken ones on purpose");
  poll->offset = poll->poison + 1;
  poll->poison = 0;
  poll->limit = BATCH;
  poll_later (poll, 0);
}

static void
on_unreadable (TgPoll *poll, const TgResult *result)
{
  gint64 id;

  if (!poll->identified || !tg_scan_update_id (result->body, result->length, &id)) {
    on_trouble (poll, result);
    return;
  }
  if (poll->limit > 1) {
    poll->limit = 1;
    poll_later (poll, 0);
    return;
  }
  poll->poison_looks = id == poll->poison ? poll->poison_looks + 1 : 1;
  poll->poison = id;
  if (poll->poison_looks >= POISON_LOOKS)
    step_over (poll);
  else
    poll_later (poll, QUICK);
}

/* ---- what can be read ------------------------------------------------------------------------------------- */

/* What one batch came to. */
typedef struct {
  gboolean held; /* one of them must stay with Telegram, and so must all after it */
  gboolean news;
} Batch;

static void
take_update (TgPoll *poll, JsonNode *update, Batch *batch)
{
  gint64 id;

  if (JSON_NODE_HOLDS_OBJECT (update)) {
    tg_chats_take (poll->bot, json_node_get_object (update));
    tg_commands_take (poll->bot->commands, json_node_get_object (update));
  }
  if (!tg_taps_take (poll->bot->taps, update))
    batch->held = TRUE;
  if (batch->held || !tg_update_id (update, &id))
    return;
  batch->news = batch->news || poll->offset != id + 1;
  poll->offset = id + 1;
}

static guint
pause_after (TgPoll *poll, const Batch *batch)
{
  gint64 took = (g_get_monotonic_time () - poll->asked_at) / 1000;

  if (batch->held)
    return HELD_PAUSE;
  if (batch->news || took >= QUICK)
    return 0;
  return QUICK - (guint) took;
}

static void
on_updates (TgPoll *poll, const TgResult *result)
{
  JsonArray *updates =
      JSON_NODE_HOLDS_ARRAY (result->result) ? json_node_get_array (result->result) : NULL;
  guint n = updates != NULL ? json_array_get_length (updates) : 0;
  Batch batch = { FALSE, FALSE };

  if (updates == NULL) {
    TgResult odd = { .what = "it answered something that is no list of updates" };

    on_trouble (poll, &odd);
    return;
  }
  poll->failures = poll->conflicts = 0;
  poll->careful = poll->webhook_told = FALSE;
  if (n == 0)
    poll->limit = BATCH;
  tg_bot_health (poll->bot, TG_HEALTH_GOOD, NULL);
  for (guint i = 0; i < n; i++)
    take_update (poll, json_array_get_element (updates, i), &batch);
  poll_later (poll, pause_after (poll, &batch));
}

/* The bot before this one: its messages are not ours to edit, and its buttons not ours to answer. */
static void
compare_id (TgBot *bot)
{
  g_autofree char *now = g_strdup_printf ("%" G_GINT64_FORMAT, bot->id);
  g_autofree char *before = bot->host->api->recall (bot->host, BOT_KEY);
  g_autoptr (GError) error = NULL;

  if (g_strcmp0 (before, now) == 0)
    return;
  if (before != NULL)
    tg_bot_alarm (
        bot, TG_ALARM_IDENTITY,
        "the token belongs to the bot %s now, not to %s as before; what the other one has "
        "shown can't be answered any more",
        now, before);
  if (!bot->host->api->remember (bot->host, BOT_KEY, now, &error))
    g_message ("which bot this is could not be remembered: %s", error->message);
}

static void
on_other_bot (TgPoll *poll, gint64 id)
{
  if (poll->bot->health != TG_HEALTH_IDENTITY)
    tg_bot_alarm (poll->bot, TG_ALARM_IDENTITY,
                  "what answers as Telegram says that the bot is %" G_GINT64_FORMAT
                  ", but the token belongs to %" G_GINT64_FORMAT,
                  id, poll->bot->id);
  tg_bot_health (poll->bot, TG_HEALTH_IDENTITY,
                 "what answers as Telegram takes the token for that of another bot; check api-base "
                 "and bot-token");
  poll_later (poll, TOKEN_PAUSE);
}

static void
on_me (TgPoll *poll, const TgResult *result)
{
  JsonObject *me =
      JSON_NODE_HOLDS_OBJECT (result->result) ? json_node_get_object (result->result) : NULL;
  gint64 id = tg_member_int (me, "id");

  if (id != poll->bot->id) {
    on_other_bot (poll, id);
    return;
  }
  g_free (poll->bot->name);
  poll->bot->name = g_strdup (tg_member_string (me, "username"));
  poll->identified = TRUE;
  poll->failures = 0;
  compare_id (poll->bot);
  tg_bot_health (poll->bot, TG_HEALTH_GOOD, NULL);
  tg_commands_menu (poll->bot->commands);
  poll_later (poll, 0);
}

static void
on_ok (TgPoll *poll, const TgResult *result)
{
  if (poll->identified)
    on_updates (poll, result);
  else
    on_me (poll, result);
}

/* ---- the loop ------------------------------------------------------------------------------------------------- */

typedef void (*Handler) (TgPoll *poll, const TgResult *result);

static const Handler handlers[TG_N_OUTCOMES] = {
  [TG_OK] = on_ok,           [TG_TOKEN] = on_token, [TG_CONFLICT] = on_conflict,
  [TG_WEBHOOK] = on_webhook, [TG_FLOOD] = on_flood, [TG_UNREADABLE] = on_unreadable,
};

static void
on_result (const TgResult *result, gpointer data)
{
  TgPoll *poll = data;
  Handler handler = handlers[result->outcome];

  poll->call = NULL;
  if (poll->bot->stopping)
    return;
  if (handler != NULL)
    handler (poll, result);
  else
    on_trouble (poll, result);
}

static JsonObject *
updates_body (TgPoll *poll, guint timeout)
{
  JsonObject *body = json_object_new ();
  JsonArray *kinds = json_array_new ();

  json_array_add_string_element (kinds, "callback_query");
  json_array_add_string_element (kinds, "message");
  json_array_add_string_element (kinds, "my_chat_member");
  if (poll->offset != 0)
    json_object_set_int_member (body, "offset", poll->offset);
  json_object_set_int_member (body, "limit", poll->limit);
  json_object_set_int_member (body, "timeout", timeout);
  json_object_set_array_member (body, "allowed_updates", kinds);
  return body;
}

static gboolean
on_turn (gpointer data)
{
  TgPoll *poll = data;
  guint timeout = poll->careful ? 1 : poll->bot->poll_timeout;

  tg_timer_clear (&poll->timer);
  poll->asked_at = g_get_monotonic_time ();
  if (poll->identified)
    poll->call = tg_api_call (poll->bot->api, "getUpdates", updates_body (poll, timeout), 0,
                              timeout * 1000 + ANSWER_MARGIN, on_result, poll);
  else
    poll->call = tg_api_call (poll->bot->api, "getMe", NULL, 0, TG_CALL_TIMEOUT, on_result, poll);
  return G_SOURCE_REMOVE;
}

static void
poll_later (TgPoll *poll, guint delay)
{
  tg_timer_clear (&poll->timer);
  if (!poll->bot->stopping)
    poll->timer = tg_timer_new (poll->bot->context, delay, on_turn, poll);
}

TgPoll *
tg_poll_new (TgBot *bot)
{
  TgPoll *poll = g_new0 (TgPoll, 1);

  poll->bot = bot;
  poll->limit = BATCH;
  poll_later (poll, 0);
  return poll;
}

void
tg_poll_free (TgPoll *poll)
{
  if (poll == NULL)
    return;
  tg_timer_clear (&poll->timer);
  g_free (poll);
}
