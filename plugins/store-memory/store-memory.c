/* store-memory - keeps rows for as long as its process lives, and says so (SP_STORE_VOLATILE)
 *
 * For tests and for vaults that are meant to be gone afterwards.  All rows of all tables are in one
 * sorted tree, under "TABLE KEY".
 *
 * What must stay true: a batch is written whole or not at all; what a call refuses leaves no trace.
 */
#include <string.h>

#include <secret-proxy/store.h>

#define MAX_TABLE 64
#define MAX_KEY 128
#define MAX_VALUE (256u * 1024u)

typedef struct {
  gint64 revision;
  GBytes *value;
} Row;

typedef struct {
  GTree *rows; /* "TABLE KEY" -> Row */
} Store;

static void
row_free (gpointer data)
{
  Row *row = data;

  g_bytes_unref (row->value);
  g_free (row);
}

static int
compare (gconstpointer a, gconstpointer b, gpointer data)
{
  return strcmp (a, b);
}

static gpointer
store_open (SpHost *host, GError **error)
{
  Store *store = g_new0 (Store, 1);

  store->rows = g_tree_new_full (compare, NULL, g_free, row_free);
  return store;
}

static void
store_close (gpointer self)
{
  Store *store = self;

  g_tree_unref (store->rows);
  g_free (store);
}

/* ---- what may be asked ------------------------------------------------------------------------------ */

static gboolean
is_word (const char *text, gsize max, char least)
{
  gsize length = 0;

  for (; text[length] != '\0'; length++)
    if (length == max || text[length] < least || text[length] > '~')
      return FALSE;
  return length > 0;
}

static gboolean
is_in_time (GCancellable *cancellable, GError **error)
{
  if (!g_cancellable_is_cancelled (cancellable))
    return TRUE;
  g_set_error_literal (error, SP_ERROR, SP_ERROR_UNAVAILABLE, "the time for this call is up");
  return FALSE;
}

/* The row's place, or NULL.  Errors don't repeat keys: what is in them is the core's business. */
static char *
place_of (const char *table, const char *key, GError **error)
{
  if (is_word (table, MAX_TABLE, '!') && is_word (key, MAX_KEY, ' '))
    return g_strdup_printf ("%s %s", table, key);
  g_set_error (error, SP_ERROR, SP_ERROR_REFUSED,
               "a table is a word of at most %d bytes, a key 1 to %d bytes of printable ASCII",
               MAX_TABLE, MAX_KEY);
  return NULL;
}

static gboolean
check_write (const SpWrite *write, GError **error)
{
  gsize size = write->value != NULL ? g_bytes_get_size (write->value) : 0;
  g_autofree char *place = place_of (write->table, write->key, error);

  if (place == NULL)
    return FALSE;
  if (size <= MAX_VALUE && write->expect >= -1)
    return TRUE;
  g_set_error (error, SP_ERROR, SP_ERROR_REFUSED,
               "table %s: a value of %" G_GSIZE_FORMAT " bytes at revision %" G_GINT64_FORMAT
               ": at most %u bytes, and no revision below -1",
               write->table, size, write->expect, MAX_VALUE);
  return FALSE;
}

/* ---- reading -------------------------------------------------------------------------------------------- */

static gboolean
store_read (gpointer self, const char *table, const char *key, GBytes **ret_value,
            gint64 *ret_revision, GCancellable *cancellable, GError **error)
{
  const Store *store = self;
  g_autofree char *place = place_of (table, key, error);
  const Row *row;

  if (place == NULL || !is_in_time (cancellable, error))
    return FALSE;
  row = g_tree_lookup (store->rows, place);
  if (row == NULL) {
    g_set_error (error, SP_ERROR, SP_ERROR_NOT_FOUND, "table %s has no such row", table);
    return FALSE;
  }
  *ret_value = g_bytes_ref (row->value);
  *ret_revision = row->revision;
  return TRUE;
}

static gboolean
store_scan (gpointer self, const char *table, const char *after, SpRowFunc each, gpointer data,
            GCancellable *cancellable, GError **error)
{
  const Store *store = self;
  g_autofree char *prefix = g_strdup_printf ("%s ", table);
  g_autofree char *from = g_strconcat (prefix, after, NULL);
  GTreeNode *node = g_tree_upper_bound (store->rows, from);

  for (; node != NULL; node = g_tree_node_next (node)) {
    const char *place = g_tree_node_key (node);
    const Row *row = g_tree_node_value (node);

    if (!is_in_time (cancellable, error))
      return FALSE;
    if (!g_str_has_prefix (place, prefix) ||
        !each (place + strlen (prefix), row->revision, row->value, data))
      break;
  }
  return TRUE;
}

/* ---- writing -------------------------------------------------------------------------------------------- */

/* What a batch has changed so far, so that it can be taken back: a place, and the row that was there. */
typedef struct {
  char *place;
  Row *before; /* NULL: none */
} Change;

static void
change_free (gpointer data)
{
  Change *change = data;

  g_free (change->place);
  g_clear_pointer (&change->before, row_free);
  g_free (change);
}

static void
put (Store *store, const char *place, Row *row)
{
  if (row != NULL)
    g_tree_replace (store->rows, g_strdup (place), row);
  else
    g_tree_remove (store->rows, place);
}

/* A copy: the caller's bytes may be a small part of a large message. */
static Row *
row_new (gint64 revision, GBytes *value)
{
  Row *row = g_new0 (Row, 1);

  row->revision = revision;
  row->value = g_bytes_new (g_bytes_get_data (value, NULL), g_bytes_get_size (value));
  return row;
}

/* FALSE: the expected revision is not there. */
static gboolean
apply (Store *store, const SpWrite *write, GPtrArray *changes)
{
  g_autofree char *place = g_strdup_printf ("%s %s", write->table, write->key);
  const Row *row = g_tree_lookup (store->rows, place);
  gint64 revision = row != NULL ? row->revision : 0;
  Change *change;

  if (write->expect >= 0 && write->expect != revision)
    return FALSE;
  change = g_new0 (Change, 1);
  change->place = g_strdup (place);
  change->before = row != NULL ? row_new (revision, row->value) : NULL;
  g_ptr_array_add (changes, change);
  put (store, place, write->value != NULL ? row_new (revision + 1, write->value) : NULL);
  return TRUE;
}

static guint32
write_batch (Store *store, const SpBatch *batch)
{
  g_autoptr (GPtrArray) changes = g_ptr_array_new_with_free_func (change_free);

  for (gsize i = 0; i < batch->n_writes; i++)
    if (!apply (store, &batch->writes[i], changes)) {
      for (guint k = changes->len; k-- > 0;) {
        Change *change = g_ptr_array_index (changes, k);

        put (store, change->place, g_steal_pointer (&change->before));
      }
      return SP_BATCH_CONFLICT;
    }
  return SP_BATCH_DONE;
}

static gboolean
store_write (gpointer self, SpBatch *batches, gsize n_batches, GCancellable *cancellable,
             GError **error)
{
  if (!is_in_time (cancellable, error))
    return FALSE;
  for (gsize i = 0; i < n_batches; i++)
    for (gsize k = 0; k < batches[i].n_writes; k++)
      if (!check_write (&batches[i].writes[k], error))
        return FALSE;
  for (gsize i = 0; i < n_batches; i++)
    batches[i].result = write_batch (self, &batches[i]);
  return TRUE;
}

static const SpStoreOps ops = {
  .flags = SP_STORE_VOLATILE,
  .read = store_read,
  .write = store_write,
  .scan = store_scan,
};

SP_STORE_PLUGIN (&ops, .name = "memory", .version = "0.1",
                 .summary = "keeps rows in memory, until its process ends", .open = store_open,
                 .close = store_close)
