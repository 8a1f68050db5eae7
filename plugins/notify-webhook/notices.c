/* notices.c - the memory of notices.h
 *
 * Its form: the end of the notice in seconds, then a line for each place, "+TARGET" where it has arrived and
 * "?TARGET" where it may have.  A line that makes no sense is left out.
 */
#include "notices.h"

#include <string.h>

#define PREFIX "notice/"
#define OLD_S (7 * 24 * 3600)

struct _WhNotices {
  SpHost *host;
  GHashTable *all; /* id -> WhNotice */
};

static void
place_free (gpointer data)
{
  WhPlace *place = data;

  g_free (place->target);
  g_free (place);
}

static void
notice_free (gpointer data)
{
  WhNotice *notice = data;

  g_free (notice->id);
  g_ptr_array_unref (notice->places);
  g_hash_table_unref (notice->given);
  g_free (notice);
}

WhNotices *
wh_notices_new (SpHost *host)
{
  WhNotices *notices = g_new0 (WhNotices, 1);

  notices->host = host;
  notices->all = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, notice_free);
  return notices;
}

void
wh_notices_free (WhNotices *notices)
{
  if (notices == NULL)
    return;
  g_hash_table_unref (notices->all);
  g_free (notices);
}

gboolean
wh_notices_any (WhNotices *notices)
{
  return g_hash_table_size (notices->all) > 0;
}

WhNotice *
wh_notices_find (WhNotices *notices, const char *id)
{
  return g_hash_table_lookup (notices->all, id);
}

WhNotice *
wh_notices_add (WhNotices *notices, const char *id, gint64 expires_at)
{
  WhNotice *notice = g_new0 (WhNotice, 1);

  notice->id = g_strdup (id);
  notice->expires_at = expires_at;
  notice->places = g_ptr_array_new_with_free_func (place_free);
  notice->given = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_hash_table_replace (notices->all, notice->id, notice);
  return notice;
}

WhPlace *
wh_notice_place (WhNotice *notice, const char *target)
{
  WhPlace *place;

  for (guint i = 0; i < notice->places->len; i++) {
    place = g_ptr_array_index (notice->places, i);
    if (g_str_equal (place->target, target))
      return place;
  }
  place = g_new0 (WhPlace, 1);
  place->target = g_strdup (target);
  g_ptr_array_add (notice->places, place);
  return place;
}

/* ---- what is remembered ------------------------------------------------------------------------------- */

gboolean
wh_notices_keep (WhNotices *notices, WhNotice *notice, GError **error)
{
  g_autofree char *key = g_strconcat (PREFIX, notice->id, NULL);
  g_autoptr (GString) value = g_string_new (NULL);

  g_string_printf (value, "%" G_GINT64_FORMAT, notice->expires_at);
  for (guint i = 0; i < notice->places->len; i++) {
    const WhPlace *place = g_ptr_array_index (notice->places, i);

    g_string_append_printf (value, "\n%c%s", place->arrived ? '+' : '?', place->target);
  }
  return notices->host->api->remember (notices->host, key, value->str, error);
}

gboolean
wh_notices_forget (WhNotices *notices, WhNotice *notice, GError **error)
{
  g_autofree char *key = g_strconcat (PREFIX, notice->id, NULL);

  if (!notices->host->api->remember (notices->host, key, NULL, error))
    return FALSE;
  g_hash_table_remove (notices->all, notice->id);
  return TRUE;
}

static gboolean
load_one (const char *key, const char *value, gpointer data)
{
  WhNotices *notices = data;
  g_auto (GStrv) lines = g_strsplit (value, "\n", -1);
  WhNotice *notice = wh_notices_add (notices, key + strlen (PREFIX),
                                     g_ascii_strtoll (lines[0] != NULL ? lines[0] : "", NULL, 10));

  for (guint i = 1; lines[0] != NULL && lines[i] != NULL; i++)
    if (*lines[i] == '+' || *lines[i] == '?')
      wh_notice_place (notice, lines[i] + 1)->arrived = *lines[i] == '+';
  return TRUE;
}

void
wh_notices_load (WhNotices *notices)
{
  gint64 old = g_get_real_time () / G_USEC_PER_SEC - OLD_S;
  g_autoptr (GList) all = NULL;

  notices->host->api->recall_each (notices->host, PREFIX, load_one, notices);
  all = g_hash_table_get_values (notices->all);
  for (GList *at = all; at != NULL; at = at->next) {
    WhNotice *notice = at->data;
    g_autoptr (GError) error = NULL;

    if (notice->expires_at != 0 && notice->expires_at < old &&
        !wh_notices_forget (notices, notice, &error))
      g_message ("an old notice could not be forgotten: %s", error->message);
  }
}
