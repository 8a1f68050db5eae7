/* rows.c - rows.h */
#include "plugin/check/rows.h"

#include <string.h>

gboolean
sp_check_write (SpCheckInstance *instance, SpBatch *batches, gsize n_batches, guint deadline_ms,
                GError **error)
{
  GCancellable *cancellable = sp_check_enter (instance->check, "write()", deadline_ms);
  GError *why = NULL;
  gboolean ok =
      instance->module->store.write (instance->self, batches, n_batches, cancellable, &why);

  return sp_check_finish (instance, ok, why, error);
}

gboolean
sp_check_read (SpCheckInstance *instance, const char *table, const char *key, guint deadline_ms,
               GBytes **ret_value, gint64 *ret_revision, GError **error)
{
  GCancellable *cancellable = sp_check_enter (instance->check, "read()", deadline_ms);
  GError *why = NULL;
  gboolean ok = instance->module->store.read (instance->self, table, key, ret_value, ret_revision,
                                              cancellable, &why);

  return sp_check_finish (instance, ok, why, error);
}

typedef struct {
  GPtrArray *keys;
  guint limit, n;
  gboolean went_on; /* it came again after it was told to stop */
} Rows;

static gboolean
take_row (const char *key, gint64 revision, GBytes *value, gpointer data)
{
  Rows *rows = data;

  rows->went_on |= rows->n >= rows->limit;
  rows->n++;
  if (rows->keys != NULL)
    g_ptr_array_add (rows->keys, g_strdup_printf ("%s=%" G_GINT64_FORMAT, key, revision));
  return rows->n < rows->limit;
}

gboolean
sp_check_scan (SpCheckInstance *instance, const char *table, const char *after, guint limit,
               guint deadline_ms, GPtrArray *keys, GError **error)
{
  GCancellable *cancellable = sp_check_enter (instance->check, "scan()", deadline_ms);
  Rows rows = { .keys = keys, .limit = limit };
  GError *why = NULL;
  gboolean ok = instance->module->store.scan (instance->self, table, after, take_row, &rows,
                                              cancellable, &why);

  if (rows.went_on)
    sp_check_fail (instance->check, "scan() went on after the row function had returned FALSE");
  return sp_check_finish (instance, ok, why, error);
}

/* ---- with verdicts --------------------------------------------------------------------------------------- */

gboolean
sp_check_put_all (SpCheckInstance *instance, SpBatch *batches, gsize n_batches)
{
  g_autoptr (GError) error = NULL;
  gboolean ok = sp_check_write (instance, batches, n_batches, SP_CHECK_USUAL_MS, &error);

  if (!sp_check_need (instance->check, "write()", ok, error))
    return FALSE;
  for (gsize i = 0; i < n_batches; i++)
    if (batches[i].result != SP_BATCH_DONE && batches[i].result != SP_BATCH_CONFLICT) {
      sp_check_fail (instance->check, "write() left batch %" G_GSIZE_FORMAT " without a result",
                     i + 1);
      return FALSE;
    }
  return TRUE;
}

guint32
sp_check_put (SpCheckInstance *instance, const char *table, const char *key, gint64 expect,
              const char *value)
{
  g_autoptr (GBytes) bytes = value != NULL ? g_bytes_new (value, strlen (value)) : NULL;
  SpWrite write = { table, key, expect, bytes };
  SpBatch batch = { .writes = &write, .n_writes = 1 };

  return sp_check_put_all (instance, &batch, 1) ? batch.result : 0;
}

gboolean
sp_check_get (SpCheckInstance *instance, const char *table, const char *key, GBytes **ret_value,
              gint64 *ret_revision)
{
  g_autoptr (GError) error = NULL;
  gboolean ok =
      sp_check_read (instance, table, key, SP_CHECK_USUAL_MS, ret_value, ret_revision, &error);

  if (!ok && g_error_matches (error, SP_ERROR, SP_ERROR_NOT_FOUND)) {
    *ret_value = NULL;
    *ret_revision = 0;
    return TRUE;
  }
  if (!sp_check_need (instance->check, "read()", ok, error))
    return FALSE;
  return sp_check_expect (instance->check, *ret_value != NULL,
                          "read() succeeded and gave no value for the key '%s'", key);
}

gboolean
sp_check_need_row (SpCheckInstance *instance, const char *table, const char *key, gint64 revision,
                   const char *value)
{
  g_autoptr (GBytes) wanted = value != NULL ? g_bytes_new (value, strlen (value)) : NULL;
  g_autoptr (GBytes) found = NULL;
  gint64 number;

  if (!sp_check_get (instance, table, key, &found, &number))
    return FALSE;
  if (wanted == NULL)
    return sp_check_expect (instance->check, found == NULL,
                            "the row '%s' is there, and must not be", key);
  if (!sp_check_expect (instance->check, found != NULL, "the row '%s' is not there", key))
    return FALSE;
  if (!sp_check_expect (instance->check, g_bytes_equal (found, wanted),
                        "the row '%s' has another value than was written last", key))
    return FALSE;
  return sp_check_expect (instance->check, number == revision,
                          "the row '%s' has revision %" G_GINT64_FORMAT ", not %" G_GINT64_FORMAT,
                          key, number, revision);
}
