/* confirm.c - the questions of confirm.h
 *
 * What must stay true: a question is one person's, has a token of its own, counts once and for a minute,
 * and only on the message that asks it, as we wrote it.  It is kept in memory only: after a restart the
 * button means nothing, and the person asks again.
 */
#include "confirm.h"

#include <string.h>

#include "commands.h"
#include "message.h"
#include "text.h"
#include "try.h"

#define SECONDS 60u
#define REMEMBERED 600u /* seconds that a late tap is told why */
#define MAX_QUESTIONS 16u

typedef struct {
  TgConfirm *confirm;
  char *command, *token;
  TgWords *words;
  gint64 message; /* 0: not known yet */
  char *text_digest, *keys_digest;
  gboolean over;
  char *ending; /* what the message is to say, where it ended before we knew which one it is */
  TgTry *sending;
  GSource *timer;
} Question;

struct _TgConfirm {
  TgBot *bot;
  GPtrArray *questions; /* Question, oldest first */
};

static const char question_text[] =
    "Lock the vault now?\n\nAll requests and grants end, and nothing is handed out until an "
    "administrator unlocks it on the host. The button counts for one minute.";

static void
question_free (gpointer data)
{
  Question *question = data;

  /* At the end all tries are stopped already. */
  if (question->sending != NULL && !question->confirm->bot->stopping)
    tg_try_stop (question->sending);
  tg_timer_clear (&question->timer);
  tg_words_free (question->words);
  g_free (question->command);
  g_free (question->token);
  g_free (question->text_digest);
  g_free (question->keys_digest);
  g_free (question->ending);
  g_free (question);
}

static void
on_ignored (const TgResult *result, gpointer data)
{
}

/* The message says how it ended, and has no button any more. */
static void
close_message (Question *question, const char *text)
{
  JsonObject *body;

  if (question->message == 0) {
    g_free (question->ending);
    question->ending = g_strdup (text);
    return;
  }
  body = tg_message_body (question->words->chat, text, FALSE);
  json_object_set_int_member (body, "message_id", question->message);
  tg_try_new (question->confirm->bot, "editMessageText", body, question->words->chat, 3, 0,
              on_ignored, NULL);
}

static gboolean
on_forget (gpointer data)
{
  Question *question = data;

  g_ptr_array_remove (question->confirm->questions, question);
  return G_SOURCE_REMOVE;
}

static void
end (Question *question, const char *text)
{
  question->over = TRUE;
  tg_timer_clear (&question->timer);
  question->timer =
      tg_timer_new (question->confirm->bot->context, REMEMBERED * 1000, on_forget, question);
  close_message (question, text);
}

static gboolean
on_late (gpointer data)
{
  end (data, "Not done: nobody confirmed it within a minute.");
  return G_SOURCE_REMOVE;
}

static void
on_sent (const TgResult *result, gpointer data)
{
  Question *question = data;
  JsonObject *message = result->outcome == TG_OK && JSON_NODE_HOLDS_OBJECT (result->result)
                            ? json_node_get_object (result->result)
                            : NULL;

  question->sending = NULL;
  question->message = MAX (tg_member_int (message, "message_id"), 0);
  if (question->ending != NULL && question->message != 0)
    close_message (question, question->ending);
}

static void
send (Question *question)
{
  const TgWords *words = question->words;
  JsonObject *body = tg_message_body (words->chat, question_text, FALSE);
  JsonObject *keyboard = tg_message_lone_button ("Lock now", question->token, SP_CHOICE_DENY);

  question->text_digest = tg_digest_text (question_text);
  question->keys_digest = tg_digest_keys (keyboard);
  json_object_set_object_member (body, "reply_markup", keyboard);
  json_object_set_boolean_member (body, "protect_content", TRUE);
  tg_message_reply_to (body, words->message);
  if (words->thread != 0)
    json_object_set_int_member (body, "message_thread_id", words->thread);
  question->sending = tg_try_new (question->confirm->bot, "sendMessage", body, words->chat, 2,
                                  TG_TRY_PACED | TG_TRY_SURE_ONLY, on_sent, question);
}

static TgWords *
copy_words (const TgWords *words)
{
  TgWords *copy = g_memdup2 (words, sizeof *words);

  copy->text = g_strdup (words->text);
  return copy;
}

/* A new question replaces what the same person was asked before. */
static void
end_earlier (TgConfirm *confirm, gint64 user)
{
  for (guint i = 0; i < confirm->questions->len; i++) {
    Question *earlier = confirm->questions->pdata[i];

    if (!earlier->over && earlier->words->user == user)
      end (earlier, "Not done: it was asked anew.");
  }
  while (confirm->questions->len >= MAX_QUESTIONS)
    g_ptr_array_remove_index (confirm->questions, 0);
}

void
tg_confirm_ask (TgConfirm *confirm, const char *command, const TgWords *words)
{
  Question *question = g_new0 (Question, 1);

  end_earlier (confirm, words->user);
  question->confirm = confirm;
  question->command = g_strdup (command);
  question->token = tg_token_new ();
  question->words = copy_words (words);
  question->timer = tg_timer_new (confirm->bot->context, SECONDS * 1000, on_late, question);
  g_ptr_array_add (confirm->questions, question);
  send (question);
}

/* ---- the tap ---------------------------------------------------------------------------------------------- */

static Question *
find (TgConfirm *confirm, const char *token)
{
  for (guint i = 0; i < confirm->questions->len; i++) {
    Question *question = confirm->questions->pdata[i];

    if (strcmp (question->token, token) == 0)
      return question;
  }
  return NULL;
}

static gboolean
shows_ours (const Question *question, const TgTap *tap)
{
  if (!tap->accessible)
    return TRUE;
  if (tap->edited || g_strcmp0 (tap->text_digest, question->text_digest) != 0)
    return FALSE;
  return tap->keys_digest == NULL || strcmp (tap->keys_digest, question->keys_digest) == 0;
}

/* Where the reply to the sending was lost, the tap tells the message; it must then be seen to be ours. */
static gboolean
is_its_message (const Question *question, const TgTap *tap)
{
  return question->message == tap->message || (question->message == 0 && tap->accessible);
}

static char *
carry_out (Question *question, const TgTap *tap)
{
  SpAnswerResult result;
  char *text =
      tg_commands_ask (question->confirm->bot, question->command, question->words, &result);

  question->message = tap->message;
  if (text == NULL)
    text = g_strdup ("You may not do this.");
  /* Until the minute is over the person may try again. */
  if (result != SP_ANSWER_TRY_AGAIN)
    end (question, text);
  return text;
}

TgConfirmed
tg_confirm_take (TgConfirm *confirm, const TgTap *tap, char **ret_text)
{
  Question *question = find (confirm, tap->data);

  if (question == NULL)
    return TG_CONFIRM_NONE;
  if (tap->user != question->words->user || tap->chat != question->words->chat ||
      !is_its_message (question, tap))
    return TG_CONFIRM_WRONG;
  if (question->over)
    *ret_text = g_strdup ("This button is no longer valid. Write the command again.");
  else if (!shows_ours (question, tap))
    return TG_CONFIRM_TAMPERED;
  else
    *ret_text = carry_out (question, tap);
  return TG_CONFIRM_DONE;
}

/* ---- life ---------------------------------------------------------------------------------------------------- */

TgConfirm *
tg_confirm_new (TgBot *bot)
{
  TgConfirm *confirm = g_new0 (TgConfirm, 1);

  confirm->bot = bot;
  confirm->questions = g_ptr_array_new_with_free_func (question_free);
  return confirm;
}

void
tg_confirm_free (TgConfirm *confirm)
{
  if (confirm == NULL)
    return;
  g_ptr_array_unref (confirm->questions);
  g_free (confirm);
}
