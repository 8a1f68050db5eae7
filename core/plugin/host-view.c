/* host-view.c - host-view.h */
#include "plugin/host-view.h"

#include <string.h>

#include "base/option.h"
#include "plugin/protocol.h"

static SpHostView *
view_of (SpHost *host)
{
  return (SpHostView *) host;
}

void
sp_host_view_init (SpHostView *view, const SpHostApi *api)
{
  view->host.api = api;
  view->recalled = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_mutex_init (&view->lock);
}

void
sp_host_view_clear (SpHostView *view)
{
  g_clear_pointer (&view->values, g_hash_table_unref);
  g_hash_table_unref (view->recalled);
  g_strfreev (view->people);
  g_free (view->instance);
  g_free (view->state_dir);
  g_mutex_clear (&view->lock);
}

/* ---- options ---------------------------------------------------------------------------------------- */

static const SpOptionValue *
value_of (SpHost *host, const char *key)
{
  return g_hash_table_lookup (view_of (host)->values, key);
}

const char *
sp_host_view_string (SpHost *host, const char *key)
{
  const SpOptionValue *value = value_of (host, key);

  return value != NULL ? value->text : NULL;
}

gint64
sp_host_view_int (SpHost *host, const char *key)
{
  const SpOptionValue *value = value_of (host, key);

  return value != NULL ? value->number : 0;
}

const char *const *
sp_host_view_list (SpHost *host, const char *key)
{
  static const char *const none[] = { NULL };
  const SpOptionValue *value = value_of (host, key);

  return value != NULL ? (const char *const *) value->list : none;
}

const char *
sp_host_view_instance (SpHost *host)
{
  return view_of (host)->instance;
}

const char *
sp_host_view_state_dir (SpHost *host)
{
  return view_of (host)->state_dir;
}

const char *const *
sp_host_view_people (SpHost *host)
{
  return (const char *const *) view_of (host)->people;
}

/* ---- durable state ---------------------------------------------------------------------------------- */

char *
sp_host_view_recall (SpHost *host, const char *key)
{
  SpHostView *view = view_of (host);
  char *value;

  g_mutex_lock (&view->lock);
  value = g_strdup (g_hash_table_lookup (view->recalled, key));
  g_mutex_unlock (&view->lock);
  return value;
}

static int
compare_keys (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

/* Key and value in turn, sorted by key. */
static GPtrArray *
copy_recalled (SpHostView *view, const char *prefix)
{
  g_autoptr (GPtrArray) keys = g_ptr_array_new ();
  GPtrArray *pairs = g_ptr_array_new_with_free_func (g_free);
  GHashTableIter iter;
  gpointer key;

  g_mutex_lock (&view->lock);
  g_hash_table_iter_init (&iter, view->recalled);
  while (g_hash_table_iter_next (&iter, &key, NULL))
    if (prefix == NULL || g_str_has_prefix (key, prefix))
      g_ptr_array_add (keys, key);
  g_ptr_array_sort (keys, compare_keys);
  for (guint i = 0; i < keys->len; i++) {
    key = g_ptr_array_index (keys, i);
    g_ptr_array_add (pairs, g_strdup (key));
    g_ptr_array_add (pairs, g_strdup (g_hash_table_lookup (view->recalled, key)));
  }
  g_mutex_unlock (&view->lock);
  return pairs;
}

void
sp_host_view_recall_each (SpHost *host, const char *prefix, SpRecallFunc each, gpointer data)
{
  /* A copy: @each may call remember(). */
  g_autoptr (GPtrArray) pairs = copy_recalled (view_of (host), prefix);

  for (guint i = 0; i < pairs->len; i += 2)
    if (!each (g_ptr_array_index (pairs, i), g_ptr_array_index (pairs, i + 1), data))
      return;
}

const char *
sp_host_view_fault (SpHostView *view, const char *key, const char *value)
{
  gboolean full;

  if (key == NULL || *key == '\0' || strlen (key) > SP_REMEMBER_MAX_KEY ||
      !g_utf8_validate (key, -1, NULL))
    return "the key is not 1 to 128 bytes of UTF-8";
  if (value == NULL)
    return NULL;
  if (strlen (value) > SP_REMEMBER_MAX_VALUE || !g_utf8_validate (value, -1, NULL))
    return "the value is not UTF-8 of at most 8 KiB";
  g_mutex_lock (&view->lock);
  full = g_hash_table_size (view->recalled) >= SP_REMEMBER_MAX_KEYS &&
         !g_hash_table_contains (view->recalled, key);
  g_mutex_unlock (&view->lock);
  return full ? "there are 4096 keys already" : NULL;
}

void
sp_host_view_keep (SpHostView *view, const char *key, const char *value)
{
  g_mutex_lock (&view->lock);
  if (value != NULL)
    g_hash_table_replace (view->recalled, g_strdup (key), g_strdup (value));
  else
    g_hash_table_remove (view->recalled, key);
  g_mutex_unlock (&view->lock);
}
