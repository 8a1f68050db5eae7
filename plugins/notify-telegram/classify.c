/* classify.c - the table behind classify.h
 *
 * What must stay true: an answer that is not JSON is never a verdict about token, chat or message, since
 * front ends and captive portals answer anything with any status; only the Bot API itself, saying
 * "ok": false, can say no.
 */
#include "classify.h"

#include <string.h>

#include "text.h"
#include "update.h"

#define RETRY_MIN 1
#define RETRY_MAX 300
#define RETRY_UNSAID 5
#define WHAT_MAX 200 /* characters of the server's own description */

typedef struct {
  guint status;     /* 0: any */
  const char *text; /* in the description, in any case; NULL: any */
  TgOutcome outcome;
} Row;

/* The first that fits. */
static const Row rows[] = {
  { 400, "message is not modified", TG_SAME },
  { 400, "message to edit not found", TG_NO_MESSAGE },
  { 400, "message can't be edited", TG_NO_MESSAGE },
  { 400, "message_id_invalid", TG_NO_MESSAGE },
  { 400, "query is too old", TG_STALE },
  { 400, "query id is invalid", TG_STALE },
  { 400, "can't parse entities", TG_BAD_ENTITIES },
  { 400, "message thread not found", TG_NO_TOPIC },
  { 400, "chat not found", TG_NO_CHAT },
  { 400, "user not found", TG_NO_CHAT },
  { 400, "peer_id_invalid", TG_NO_CHAT },
  { 400, "logged out", TG_TOKEN },
  { 401, NULL, TG_TOKEN },
  { 403, NULL, TG_NO_CHAT },
  { 404, NULL, TG_TOKEN },
  { 409, "webhook", TG_WEBHOOK },
  { 409, NULL, TG_CONFLICT },
  { 429, NULL, TG_FLOOD },
  { 0, NULL, TG_REFUSED },
};

void
tg_answer_clear (TgAnswer *answer)
{
  g_clear_pointer (&answer->root, json_node_unref);
  g_clear_pointer (&answer->what, g_free);
  answer->result = NULL;
}

static TgOutcome
look_up (guint status, const char *description)
{
  g_autofree char *lower = g_ascii_strdown (description, -1);

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    if ((rows[i].status == 0 || rows[i].status == status) &&
        (rows[i].text == NULL || strstr (lower, rows[i].text) != NULL))
      return rows[i].outcome;
  return TG_REFUSED;
}

static guint
retry_seconds (JsonObject *parameters, const char *header)
{
  gint64 seconds = tg_member_int (parameters, "retry_after");

  if (seconds == 0 && header != NULL)
    seconds = g_ascii_strtoll (header, NULL, 10);
  if (seconds == 0)
    seconds = RETRY_UNSAID;
  return (guint) CLAMP (seconds, RETRY_MIN, RETRY_MAX);
}

/* "ok" is false: the Bot API's own no. */
static void
classify_no (guint status, const char *header, JsonObject *object, TgAnswer *answer)
{
  const char *description = tg_member_string (object, "description");
  JsonObject *parameters = tg_member_object (object, "parameters");

  answer->what =
      tg_text_clean (description != NULL ? description : "an error without words", WHAT_MAX);
  answer->migrated = tg_member_int (parameters, "migrate_to_chat_id");
  if (status >= 500)
    answer->outcome = TG_TRANSIENT;
  else if (answer->migrated != 0)
    answer->outcome = TG_MIGRATED;
  else
    answer->outcome = look_up (status, answer->what);
  if (answer->outcome == TG_FLOOD)
    answer->retry_after = retry_seconds (parameters, header);
}

static void
classify_unreadable (guint status, const char *header, gsize length, const GError *why,
                     TgAnswer *answer)
{
  if (status == 429) {
    answer->outcome = TG_FLOOD;
    answer->retry_after = retry_seconds (NULL, header);
    answer->what = g_strdup ("too many requests");
    return;
  }
  answer->outcome = status == 200 && length > 0 ? TG_UNREADABLE : TG_TRANSIENT;
  if (status >= 300 && status < 400)
    answer->what = g_strdup_printf ("HTTP status %u: redirects are not followed", status);
  else if (length == 0)
    answer->what = g_strdup_printf ("HTTP status %u with an empty answer", status);
  else
    answer->what = g_strdup_printf ("HTTP status %u with an answer that can't be read: %s", status,
                                    why != NULL ? why->message : "it is too long");
}

void
tg_classify (SpHost *host, guint status, const char *retry_after, const char *body, gsize length,
             gboolean complete, TgAnswer *answer)
{
  g_autoptr (GError) error = NULL;
  JsonObject *object;

  if (complete)
    answer->root = sp_json_read (host, body, length, SP_JSON_REPAIR_UTF8, &error);
  object = answer->root != NULL && JSON_NODE_HOLDS_OBJECT (answer->root)
               ? json_node_get_object (answer->root)
               : NULL;
  if (object == NULL || !json_object_has_member (object, "ok")) {
    classify_unreadable (status, retry_after, length, error, answer);
    return;
  }
  if (!tg_member_bool (object, "ok", FALSE)) {
    classify_no (status, retry_after, object, answer);
    return;
  }
  answer->result = json_object_get_member (object, "result");
  answer->outcome = status == 200 && answer->result != NULL ? TG_OK : TG_TRANSIENT;
  if (answer->outcome != TG_OK)
    answer->what = g_strdup_printf ("HTTP status %u with an answer of another form", status);
}
