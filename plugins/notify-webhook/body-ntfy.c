/* body-ntfy.c - a message of ntfy, published as JSON
 *
 * From ntfy's documentation (docs.ntfy.sh/publish, "Publish as JSON", "Action buttons", "Updating
 * notifications", "Limitations") and its server: fields topic, title, message, priority 1-5, tags, actions (at
 * most three), sequence_id (from 2.16 on a later message with the same one takes the place of the earlier; older
 * servers overlook it); topics and sequence ids are 1-64 of A-Z a-z 0-9 _ -; a message of more than 4096 bytes
 * becomes an attachment, a whole body of more than 8192 is refused, and phones are pushed about 4000 bytes of
 * it.  The text is not Markdown unless that is asked for, so nothing in it needs to be escaped.
 *
 * What must stay true: the text of the core and the buttons always fit; what gives way is an agent's text.
 */
#include "body.h"

#include <string.h>

#include "text.h"
#include "token.h"

#define MAX_ACTIONS 3u
#define MAX_MESSAGE 2000u /* bytes; with three buttons of 200 below what phones are pushed */
#define MAX_TITLE 200u    /* characters */
#define PRIORITY_ASK 4
#define PRIORITY_TELL 2

static const char *const outcome_tags[] = {
  [SP_OUTCOME_APPROVED] = "white_check_mark", [SP_OUTCOME_DENIED] = "x",
  [SP_OUTCOME_EXPIRED] = "hourglass",         [SP_OUTCOME_CANCELLED] = "leftwards_arrow_with_hook",
  [SP_OUTCOME_REVOKED] = "no_entry_sign",
};

static const char how_to_deny[] = "To deny: tap a code that the agent does not show.";
static const char how_to_decide[] =
    "To decide, use another channel, or secret-proxy request approve or deny on the host.";

/* ---- actions ------------------------------------------------------------------------------------------- */

static JsonObject *
make_action (const WhMaker *maker, const SpNotice *notice, const SpChoice *choice,
             const char *person)
{
  WhToken token = { (char *) notice->id, (char *) choice->id, (char *) person, notice->expires_at };
  g_autofree char *text = wh_token_make (maker->key, &token);
  JsonObject *action = json_object_new ();

  json_object_set_string_member (action, "action", "http");
  json_object_set_string_member (action, "label", choice->label);
  json_object_set_string_member (action, "url", maker->answers);
  json_object_set_string_member (action, "method", "POST");
  json_object_set_string_member (action, "body", text);
  json_object_set_boolean_member (action, "clear", TRUE);
  return action;
}

/* Of four choices, three codes and "deny", the last has no room; a wrong code denies just as well. */
static gboolean
leaves_out_deny (const SpNotice *notice)
{
  return notice->n_choices > MAX_ACTIONS;
}

static JsonArray *
make_actions (const WhMaker *maker, const SpNotice *notice, const char *person)
{
  JsonArray *actions = json_array_new ();

  for (gsize i = 0; i < notice->n_choices; i++)
    if (json_array_get_length (actions) < MAX_ACTIONS &&
        !(leaves_out_deny (notice) && notice->choices[i].style == SP_CHOICE_DENY))
      json_array_add_object_element (actions,
                                     make_action (maker, notice, &notice->choices[i], person));
  return actions;
}

/* ---- messages ------------------------------------------------------------------------------------------- */

static JsonObject *
message_new (const WhMaker *maker, const char *person, const char *title, const char *text,
             int priority, const char *tag)
{
  g_autofree char *shown = wh_text_clean (title, MAX_TITLE);
  g_autofree char *cut = wh_text_cut_bytes (text, MAX_MESSAGE);
  JsonObject *body = json_object_new ();
  JsonArray *tags = json_array_new ();

  json_array_add_string_element (tags, tag);
  json_object_set_string_member (body, "topic", maker->topic != NULL ? maker->topic : person);
  json_object_set_string_member (body, "title", shown);
  json_object_set_string_member (body, "message", cut);
  json_object_set_int_member (body, "priority", priority);
  json_object_set_array_member (body, "tags", tags);
  return body;
}

/* What to do, before all else: the end of a long message is not seen. */
static char *
notice_text (const WhMaker *maker, const SpNotice *notice)
{
  g_autofree char *text = wh_text_body (notice);
  const char *how = NULL;

  if (notice->n_choices > 0 && maker->answers == NULL)
    how = how_to_decide;
  else if (leaves_out_deny (notice))
    how = how_to_deny;
  return how != NULL ? g_strdup_printf ("%s\n\n%s", how, text) : g_steal_pointer (&text);
}

static JsonObject *
ntfy_notice (const WhMaker *maker, const SpNotice *notice, const char *target, const char *delivery)
{
  g_autofree char *text = notice_text (maker, notice);
  JsonObject *body = message_new (maker, target, notice->title, text, PRIORITY_ASK, "key");

  json_object_set_string_member (body, "sequence_id", notice->id);
  if (notice->n_choices > 0 && maker->answers != NULL)
    json_object_set_array_member (body, "actions", make_actions (maker, notice, target));
  return body;
}

static JsonObject *
ntfy_settled (const WhMaker *maker, const SpNotice *notice, const SpOutcome *outcome,
              const char *target, const char *delivery)
{
  g_autofree char *text = wh_text_body (notice);
  const char *tag =
      outcome->kind < G_N_ELEMENTS (outcome_tags) ? outcome_tags[outcome->kind] : NULL;
  JsonObject *body = message_new (maker, target, outcome->text, text, PRIORITY_TELL,
                                  tag != NULL ? tag : "information_source");

  json_object_set_string_member (body, "sequence_id", notice->id);
  return body;
}

/* What was taken is told by settling, and what is unknown by nobody. */
static JsonObject *
ntfy_answered (const WhMaker *maker, const WhJudged *judged, const char *delivery)
{
  if (judged->result == SP_ANSWER_TAKEN || judged->result == SP_ANSWER_UNKNOWN ||
      judged->result == SP_ANSWER_TRY_AGAIN || judged->text == NULL)
    return NULL;
  return message_new (maker, judged->person, "Your answer", judged->text, PRIORITY_TELL,
                      "information_source");
}

const WhTemplate wh_template_ntfy = {
  .name = "ntfy",
  .notice = ntfy_notice,
  .settled = ntfy_settled,
  .answered = ntfy_answered,
};
