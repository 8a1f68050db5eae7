/* store-torn-write - keeps each row in a file of its own and writes a batch row by row: a kill tears it
 *
 * Everything else is as it should be.  It takes its time for each row, so that a kill finds it at work.
 */
#include <secret-proxy/store.h>

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define PAUSE_US 1500

typedef struct {
  char *folder;
  int lock;
  GTree *rows; /* "table key" -> Row */
} Torn;

typedef struct {
  gint64 revision;
  GBytes *value;
} Row;

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
torn_open (SpHost *host, GError **error)
{
  Torn *torn = g_new0 (Torn, 1);

  torn->folder = g_strdup (host->api->state_dir (host));
  torn->lock = -1;
  torn->rows = g_tree_new_full (compare, NULL, g_free, row_free);
  return torn;
}

static void
torn_stop (gpointer self)
{
  Torn *torn = self;

  if (torn->lock >= 0)
    (void) close (torn->lock);
  torn->lock = -1;
}

static void
torn_close (gpointer self)
{
  Torn *torn = self;

  torn_stop (self);
  g_tree_unref (torn->rows);
  g_free (torn->folder);
  g_free (torn);
}

static char *
name_of (const char *table, const char *key)
{
  return g_strdup_printf ("%s %s", table, key);
}

/* The name may be longer than one of a file, and hold anything. */
static char *
path_of (Torn *torn, const char *name)
{
  g_autofree char *sum = g_compute_checksum_for_string (G_CHECKSUM_SHA256, name, -1);

  return g_build_filename (torn->folder, sum, NULL);
}

/* A file: the revision, the name and its zero, the value. */
static void
load_row (Torn *torn, const char *file)
{
  g_autofree char *path = g_build_filename (torn->folder, file, NULL);
  g_autofree char *data = NULL;
  gsize length, name;
  Row *row;

  if (!g_file_get_contents (path, &data, &length, NULL) || length < sizeof row->revision + 1)
    return;
  row = g_new0 (Row, 1);
  memcpy (&row->revision, data, sizeof row->revision);
  name = strlen (data + sizeof row->revision) + 1;
  row->value =
      g_bytes_new (data + sizeof row->revision + name, length - sizeof row->revision - name);
  g_tree_insert (torn->rows, g_strdup (data + sizeof row->revision), row);
}

static gboolean
torn_start (gpointer self, GCancellable *cancellable, GError **error)
{
  Torn *torn = self;
  g_autofree char *path = g_build_filename (torn->folder, "lock", NULL);
  g_autoptr (GDir) dir = g_dir_open (torn->folder, 0, NULL);
  const char *file;

  torn->lock = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (flock (torn->lock, LOCK_EX | LOCK_NB) != 0) {
    g_set_error_literal (error, SP_ERROR, SP_ERROR_CONFLICT, "another process has this store open");
    torn_stop (self);
    return FALSE;
  }
  while (dir != NULL && (file = g_dir_read_name (dir)) != NULL)
    if (strcmp (file, "lock") != 0)
      load_row (torn, file);
  return TRUE;
}

static gboolean
torn_read (gpointer self, const char *table, const char *key, GBytes **ret_value,
           gint64 *ret_revision, GCancellable *cancellable, GError **error)
{
  Torn *torn = self;
  g_autofree char *name = name_of (table, key);
  const Row *row = g_tree_lookup (torn->rows, name);

  if (row == NULL) {
    g_set_error (error, SP_ERROR, SP_ERROR_NOT_FOUND, "no row '%s'", key);
    return FALSE;
  }
  *ret_value = g_bytes_ref (row->value);
  *ret_revision = row->revision;
  return TRUE;
}

static gint64
revision_of (Torn *torn, const char *name)
{
  const Row *row = g_tree_lookup (torn->rows, name);

  return row != NULL ? row->revision : 0;
}

static void
write_row (Torn *torn, const SpWrite *write)
{
  g_autofree char *name = name_of (write->table, write->key);
  g_autofree char *path = path_of (torn, name);
  g_autoptr (GByteArray) data = g_byte_array_new ();
  Row *row;

  if (write->value == NULL) {
    g_tree_remove (torn->rows, name);
    (void) unlink (path);
    return;
  }
  row = g_new0 (Row, 1);
  row->revision = revision_of (torn, name) + 1;
  row->value = g_bytes_ref (write->value);
  g_byte_array_append (data, (const guint8 *) &row->revision, sizeof row->revision);
  g_byte_array_append (data, (const guint8 *) name, (guint) strlen (name) + 1);
  g_byte_array_append (data, g_bytes_get_data (row->value, NULL),
                       (guint) g_bytes_get_size (row->value));
  (void) g_file_set_contents (path, (const char *) data->data, data->len, NULL);
  g_tree_replace (torn->rows, g_steal_pointer (&name), row);
  g_usleep (PAUSE_US);
}

static gboolean
fits (Torn *torn, const SpBatch *batch)
{
  for (gsize i = 0; i < batch->n_writes; i++) {
    g_autofree char *name = name_of (batch->writes[i].table, batch->writes[i].key);

    if (batch->writes[i].expect >= 0 && batch->writes[i].expect != revision_of (torn, name))
      return FALSE;
  }
  return TRUE;
}

static gboolean
torn_write (gpointer self, SpBatch *batches, gsize n_batches, GCancellable *cancellable,
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
torn_scan (gpointer self, const char *table, const char *after, SpRowFunc each, gpointer data,
           GCancellable *cancellable, GError **error)
{
  Torn *torn = self;
  gsize skip = strlen (table) + 1;

  for (GTreeNode *node = g_tree_node_first (torn->rows); node; node = g_tree_node_next (node)) {
    const char *name = g_tree_node_key (node);
    const Row *row = g_tree_node_value (node);

    if (strncmp (name, table, skip - 1) != 0 || name[skip - 1] != ' ' ||
        (after != NULL && strcmp (name + skip, after) <= 0))
      continue;
    if (!each (name + skip, row->revision, row->value, data))
      break;
  }
  return TRUE;
}

static const SpStoreOps ops = { .read = torn_read, .write = torn_write, .scan = torn_scan };

SP_STORE_PLUGIN (&ops, .name = "torn-write", .version = "1.0", .summary = "writes row by row",
                 .open = torn_open, .start = torn_start, .stop = torn_stop, .close = torn_close)
