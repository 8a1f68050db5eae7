/* rows.h - the calls of a store, as points make them */
#pragma once

#include "plugin/check/case.h"

gboolean sp_check_write (SpCheckInstance *instance, SpBatch *batches, gsize n_batches,
                         guint deadline_ms, GError **error);
gboolean
sp_check_read (SpCheckInstance *instance, const char *table, const char *key, guint deadline_ms,
               GBytes **ret_value, gint64 *ret_revision, GError **error);
/* Up to @limit rows after @after: "key=revision" each into @keys (NULL: not wanted). */
gboolean sp_check_scan (SpCheckInstance *instance, const char *table, const char *after,
                        guint limit, guint deadline_ms, GPtrArray *keys, GError **error);

/* One row in a batch of its own; the result of the batch, or 0 and a verdict. */
guint32 sp_check_put (SpCheckInstance *instance, const char *table, const char *key, gint64 expect,
                      const char *value);
/* Several batches at once.  FALSE: there is a verdict. */
gboolean sp_check_put_all (SpCheckInstance *instance, SpBatch *batches, gsize n_batches);
/* The row is there with @revision and @value (NULL value: it is not there), or the point fails. */
gboolean sp_check_need_row (SpCheckInstance *instance, const char *table, const char *key,
                            gint64 revision, const char *value);
/* The value of a row; NULL: not there.  FALSE: there is a verdict. */
gboolean sp_check_get (SpCheckInstance *instance, const char *table, const char *key,
                       GBytes **ret_value, gint64 *ret_revision);
