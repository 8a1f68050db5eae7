/* host-store.c - the calls of stores, on the plugin's thread
 *
 * What a store says is checked where it can be: every batch has a result, rows come in order.
 */
#include "plugin/host-private.h"

#include <string.h>

void
sp_host_run_read (SpHostJob *job)
{
  SpPluginHost *host = job->host;
  g_autoptr (GBytes) value = NULL;
  const char *table, *key;
  gint64 revision = 0;
  gboolean ok;

  g_variant_get (job->args, "(u&s&s)", NULL, &table, &key);
  ok = host->module->store.read (host->self, table, key, &value, &revision, job->cancellable,
                                 &job->error);
  if (!sp_host_police ("read", ok, &job->error))
    return;
  if (value == NULL)
    g_set_error_literal (&job->error, SP_ERROR, SP_ERROR_INTERNAL,
                         "read() succeeded and gave no value: a bug of it");
  else
    job->reply =
        g_variant_ref_sink (g_variant_new ("(@ayx)", sp_bytes_to_variant (value), revision));
}

static void
clear_writes (gpointer data)
{
  SpBatch *batch = data;

  for (gsize i = 0; i < batch->n_writes; i++)
    g_clear_pointer ((GBytes **) &batch->writes[i].value, g_bytes_unref);
  g_free ((gpointer) batch->writes);
}

static void
read_batch (SpBatch *batch, GVariant *value)
{
  gsize n = g_variant_n_children (value);
  SpWrite *writes = g_new0 (SpWrite, n + 1);

  for (gsize i = 0; i < n; i++) {
    g_autoptr (GVariant) bytes = NULL;

    /* The strings live in the arguments of the call, longer than this. */
    g_variant_get_child (value, i, "(&s&sxm@ay)", &writes[i].table, &writes[i].key,
                         &writes[i].expect, &bytes);
    writes[i].value = bytes != NULL ? sp_bytes_from_variant (bytes) : NULL;
  }
  *batch = (SpBatch){ .writes = writes, .n_writes = n };
}

static GArray *
read_batches (GVariant *args)
{
  g_autoptr (GVariant) values = g_variant_get_child_value (args, 1);
  gsize n = g_variant_n_children (values);
  GArray *batches = g_array_sized_new (FALSE, TRUE, sizeof (SpBatch), (guint) n);

  g_array_set_clear_func (batches, clear_writes);
  for (gsize i = 0; i < n; i++) {
    g_autoptr (GVariant) value = g_variant_get_child_value (values, i);
    SpBatch batch;

    read_batch (&batch, value);
    g_array_append_val (batches, batch);
  }
  return batches;
}

static void
reply_results (SpHostJob *job, const GArray *batches)
{
  GVariantBuilder results;

  for (guint i = 0; i < batches->len; i++) {
    guint32 result = g_array_index (batches, SpBatch, i).result;

    if (result != SP_BATCH_DONE && result != SP_BATCH_CONFLICT) {
      g_set_error (&job->error, SP_ERROR, SP_ERROR_INTERNAL,
                   "write() succeeded and left batch %u without a result: a bug of it", i + 1);
      return;
    }
  }
  g_variant_builder_init (&results, G_VARIANT_TYPE ("au"));
  for (guint i = 0; i < batches->len; i++)
    g_variant_builder_add (&results, "u", g_array_index (batches, SpBatch, i).result);
  job->reply = g_variant_ref_sink (g_variant_new ("(au)", &results));
}

void
sp_host_run_write (SpHostJob *job)
{
  SpPluginHost *host = job->host;
  g_autoptr (GArray) batches = read_batches (job->args);
  gboolean ok = host->module->store.write (host->self, (SpBatch *) (gpointer) batches->data,
                                           batches->len, job->cancellable, &job->error);

  if (sp_host_police ("write", ok, &job->error))
    reply_results (job, batches);
}

typedef struct {
  GVariantBuilder rows;
  char *last; /* the key before */
  guint32 n_rows, max_rows;
  gsize n_bytes, max_bytes;
  gboolean more, disordered;
} Page;

static gboolean
take_row (const char *key, gint64 revision, GBytes *value, gpointer data)
{
  Page *page = data;
  gsize size = strlen (key) + g_bytes_get_size (value) + 32;

  page->disordered |= page->last != NULL && strcmp (key, page->last) <= 0;
  /* One row goes in whatever its size, or a scan would never get past it. */
  page->more |= page->n_rows == page->max_rows ||
                (page->n_rows > 0 && page->n_bytes + size > page->max_bytes);
  if (page->more || page->disordered)
    return FALSE;
  g_variant_builder_add (&page->rows, "(sx@ay)", key, revision, sp_bytes_to_variant (value));
  g_free (page->last);
  page->last = g_strdup (key);
  page->n_rows++;
  page->n_bytes += size;
  return TRUE;
}

void
sp_host_run_scan (SpHostJob *job)
{
  SpPluginHost *host = job->host;
  Page page = { .n_rows = 0 };
  g_autoptr (GVariant) rows = NULL;
  const char *table, *after;
  guint32 max_bytes;
  gboolean ok;

  g_variant_get (job->args, "(u&sm&suu)", NULL, &table, &after, &page.max_rows, &max_bytes);
  page.max_bytes = max_bytes;
  page.last = g_strdup (after);
  g_variant_builder_init (&page.rows, G_VARIANT_TYPE (SP_ROWS_TYPE));
  ok = host->module->store.scan (host->self, table, after, take_row, &page, job->cancellable,
                                 &job->error);
  rows = g_variant_ref_sink (g_variant_builder_end (&page.rows));
  g_free (page.last);
  if (!sp_host_police ("scan", ok, &job->error))
    return;
  if (page.disordered)
    g_set_error_literal (&job->error, SP_ERROR, SP_ERROR_INTERNAL,
                         "scan() gave rows out of order: a bug of it");
  else
    job->reply = g_variant_ref_sink (g_variant_new ("(@" SP_ROWS_TYPE "b)", rows, page.more));
}
