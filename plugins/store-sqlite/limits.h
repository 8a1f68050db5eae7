/* limits.h - what a caller may ask of the store */
#pragma once

#include <secret-proxy/store.h>

/* In bytes.  The first is this plugin's own, the others are those of secret-proxy/store.h. */
#define SP_SQLITE_TABLE_MAX 64
#define SP_SQLITE_KEY_MAX 128
#define SP_SQLITE_VALUE_MAX (256 * 1024)

/* FALSE with SP_ERROR_REFUSED, after "@path: ", where a name is empty, too long or not printable
 * ASCII. */
gboolean
sp_sqlite_check_address (const char *path, const char *table, const char *key, GError **error);

/* The same for every write of every batch, with its value's size and the revision it expects. */
gboolean
sp_sqlite_check_batches (const char *path, const SpBatch *batches, gsize n_batches, GError **error);
