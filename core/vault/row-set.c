/* row-set.c - row-set.h on a tree a bucket, hashed with GnuTLS's SHA-256, which uses the processor's */
#include "vault/row-set.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <string.h>

#define BUCKETS 256u

typedef struct {
  gint64 revision;
  guint8 tag[SP_DIGEST_LENGTH]; /* of the sealed content */
} Mark;

typedef struct {
  GTree *marks; /* "table/key" -> Mark, in order */
  guint8 digest[SP_DIGEST_LENGTH];
  gboolean stale;
} Bucket;

typedef struct {
  char *name;
  Mark *before; /* NULL: there was none */
} Undo;

struct _SpRowSet {
  Bucket buckets[BUCKETS];
  GPtrArray *undo; /* NULL: not recorded */
};

static gint
compare_names (gconstpointer a, gconstpointer b, gpointer data)
{
  return strcmp (a, b);
}

static void
undo_free (gpointer data)
{
  Undo *undo = data;

  g_free (undo->name);
  g_free (undo->before);
  g_free (undo);
}

SpRowSet *
sp_row_set_new (void)
{
  SpRowSet *set = g_new0 (SpRowSet, 1);

  for (guint i = 0; i < BUCKETS; i++) {
    set->buckets[i].marks = g_tree_new_full (compare_names, NULL, g_free, g_free);
    set->buckets[i].stale = TRUE;
  }
  return set;
}

void
sp_row_set_free (SpRowSet *set)
{
  if (set == NULL)
    return;
  for (guint i = 0; i < BUCKETS; i++)
    g_tree_unref (set->buckets[i].marks);
  g_clear_pointer (&set->undo, g_ptr_array_unref);
  g_free (set);
}

static char *
name_of (const char *table, const char *key)
{
  return g_strconcat (table, "/", key, NULL);
}

static Bucket *
bucket_of (SpRowSet *set, const char *name)
{
  return &set->buckets[g_str_hash (name) % BUCKETS];
}

gint64
sp_row_set_revision (SpRowSet *set, const char *table, const char *key)
{
  g_autofree char *name = name_of (table, key);
  const Mark *mark = g_tree_lookup (bucket_of (set, name)->marks, name);

  return mark ? mark->revision : 0;
}

/* @mark NULL: none. */
static void
replace (SpRowSet *set, const char *name, const Mark *mark)
{
  Bucket *bucket = bucket_of (set, name);

  if (mark != NULL)
    g_tree_insert (bucket->marks, g_strdup (name), g_memdup2 (mark, sizeof *mark));
  else
    g_tree_remove (bucket->marks, name);
  bucket->stale = TRUE;
}

static gnutls_hash_hd_t
hash_new (void)
{
  gnutls_hash_hd_t hash;

  if (gnutls_hash_init (&hash, GNUTLS_DIG_SHA256) != 0)
    g_error ("GnuTLS has no SHA-256");
  return hash;
}

static void
hash_bytes (GBytes *bytes, guint8 digest[SP_DIGEST_LENGTH])
{
  if (gnutls_hash_fast (GNUTLS_DIG_SHA256, g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes),
                        digest) != 0)
    g_error ("GnuTLS has no SHA-256");
}

void
sp_row_set_put (SpRowSet *set, const char *table, const char *key, gint64 revision, GBytes *sealed)
{
  g_autofree char *name = name_of (table, key);
  Mark mark = { .revision = revision };

  if (set->undo != NULL) {
    Undo *undo = g_new0 (Undo, 1);
    const Mark *before = g_tree_lookup (bucket_of (set, name)->marks, name);

    undo->name = g_strdup (name);
    undo->before = before ? g_memdup2 (before, sizeof *before) : NULL;
    g_ptr_array_add (set->undo, undo);
  }
  if (sealed != NULL)
    hash_bytes (sealed, mark.tag);
  replace (set, name, sealed ? &mark : NULL);
}

static gboolean
hash_mark (gpointer name, gpointer value, gpointer data)
{
  const Mark *mark = value;
  const gint64 revision = GINT64_TO_BE (mark->revision);

  /* With its NUL, so that no name runs into what follows. */
  (void) gnutls_hash (data, name, strlen (name) + 1);
  (void) gnutls_hash (data, &revision, sizeof revision);
  (void) gnutls_hash (data, mark->tag, sizeof mark->tag);
  return FALSE;
}

static void
refresh (Bucket *bucket)
{
  gnutls_hash_hd_t hash = hash_new ();

  g_tree_foreach (bucket->marks, hash_mark, hash);
  gnutls_hash_deinit (hash, bucket->digest);
  bucket->stale = FALSE;
}

void
sp_row_set_digest (SpRowSet *set, guint8 ret_digest[SP_DIGEST_LENGTH])
{
  gnutls_hash_hd_t hash = hash_new ();

  for (guint i = 0; i < BUCKETS; i++) {
    if (set->buckets[i].stale)
      refresh (&set->buckets[i]);
    (void) gnutls_hash (hash, set->buckets[i].digest, SP_DIGEST_LENGTH);
  }
  gnutls_hash_deinit (hash, ret_digest);
}

void
sp_row_set_begin (SpRowSet *set)
{
  g_clear_pointer (&set->undo, g_ptr_array_unref);
  set->undo = g_ptr_array_new_with_free_func (undo_free);
}

void
sp_row_set_undo (SpRowSet *set)
{
  g_autoptr (GPtrArray) undo = g_steal_pointer (&set->undo);

  for (guint i = undo ? undo->len : 0; i > 0; i--) {
    const Undo *step = g_ptr_array_index (undo, i - 1);

    replace (set, step->name, step->before);
  }
}
