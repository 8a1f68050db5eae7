/* notices.c - the state behind notices.h
 *
 * What must stay true: a token belongs to one button of one place and is never made twice; a token is
 * durable before a message with it leaves; a notice that is forgotten is forgotten everywhere but in
 * a short list of old tokens, which only serves to tell a person that the matter is decided.
 */
#include "notices.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "record.h"

#define KEY_PREFIX "notice/"
#define TOKEN_BYTES 16
#define MAX_OLD 512
#define STALE_SECONDS (7 * 24 * 3600)

struct _TgNotices {
  SpHost *host;
  GHashTable *by_id;    /* id -> TgNotice, owned */
  GHashTable *by_token; /* token -> TgButton, of the notice */
  GHashTable *old;      /* token, owned -> chat */
  GQueue old_order;     /* the same tokens, oldest first */
};

/* ---- buttons, places, notices ------------------------------------------------------------------------- */

static void
button_free (gpointer data)
{
  TgButton *button = data;

  g_free (button->token);
  g_free (button->choice);
  g_free (button);
}

static void
place_free (gpointer data)
{
  TgPlace *place = data;

  if (place->delivery != NULL)
    place->delivery_free (place->delivery);
  g_array_unref (place->messages);
  g_ptr_array_unref (place->buttons);
  g_free (place->text_digest);
  g_free (place->keys_digest);
  g_free (place);
}

static void
notice_free (gpointer data)
{
  TgNotice *notice = data;

  g_ptr_array_unref (notice->places);
  tg_content_free (notice->content);
  g_free (notice->id);
  g_free (notice);
}

static TgNotice *
notice_new (const char *id, gint64 expires_at)
{
  TgNotice *notice = g_new0 (TgNotice, 1);

  notice->id = g_strdup (id);
  notice->expires_at = expires_at;
  notice->places = g_ptr_array_new_with_free_func (place_free);
  return notice;
}

TgPlace *
tg_notice_place (TgNotice *notice, gint64 chat)
{
  TgPlace *place;

  for (guint i = 0; i < notice->places->len; i++) {
    place = notice->places->pdata[i];
    if (place->chat == chat)
      return place;
  }
  place = g_new0 (TgPlace, 1);
  place->notice = notice;
  place->chat = chat;
  place->messages = g_array_new (FALSE, FALSE, sizeof (gint64));
  place->buttons = g_ptr_array_new_with_free_func (button_free);
  place->text_digest = g_strdup ("-");
  place->keys_digest = g_strdup ("-");
  g_ptr_array_add (notice->places, place);
  return place;
}

void
tg_notice_set_content (TgNotice *notice, const SpNotice *said)
{
  if (notice->content == NULL)
    notice->content = tg_content_new (said);
}

gboolean
tg_notice_is_shown (TgNotice *notice)
{
  for (guint i = 0; i < notice->places->len; i++)
    if (((TgPlace *) notice->places->pdata[i])->messages->len > 0)
      return TRUE;
  return FALSE;
}

gboolean
tg_place_has_message (TgPlace *place, gint64 message)
{
  for (guint i = 0; i < place->messages->len; i++)
    if (g_array_index (place->messages, gint64, i) == message)
      return TRUE;
  return FALSE;
}

void
tg_place_add_message (TgPlace *place, gint64 message)
{
  if (tg_place_has_message (place, message))
    return;
  g_array_append_val (place->messages, message);
  if (place->unsure > 0)
    place->unsure--;
}

/* ---- tokens ------------------------------------------------------------------------------------------------ */

char *
tg_token_new (void)
{
  guint8 bytes[TOKEN_BYTES];
  char *token;

  /* Up to 256 bytes come whole or not at all; only an interrupted call is repeated. */
  while (getrandom (bytes, sizeof bytes, 0) != sizeof bytes)
    if (errno != EINTR)
      g_error ("no random numbers: %s", g_strerror (errno));
  token = g_base64_encode (bytes, sizeof bytes);
  g_strdelimit (token, "+", '-');
  g_strdelimit (token, "/", '_');
  token[strcspn (token, "=")] = '\0';
  return token;
}

static TgButton *
add_button (TgNotices *notices, TgPlace *place, char *token, const char *choice)
{
  TgButton *button = g_new0 (TgButton, 1);

  button->place = place;
  button->token = token;
  button->choice = g_strdup (choice);
  g_ptr_array_add (place->buttons, button);
  g_hash_table_insert (notices->by_token, button->token, button);
  return button;
}

TgButton *
tg_notices_button (TgNotices *notices, TgPlace *place, const char *choice)
{
  for (guint i = 0; i < place->buttons->len; i++) {
    TgButton *button = place->buttons->pdata[i];

    if (strcmp (button->choice, choice) == 0)
      return button;
  }
  return add_button (notices, place, tg_token_new (), choice);
}

TgButton *
tg_notices_look_up (TgNotices *notices, const char *token)
{
  return g_hash_table_lookup (notices->by_token, token);
}

gboolean
tg_notices_is_old (TgNotices *notices, const char *token, gint64 chat)
{
  gint64 *found = g_hash_table_lookup (notices->old, token);

  return found != NULL && *found == chat;
}

static void
make_old (TgNotices *notices, TgPlace *place)
{
  for (guint i = 0; i < place->buttons->len; i++) {
    TgButton *button = place->buttons->pdata[i];
    char *token = g_strdup (button->token);

    g_hash_table_remove (notices->by_token, button->token);
    g_hash_table_insert (notices->old, token, g_memdup2 (&place->chat, sizeof place->chat));
    g_queue_push_tail (&notices->old_order, token);
  }
  while (notices->old_order.length > MAX_OLD)
    g_hash_table_remove (notices->old, g_queue_pop_head (&notices->old_order));
}

void
tg_notices_drop_place (TgNotices *notices, TgNotice *notice, gint64 chat)
{
  TgPlace *place = tg_notice_place (notice, chat);

  for (guint i = 0; i < place->buttons->len; i++)
    g_hash_table_remove (notices->by_token, ((TgButton *) place->buttons->pdata[i])->token);
  g_ptr_array_remove (notice->places, place);
}

/* ---- all of them --------------------------------------------------------------------------------------------- */

TgNotices *
tg_notices_new (SpHost *host)
{
  TgNotices *notices = g_new0 (TgNotices, 1);

  notices->host = host;
  notices->by_id = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, notice_free);
  notices->by_token = g_hash_table_new (g_str_hash, g_str_equal);
  notices->old = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_queue_init (&notices->old_order);
  return notices;
}

void
tg_notices_free (TgNotices *notices)
{
  if (notices == NULL)
    return;
  g_queue_clear (&notices->old_order);
  g_hash_table_unref (notices->old);
  g_hash_table_unref (notices->by_token);
  g_hash_table_unref (notices->by_id);
  g_free (notices);
}

void
tg_notices_each (TgNotices *notices, TgNoticeFunc func, gpointer data)
{
  GHashTableIter iter;
  gpointer notice;

  g_hash_table_iter_init (&iter, notices->by_id);
  while (g_hash_table_iter_next (&iter, NULL, &notice))
    func (notice, data);
}

TgNotice *
tg_notices_find (TgNotices *notices, const char *id)
{
  return g_hash_table_lookup (notices->by_id, id);
}

TgNotice *
tg_notices_add (TgNotices *notices, const char *id, gint64 expires_at)
{
  TgNotice *notice = notice_new (id, expires_at);

  g_hash_table_replace (notices->by_id, notice->id, notice);
  return notice;
}

gboolean
tg_notices_keep (TgNotices *notices, TgNotice *notice, GError **error)
{
  g_autofree char *key = g_strconcat (KEY_PREFIX, notice->id, NULL);
  g_autofree char *value = tg_record_write (notice);

  return notices->host->api->remember (notices->host, key, value, error);
}

gboolean
tg_notices_forget (TgNotices *notices, TgNotice *notice, GError **error)
{
  g_autofree char *key = g_strconcat (KEY_PREFIX, notice->id, NULL);

  if (!notices->host->api->remember (notices->host, key, NULL, error))
    return FALSE;
  for (guint i = 0; i < notice->places->len; i++)
    make_old (notices, notice->places->pdata[i]);
  g_hash_table_remove (notices->by_id, notice->id);
  return TRUE;
}

/* ---- reading back ----------------------------------------------------------------------------------------------- */

static void
on_button (TgPlace *place, const char *token, const char *choice, gpointer data)
{
  add_button (data, place, g_strdup (token), choice);
}

static gboolean
on_pair (const char *key, const char *value, gpointer data)
{
  GHashTable *pairs = data;

  g_hash_table_insert (pairs, g_strdup (key + strlen (KEY_PREFIX)), g_strdup (value));
  return TRUE;
}

static gboolean
is_stale (const TgNotice *notice)
{
  gint64 now = g_get_real_time () / G_USEC_PER_SEC;

  return notice->expires_at != 0 && notice->expires_at + STALE_SECONDS < now;
}

static void
load_one (TgNotices *notices, const char *id, const char *record)
{
  TgNotice *notice = tg_notices_add (notices, id, 0);
  gboolean fits = tg_record_read (notices->host, record, notice, on_button, notices);
  g_autoptr (GError) error = NULL;

  if (fits && !is_stale (notice))
    return;
  if (!fits)
    notices->host->api->alarm (notices->host,
                               "what was remembered of a notice is damaged; its buttons "
                               "no longer work");
  if (!tg_notices_forget (notices, notice, &error))
    g_message ("cannot forget an old notice: %s", error->message);
}

void
tg_notices_load (TgNotices *notices)
{
  g_autoptr (GHashTable) pairs = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  GHashTableIter iter;
  gpointer id, record;

  notices->host->api->recall_each (notices->host, KEY_PREFIX, on_pair, pairs);
  g_hash_table_iter_init (&iter, pairs);
  while (g_hash_table_iter_next (&iter, &id, &record))
    load_one (notices, id, record);
}
