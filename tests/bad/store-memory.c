/* store-memory - a store that keeps every rule but durability, for tests of what surrounds it
 *
 * One table, whatever its name.
 */
#include <string.h>

#include <secret-proxy/store.h>

typedef struct {
  gint64 revision;
  GBytes *value;
} Row;

typedef struct {
  GTree *rows;
} Memory;

static int
compare (gconstpointer a, gconstpointer b, gpointer data)
{
  return strcmp (a, b);
}

static void
row_free (gpointer data)
{
  Row *row = data;

  g_bytes_unref (row->value);
  g_free (row);
}

static gpointer
memory_open (SpHost *host, GError **error)
{
  Memory *memory = g_new0 (Memory, 1);

  memory->rows = g_tree_new_full (compare, NULL, g_free, row_free);
  return memory;
}

static void
memory_close (gpointer self)
{
  Memory *memory = self;

  g_tree_unref (memory->rows);
  g_free (memory);
}

static gboolean
memory_read (gpointer self, const char *table, const char *key, GBytes **ret_value,
             gint64 *ret_revision, GCancellable *cancellable, GError **error)
{
  Memory *memory = self;
  const Row *row = g_tree_lookup (memory->rows, key);

  if (row == NULL) {
    g_set_error (error, SP_ERROR, SP_ERROR_NOT_FOUND, "no row '%s'", key);
    return FALSE;
  }
  *ret_value = g_bytes_ref (row->value);
  *ret_revision = row->revision;
  return TRUE;
}

static gint64
revision_of (Memory *memory, const char *key)
{
  const Row *row = g_tree_lookup (memory->rows, key);

  return row != NULL ? row->revision : 0;
}

static gboolean
fits (Memory *memory, const SpBatch *batch)
{
  for (gsize i = 0; i < batch->n_writes; i++)
    if (batch->writes[i].expect >= 0 &&
        batch->writes[i].expect != revision_of (memory, batch->writes[i].key))
      return FALSE;
  return TRUE;
}

static void
write_row (Memory *memory, const SpWrite *write)
{
  Row *row;

  if (write->value == NULL) {
    g_tree_remove (memory->rows, write->key);
    return;
  }
  row = g_new0 (Row, 1);
  row->revision = revision_of (memory, write->key) + 1;
  row->value = g_bytes_ref (write->value);
  g_tree_insert (memory->rows, g_strdup (write->key), row);
}

static gboolean
memory_write (gpointer self, SpBatch *batches, gsize n_batches, GCancellable *cancellable,
              GError **error)
{
  for (gsize i = 0; i < n_batches; i++) {
    batches[i].result = fits (self, &batches[i]) ? SP_BATCH_DONE : SP_BATCH_CONFLICT;
    for (gsize k = 0; batches[i].result == SP_BATCH_DONE && k < batches[i].n_writes; k++)
      write_row (self, &batches[i].writes[k]);
  }
  return TRUE;
}

static gboolean
memory_scan (gpointer self, const char *table, const char *after, SpRowFunc each, gpointer data,
             GCancellable *cancellable, GError **error)
{
  Memory *memory = self;

  for (GTreeNode *node = g_tree_node_first (memory->rows); node; node = g_tree_node_next (node)) {
    const Row *row = g_tree_node_value (node);

    if (after != NULL && strcmp (g_tree_node_key (node), after) <= 0)
      continue;
    if (!each (g_tree_node_key (node), row->revision, row->value, data))
      break;
  }
  return TRUE;
}

static const SpStoreOps ops = { .read = memory_read, .write = memory_write, .scan = memory_scan };

SP_STORE_PLUGIN (&ops, .name = "memory", .version = "1.0", .summary = "keeps rows until it ends",
                 .open = memory_open, .close = memory_close)
