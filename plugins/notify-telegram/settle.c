/* settle.c - the edits of settle.h
 *
 * What must stay true: a notice is forgotten only when each of its messages was edited or never can be; a
 * sending that is under way is waited for, since its answer names one more message to edit.
 */
#include "settle.h"

#include "message.h"
#include "queue.h"
#include "remind.h"
#include "send.h"
#include "text.h"
#include "try.h"

#define PATIENCE 3000u /* ms, as in send.c */
#define HELD_MIN 5000u /* ms: a pause that is longer is not waited for */

typedef struct {
  TgBot *bot;
  TgNotice *notice;
  gboolean impatient;
  char *html, *plain;
  GPtrArray *edits; /* Edit */
  guint open;
  gboolean failed;
  char *problem;
} Settling;

typedef struct {
  Settling *settling;
  gint64 chat, message;
  gboolean as_plain;
  TgTry *try; /* NULL: ended */
} Edit;

static void
edit_free (gpointer data)
{
  Edit *edit = data;

  if (edit->try != NULL)
    tg_try_stop (edit->try);
  g_free (edit);
}

static void edit_start (Edit *edit);

static gboolean
is_settled_by (TgOutcome outcome)
{
  return outcome != TG_TOKEN && outcome != TG_CANCELLED && outcome != TG_CONFLICT &&
         outcome != TG_WEBHOOK;
}

static void
on_edited (const TgResult *result, gpointer data)
{
  Edit *edit = data;
  Settling *settling = edit->settling;

  edit->try = NULL;
  settling->open--;
  if (result->outcome == TG_BAD_ENTITIES && !edit->as_plain) {
    edit->as_plain = TRUE;
    edit_start (edit);
    return;
  }
  /* People may delete it in a private chat; but who has the token may, too. */
  if (result->outcome == TG_NO_MESSAGE)
    tg_bot_alarm (settling->bot, TG_ALARM_MISSING,
                  "a message of the vault is gone from the Telegram chat %" G_GINT64_FORMAT
                  "; if none of its people deleted it, the bot token may be in other hands",
                  edit->chat);
  if (is_settled_by (result->outcome))
    return;
  settling->failed = TRUE;
  g_free (settling->problem);
  settling->problem = g_strdup (result->what);
}

static void
edit_start (Edit *edit)
{
  Settling *settling = edit->settling;
  JsonObject *body = tg_message_body (edit->chat, edit->as_plain ? settling->plain : settling->html,
                                      !edit->as_plain);

  /* Without reply_markup the keyboard goes. */
  json_object_set_int_member (body, "message_id", edit->message);
  settling->open++;
  edit->try =
      tg_try_new (settling->bot, "editMessageText", body, edit->chat, 0, 0, on_edited, edit);
}

static void
edit_place (Settling *settling, TgPlace *place)
{
  for (guint i = 0; i < place->messages->len; i++) {
    Edit *edit = g_new0 (Edit, 1);

    edit->settling = settling;
    edit->chat = place->chat;
    edit->message = g_array_index (place->messages, gint64, i);
    g_ptr_array_add (settling->edits, edit);
    edit_start (edit);
  }
}

static gboolean
is_halted (gpointer data)
{
  Settling *settling = data;

  return tg_send_halt (settling->notice);
}

/* Or what is left has been told to pause for so long that others should be served meanwhile. */
static gboolean
is_edited (gpointer data)
{
  Settling *settling = data;

  for (guint i = 0; i < settling->edits->len; i++) {
    const Edit *edit = settling->edits->pdata[i];

    if (edit->try != NULL &&
        !(settling->impatient && tg_api_pause (settling->bot->api, edit->chat) > HELD_MIN))
      return FALSE;
  }
  return TRUE;
}

static gboolean
on_impatient (gpointer data)
{
  ((Settling *) data)->impatient = TRUE;
  return G_SOURCE_CONTINUE;
}

static gboolean
edit_all (Settling *settling, GCancellable *cancellable, GError **error)
{
  GSource *patience = tg_timer_new (settling->bot->context, PATIENCE, on_impatient, settling);
  gboolean ok = tg_bot_wait (settling->bot, is_halted, settling, cancellable);

  for (guint i = 0; ok && i < settling->notice->places->len; i++)
    edit_place (settling, settling->notice->places->pdata[i]);
  ok = ok && tg_bot_wait (settling->bot, is_edited, settling, cancellable) && settling->open == 0 &&
       !settling->failed;
  tg_timer_clear (&patience);
  if (!ok)
    g_set_error (error, SP_ERROR, SP_ERROR_UNAVAILABLE, "the message could not be closed: %s",
                 settling->problem != NULL ? settling->problem
                                           : "Telegram has not answered in time");
  return ok;
}

gboolean
tg_settle (TgBot *bot, const SpNotice *notice, const SpOutcome *outcome, GCancellable *cancellable,
           GError **error)
{
  Settling settling = { .bot = bot, .notice = tg_notices_find (bot->notices, notice->id) };
  gboolean ok;

  if (settling.notice == NULL)
    return TRUE;
  if (!tg_bot_may_call (bot, error))
    return FALSE;
  tg_queue_settled (bot->queue, settling.notice);
  settling.html = tg_text_render (notice, outcome, TG_TEXT_HTML);
  settling.plain = tg_text_render (notice, outcome, TG_TEXT_PLAIN);
  settling.edits = g_ptr_array_new_with_free_func (edit_free);
  ok = edit_all (&settling, cancellable, error);
  g_ptr_array_unref (settling.edits);
  g_free (settling.html);
  g_free (settling.plain);
  g_free (settling.problem);
  if (!ok)
    return FALSE;
  tg_remind_settled (bot->remind, settling.notice);
  tg_bot_unspoilt (bot, settling.notice);
  return tg_notices_forget (bot->notices, settling.notice, error);
}
