/* digest.c - the message of digest.h
 *
 * One message in each chat for each storm, which is edited and not sent anew, and has no buttons: nothing
 * is decided for many at once.  What must stay true: it is for people only, so nothing waits for it, and
 * whatever becomes of it changes no decision.
 */
#include "digest.h"

#include <string.h>

#include "chats.h"
#include "message.h"
#include "queue.h"
#include "text.h"
#include "try.h"
#include "update.h"

#define KEY_PREFIX "digest/"
#define SETTLING (1500 * G_TIME_SPAN_MILLISECOND) /* a burst is counted first, then told of */
#define EDIT_GAP (3 * G_TIME_SPAN_SECOND)
#define SEND_GAP (15 * G_TIME_SPAN_SECOND)
#define LINES 8u
#define LINE_CHARS 120u

typedef struct {
  TgDigest *digest;
  gint64 chat;
  gint64 message; /* 0: none */
  char *shown;    /* what it says; NULL: not known */
  char *coming;   /* what is on its way */
  gint64 since;   /* monotonic: when something began to wait; 0: nothing does */
  gint64 next;    /* monotonic: not touched before */
  TgTry *try;
} Line;

struct _TgDigest {
  TgBot *bot;
  GHashTable *lines; /* chat -> Line */
};

static void
line_free (gpointer data)
{
  Line *line = data;

  g_free (line->shown);
  g_free (line->coming);
  g_free (line);
}

static Line *
line_of (TgDigest *digest, gint64 chat)
{
  Line *line = g_hash_table_lookup (digest->lines, &chat);

  if (line == NULL) {
    line = g_new0 (Line, 1);
    line->digest = digest;
    line->chat = chat;
    g_hash_table_insert (digest->lines, g_memdup2 (&chat, sizeof chat), line);
  }
  return line;
}

static void
keep (Line *line)
{
  SpHost *host = line->digest->bot->host;
  g_autofree char *key = g_strdup_printf (KEY_PREFIX "%" G_GINT64_FORMAT, line->chat);
  g_autofree char *value =
      line->message != 0 ? g_strdup_printf ("%" G_GINT64_FORMAT, line->message) : NULL;
  g_autoptr (GError) error = NULL;

  if (!host->api->remember (host, key, value, &error))
    g_message ("the message with the count could not be remembered: %s", error->message);
}

/* ---- what it says --------------------------------------------------------------------------------- */

static char *
text_of_end (guint unseen)
{
  if (unseen == 0)
    return g_strdup ("No request waits any more: all were shown.");
  return g_strdup_printf ("No request waits any more. %u ended before they were shown: nobody had "
                          "decided in time, or the agent withdrew them.",
                          unseen);
}

static char *
text_of (GPtrArray *waiting, guint unseen)
{
  GString *out;

  if (waiting->len == 0)
    return text_of_end (unseen);
  out = g_string_new (NULL);
  g_string_append_printf (out,
                          "%u more request%s\n\nThey are shown one by one, as earlier ones are "
                          "decided or as time passes. Nothing is approved by waiting.\n",
                          waiting->len, waiting->len == 1 ? " waits" : "s wait");
  for (guint i = 0; i < waiting->len && i < LINES; i++) {
    const TgNotice *notice = waiting->pdata[i];
    g_autofree char *line = tg_content_summary (&notice->content->notice, LINE_CHARS);

    g_string_append_printf (out, "\n\xe2\x80\xa2 %s", line);
  }
  if (waiting->len > LINES)
    g_string_append_printf (out, "\nand %u more", waiting->len - LINES);
  return g_string_free (out, FALSE);
}

/* ---- sending and editing --------------------------------------------------------------------------------- */

static void
ended (Line *line)
{
  line->message = 0;
  line->since = 0;
  g_clear_pointer (&line->shown, g_free);
  keep (line);
}

static void
on_sent (const TgResult *result, gpointer data)
{
  Line *line = data;
  JsonObject *message = result->outcome == TG_OK && JSON_NODE_HOLDS_OBJECT (result->result)
                            ? json_node_get_object (result->result)
                            : NULL;

  line->try = NULL;
  line->message = tg_member_int (message, "message_id");
  if (line->message <= 0) {
    line->message = 0;
    line->next = g_get_monotonic_time () + SEND_GAP;
    return;
  }
  g_free (line->shown);
  line->shown = g_steal_pointer (&line->coming);
  keep (line);
}

static void
on_edited (const TgResult *result, gpointer data)
{
  Line *line = data;

  line->try = NULL;
  if (result->outcome == TG_OK || result->outcome == TG_SAME) {
    g_free (line->shown);
    line->shown = g_steal_pointer (&line->coming);
  } else if (result->outcome != TG_TRANSIENT && result->outcome != TG_UNREADABLE) {
    ended (line);
    line->next = g_get_monotonic_time () + SEND_GAP;
  }
}

static void
show (Line *line, char *text)
{
  TgBot *bot = line->digest->bot;
  JsonObject *body = tg_message_body (line->chat, text, FALSE);
  gboolean is_new = line->message == 0;

  g_free (line->coming);
  line->coming = text;
  line->next = g_get_monotonic_time () + EDIT_GAP;
  json_object_set_boolean_member (body, "protect_content", TRUE);
  if (is_new)
    tg_chats_address (bot, line->chat, body);
  else
    json_object_set_int_member (body, "message_id", line->message);
  line->try = tg_try_new (bot, is_new ? "sendMessage" : "editMessageText", body, line->chat, 1,
                          TG_TRY_PACED, is_new ? on_sent : on_edited, line);
}

static gboolean
is_due (Line *line, gint64 now)
{
  if (line->try != NULL || now < line->next)
    return FALSE;
  if (line->message != 0)
    return TRUE;
  return line->since != 0 && now - line->since >= SETTLING &&
         !tg_chats_is_lost (line->digest->bot, line->chat);
}

/* TRUE: there is something to come back for. */
static gboolean
update_line (Line *line)
{
  TgQueue *queue = line->digest->bot->queue;
  g_autoptr (GPtrArray) waiting = tg_queue_waiting (queue, line->chat);
  gint64 now = g_get_monotonic_time ();
  g_autofree char *text = NULL;

  if (waiting->len == 0)
    line->since = 0;
  else if (line->since == 0)
    line->since = now;
  if (!is_due (line, now))
    return line->try != NULL || line->message != 0;
  text = text_of (waiting, tg_queue_unseen (queue));
  if (g_strcmp0 (text, line->shown) != 0)
    show (line, g_steal_pointer (&text));
  else if (waiting->len == 0)
    ended (line);
  return line->try != NULL || line->message != 0;
}

gboolean
tg_digest_update (TgDigest *digest)
{
  TgBot *bot = digest->bot;
  gboolean more = FALSE;

  if (bot->health != TG_HEALTH_GOOD)
    return g_hash_table_size (digest->lines) > 0;
  for (guint i = 0; i < bot->chats->len; i++)
    more = update_line (line_of (digest, g_array_index (bot->chats, gint64, i))) || more;
  return more;
}

/* ---- life --------------------------------------------------------------------------------------------------- */

static gboolean
on_pair (const char *key, const char *value, gpointer data)
{
  gint64 chat = g_ascii_strtoll (key + strlen (KEY_PREFIX), NULL, 10);

  line_of (data, chat)->message = MAX (g_ascii_strtoll (value, NULL, 10), 0);
  return TRUE;
}

void
tg_digest_load (TgDigest *digest)
{
  digest->bot->host->api->recall_each (digest->bot->host, KEY_PREFIX, on_pair, digest);
}

TgDigest *
tg_digest_new (TgBot *bot)
{
  TgDigest *digest = g_new0 (TgDigest, 1);

  digest->bot = bot;
  digest->lines = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, line_free);
  return digest;
}

void
tg_digest_free (TgDigest *digest)
{
  if (digest == NULL)
    return;
  g_hash_table_unref (digest->lines);
  g_free (digest);
}
