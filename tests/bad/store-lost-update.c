/* store-lost-update - all rows in one file that is replaced whole, and no lock: two processes lose writes
 *
 * Everything else is as it should be.
 */
#include <secret-proxy/store.h>

#include <string.h>

#define ROWS_TYPE "a{s(xay)}"

typedef struct {
  char *path;
  GTree *rows; /* "table key" -> (xay) */
} Store;

static int
compare (gconstpointer a, gconstpointer b, gpointer data)
{
  return strcmp (a, b);
}

static gpointer
store_open (SpHost *host, GError **error)
{
  Store *store = g_new0 (Store, 1);

  store->path = g_build_filename (host->api->state_dir (host), "rows", NULL);
  return store;
}

static void
store_stop (gpointer self)
{
  Store *store = self;

  g_clear_pointer (&store->rows, g_tree_unref);
}

static void
store_close (gpointer self)
{
  Store *store = self;

  store_stop (self);
  g_free (store->path);
  g_free (store);
}

static gboolean
store_start (gpointer self, GCancellable *cancellable, GError **error)
{
  Store *store = self;
  g_autoptr (GVariant) rows = NULL;
  GVariantIter iter;
  GVariant *row;
  char *data, *name;
  gsize length;

  store->rows = g_tree_new_full (compare, NULL, g_free, (GDestroyNotify) g_variant_unref);
  if (!g_file_get_contents (store->path, &data, &length, NULL))
    return TRUE;
  rows = g_variant_ref_sink (
      g_variant_new_from_data (G_VARIANT_TYPE (ROWS_TYPE), data, length, FALSE, g_free, data));
  g_variant_iter_init (&iter, rows);
  while (g_variant_iter_next (&iter, "{s@(xay)}", &name, &row))
    g_tree_insert (store->rows, name, row);
  return TRUE;
}

static gboolean
save (Store *store, GError **error)
{
  g_autoptr (GVariant) rows = NULL;
  g_autoptr (GError) why = NULL;
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE (ROWS_TYPE));
  for (GTreeNode *node = g_tree_node_first (store->rows); node; node = g_tree_node_next (node))
    g_variant_builder_add (&builder, "{s@(xay)}", g_tree_node_key (node), g_tree_node_value (node));
  rows = g_variant_ref_sink (g_variant_builder_end (&builder));
  if (g_file_set_contents (store->path, g_variant_get_data (rows),
                           (gssize) g_variant_get_size (rows), &why))
    return TRUE;
  g_set_error (error, SP_ERROR, SP_ERROR_UNAVAILABLE, "cannot write %s: %s", store->path,
               why->message);
  return FALSE;
}

static gint64
revision_of (Store *store, const char *name)
{
  GVariant *row = g_tree_lookup (store->rows, name);
  gint64 revision = 0;

  if (row != NULL)
    g_variant_get_child (row, 0, "x", &revision);
  return revision;
}

static GBytes *
value_of (GVariant *row)
{
  g_autoptr (GVariant) value = g_variant_get_child_value (row, 1);

  return g_variant_get_data_as_bytes (value);
}

static gboolean
store_read (gpointer self, const char *table, const char *key, GBytes **ret_value,
            gint64 *ret_revision, GCancellable *cancellable, GError **error)
{
  Store *store = self;
  g_autofree char *name = g_strdup_printf ("%s %s", table, key);
  GVariant *row = g_tree_lookup (store->rows, name);

  if (row == NULL) {
    g_set_error (error, SP_ERROR, SP_ERROR_NOT_FOUND, "no row '%s'", key);
    return FALSE;
  }
  *ret_value = value_of (row);
  *ret_revision = revision_of (store, name);
  return TRUE;
}

static void
write_row (Store *store, const SpWrite *write)
{
  g_autofree char *name = g_strdup_printf ("%s %s", write->table, write->key);
  GVariant *value;

  if (write->value == NULL) {
    g_tree_remove (store->rows, name);
    return;
  }
  value = g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING, write->value, TRUE);
  value = g_variant_new ("(x@ay)", revision_of (store, name) + 1, value);
  g_tree_replace (store->rows, g_steal_pointer (&name), g_variant_ref_sink (value));
}

static gboolean
fits (Store *store, const SpBatch *batch)
{
  for (gsize i = 0; i < batch->n_writes; i++) {
    const SpWrite *write = &batch->writes[i];
    g_autofree char *name = g_strdup_printf ("%s %s", write->table, write->key);

    if (write->expect >= 0 && write->expect != revision_of (store, name))
      return FALSE;
  }
  return TRUE;
}

static gboolean
store_write (gpointer self, SpBatch *batches, gsize n_batches, GCancellable *cancellable,
             GError **error)
{
  for (gsize i = 0; i < n_batches; i++) {
    batches[i].result = fits (self, &batches[i]) ? SP_BATCH_DONE : SP_BATCH_CONFLICT;
    for (gsize k = 0; batches[i].result == SP_BATCH_DONE && k < batches[i].n_writes; k++)
      write_row (self, &batches[i].writes[k]);
  }
  return save (self, error);
}

static gboolean
store_scan (gpointer self, const char *table, const char *after, SpRowFunc each, gpointer data,
            GCancellable *cancellable, GError **error)
{
  Store *store = self;
  g_autofree char *prefix = g_strconcat (table, " ", NULL);
  gboolean go_on = TRUE;

  for (GTreeNode *node = g_tree_node_first (store->rows); node && go_on;
       node = g_tree_node_next (node)) {
    const char *name = g_tree_node_key (node);
    const char *key = name + strlen (prefix);
    g_autoptr (GBytes) value = NULL;

    if (!g_str_has_prefix (name, prefix) || (after != NULL && strcmp (key, after) <= 0))
      continue;
    value = value_of (g_tree_node_value (node));
    go_on = each (key, revision_of (store, name), value, data);
  }
  return TRUE;
}

static const SpStoreOps ops = { .read = store_read, .write = store_write, .scan = store_scan };

SP_STORE_PLUGIN (&ops, .name = "lost-update", .version = "1.0", .summary = "has no lock",
                 .open = store_open, .start = store_start, .stop = store_stop, .close = store_close)
