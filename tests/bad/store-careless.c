/* store-careless - rows out of order, batches without a result, reads without a value */
#include <secret-proxy/store.h>

static gpointer
careless_open (SpHost *host, GError **error)
{
  return host;
}

static void
careless_close (gpointer self)
{
}

static gboolean
careless_read (gpointer self, const char *table, const char *key, GBytes **ret_value,
               gint64 *ret_revision, GCancellable *cancellable, GError **error)
{
  return TRUE;
}

static gboolean
careless_write (gpointer self, SpBatch *batches, gsize n_batches, GCancellable *cancellable,
                GError **error)
{
  return TRUE;
}

static gboolean
careless_scan (gpointer self, const char *table, const char *after, SpRowFunc row, gpointer data,
               GCancellable *cancellable, GError **error)
{
  g_autoptr (GBytes) value = g_bytes_new_static ("x", 1);

  (void) row ("b", 1, value, data);
  (void) row ("a", 1, value, data);
  return TRUE;
}

static const SpStoreOps ops = { .read = careless_read,
                                .write = careless_write,
                                .scan = careless_scan };

SP_STORE_PLUGIN (&ops, .name = "careless", .version = "1.0", .summary = "breaks what it promises",
                 .open = careless_open, .close = careless_close)
