/* poll.c - the loop of poll.h
 *
 * json: GET ANSWERS?after=CURSOR, which gives {"answers":[…],"next":CURSOR}, signed as a whole.
 * ntfy: GET ANSWERS/json?poll=1&since=ID, a message a line (docs.ntfy.sh, "Subscribe via API": "Poll for
 * messages", "Fetch cached messages"); each answer is a token that carries its own proof.
 *
 * What must stay true: the cursor moves, and is remembered, only behind answers that the core has judged; what
 * can't be read is stepped over where anybody may write (ntfy), and is an error where only the service does
 * (json); however the service answers, there is a pause before it is asked again.
 */
#define G_LOG_DOMAIN "notify-webhook"
#include "poll.h"

#include <libsoup/soup.h>
#include <string.h>

#include "answers.h"
#include "lines.h"

#define CURSOR_PREFIX "cursor/"
#define CURSOR_MAX 512u
#define MORE_MS 200u   /* there was more than one answer could hold */
#define HELD_MS 2000u  /* an answer waits for the core */
#define IDLE_FACTOR 6u /* while no notice is open */
#define IDLE_MAX_MS 60000u

struct _WhPoll {
  WhHook *hook;
  GSource *timer;
  WhCall *call;
  char *cursor; /* NULL: from the beginning */
  char *key;    /* of the core's memory: another address has cursors of its own */
  guint failures;
};

/* What one answer came to. */
typedef struct {
  gboolean held, more;
  char *problem; /* it can't be used */
  char *cursor;  /* NULL: stays */
} Batch;

static gboolean on_turn (gpointer data);

static void
poll_later (WhPoll *poll, guint delay)
{
  wh_timer_clear (&poll->timer);
  if (!poll->hook->stopping)
    poll->timer = wh_hook_timer (poll->hook, delay, on_turn, poll);
}

static guint
interval (WhPoll *poll)
{
  guint usual = poll->hook->poll_interval;

  return wh_notices_any (poll->hook->notices) ? usual
                                              : MAX (usual, MIN (usual * IDLE_FACTOR, IDLE_MAX_MS));
}

/* ---- json --------------------------------------------------------------------------------------------------- */

static void
take_next (JsonObject *list, Batch *batch)
{
  JsonNode *node = json_object_get_member (list, "next");
  const char *next = node != NULL && JSON_NODE_HOLDS_VALUE (node) &&
                             json_node_get_value_type (node) == G_TYPE_STRING
                         ? json_node_get_string (node)
                         : NULL;

  if (next != NULL && *next != '\0' && strlen (next) <= CURSOR_MAX)
    batch->cursor = g_strdup (next);
}

static void
take_list (WhPoll *poll, const WhReply *reply, Batch *batch)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonNode) root = NULL;
  JsonObject *list = NULL;
  JsonNode *answers = NULL;

  if (!reply->complete || !wh_answers_check (poll->hook, reply, &batch->problem)) {
    if (batch->problem == NULL)
      batch->problem = g_strdup_printf ("the list of answers is longer than %u bytes", WH_BODY_MAX);
    return;
  }
  root = sp_json_read (poll->hook->host, reply->body, reply->length, 0, &error);
  if (root != NULL && JSON_NODE_HOLDS_OBJECT (root))
    list = json_node_get_object (root);
  answers = list != NULL ? json_object_get_member (list, "answers") : NULL;
  if (answers == NULL || !JSON_NODE_HOLDS_ARRAY (answers)) {
    batch->problem = g_strdup_printf ("this is no list of answers: %s",
                                      error != NULL ? error->message : "no \"answers\" in it");
    return;
  }
  for (guint i = 0; i < json_array_get_length (json_node_get_array (answers)) && !batch->held; i++)
    batch->held =
        wh_answers_object (poll->hook, json_array_get_element (json_node_get_array (answers), i),
                           "signed list of answers") == SP_ANSWER_TRY_AGAIN;
  if (!batch->held)
    take_next (list, batch);
}

/* ---- ntfy ------------------------------------------------------------------------------------------------------ */

/* FALSE: it must come again. */
static gboolean
take_message (WhPoll *poll, const char *line, gsize length, const char *id)
{
  g_autoptr (JsonNode) root = sp_json_read (poll->hook->host, line, length, 0, NULL);
  JsonObject *message =
      root != NULL && JSON_NODE_HOLDS_OBJECT (root) ? json_node_get_object (root) : NULL;
  JsonNode *node = message != NULL ? json_object_get_member (message, "message") : NULL;
  g_autofree char *evidence = g_strdup_printf ("ntfy message %s", id);

  return node == NULL || !JSON_NODE_HOLDS_VALUE (node) ||
         json_node_get_value_type (node) != G_TYPE_STRING ||
         wh_answers_token (poll->hook, json_node_get_string (node), evidence) !=
             SP_ANSWER_TRY_AGAIN;
}

static void
take_messages (WhPoll *poll, const WhReply *reply, Batch *batch)
{
  WhLines lines = { reply->body, reply->body + reply->length };
  const char *line;
  gsize length;

  batch->more = !reply->complete;
  while (!batch->held && wh_lines_next (&lines, &line, &length)) {
    g_autofree char *id = wh_lines_id (line, length);

    if (id == NULL)
      continue;
    batch->held = !take_message (poll, line, length, id);
    if (batch->held)
      continue;
    g_free (batch->cursor);
    batch->cursor = g_steal_pointer (&id);
  }
  if (reply->complete || batch->held || batch->cursor != NULL)
    return;
  batch->cursor = wh_lines_id (lines.at, (gsize) (lines.end - lines.at));
  wh_hook_alarm (poll->hook, WH_ALARM_BROKEN,
                 "a message among the answers at ntfy was too long to be read and was left out");
}

/* ---- the loop ---------------------------------------------------------------------------------------------------- */

static void
fail (WhPoll *poll, const char *why, guint pause)
{
  g_autofree char *text = g_strdup_printf ("answers can't be fetched: %s", why);

  poll->failures++;
  /* A single hiccup is no news. */
  if (poll->failures > 1)
    wh_hook_health (poll->hook, WH_SIDE_POLL, text);
  poll_later (poll, wh_hook_backoff (poll->failures, pause));
}

/* FALSE: not remembered, so it did not move. */
static gboolean
move_cursor (WhPoll *poll, const char *cursor)
{
  g_autoptr (GError) error = NULL;

  if (cursor == NULL || g_strcmp0 (cursor, poll->cursor) == 0)
    return TRUE;
  if (!poll->hook->host->api->remember (poll->hook->host, poll->key, cursor, &error)) {
    g_message ("how far answers were fetched could not be remembered: %s", error->message);
    return FALSE;
  }
  g_free (poll->cursor);
  poll->cursor = g_strdup (cursor);
  return TRUE;
}

static void
on_batch (WhPoll *poll, const WhReply *reply)
{
  Batch batch = { 0 };

  if (poll->hook->template->json)
    take_list (poll, reply, &batch);
  else
    take_messages (poll, reply, &batch);
  if (batch.problem != NULL) {
    fail (poll, batch.problem, 0);
  } else {
    poll->failures = 0;
    wh_hook_health (poll->hook, WH_SIDE_POLL, NULL);
    if (!move_cursor (poll, batch.cursor) || batch.held)
      poll_later (poll, HELD_MS);
    else
      poll_later (poll, batch.more ? MORE_MS : interval (poll));
  }
  g_free (batch.problem);
  g_free (batch.cursor);
}

static void
on_reply (const WhReply *reply, gpointer data)
{
  WhPoll *poll = data;

  poll->call = NULL;
  if (poll->hook->stopping)
    return;
  if (reply->outcome == WH_OK)
    on_batch (poll, reply);
  else
    fail (poll, reply->what, reply->pause);
}

static GUri *
fetch_uri (WhPoll *poll)
{
  const char *base = poll->hook->answers_text;
  g_autofree char *escaped =
      poll->cursor != NULL ? g_uri_escape_string (poll->cursor, NULL, FALSE) : NULL;
  g_autofree char *text = NULL;

  if (!poll->hook->template->json)
    text = g_strdup_printf ("%s/json?poll=1&since=%s", base, escaped != NULL ? escaped : "all");
  else if (escaped != NULL)
    text = g_strdup_printf ("%s%cafter=%s", base, strchr (base, '?') != NULL ? '&' : '?', escaped);
  else
    text = g_strdup (base);
  return g_uri_parse (text, SOUP_HTTP_URI_FLAGS, NULL);
}

static gboolean
on_turn (gpointer data)
{
  WhPoll *poll = data;
  g_autoptr (GUri) uri = fetch_uri (poll);

  wh_timer_clear (&poll->timer);
  poll->call = wh_hook_send (poll->hook, uri, NULL, NULL, on_reply, poll);
  return G_SOURCE_REMOVE;
}

WhPoll *
wh_poll_new (WhHook *hook)
{
  WhPoll *poll = g_new0 (WhPoll, 1);
  g_autofree char *digest =
      g_compute_checksum_for_string (G_CHECKSUM_SHA256, hook->answers_text, -1);

  poll->hook = hook;
  poll->key = g_strconcat (CURSOR_PREFIX, digest, NULL);
  poll->cursor = hook->host->api->recall (hook->host, poll->key);
  poll_later (poll, 0);
  return poll;
}

/* Sooner, never later: many notices must not keep answers from being fetched. */
void
wh_poll_wake (WhPoll *poll)
{
  gint64 soon;

  if (poll == NULL || poll->timer == NULL || poll->failures > 0)
    return;
  soon = g_get_monotonic_time () + poll->hook->poll_interval * G_TIME_SPAN_MILLISECOND;
  if (g_source_get_ready_time (poll->timer) > soon)
    poll_later (poll, poll->hook->poll_interval);
}

void
wh_poll_free (WhPoll *poll)
{
  if (poll == NULL)
    return;
  wh_timer_clear (&poll->timer);
  g_free (poll->cursor);
  g_free (poll->key);
  g_free (poll);
}
