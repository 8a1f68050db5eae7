/* client-store.c - the calls of stores */
#include "plugin/client-private.h"

#include "base/problem.h"

#define DEADLINE_MS 10000
#define SCAN_DEADLINE_MS 60000
#define SCAN_MAX_BYTES (4u * 1024u * 1024u)

/* ---- read ------------------------------------------------------------------------------------------- */

static void
finish_read (SpClientCall *call, GVariant *reply, const GError *error)
{
  SpPluginRead done = (SpPluginRead) call->done;
  g_autoptr (GVariant) value = NULL;
  g_autoptr (GBytes) bytes = NULL;
  gint64 revision = 0;

  if (reply != NULL) {
    g_variant_get (reply, "(@ayx)", &value, &revision);
    bytes = sp_bytes_from_variant (value);
  }
  if (done != NULL)
    done (bytes, revision, error, call->data);
}

void
sp_plugin_client_read (SpPluginClient *client, const char *table, const char *key,
                       SpPluginRead done, gpointer data)
{
  guint deadline = sp_client_deadline (client, DEADLINE_MS);

  sp_client_submit (client, SP_PLUGIN_READ, g_variant_new ("(uss)", deadline, table, key), deadline,
                    finish_read, G_CALLBACK (done), NULL, data);
}

/* ---- write ------------------------------------------------------------------------------------------ */

static GVariant *
batch_to_variant (const SpBatch *batch)
{
  GVariantBuilder writes;

  g_variant_builder_init (&writes, G_VARIANT_TYPE (SP_WRITES_TYPE));
  for (gsize i = 0; i < batch->n_writes; i++) {
    const SpWrite *write = &batch->writes[i];
    GVariant *value = write->value != NULL ? sp_bytes_to_variant (write->value) : NULL;

    g_variant_builder_add (&writes, "(ssx@may)", write->table, write->key, write->expect,
                           g_variant_new_maybe (G_VARIANT_TYPE_BYTESTRING, value));
  }
  return g_variant_builder_end (&writes);
}

static void
finish_write (SpClientCall *call, GVariant *reply, const GError *error)
{
  SpPluginWritten done = (SpPluginWritten) call->done;
  g_autoptr (GVariant) batches = g_variant_get_child_value (call->args, 1);
  g_autoptr (GVariant) results = NULL;
  g_autoptr (GError) mismatch = NULL;
  const guint32 *array = NULL;
  gsize n = 0;

  if (reply != NULL) {
    results = g_variant_get_child_value (reply, 0);
    array = g_variant_get_fixed_array (results, &n, sizeof (guint32));
  }
  if (reply != NULL && n != g_variant_n_children (batches)) {
    mismatch = g_error_new_literal (SP_PROBLEM, SP_PROBLEM_INTERNAL,
                                    "the plugin host answered for another number of batches");
    array = NULL;
    n = 0;
  }
  if (done != NULL)
    done (array, n, mismatch != NULL ? mismatch : error, call->data);
}

void
sp_plugin_client_write (SpPluginClient *client, const SpBatch *batches, gsize n_batches,
                        SpPluginWritten done, gpointer data)
{
  guint deadline = sp_client_deadline (client, DEADLINE_MS);
  GVariantBuilder all;

  g_variant_builder_init (&all, G_VARIANT_TYPE ("a" SP_WRITES_TYPE));
  for (gsize i = 0; i < n_batches; i++)
    g_variant_builder_add_value (&all, batch_to_variant (&batches[i]));
  sp_client_submit (client, SP_PLUGIN_WRITE,
                    g_variant_new ("(ua" SP_WRITES_TYPE ")", deadline, &all), deadline,
                    finish_write, G_CALLBACK (done), NULL, data);
}

/* ---- scan ------------------------------------------------------------------------------------------- */

static void
give_rows (SpClientCall *call, GVariantIter *rows)
{
  gboolean go_on = TRUE;
  const char *key;
  gint64 revision;
  GVariant *value;

  while (g_variant_iter_loop (rows, "(&sx@ay)", &key, &revision, &value)) {
    g_autoptr (GBytes) bytes = sp_bytes_from_variant (value);

    go_on = go_on && call->row (key, revision, bytes, call->data);
  }
}

static void
finish_scan (SpClientCall *call, GVariant *reply, const GError *error)
{
  SpPluginScanned done = (SpPluginScanned) call->done;
  g_autoptr (GVariantIter) rows = NULL;
  gboolean more = FALSE;

  if (reply != NULL) {
    g_variant_get (reply, "(" SP_ROWS_TYPE "b)", &rows, &more);
    give_rows (call, rows);
  }
  if (done != NULL)
    done (more, error, call->data);
}

void
sp_plugin_client_scan (SpPluginClient *client, const char *table, const char *after, guint limit,
                       SpRowFunc row, SpPluginScanned done, gpointer data)
{
  guint deadline = sp_client_deadline (client, SCAN_DEADLINE_MS);

  sp_client_submit (
      client, SP_PLUGIN_SCAN,
      g_variant_new ("(usmsuu)", deadline, table, after, MAX (limit, 1), SCAN_MAX_BYTES), deadline,
      finish_scan, G_CALLBACK (done), row, data);
}
