/* test-ports.c - the store half of test-ports.h, and the ports as a whole */
#include "test-ports-private.h"

#include <string.h>

#include "base/problem.h"

typedef struct {
  gint64 revision;
  GBytes *value;
} TestRow;

typedef struct {
  char *table, *key;
  gint64 expect;
  GBytes *value;
} Write;

typedef struct {
  GPtrArray *batches; /* of GPtrArray of Write */
  SpPluginWritten written;
  SpPluginRead read;
  char *table, *key;
  guint limit;
  SpRowFunc row;
  SpPluginScanned scanned;
  gpointer data;
} StoreCall;

/* ---- jobs: one after the other ------------------------------------------------------------------------ */

static gboolean
run_job (gpointer data)
{
  TestPorts *ports = data;
  TestJob *job = g_queue_peek_head (&ports->jobs);

  if (job == NULL || (ports->hold_writes && job->is_write)) {
    ports->source = 0;
    return G_SOURCE_REMOVE;
  }
  g_queue_pop_head (&ports->jobs);
  job->run (ports, job->data);
  g_free (job);
  return G_SOURCE_CONTINUE;
}

static void
start_jobs (TestPorts *ports)
{
  if (ports->source == 0)
    ports->source = g_idle_add_full (G_PRIORITY_DEFAULT, run_job, ports, NULL);
}

void
test_ports_queue (TestPorts *ports, void (*run) (TestPorts *, gpointer), gpointer data,
                  gboolean is_write)
{
  TestJob *job = g_new0 (TestJob, 1);

  job->run = run;
  job->data = data;
  job->is_write = is_write;
  g_queue_push_tail (&ports->jobs, job);
  start_jobs (ports);
}

void
test_ports_release (TestPorts *ports)
{
  ports->hold_writes = FALSE;
  start_jobs (ports);
}

void
test_ports_fail_writes (TestPorts *ports, TestFault fault, guint n)
{
  ports->fault = fault;
  ports->fault_writes = n;
}

/* ---- rows ------------------------------------------------------------------------------------------------- */

static char *
name_of (const char *table, const char *key)
{
  return g_strconcat (table, "/", key, NULL);
}

static void
row_free (gpointer data)
{
  TestRow *row = data;

  g_bytes_unref (row->value);
  g_free (row);
}

static gint
compare_names (gconstpointer a, gconstpointer b, gpointer data)
{
  return strcmp (a, b);
}

static GTree *
rows_new (void)
{
  return g_tree_new_full (compare_names, NULL, g_free, row_free);
}

static void
set_row (GTree *rows, const char *name, gint64 revision, GBytes *value)
{
  TestRow *row = g_new0 (TestRow, 1);

  row->revision = revision;
  row->value = g_bytes_ref (value);
  g_tree_replace (rows, g_strdup (name), row);
}

static gboolean
batch_fits (TestPorts *ports, const GPtrArray *batch)
{
  for (guint i = 0; i < batch->len; i++) {
    const Write *write = g_ptr_array_index (batch, i);
    g_autofree char *name = name_of (write->table, write->key);
    const TestRow *row = g_tree_lookup (ports->rows, name);

    if (write->expect != -1 && write->expect != (row ? row->revision : 0))
      return FALSE;
  }
  return TRUE;
}

static void
apply_write (TestPorts *ports, const Write *write)
{
  g_autofree char *name = name_of (write->table, write->key);
  const TestRow *row = g_tree_lookup (ports->rows, name);

  if (write->value != NULL)
    set_row (ports->rows, name, row ? row->revision + 1 : 1, write->value);
  else
    g_tree_remove (ports->rows, name);
}

/* Rows of one batch may build on one another: the checks go first only for different rows. */
static guint32
apply_batch (TestPorts *ports, const GPtrArray *batch)
{
  ports->n_batches++;
  if (!batch_fits (ports, batch))
    return SP_BATCH_CONFLICT;
  for (guint i = 0; i < batch->len; i++)
    apply_write (ports, g_ptr_array_index (batch, i));
  return SP_BATCH_DONE;
}

/* ---- the store's calls ------------------------------------------------------------------------------------- */

static void
write_free (gpointer data)
{
  Write *write = data;

  g_free (write->table);
  g_free (write->key);
  g_clear_pointer (&write->value, g_bytes_unref);
  g_free (write);
}

static void
call_free (StoreCall *call)
{
  g_clear_pointer (&call->batches, g_ptr_array_unref);
  g_free (call->table);
  g_free (call->key);
  g_free (call);
}

static GError *
out_of_reach (void)
{
  return g_error_new_literal (SP_PROBLEM, SP_PROBLEM_UNREACHABLE, "the other process is gone");
}

static void
run_write (TestPorts *ports, gpointer data)
{
  StoreCall *call = data;
  guint n = call->batches->len;
  g_autofree guint32 *results = g_new0 (guint32, n + 1);
  g_autoptr (GError) error = NULL;
  TestFault fault = ports->fault_writes > 0 ? ports->fault : TEST_FAULT_NONE;

  ports->fault_writes -= ports->fault_writes > 0;
  ports->n_writes++;
  for (guint i = 0; fault != TEST_FAULT_NO_EFFECT && i < n; i++)
    results[i] = apply_batch (ports, g_ptr_array_index (call->batches, i));
  if (fault != TEST_FAULT_NONE)
    error = out_of_reach ();
  call->written (error ? NULL : results, error ? 0 : n, error, call->data);
  call_free (call);
}

static void
on_write (gpointer port, const SpBatch *batches, gsize n_batches, SpPluginWritten done,
          gpointer data)
{
  StoreCall *call = g_new0 (StoreCall, 1);

  call->batches = g_ptr_array_new_with_free_func ((GDestroyNotify) g_ptr_array_unref);
  for (gsize i = 0; i < n_batches; i++) {
    GPtrArray *writes = g_ptr_array_new_with_free_func (write_free);

    for (gsize j = 0; j < batches[i].n_writes; j++) {
      const SpWrite *from = &batches[i].writes[j];
      Write *write = g_new0 (Write, 1);

      *write = (Write){ g_strdup (from->table), g_strdup (from->key), from->expect,
                        from->value ? g_bytes_ref (from->value) : NULL };
      g_ptr_array_add (writes, write);
    }
    g_ptr_array_add (call->batches, writes);
  }
  call->written = done;
  call->data = data;
  test_ports_queue (port, run_write, call, TRUE);
}

static void
run_read (TestPorts *ports, gpointer data)
{
  StoreCall *call = data;
  g_autofree char *name = name_of (call->table, call->key);
  const TestRow *row = g_tree_lookup (ports->rows, name);
  g_autoptr (GError) error = NULL;

  if (ports->fault_reads > 0)
    error = out_of_reach ();
  else if (row == NULL)
    error = g_error_new_literal (SP_ERROR, SP_ERROR_NOT_FOUND, "no such row");
  ports->fault_reads -= ports->fault_reads > 0;
  if (error != NULL)
    call->read (NULL, 0, error, call->data);
  else
    call->read (row->value, row->revision, NULL, call->data);
  call_free (call);
}

static void
on_read (gpointer port, const char *table, const char *key, SpPluginRead done, gpointer data)
{
  StoreCall *call = g_new0 (StoreCall, 1);

  call->table = g_strdup (table);
  call->key = g_strdup (key);
  call->read = done;
  call->data = data;
  test_ports_queue (port, run_read, call, FALSE);
}

static void
run_scan (TestPorts *ports, gpointer data)
{
  StoreCall *call = data;
  g_autofree char *prefix = name_of (call->table, "");
  g_autofree char *after = name_of (call->table, call->key ? call->key : "");
  GTreeNode *node = g_tree_upper_bound (ports->rows, after);
  gsize skip = strlen (prefix);
  guint n = 0;
  gboolean more = FALSE;

  for (; node != NULL && g_str_has_prefix (g_tree_node_key (node), prefix);
       node = g_tree_node_next (node)) {
    const TestRow *row = g_tree_node_value (node);

    more = n++ == call->limit;
    if (more || !call->row ((const char *) g_tree_node_key (node) + skip, row->revision, row->value,
                            call->data))
      break;
  }
  call->scanned (more, NULL, call->data);
  call_free (call);
}

static void
on_scan (gpointer port, const char *table, const char *after, guint limit, SpRowFunc row,
         SpPluginScanned done, gpointer data)
{
  StoreCall *call = g_new0 (StoreCall, 1);

  call->table = g_strdup (table);
  call->key = g_strdup (after);
  call->limit = limit;
  call->row = row;
  call->scanned = done;
  call->data = data;
  test_ports_queue (port, run_scan, call, FALSE);
}

/* ---- the rest of the ports ------------------------------------------------------------------------------------ */

static void
on_audit_head (gpointer port, guint64 seq, const char *head_hex)
{
  TestPorts *ports = port;

  ports->head_seq = seq;
  g_free (ports->head_hex);
  ports->head_hex = g_strdup (head_hex);
}

static void
on_wake_in (gpointer port, gint64 ms)
{
  TestPorts *ports = port;

  ports->wake_ms = ms;
  ports->wakes_at_once += ms == 0;
}

static void
on_fatal (gpointer port, const GError *why)
{
  ((TestPorts *) port)->fatals++;
}

TestPorts *
test_ports_new (void)
{
  TestPorts *ports = g_new0 (TestPorts, 1);

  ports->rows = rows_new ();
  ports->notices = test_notices_new ();
  ports->usable = TRUE;
  ports->wake_ms = -1;
  ports->table = (SpVaultPorts){ .write = on_write,
                                 .read = on_read,
                                 .scan = on_scan,
                                 .post = test_ports_post,
                                 .settle = test_ports_settle,
                                 .usable = test_ports_usable,
                                 .audit_head = on_audit_head,
                                 .wake_in = on_wake_in,
                                 .fatal = on_fatal,
                                 .port = ports };
  return ports;
}

void
test_ports_free (TestPorts *ports)
{
  g_clear_handle_id (&ports->source, g_source_remove);
  g_assert_true (g_queue_is_empty (&ports->jobs));
  g_tree_unref (ports->rows);
  g_ptr_array_unref (ports->notices);
  g_free (ports->head_hex);
  g_free (ports);
}

void
test_ports_forget (TestPorts *ports)
{
  g_ptr_array_set_size (ports->notices, 0);
  g_clear_pointer (&ports->head_hex, g_free);
  ports->head_seq = 0;
}

/* ---- what a hostile store does ---------------------------------------------------------------------------------- */

guint
test_ports_count (TestPorts *ports, const char *table)
{
  g_autofree char *prefix = name_of (table, "");
  guint n = 0;

  for (GTreeNode *node = g_tree_lower_bound (ports->rows, prefix);
       node != NULL && g_str_has_prefix (g_tree_node_key (node), prefix);
       node = g_tree_node_next (node))
    n++;
  return n;
}

const char *
test_ports_row (TestPorts *ports, const char *table, int n)
{
  g_autofree char *prefix = name_of (table, "");
  GTreeNode *node = g_tree_lower_bound (ports->rows, prefix);
  guint count = test_ports_count (ports, table);

  g_assert_cmpuint (count, >, 0);
  for (guint i = n < 0 ? count - 1 : (guint) n; i > 0; i--)
    node = g_tree_node_next (node);
  return g_tree_node_key (node);
}

void
test_ports_remove (TestPorts *ports, const char *name)
{
  g_assert_true (g_tree_remove (ports->rows, name));
}

void
test_ports_clear (TestPorts *ports)
{
  g_tree_remove_all (ports->rows);
}

void
test_ports_flip (TestPorts *ports, const char *name, gsize byte)
{
  const TestRow *row = g_tree_lookup (ports->rows, name);
  g_autofree guint8 *data = NULL;
  g_autoptr (GBytes) changed = NULL;
  gsize length;

  g_assert_nonnull (row);
  data = g_memdup2 (g_bytes_get_data (row->value, &length), g_bytes_get_size (row->value));
  data[byte % length] ^= 1;
  changed = g_bytes_new (data, length);
  set_row (ports->rows, name, row->revision, changed);
}

void
test_ports_swap (TestPorts *ports, const char *one, const char *other)
{
  GTree *saved = test_ports_save (ports);
  const TestRow *first = g_tree_lookup (saved, one), *second = g_tree_lookup (saved, other);

  set_row (ports->rows, one, second->revision, second->value);
  set_row (ports->rows, other, first->revision, first->value);
  g_tree_unref (saved);
}

GTree *
test_ports_save (TestPorts *ports)
{
  GTree *saved = rows_new ();

  for (GTreeNode *node = g_tree_node_first (ports->rows); node != NULL;
       node = g_tree_node_next (node)) {
    const TestRow *row = g_tree_node_value (node);

    set_row (saved, g_tree_node_key (node), row->revision, row->value);
  }
  return saved;
}

void
test_ports_restore (TestPorts *ports, GTree *saved)
{
  g_tree_unref (ports->rows);
  ports->rows = g_tree_ref (saved);
}

void
test_ports_restore_row (TestPorts *ports, GTree *saved, const char *name)
{
  const TestRow *row = g_tree_lookup (saved, name);

  g_assert_nonnull (row);
  set_row (ports->rows, name, row->revision, row->value);
}
