/* limits.c - what a caller may ask of the store
 *
 * All of a call is checked before any of it is written.  Keys are not repeated in errors: what is
 * in them is the core's business.
 */
#include "limits.h"

static gboolean
is_name (const char *name, gsize max)
{
  gsize length = 0;

  for (; name[length] != '\0'; length++)
    if (length == max || name[length] < ' ' || name[length] > '~')
      return FALSE;
  return length > 0;
}

gboolean
sp_sqlite_check_address (const char *path, const char *table, const char *key, GError **error)
{
  if (!is_name (table, SP_SQLITE_TABLE_MAX)) {
    g_set_error (error, SP_ERROR, SP_ERROR_REFUSED,
                 "%s: a table's name must be 1 to %d bytes of printable ASCII", path,
                 SP_SQLITE_TABLE_MAX);
    return FALSE;
  }
  if (is_name (key, SP_SQLITE_KEY_MAX))
    return TRUE;
  g_set_error (error, SP_ERROR, SP_ERROR_REFUSED,
               "%s: table %s: a key must be 1 to %d bytes of printable ASCII", path, table,
               SP_SQLITE_KEY_MAX);
  return FALSE;
}

static gboolean
check_write (const char *path, const SpWrite *write, GError **error)
{
  gsize size = write->value != NULL ? g_bytes_get_size (write->value) : 0;

  if (!sp_sqlite_check_address (path, write->table, write->key, error))
    return FALSE;
  if (size > SP_SQLITE_VALUE_MAX) {
    g_set_error (error, SP_ERROR, SP_ERROR_REFUSED,
                 "%s: table %s: a value of %" G_GSIZE_FORMAT " bytes; at most %d are kept", path,
                 write->table, size, SP_SQLITE_VALUE_MAX);
    return FALSE;
  }
  if (write->expect >= -1)
    return TRUE;
  g_set_error (error, SP_ERROR, SP_ERROR_REFUSED,
               "%s: table %s: there can be no revision %" G_GINT64_FORMAT, path, write->table,
               write->expect);
  return FALSE;
}

gboolean
sp_sqlite_check_batches (const char *path, const SpBatch *batches, gsize n_batches, GError **error)
{
  for (gsize i = 0; i < n_batches; i++)
    for (gsize j = 0; j < batches[i].n_writes; j++)
      if (!check_write (path, &batches[i].writes[j], error))
        return FALSE;
  return TRUE;
}
