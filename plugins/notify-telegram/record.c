/* record.c - the form described in record.h
 *
 * Our own text, but kept by others for a while: it is read strictly, and what does not fit is refused as a
 * whole rather than used in part.
 */
#include "record.h"

#include <string.h>

#define VERSION "1"
#define MAX_MESSAGES 16
#define MAX_LENGTH 8192u /* of what the core remembers under one key */

typedef struct {
  SpHost *host;
  TgNotice *notice;
  TgPlace *place;
  TgRecordButton button;
  gpointer data;
} Reader;

static void
write_place (GString *out, const TgPlace *place)
{
  g_string_append_printf (out, "at %" G_GINT64_FORMAT " %u %s %s ", place->chat, place->unsure,
                          place->text_digest, place->keys_digest);
  for (guint i = 0; i < place->messages->len; i++)
    g_string_append_printf (out, "%s%" G_GINT64_FORMAT, i > 0 ? "," : "",
                            g_array_index (place->messages, gint64, i));
  g_string_append (out, place->messages->len > 0 ? "\n" : "-\n");
  for (guint i = 0; i < place->buttons->len; i++) {
    TgButton *button = place->buttons->pdata[i];
    g_autofree char *choice = g_uri_escape_string (button->choice, NULL, FALSE);

    g_string_append_printf (out, "button %s %s\n", button->token, choice);
  }
  if (place->reminder != 0)
    g_string_append_printf (out, "reminder %" G_GINT64_FORMAT "\n", place->reminder);
}

static GString *
write_all (const TgNotice *notice)
{
  GString *out = g_string_new (VERSION);

  g_string_append_printf (out, " %" G_GINT64_FORMAT "\n", notice->expires_at);
  if (notice->remind_at != 0)
    g_string_append_printf (out, "remind %" G_GINT64_FORMAT "\n", notice->remind_at);
  if (notice->waiting != 0)
    g_string_append_printf (out, "waiting %" G_GINT64_FORMAT "\n", notice->waiting);
  for (guint i = 0; i < notice->places->len; i++)
    write_place (out, notice->places->pdata[i]);
  return out;
}

/* The line for what @notice says, if there is room beside @rest. */
static char *
write_content (const TgNotice *notice, const GString *rest)
{
  static const char frame[] = "content \n";
  g_autofree char *word = NULL;

  if (notice->content != NULL && rest->len + sizeof frame < MAX_LENGTH)
    word = tg_content_write (notice->content, MAX_LENGTH - rest->len - sizeof frame);
  return word != NULL ? g_strdup_printf ("content %s\n", word) : NULL;
}

char *
tg_record_write (const TgNotice *notice)
{
  GString *out = write_all (notice);
  g_autofree char *content = write_content (notice, out);

  if (content != NULL)
    g_string_append (out, content);
  return g_string_free (out, FALSE);
}

gboolean
tg_record_holds_content (const TgNotice *notice)
{
  g_autofree char *record = tg_record_write (notice);

  return strstr (record, "\ncontent ") != NULL;
}

static gboolean
read_int (const char *text, gint64 min, gint64 *ret_value)
{
  return g_ascii_string_to_signed (text, 10, min, G_MAXINT64, ret_value, NULL);
}

static gboolean
read_head (Reader *reader, char **words)
{
  return read_int (words[1], 0, &reader->notice->expires_at);
}

static gboolean
read_messages (TgPlace *place, const char *text)
{
  g_auto (GStrv) ids = g_strsplit (text, ",", MAX_MESSAGES + 1);

  if (strcmp (text, "-") == 0)
    return TRUE;
  for (char **at = ids; *at != NULL; at++) {
    gint64 id;

    if (!read_int (*at, 1, &id) || place->messages->len == MAX_MESSAGES)
      return FALSE;
    g_array_append_val (place->messages, id);
  }
  return TRUE;
}

static gboolean
read_place (Reader *reader, char **words)
{
  gint64 chat, unsure;

  if (!read_int (words[1], G_MININT64, &chat) || !read_int (words[2], 0, &unsure) || unsure > 1000)
    return FALSE;
  reader->place = tg_notice_place (reader->notice, chat);
  reader->place->unsure = (guint) unsure;
  g_free (reader->place->text_digest);
  reader->place->text_digest = g_strdup (words[3]);
  g_free (reader->place->keys_digest);
  reader->place->keys_digest = g_strdup (words[4]);
  return read_messages (reader->place, words[5]);
}

static gboolean
read_button (Reader *reader, char **words)
{
  g_autofree char *choice = g_uri_unescape_string (words[2], NULL);

  if (reader->place == NULL || choice == NULL)
    return FALSE;
  reader->button (reader->place, words[1], choice, reader->data);
  return TRUE;
}

static gboolean
read_remind (Reader *reader, char **words)
{
  return read_int (words[1], TG_REMINDED, &reader->notice->remind_at);
}

static gboolean
read_waiting (Reader *reader, char **words)
{
  return read_int (words[1], 1, &reader->notice->waiting);
}

static gboolean
read_content (Reader *reader, char **words)
{
  TgNotice *notice = reader->notice;

  tg_content_free (notice->content);
  notice->content = tg_content_read (reader->host, words[1], notice->id);
  return notice->content != NULL;
}

static gboolean
read_reminder (Reader *reader, char **words)
{
  return reader->place != NULL && read_int (words[1], 1, &reader->place->reminder);
}

static const struct {
  const char *word;
  guint n_words;
  gboolean (*read) (Reader *reader, char **words);
} rows[] = {
  { VERSION, 2, read_head },        { "at", 6, read_place },        { "button", 3, read_button },
  { "remind", 2, read_remind },     { "waiting", 2, read_waiting }, { "content", 2, read_content },
  { "reminder", 2, read_reminder },
};

static gboolean
read_line (Reader *reader, const char *line)
{
  g_auto (GStrv) words = g_strsplit (line, " ", -1);

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    if (g_strcmp0 (words[0], rows[i].word) == 0)
      return g_strv_length (words) == rows[i].n_words && rows[i].read (reader, words);
  return FALSE;
}

gboolean
tg_record_read (SpHost *host, const char *record, TgNotice *notice, TgRecordButton button,
                gpointer data)
{
  g_auto (GStrv) lines = g_strsplit (record, "\n", -1);
  Reader reader = { .host = host, .notice = notice, .button = button, .data = data };

  if (!g_str_has_prefix (record, VERSION " "))
    return FALSE;
  for (char **at = lines; *at != NULL; at++)
    if (**at != '\0' && !read_line (&reader, *at))
      return FALSE;
  return TRUE;
}
