/* taps.c - the checks and answers of taps.h
 *
 * Who may decide is the core's business.  Here it is only made sure that the tap is what the person meant:
 * the right button of the right message, which still shows what we wrote.  What must stay true: nothing
 * reaches the core unless each check has passed; every tap gets one toast, soon, whatever became of it; a
 * tap that came again (same id) is not counted again.
 */
#include "taps.h"

#include <string.h>

#include "confirm.h"
#include "text.h"
#include "try.h"
#include "update.h"

#define MAX_SEEN 4096u
#define MAX_HELD 64u
#define TOKEN_LENGTH 22u
#define TOAST_TRIES 3u
#define REMOVAL_GAP G_USEC_PER_SEC
#define HELD_RETRY_MAX 8000u /* ms: a tap must not wait long once the core can record again */

struct _TgTaps {
  TgBot *bot;
  GHashTable *seen; /* callback query id, owned -> GINT_TO_POINTER: may be confirmed */
  GQueue order;     /* the same ids, oldest first */
  GPtrArray *held;  /* TgTap */
  GSource *timer;
  guint failures;
  gint64 removed_at; /* monotonic: the last keyboard taken away */
};

/* ---- what can be wrong ------------------------------------------------------------------------------------ */

typedef struct {
  const char *toast;
  const char *alarm; /* NULL: nothing to worry about */
  TgAlarm kind;
  gboolean remove; /* take the keyboard away */
} Refusal;

static const Refusal bad_sender = { "This can't be accepted.",
                                    "a tap on Telegram was refused, as it can't be a person's own",
                                    TG_ALARM_FORGED, FALSE };
static const Refusal old_button = { "This is already decided.", NULL, TG_ALARM_STALE_BUTTON, TRUE };
static const Refusal unknown_button = { "This button is no longer valid.",
                                        "somebody used an unknown button on Telegram",
                                        TG_ALARM_STALE_BUTTON, FALSE };
static const Refusal wrong_message = {
  "This button belongs to another message.",
  "a tap on Telegram was refused, as its button belongs to another message", TG_ALARM_FORGED, FALSE
};
static const Refusal tampered = {
  "This message was changed by somebody else. Nothing was decided.",
  "a message on Telegram was changed by somebody else; the bot token may be in other hands",
  TG_ALARM_TAMPERED, FALSE
};

static gboolean
looks_like_token (const char *data)
{
  if (strlen (data) != TOKEN_LENGTH)
    return FALSE;
  for (const char *at = data; *at != '\0'; at++)
    if (!g_ascii_isalnum (*at) && *at != '-' && *at != '_')
      return FALSE;
  return TRUE;
}

static gboolean
shows_ours (const TgPlace *place, const TgTap *tap)
{
  if (!tap->accessible)
    return TRUE;
  if (tap->edited || g_strcmp0 (tap->text_digest, place->text_digest) != 0)
    return FALSE;
  return tap->keys_digest == NULL || strcmp (tap->keys_digest, place->keys_digest) == 0;
}

/* A send without an answer may have made a message that we don't know.  A tap tells its id; but it is
 * believed only while such a send is open, and only where the message can be seen to be ours. */
static gboolean
is_known_message (TgBot *bot, TgPlace *place, const TgTap *tap)
{
  g_autoptr (GError) error = NULL;

  if (tg_place_has_message (place, tap->message))
    return TRUE;
  if (place->unsure == 0 || !tap->accessible || !shows_ours (place, tap))
    return FALSE;
  tg_place_add_message (place, tap->message);
  if (!tg_notices_keep (bot->notices, place->notice, &error))
    g_message ("a message id could not be remembered: %s", error->message);
  return TRUE;
}

/* Why @tap on @button does not count, or NULL.  A message that we are closing has changed by our own hand. */
static const Refusal *
check_button (TgBot *bot, const TgButton *button, const TgTap *tap)
{
  TgNotice *notice = button->place->notice;

  if (button->place->chat != tap->chat)
    return &wrong_message;
  if (notice->closing)
    return &old_button;
  if (!is_known_message (bot, button->place, tap))
    return &wrong_message;
  if (shows_ours (button->place, tap))
    return NULL;
  tg_bot_spoilt (bot, notice);
  return &tampered;
}

/* The button that @tap means, or NULL and why not. */
static TgButton *
check (TgBot *bot, const TgTap *tap, const Refusal **ret_refusal)
{
  TgButton *button = NULL;

  *ret_refusal = NULL;
  if (tap->refusal != NULL)
    *ret_refusal = &bad_sender;
  else if (!looks_like_token (tap->data))
    *ret_refusal = &unknown_button;
  else if ((button = tg_notices_look_up (bot->notices, tap->data)) == NULL)
    *ret_refusal =
        tg_notices_is_old (bot->notices, tap->data, tap->chat) ? &old_button : &unknown_button;
  else
    *ret_refusal = check_button (bot, button, tap);
  return *ret_refusal == NULL ? button : NULL;
}

/* ---- toasts and keyboards ---------------------------------------------------------------------------------- */

static void
on_ignored (const TgResult *result, gpointer data)
{
  /* A toast or a keyboard: whatever became of it changes no decision. */
}

static void
toast (TgTaps *taps, TgTap *tap, const char *text, gboolean alert)
{
  g_autofree char *shown = tg_text_clean (text, TG_TOAST_MAX);
  JsonObject *body;

  if (tap->answered)
    return;
  tap->answered = TRUE;
  body = json_object_new ();
  json_object_set_string_member (body, "callback_query_id", tap->query_id);
  json_object_set_string_member (body, "text", shown);
  json_object_set_boolean_member (body, "show_alert", alert);
  tg_try_new (taps->bot, "answerCallbackQuery", body, 0, TOAST_TRIES, TG_TRY_SURE_ONLY, on_ignored,
              taps);
}

/* Not more often than it can do good: whoever is in the chat can make us do this. */
static void
remove_keyboard (TgTaps *taps, const TgTap *tap)
{
  gint64 now = g_get_monotonic_time ();
  JsonObject *body;

  if (taps->removed_at != 0 && now - taps->removed_at < REMOVAL_GAP)
    return;
  taps->removed_at = now;
  body = json_object_new ();
  json_object_set_int_member (body, "chat_id", tap->chat);
  json_object_set_int_member (body, "message_id", tap->message);
  tg_try_new (taps->bot, "editMessageReplyMarkup", body, tap->chat, 1, 0, on_ignored, taps);
}

/* ---- the core's verdict -------------------------------------------------------------------------------------- */

static const struct {
  const char *toast; /* unless the core has a better one */
  gboolean alert;
  gboolean remove;
} replies[] = {
  [SP_ANSWER_TAKEN] = { "Recorded.", FALSE, FALSE },
  [SP_ANSWER_COUNTED] = { "Your vote is counted; more are needed.", FALSE, FALSE },
  [SP_ANSWER_NOT_ALLOWED] = { "You may not decide this.", TRUE, FALSE },
  [SP_ANSWER_TOO_LATE] = { "This is already decided.", TRUE, TRUE },
  [SP_ANSWER_UNKNOWN] = { "This button is no longer valid.", TRUE, TRUE },
  [SP_ANSWER_TRY_AGAIN] = { "The vault can't record this now. Your answer is kept and tried again.",
                            TRUE, FALSE },
};

static SpAnswerResult
ask_core (TgTaps *taps, const TgTap *tap, const TgButton *button, char **ret_text)
{
  g_autofree char *person = g_strdup_printf ("%" G_GINT64_FORMAT, tap->user);
  g_autofree char *evidence = g_strdup_printf (
      "chat %" G_GINT64_FORMAT " message %" G_GINT64_FORMAT " update %" G_GINT64_FORMAT " query %s",
      tap->chat, tap->message, tap->update_id, tap->query_id);
  SpAnswer answer = {
    .size = sizeof answer,
    .notice_id = button->place->notice->id,
    .choice_id = button->choice,
    .person = person,
    .evidence = evidence,
  };
  SpAnswerResult result = sp_answer (taps->bot->host, &answer, ret_text);

  return result < G_N_ELEMENTS (replies) ? result : SP_ANSWER_UNKNOWN;
}

static void
refuse (TgTaps *taps, TgTap *tap, const Refusal *refusal)
{
  toast (taps, tap, refusal->toast, TRUE);
  if (refusal->alarm != NULL)
    tg_bot_alarm (taps->bot, refusal->kind,
                  "%s (chat %" G_GINT64_FORMAT ", user %" G_GINT64_FORMAT "%s%s)", refusal->alarm,
                  tap->chat, tap->user, tap->refusal != NULL ? ": " : "",
                  tap->refusal != NULL ? tap->refusal : "");
  if (refusal->remove)
    remove_keyboard (taps, tap);
}

/* A tap that confirms a command, and belongs to no notice. */
static gboolean
confirm (TgTaps *taps, TgTap *tap)
{
  static const Refusal *const refusals[] = {
    [TG_CONFIRM_WRONG] = &wrong_message,
    [TG_CONFIRM_TAMPERED] = &tampered,
  };
  g_autofree char *text = NULL;
  TgConfirmed result =
      tap->refusal == NULL ? tg_confirm_take (taps->bot->confirm, tap, &text) : TG_CONFIRM_NONE;

  if (result == TG_CONFIRM_DONE)
    toast (taps, tap, text, TRUE);
  else if (result != TG_CONFIRM_NONE)
    refuse (taps, tap, refusals[result]);
  return result != TG_CONFIRM_NONE;
}

/* FALSE: the core could not record it. */
static gboolean
handle (TgTaps *taps, TgTap *tap)
{
  const Refusal *refusal;
  TgButton *button;
  g_autofree char *text = NULL;
  SpAnswerResult result;

  if (confirm (taps, tap))
    return TRUE;
  button = check (taps->bot, tap, &refusal);
  if (button == NULL) {
    refuse (taps, tap, refusal);
    return TRUE;
  }
  result = ask_core (taps, tap, button, &text);
  toast (taps, tap, text != NULL ? text : replies[result].toast, replies[result].alert);
  if (replies[result].remove)
    remove_keyboard (taps, tap);
  return result != SP_ANSWER_TRY_AGAIN;
}

/* ---- taps that came before, taps that wait --------------------------------------------------------------------- */

static void
see (TgTaps *taps, const char *query_id, gboolean done)
{
  char *key;

  if (!g_hash_table_contains (taps->seen, query_id)) {
    key = g_strdup (query_id);
    g_hash_table_insert (taps->seen, key, GINT_TO_POINTER (done));
    g_queue_push_tail (&taps->order, key);
  } else {
    g_hash_table_insert (taps->seen, g_strdup (query_id), GINT_TO_POINTER (done));
  }
  while (taps->order.length > MAX_SEEN)
    g_hash_table_remove (taps->seen, g_queue_pop_head (&taps->order));
}

static gboolean on_retry (gpointer data);

static void
retry_later (TgTaps *taps)
{
  guint delay = tg_backoff (++taps->failures);

  tg_timer_clear (&taps->timer);
  taps->timer = tg_timer_new (taps->bot->context, MIN (delay, HELD_RETRY_MAX), on_retry, taps);
}

static gboolean
on_retry (gpointer data)
{
  TgTaps *taps = data;

  tg_timer_clear (&taps->timer);
  while (taps->held->len > 0 && !taps->bot->stopping) {
    TgTap *tap = taps->held->pdata[0];

    if (!handle (taps, tap)) {
      retry_later (taps);
      return G_SOURCE_REMOVE;
    }
    see (taps, tap->query_id, TRUE);
    g_ptr_array_remove_index (taps->held, 0);
  }
  taps->failures = 0;
  return G_SOURCE_REMOVE;
}

static void
keep_tap (TgTaps *taps, TgTap *tap)
{
  see (taps, tap->query_id, FALSE);
  g_ptr_array_add (taps->held, tap);
  if (taps->timer == NULL)
    retry_later (taps);
}

gboolean
tg_taps_take (TgTaps *taps, JsonNode *update)
{
  g_autoptr (TgTap) tap = tg_update_tap (update);
  gpointer done;

  if (tap == NULL)
    return TRUE;
  if (g_hash_table_lookup_extended (taps->seen, tap->query_id, NULL, &done))
    return GPOINTER_TO_INT (done);
  if (taps->held->len >= MAX_HELD)
    return FALSE;
  /* Behind one that waits: the order of answers is kept. */
  if (taps->held->len == 0 && handle (taps, tap)) {
    see (taps, tap->query_id, TRUE);
    return TRUE;
  }
  toast (taps, tap, replies[SP_ANSWER_TRY_AGAIN].toast, TRUE);
  keep_tap (taps, g_steal_pointer (&tap));
  return FALSE;
}

TgTaps *
tg_taps_new (TgBot *bot)
{
  TgTaps *taps = g_new0 (TgTaps, 1);

  taps->bot = bot;
  taps->seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_queue_init (&taps->order);
  taps->held = g_ptr_array_new_with_free_func ((GDestroyNotify) tg_tap_free);
  return taps;
}

void
tg_taps_free (TgTaps *taps)
{
  if (taps == NULL)
    return;
  tg_timer_clear (&taps->timer);
  g_queue_clear (&taps->order);
  g_hash_table_unref (taps->seen);
  g_ptr_array_unref (taps->held);
  g_free (taps);
}
