/* body-json.c - the project's own form, for services that know it
 *
 * Everything is said, and nothing is decided: fields carry their origin, so that the service can mark what an
 * agent wrote.  JSON strings need no other care; what a receiver makes of them is its matter.
 */
#include "body.h"

#include <string.h>

static const char *const origins[] = { [SP_FIELD_CORE] = "core", [SP_FIELD_AGENT] = "agent" };
static const char *const styles[] = {
  [SP_CHOICE_PLAIN] = "plain",
  [SP_CHOICE_APPROVE] = "approve",
  [SP_CHOICE_DENY] = "deny",
};
static const char *const outcomes[] = {
  [SP_OUTCOME_APPROVED] = "approved", [SP_OUTCOME_DENIED] = "denied",
  [SP_OUTCOME_EXPIRED] = "expired",   [SP_OUTCOME_CANCELLED] = "cancelled",
  [SP_OUTCOME_REVOKED] = "revoked",
};
static const char *const results[] = {
  [SP_ANSWER_TAKEN] = "taken",
  [SP_ANSWER_COUNTED] = "counted",
  [SP_ANSWER_NOT_ALLOWED] = "not-allowed",
  [SP_ANSWER_TOO_LATE] = "too-late",
  [SP_ANSWER_UNKNOWN] = "unknown",
  [SP_ANSWER_TRY_AGAIN] = "try-again",
};

static const char *
name_in (const char *const *names, gsize n, guint32 value, const char *otherwise)
{
  return value < n && names[value] != NULL ? names[value] : otherwise;
}

#define NAME_IN(table, value, otherwise) name_in (table, G_N_ELEMENTS (table), value, otherwise)

const char *
wh_result_name (guint32 result)
{
  return NAME_IN (results, result, "unknown");
}

const WhTemplate *
wh_template_find (const char *name)
{
  static const WhTemplate *const all[] = { &wh_template_json, &wh_template_ntfy,
                                           &wh_template_slack };

  for (gsize i = 0; i < G_N_ELEMENTS (all); i++)
    if (g_strcmp0 (all[i]->name, name) == 0)
      return all[i];
  return NULL;
}

static JsonObject *
event_new (const WhMaker *maker, const char *event, const char *delivery)
{
  JsonObject *body = json_object_new ();

  json_object_set_string_member (body, "event", event);
  json_object_set_string_member (body, "delivery", delivery);
  json_object_set_string_member (body, "instance", maker->instance);
  return body;
}

static void
put_fields (JsonObject *body, const SpNotice *notice)
{
  JsonArray *fields = json_array_new ();

  for (gsize i = 0; i < notice->n_fields; i++) {
    const SpField *field = &notice->fields[i];
    JsonObject *item = json_object_new ();

    json_object_set_string_member (item, "label", field->label);
    json_object_set_string_member (item, "value", field->value);
    /* Whatever is not known to be the core's counts as an agent's. */
    json_object_set_string_member (item, "origin", NAME_IN (origins, field->origin, "agent"));
    json_array_add_object_element (fields, item);
  }
  json_object_set_array_member (body, "fields", fields);
}

static void
put_choices (JsonObject *body, const SpNotice *notice)
{
  JsonArray *choices = json_array_new ();

  for (gsize i = 0; i < notice->n_choices; i++) {
    const SpChoice *choice = &notice->choices[i];
    JsonObject *item = json_object_new ();

    json_object_set_string_member (item, "id", choice->id);
    json_object_set_string_member (item, "label", choice->label);
    json_object_set_string_member (item, "style", NAME_IN (styles, choice->style, "plain"));
    json_array_add_object_element (choices, item);
  }
  json_object_set_array_member (body, "choices", choices);
}

static JsonObject *
notice_body (const WhMaker *maker, const char *event, const SpNotice *notice, const char *delivery)
{
  JsonObject *body = event_new (maker, event, delivery);

  json_object_set_string_member (body, "id", notice->id);
  json_object_set_string_member (body, "title", notice->title);
  put_fields (body, notice);
  put_choices (body, notice);
  if (notice->expires_at != 0)
    json_object_set_int_member (body, "expires_at", notice->expires_at);
  else
    json_object_set_null_member (body, "expires_at");
  return body;
}

static JsonObject *
json_notice (const WhMaker *maker, const SpNotice *notice, const char *target, const char *delivery)
{
  return notice_body (maker, "notice", notice, delivery);
}

static JsonObject *
json_settled (const WhMaker *maker, const SpNotice *notice, const SpOutcome *outcome,
              const char *target, const char *delivery)
{
  JsonObject *body = notice_body (maker, "settled", notice, delivery);
  JsonObject *end = json_object_new ();

  json_object_set_string_member (end, "kind", NAME_IN (outcomes, outcome->kind, "closed"));
  json_object_set_string_member (end, "text", outcome->text);
  json_object_set_object_member (body, "outcome", end);
  return body;
}

static JsonObject *
json_answered (const WhMaker *maker, const WhJudged *judged, const char *delivery)
{
  JsonObject *body = event_new (maker, "answered", delivery);

  json_object_set_string_member (body, "id", judged->notice);
  json_object_set_string_member (body, "choice", judged->choice);
  json_object_set_string_member (body, "person", judged->person);
  json_object_set_string_member (body, "result", wh_result_name (judged->result));
  json_object_set_string_member (body, "text", judged->text != NULL ? judged->text : "");
  return body;
}

JsonObject *
wh_json_ping (const WhMaker *maker)
{
  g_autofree char *delivery = g_uuid_string_random ();

  return event_new (maker, "ping", delivery);
}

const WhTemplate wh_template_json = {
  .name = "json",
  .json = TRUE,
  .notice = json_notice,
  .settled = json_settled,
  .answered = json_answered,
};
