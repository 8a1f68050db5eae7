/* secret-proxy/store.h - keeps sealed bytes; it never sees a secret
 *
 * This table goes with one release of the core until it is declared stable.
 *
 * A store holds rows (table, key, revision, value).  Tables are ordered by the bytes of the key.  A
 * row has a revision: 0 before it exists, then one more with each write; a removed row is as if it
 * had never been.  Table names are short words, keys at most 128 bytes of printable ASCII, values at
 * most 256 KiB.
 */
#pragma once

#include <secret-proxy/plugin.h>

G_BEGIN_DECLS

#define SP_STORE_ABI 1u

typedef struct {
  const char *table;
  const char *key;
  gint64 expect; /* the revision that must be there, or -1: any */
  GBytes *value; /* NULL: remove the row */
} SpWrite;

typedef enum {
  SP_BATCH_DONE = 1,
  SP_BATCH_CONFLICT, /* an expected revision was not there; nothing of the batch was written */
} SpBatchResult;

typedef struct {
  const SpWrite *writes;
  gsize n_writes;
  guint32 result; /* out: SpBatchResult */
} SpBatch;

/* Return FALSE to stop. */
typedef gboolean (*SpRowFunc) (const char *key, gint64 revision, GBytes *value, gpointer data);

typedef enum {
  /* Keeps rows for the life of its process only: for tests, and for vaults that are to be forgotten. */
  SP_STORE_VOLATILE = 1u << 0,
} SpStoreFlags;

struct _SpStoreOps {
  guint32 flags; /* SpStoreFlags */

  /* SP_ERROR_NOT_FOUND where there is no such row. */
  gboolean (*read) (gpointer self, const char *table, const char *key, GBytes **ret_value,
                    gint64 *ret_revision, GCancellable *cancellable, GError **error);
  /* Each batch is written whole or not at all, in order; a conflict in one does not touch the
   * others.  TRUE: every result is set and all that is SP_BATCH_DONE survives a power cut.  FALSE:
   * nothing of any batch was written. */
  gboolean (*write) (gpointer self, SpBatch *batches, gsize n_batches, GCancellable *cancellable,
                     GError **error);
  /* Rows with a key greater than @after (NULL: all), in byte order, until @row returns FALSE. */
  gboolean (*scan) (gpointer self, const char *table, const char *after, SpRowFunc row,
                    gpointer data, GCancellable *cancellable, GError **error);
};

#define SP_STORE_PLUGIN(ops, ...) SP_PLUGIN_DEFINE_ (SP_KIND_STORE, ops, SP_STORE_ABI, __VA_ARGS__)

G_END_DECLS
