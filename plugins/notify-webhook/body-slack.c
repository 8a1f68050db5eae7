/* body-slack.c - a message for a Slack-style incoming webhook
 *
 * From Slack's documentation (docs.slack.dev: "Sending messages using incoming webhooks", "Formatting message
 * text", Block Kit reference): text and blocks; a header holds a plain_text of at most 150 characters, a section
 * one of at most 3000; & < > are control characters in every text and are written as entities; buttons need an
 * app that can be called, which the vault is not, so this is for information only.
 *
 * What must stay true: an agent's text is in a plain_text block of its own and nowhere else, so it can be no
 * mention, no link and no formatting.
 */
#include "body.h"

#include <string.h>

#include "text.h"

#define MAX_HEADER 150u
#define MAX_SECTION 2900u /* characters, of Slack's 3000 */
#define MAX_TITLE 140u

static const char how_to_decide[] = "For information: decide on another channel, or with "
                                    "secret-proxy request approve or deny on the host.";

/* As entities, cut before an entity rather than in it. */
static char *
escape (const char *text, gsize max)
{
  GString *out = g_string_new (NULL);
  gsize n = 0;

  for (const char *at = text; *at != '\0'; at = g_utf8_next_char (at)) {
    const char *entity = *at == '&' ? "&amp;" : *at == '<' ? "&lt;" : *at == '>' ? "&gt;" : NULL;
    gsize width = entity != NULL ? strlen (entity) : 1;

    if (n + width > max)
      break;
    n += width;
    if (entity != NULL)
      g_string_append (out, entity);
    else
      g_string_append_unichar (out, g_utf8_get_char (at));
  }
  return g_string_free (out, FALSE);
}

static void
put_block (JsonArray *blocks, const char *type, const char *text, gsize max)
{
  g_autofree char *escaped = escape (text, max);
  JsonObject *block = json_object_new ();
  JsonObject *content = json_object_new ();

  json_object_set_string_member (content, "type", "plain_text");
  json_object_set_string_member (content, "text", escaped);
  json_object_set_boolean_member (content, "emoji", FALSE);
  json_object_set_string_member (block, "type", type);
  json_object_set_object_member (block, "text", content);
  json_array_add_object_element (blocks, block);
}

/* @title over the fields of @notice, and @how under them unless it is NULL. */
static JsonObject *
message_new (const SpNotice *notice, const char *title, const char *how)
{
  g_autofree char *shown = wh_text_clean (title, MAX_TITLE);
  g_autofree char *text = escape (shown, MAX_SECTION);
  g_autofree char *core = wh_text_core (notice);
  g_autofree char *claims = wh_text_claims (notice);
  JsonObject *body = json_object_new ();
  JsonArray *blocks = json_array_new ();

  put_block (blocks, "header", shown, MAX_HEADER);
  if (*core != '\0')
    put_block (blocks, "section", core, MAX_SECTION);
  if (claims != NULL)
    put_block (blocks, "section", claims, MAX_SECTION);
  if (how != NULL)
    put_block (blocks, "section", how, MAX_SECTION);
  json_object_set_string_member (body, "text", text);
  json_object_set_boolean_member (body, "mrkdwn", FALSE);
  json_object_set_boolean_member (body, "unfurl_links", FALSE);
  json_object_set_array_member (body, "blocks", blocks);
  return body;
}

static JsonObject *
slack_notice (const WhMaker *maker, const SpNotice *notice, const char *target,
              const char *delivery)
{
  return message_new (notice, notice->title, notice->n_choices > 0 ? how_to_decide : NULL);
}

static JsonObject *
slack_settled (const WhMaker *maker, const SpNotice *notice, const SpOutcome *outcome,
               const char *target, const char *delivery)
{
  return message_new (notice, outcome->text, NULL);
}

const WhTemplate wh_template_slack = {
  .name = "slack",
  .notice = slack_notice,
  .settled = slack_settled,
};
