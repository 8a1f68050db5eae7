/* update.c - the checks behind update.h
 *
 * What must stay true: a tap counts only if nothing here speaks against it; `from` is what Telegram
 * vouches for, while the data and the message are the client's choice, so they are only carried over
 * and compared with our own records elsewhere.
 */
#include "update.h"

#include <string.h>

#define MAX_ID (G_GINT64_CONSTANT (1) << 52)
#define DIGEST_LENGTH 32 /* hexadecimal digits: 128 bits */
#define UPDATE_DEPTH 3   /* {"result":[{"update_id": */

/* GroupAnonymousBot, Channel_Bot, Telegram's service account. */
static const gint64 stand_ins[] = { 1087968824, 136817688, 777000 };

void
tg_tap_free (TgTap *tap)
{
  if (tap == NULL)
    return;
  g_free (tap->query_id);
  g_free (tap->data);
  g_free (tap->text_digest);
  g_free (tap->keys_digest);
  g_free (tap);
}

static JsonNode *
member (JsonObject *object, const char *name, JsonNodeType type)
{
  JsonNode *node = object != NULL ? json_object_get_member (object, name) : NULL;

  return node != NULL && json_node_get_node_type (node) == type ? node : NULL;
}

JsonObject *
tg_member_object (JsonObject *object, const char *name)
{
  JsonNode *node = member (object, name, JSON_NODE_OBJECT);

  return node != NULL ? json_node_get_object (node) : NULL;
}

JsonArray *
tg_member_array (JsonObject *object, const char *name)
{
  JsonNode *node = member (object, name, JSON_NODE_ARRAY);

  return node != NULL ? json_node_get_array (node) : NULL;
}

static JsonNode *
member_value (JsonObject *object, const char *name, GType type)
{
  JsonNode *node = member (object, name, JSON_NODE_VALUE);

  return node != NULL && json_node_get_value_type (node) == type ? node : NULL;
}

const char *
tg_member_string (JsonObject *object, const char *name)
{
  JsonNode *node = member_value (object, name, G_TYPE_STRING);

  return node != NULL ? json_node_get_string (node) : NULL;
}

gint64
tg_member_int (JsonObject *object, const char *name)
{
  JsonNode *node = member_value (object, name, G_TYPE_INT64);

  return node != NULL ? json_node_get_int (node) : 0;
}

gboolean
tg_member_bool (JsonObject *object, const char *name, gboolean fallback)
{
  JsonNode *node = member_value (object, name, G_TYPE_BOOLEAN);

  return node != NULL ? json_node_get_boolean (node) : fallback;
}

gboolean
tg_is_person (gint64 user)
{
  for (gsize i = 0; i < G_N_ELEMENTS (stand_ins); i++)
    if (user == stand_ins[i])
      return FALSE;
  return user > 0 && user < MAX_ID;
}

gboolean
tg_update_id (JsonNode *update, gint64 *ret_id)
{
  gint64 id = JSON_NODE_HOLDS_OBJECT (update)
                  ? tg_member_int (json_node_get_object (update), "update_id")
                  : 0;

  if (id <= 0 || id >= MAX_ID)
    return FALSE;
  *ret_id = id;
  return TRUE;
}

/* ---- digests -------------------------------------------------------------------------------------- */

static void
digest_add (GChecksum *sum, const char *text)
{
  for (const char *at = text; *at != '\0'; at = g_utf8_next_char (at))
    if (!g_unichar_isspace (g_utf8_get_char (at)))
      g_checksum_update (sum, (const guchar *) at, g_utf8_next_char (at) - at);
}

static char *
digest_end (GChecksum *sum)
{
  return g_strndup (g_checksum_get_string (sum), DIGEST_LENGTH);
}

char *
tg_digest_text (const char *text)
{
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA256);

  digest_add (sum, text);
  return digest_end (sum);
}

static void
digest_button (GChecksum *sum, JsonNode *node)
{
  JsonObject *button = JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
  const char *text = tg_member_string (button, "text");
  const char *data = tg_member_string (button, "callback_data");

  digest_add (sum, text != NULL ? text : "");
  g_checksum_update (sum, (const guchar *) "\n", 1);
  digest_add (sum, data != NULL ? data : "");
  g_checksum_update (sum, (const guchar *) "\n", 1);
}

char *
tg_digest_keys (JsonObject *reply_markup)
{
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA256);
  JsonArray *rows = tg_member_array (reply_markup, "inline_keyboard");

  for (guint i = 0; rows != NULL && i < json_array_get_length (rows); i++) {
    JsonNode *row = json_array_get_element (rows, i);
    JsonArray *buttons = JSON_NODE_HOLDS_ARRAY (row) ? json_node_get_array (row) : NULL;

    for (guint j = 0; buttons != NULL && j < json_array_get_length (buttons); j++)
      digest_button (sum, json_array_get_element (buttons, j));
  }
  return digest_end (sum);
}

/* ---- taps ----------------------------------------------------------------------------------------- */

static const char *
check_sender (JsonObject *from)
{
  if (from == NULL)
    return "nobody is named as its sender";
  if (tg_member_bool (from, "is_bot", TRUE))
    return "its sender is a bot";
  if (!tg_is_person (tg_member_int (from, "id")))
    return "its sender is not a person";
  return NULL;
}

static const char *
check_tap (JsonObject *query, const TgTap *tap)
{
  const char *sender = check_sender (tg_member_object (query, "from"));

  if (sender != NULL)
    return sender;
  if (json_object_has_member (query, "inline_message_id"))
    return "it comes from an inline message";
  if (tap->data == NULL)
    return "it carries no data";
  if (tap->chat == 0 || tap->message <= 0)
    return "it belongs to no message";
  if (tap->private_chat && tap->chat != tap->user)
    return "it comes from another person's private chat";
  return NULL;
}

static void
read_message (TgTap *tap, JsonObject *message)
{
  JsonObject *chat = tg_member_object (message, "chat");
  JsonObject *markup = tg_member_object (message, "reply_markup");
  const char *text = tg_member_string (message, "text");

  tap->chat = tg_member_int (chat, "id");
  tap->private_chat = g_strcmp0 (tg_member_string (chat, "type"), "private") == 0 || tap->chat > 0;
  tap->message = tg_member_int (message, "message_id");
  /* An InaccessibleMessage has the date 0 and nothing to compare. */
  tap->accessible = tg_member_int (message, "date") != 0;
  tap->edited = json_object_has_member (message, "edit_date");
  tap->text_digest = text != NULL ? tg_digest_text (text) : NULL;
  tap->keys_digest = markup != NULL ? tg_digest_keys (markup) : NULL;
}

TgTap *
tg_update_tap (JsonNode *update)
{
  JsonObject *object = JSON_NODE_HOLDS_OBJECT (update) ? json_node_get_object (update) : NULL;
  JsonObject *query = tg_member_object (object, "callback_query");
  JsonObject *message = tg_member_object (query, "message");
  const char *id = tg_member_string (query, "id");
  g_autoptr (TgTap) tap = NULL;

  if (id == NULL || *id == '\0' || strlen (id) > 64)
    return NULL;
  tap = g_new0 (TgTap, 1);
  tap->update_id = tg_member_int (object, "update_id");
  tap->query_id = g_strdup (id);
  tap->user = tg_member_int (tg_member_object (query, "from"), "id");
  tap->data = g_strdup (tg_member_string (query, "data"));
  if (message != NULL)
    read_message (tap, message);
  tap->refusal = check_tap (query, tap);
  return g_steal_pointer (&tap);
}

/* ---- an answer that can't be read ------------------------------------------------------------------- */

/* The end of the string that starts at @at, past its quote. */
static const char *
skip_string (const char *at, const char *end)
{
  for (at++; at < end && *at != '"'; at++)
    if (*at == '\\' && at + 1 < end)
      at++;
  return at < end ? at + 1 : end;
}

static const char *
skip_space (const char *at, const char *end)
{
  while (at < end && g_ascii_isspace (*at))
    at++;
  return at;
}

/* A number of at most 16 digits that something follows, so that a cut one does not pass. */
static gboolean
scan_number (const char *at, const char *end, gint64 *ret_id)
{
  gint64 id = 0;
  guint digits = 0;

  for (; at < end && g_ascii_isdigit (*at) && digits <= 16; at++, digits++)
    id = id * 10 + g_ascii_digit_value (*at);
  if (digits == 0 || at >= end || strchr (",} \t\r\n", *at) == NULL || id <= 0 || id >= MAX_ID)
    return FALSE;
  *ret_id = id;
  return TRUE;
}

gboolean
tg_scan_update_id (const char *bytes, gsize length, gint64 *ret_id)
{
  static const char key[] = "\"update_id\"";
  const char *end = bytes + length;
  gsize depth = 0;

  for (const char *at = bytes; at < end;) {
    const char *past = *at == '"' ? skip_string (at, end) : at + 1;

    depth += *at == '{' || *at == '[';
    depth -= depth > 0 && (*at == '}' || *at == ']');
    if (depth == UPDATE_DEPTH && past - at == (gssize) strlen (key) &&
        memcmp (at, key, strlen (key)) == 0) {
      past = skip_space (past, end);
      if (past < end && *past == ':')
        return scan_number (skip_space (past + 1, end), end, ret_id);
    }
    at = past;
  }
  return FALSE;
}
