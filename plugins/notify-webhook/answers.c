/* answers.c - the checks of answers.h
 *
 * What must stay true: nothing reaches the core but what the service has signed within WH_FRESH_S of now, or a
 * token that was made here and has not run out; an answer that came again is not given again.
 */
#include "answers.h"

#include <string.h>

#include "send.h"
#include "sign.h"
#include "token.h"

#define MAX_ID 256u /* bytes of a notice, choice or person */

/* ---- to the core ------------------------------------------------------------------------------------------ */

static SpAnswerResult
give (WhHook *hook, WhJudged *judged, const char *evidence)
{
  SpAnswer answer = { sizeof answer, judged->notice, judged->choice, judged->person, evidence };
  WhNotice *record = wh_notices_find (hook->notices, judged->notice);
  g_autofree char *key = g_strdup_printf ("%s %s", judged->choice, judged->person);
  g_autofree char *text = NULL;

  if (record != NULL && g_hash_table_contains (record->given, key))
    return SP_ANSWER_TOO_LATE;
  judged->result = sp_answer (hook->host, &answer, &text);
  judged->text = text;
  if (judged->result == SP_ANSWER_TRY_AGAIN)
    return judged->result;
  if (record != NULL)
    g_hash_table_add (record->given, g_steal_pointer (&key));
  wh_send_answered (hook, judged);
  judged->text = NULL;
  return judged->result;
}

/* ---- what the service signed ---------------------------------------------------------------------------------- */

static const char unsigned_text[] =
    "the webhook's service sent an answer that is not signed; nothing was decided by it";
static const char wrong_text[] = "an answer to the webhook is signed with another secret; nothing "
                                 "was decided by it. Either the service has "
                                 "the wrong secret, or somebody else answers";

static void
tell_stale (WhHook *hook, gint64 age, char **ret_why)
{
  g_autofree char *what =
      g_strdup_printf ("what the webhook's service answered was signed %" G_GINT64_FORMAT
                       " s %s the vault's time, and counts for %d s: one of the clocks is wrong, "
                       "or somebody sends an old answer "
                       "again",
                       ABS (age), age > 0 ? "before" : "after", WH_FRESH_S);

  wh_hook_alarm (hook, WH_ALARM_STALE, "%s", what);
  if (ret_why != NULL)
    *ret_why = g_steal_pointer (&what);
}

gboolean
wh_answers_check (WhHook *hook, const WhReply *reply, char **ret_why)
{
  gint64 age = 0;
  WhSigned how = wh_check_answer (hook->maker.key, reply->signature, reply->body, reply->length,
                                  g_get_real_time () / G_USEC_PER_SEC, &age);

  if (how == WH_SIGNED)
    return TRUE;
  if (how == WH_STALE) {
    tell_stale (hook, age, ret_why);
    return FALSE;
  }
  wh_hook_alarm (hook, how == WH_WRONG ? WH_ALARM_FORGED : WH_ALARM_UNSIGNED, "%s",
                 how == WH_WRONG ? wrong_text : unsigned_text);
  if (ret_why != NULL)
    *ret_why = g_strdup (how == WH_WRONG ? wrong_text : unsigned_text);
  return FALSE;
}

static const char *
take_text (JsonObject *object, const char *name)
{
  JsonNode *node = json_object_get_member (object, name);
  const char *text = node != NULL && JSON_NODE_HOLDS_VALUE (node) &&
                             json_node_get_value_type (node) == G_TYPE_STRING
                         ? json_node_get_string (node)
                         : NULL;

  return text != NULL && *text != '\0' && strlen (text) <= MAX_ID ? text : NULL;
}

SpAnswerResult
wh_answers_object (WhHook *hook, JsonNode *node, const char *evidence)
{
  JsonObject *object = JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
  WhJudged judged = { 0 };
  SpAnswerResult result;

  if (object != NULL) {
    judged.notice = take_text (object, "notice");
    judged.choice = take_text (object, "choice");
    judged.person = take_text (object, "person");
  }
  if (judged.notice == NULL || judged.choice == NULL || judged.person == NULL) {
    wh_hook_alarm (hook, WH_ALARM_BROKEN,
                   "an answer of the webhook's service names no notice, choice or person");
    return SP_ANSWER_UNKNOWN;
  }
  result = give (hook, &judged, evidence);
  if (result == SP_ANSWER_UNKNOWN)
    wh_hook_alarm (hook, WH_ALARM_UNKNOWN,
                   "the webhook's service answered a notice or with a choice that is not known");
  return result;
}

/* Most services answer with no word that matters, so what is not signed is looked at only to tell of it. */
gboolean
wh_answers_from_reply (WhHook *hook, const WhReply *reply)
{
  g_autoptr (JsonNode) root = NULL;
  JsonNode *answer = NULL;

  if (reply->signature == NULL &&
      g_strstr_len (reply->body, (gssize) reply->length, "\"answer\"") == NULL)
    return TRUE;
  if (!reply->complete) {
    wh_hook_alarm (hook, WH_ALARM_BROKEN,
                   "the answer of the webhook's service is longer than %u bytes, and was not read",
                   WH_BODY_MAX);
    return TRUE;
  }
  if (!wh_answers_check (hook, reply, NULL))
    return TRUE;
  root = sp_json_read (hook->host, reply->body, reply->length, 0, NULL);
  if (root != NULL && JSON_NODE_HOLDS_OBJECT (root))
    answer = json_object_get_member (json_node_get_object (root), "answer");
  return answer == NULL ||
         wh_answers_object (hook, answer, "signed reply to the notice") != SP_ANSWER_TRY_AGAIN;
}

/* ---- what a button sent ------------------------------------------------------------------------------------- */

SpAnswerResult
wh_answers_token (WhHook *hook, const char *text, const char *evidence)
{
  g_auto (WhToken) token = { 0 };
  WhTokenResult what = wh_token_read (hook->maker.key, text, &token);
  WhJudged judged = { token.notice, token.choice, token.person, 0, NULL };

  if (what == WH_TOKEN_FORGED)
    wh_hook_alarm (
        hook, WH_ALARM_FORGED,
        "somebody sent a button's token that was not made here; nothing was decided by it");
  if (what != WH_TOKEN_GOOD)
    return SP_ANSWER_UNKNOWN;
  if (token.expires_at != 0 && token.expires_at < g_get_real_time () / G_USEC_PER_SEC)
    return SP_ANSWER_TOO_LATE;
  return give (hook, &judged, evidence);
}
