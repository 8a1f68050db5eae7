/* keeper-marks.c - what a plugin is opened with, in a form that can be kept and compared
 *
 * What must stay true: no secret is in it, only a digest; nothing but names of keys gets out.
 */
#include <string.h>

#include "daemon/keeper-config.h"

#define PEOPLE "" /* no option is called so */
#define CRITICAL "critical"

static char *
digest_of (GVariant *secret)
{
  gsize length;
  gconstpointer data = g_variant_get_fixed_array (secret, &length, 1);

  return g_compute_checksum_for_data (G_CHECKSUM_SHA256, data, length);
}

static void
take_options (GHashTable *marks, GVariant *options)
{
  GVariantIter iter;
  const char *key, *value;

  g_variant_iter_init (&iter, options);
  while (g_variant_iter_next (&iter, "{&s&s}", &key, &value))
    g_hash_table_insert (marks, g_strdup (key), g_strdup (value));
}

static void
take_secrets (GHashTable *marks, GVariant *secrets)
{
  GVariantIter iter;
  const char *key;
  GVariant *secret;

  g_variant_iter_init (&iter, secrets);
  while (g_variant_iter_next (&iter, "{&s@ay}", &key, &secret)) {
    g_hash_table_insert (marks, g_strdup (key), digest_of (secret));
    g_variant_unref (secret);
  }
}

void
sp_keeper_marks_set_critical (GHashTable *marks, gboolean critical)
{
  g_hash_table_insert (marks, g_strdup (CRITICAL), g_strdup (critical ? "yes" : "no"));
}

GHashTable *
sp_keeper_marks_new (const SpPluginSetup *setup, gboolean critical)
{
  GHashTable *marks = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);

  take_options (marks, setup->options);
  take_secrets (marks, setup->secrets);
  g_hash_table_insert (marks, g_strdup ("plugin"),
                       g_strdup (setup->path ? setup->path : setup->failed));
  sp_keeper_marks_set_critical (marks, critical);
  g_hash_table_insert (marks, g_strdup (PEOPLE), g_variant_print (setup->people, FALSE));
  return marks;
}

/* ---- comparing ---------------------------------------------------------------------------------------- */

static int
by_text (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

static void
add_different (GPtrArray *keys, GHashTable *one, GHashTable *other)
{
  GHashTableIter iter;
  gpointer key, value;

  g_hash_table_iter_init (&iter, one);
  while (g_hash_table_iter_next (&iter, &key, &value))
    if (g_strcmp0 (g_hash_table_lookup (other, key), value) != 0 &&
        !g_ptr_array_find_with_equal_func (keys, key, g_str_equal, NULL))
      g_ptr_array_add (keys, key);
}

gboolean
sp_keeper_marks_differ (GHashTable *before, GHashTable *after, char **ret_keys)
{
  g_autoptr (GPtrArray) keys = g_ptr_array_new ();
  g_autoptr (GString) text = g_string_new (NULL);
  gboolean reopen = FALSE;

  add_different (keys, before, after);
  add_different (keys, after, before);
  g_ptr_array_sort (keys, by_text);
  for (guint i = 0; i < keys->len; i++) {
    const char *key = g_ptr_array_index (keys, i);

    reopen = reopen || !g_str_equal (key, CRITICAL);
    if (!g_str_equal (key, PEOPLE))
      g_string_append_printf (text, "%s%s", text->len > 0 ? ", " : "", key);
  }
  *ret_keys = text->len > 0 ? g_strdup (text->str) : NULL;
  return reopen;
}
