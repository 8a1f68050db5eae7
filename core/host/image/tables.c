/* tables.c - the tables of a qcow2 file: every place in it is used once
 *
 * An image in which many entries lead to one table or one cluster is small and stands for a huge disk,
 * or lets a write in one place show in another.  So each cluster of the file is claimed by the first
 * that leads to it, in a bitmap, and a second claim is a finding.  That bounds the work as well: a
 * table is walked once, and all tables together are no longer than the file.
 *
 * Snapshots rightly share with the disk what their L1 tables lead to, so of them only the places of
 * tables are looked at, and nothing here reads their clusters.
 *
 * On the way the tables may be copied, so that a tool can be given them without any of the content.
 */
#include "host/image/private.h"

#define CHUNK (64u * 1024u)
#define MAX_COPY (256u * 1024u * 1024u)
#define SNAPSHOT_HEAD 40u
#define MAX_SNAPSHOT_EXTRA 1024u

#define L1_RESERVED G_GUINT64_CONSTANT (0x7f000000000001ff)
#define L2_RESERVED G_GUINT64_CONSTANT (0x3f000000000001fe)

typedef struct {
  SpImageScan *scan;
  guint8 *used;   /* a bit for each cluster of the file */
  guint8 *copied; /* likewise */
  guint64 n_copied;
  guint64 *l2;    /* one table */
  guint8 *buffer; /* one cluster */
} Walk;

static guint64
cluster_size (const SpImageScan *scan)
{
  return G_GUINT64_CONSTANT (1) << scan->cluster_bits;
}

static guint64
last_cluster (const Walk *walk, guint64 offset, guint64 length)
{
  return (offset + MAX (length, 1) - 1) >> walk->scan->cluster_bits;
}

/* FALSE: it was marked already. */
static gboolean
mark (guint8 *bits, guint64 cluster)
{
  guint8 bit = (guint8) (1u << (cluster % 8));
  gboolean fresh = (bits[cluster / 8] & bit) == 0;

  bits[cluster / 8] |= bit;
  return fresh;
}

/* The clusters of @length bytes at @offset, which are inside the file.  FALSE: one is used already. */
static gboolean
claim (Walk *walk, guint64 offset, guint64 length)
{
  guint64 last = last_cluster (walk, offset, length);
  gboolean fresh = TRUE;

  for (guint64 i = offset >> walk->scan->cluster_bits; i <= last; i++)
    fresh = mark (walk->used, i) && fresh;
  return fresh;
}

static gboolean
copy_cluster (Walk *walk, guint64 cluster, GError **error)
{
  SpImageScan *scan = walk->scan;
  guint64 at = cluster << scan->cluster_bits;
  gsize length = (gsize) MIN (cluster_size (scan), scan->file_size - at);

  walk->n_copied += length;
  if (walk->n_copied > MAX_COPY) {
    sp_image_report (scan, "tables-too-large", "its tables have more than %u bytes", MAX_COPY);
    return TRUE;
  }
  return sp_image_pread (scan->fd, at, walk->buffer, length, error) &&
         sp_image_pwrite (scan->copy, at, walk->buffer, length, error);
}

/* The same clusters, each once, where a copy is wanted. */
static gboolean
copy (Walk *walk, guint64 offset, guint64 length, GError **error)
{
  guint64 last = last_cluster (walk, offset, length);

  if (walk->scan->copy < 0)
    return TRUE;
  for (guint64 i = offset >> walk->scan->cluster_bits; i <= last; i++)
    if (mark (walk->copied, i) && !copy_cluster (walk, i, error))
      return FALSE;
  return TRUE;
}

static gboolean
take_table (Walk *walk, guint64 offset, guint64 length, const char *what, GError **error)
{
  if (!claim (walk, offset, length))
    sp_image_report (walk->scan, "overlap",
                     "%s at byte %" G_GUINT64_FORMAT " lies over another table", what, offset);
  return copy (walk, offset, length, error);
}

typedef gboolean (*EntryFunc) (Walk *walk, guint64 index, guint64 entry, GError **error);

/* Calls @each with every entry that is not zero of the table of @n entries at @offset. */
static gboolean
each_entry (Walk *walk, guint64 offset, guint64 n, EntryFunc each, GError **error)
{
  g_autofree guint64 *chunk = g_malloc (CHUNK);
  const guint64 in_chunk = CHUNK / sizeof *chunk;

  for (guint64 first = 0; first < n; first += in_chunk) {
    guint64 count = MIN (in_chunk, n - first);

    if (!sp_image_pread (walk->scan->fd, offset + first * 8, chunk, count * 8, error))
      return FALSE;
    for (guint64 i = 0; i < count; i++)
      if (chunk[i] != 0 && !each (walk, first + i, GUINT64_FROM_BE (chunk[i]), error))
        return FALSE;
  }
  return TRUE;
}

/* ---- snapshots -------------------------------------------------------------------------------------------- */

static guint64
be_at (const guint8 *at, guint bytes)
{
  guint64 value = 0;

  for (guint i = 0; i < bytes; i++)
    value = value << 8 | at[i];
  return value;
}

static gboolean
check_snapshot_l2 (Walk *walk, guint64 index, guint64 entry, GError **error)
{
  guint64 offset = entry & SP_IMAGE_OFFSET;

  if (sp_image_is_inside (walk->scan, offset, cluster_size (walk->scan)))
    return copy (walk, offset, cluster_size (walk->scan), error);
  sp_image_report (walk->scan, "snapshot-table",
                   "L2 table %" G_GUINT64_FORMAT
                   " of a snapshot is not inside the file, or not at a cluster",
                   index);
  return TRUE;
}

static gboolean
check_snapshot_l1 (Walk *walk, guint64 offset, guint64 n, GError **error)
{
  SpImageScan *scan = walk->scan;

  if (n > 0 && n <= scan->max_l1 && sp_image_is_inside (scan, offset, n * 8))
    return take_table (walk, offset, n * 8, "the L1 table of a snapshot", error) &&
           each_entry (walk, offset, n, check_snapshot_l2, error);
  sp_image_report (scan, "snapshot-table",
                   "the L1 table of a snapshot has no entries or more than %" G_GUINT64_FORMAT
                   ", is not inside the file, or not at a cluster",
                   scan->max_l1);
  return TRUE;
}

/* The entry at @offset; @ret_length: with its padding, 0 where it does not end. */
static gboolean
check_snapshot (Walk *walk, guint64 offset, guint64 *ret_length, GError **error)
{
  SpImageScan *scan = walk->scan;
  guint8 head[SNAPSHOT_HEAD];
  guint64 extra, length;

  if (!sp_image_pread (scan->fd, offset, head, sizeof head, error))
    return FALSE;
  extra = be_at (head + 36, 4);
  length = SNAPSHOT_HEAD + extra + be_at (head + 12, 2) + be_at (head + 14, 2);
  if (extra > MAX_SNAPSHOT_EXTRA || offset > scan->file_size || length > scan->file_size - offset) {
    sp_image_report (scan, "snapshot-table", "its table of snapshots does not end in the file");
    *ret_length = 0;
    return TRUE;
  }
  /* The file may end without the padding of the last one. */
  *ret_length = (length + 7) / 8 * 8;
  return check_snapshot_l1 (walk, be_at (head, 8), be_at (head + 8, 4), error);
}

static gboolean
check_snapshots (Walk *walk, GError **error)
{
  SpImageScan *scan = walk->scan;
  guint64 offset = scan->snapshots_offset, length;

  for (guint32 i = 0; i < scan->n_snapshots; i++, offset += length) {
    if (!check_snapshot (walk, offset, &length, error))
      return FALSE;
    if (length == 0)
      return TRUE;
  }
  return scan->n_snapshots == 0 ||
         take_table (walk, scan->snapshots_offset, offset - scan->snapshots_offset,
                     "the table of snapshots", error);
}

/* ---- reference counts ------------------------------------------------------------------------------------- */

static gboolean
check_refcount_block (Walk *walk, guint64 index, guint64 entry, GError **error)
{
  guint64 length = cluster_size (walk->scan);

  if (sp_image_is_inside (walk->scan, entry, length))
    return take_table (walk, entry, length, "a block of reference counts", error);
  sp_image_report (walk->scan, "refcount-block",
                   "block %" G_GUINT64_FORMAT
                   " of its reference counts is not inside the file, or not at a cluster",
                   index);
  return TRUE;
}

/* ---- the disk -------------------------------------------------------------------------------------------- */

static void
check_cluster (Walk *walk, guint64 entry)
{
  SpImageScan *scan = walk->scan;
  guint64 offset = entry & SP_IMAGE_OFFSET;

  if ((entry & SP_IMAGE_COMPRESSED) != 0) {
    sp_image_report (scan, "compressed",
                     "it has compressed clusters: convert it into a plain image first");
    return;
  }
  if ((entry & L2_RESERVED) != 0)
    sp_image_report (scan, "reserved-bits",
                     "an L2 entry has unknown bits set: 0x%" G_GINT64_MODIFIER "x",
                     entry & L2_RESERVED);
  if (offset == 0 && (entry & SP_IMAGE_COPIED) == 0)
    return;
  /* The last one of a file may be cut short. */
  if (!sp_image_is_inside (scan, offset, 1))
    sp_image_report (scan, "cluster",
                     "a cluster of its disk, at byte %" G_GUINT64_FORMAT
                     ", is not inside the file, or not at a cluster",
                     offset);
  else if (!claim (walk, offset, 1))
    sp_image_report (scan, "cluster-shared",
                     "the cluster at byte %" G_GUINT64_FORMAT " is used twice", offset);
}

static gboolean
check_l2_entries (Walk *walk, guint64 offset, GError **error)
{
  gsize length = (gsize) cluster_size (walk->scan);

  if (!copy (walk, offset, length, error) ||
      !sp_image_pread (walk->scan->fd, offset, walk->l2, length, error))
    return FALSE;
  for (gsize i = 0; i < length / 8; i++)
    if (walk->l2[i] != 0)
      check_cluster (walk, GUINT64_FROM_BE (walk->l2[i]));
  return TRUE;
}

static gboolean
check_l2 (Walk *walk, guint64 index, guint64 entry, GError **error)
{
  SpImageScan *scan = walk->scan;
  guint64 offset = entry & SP_IMAGE_OFFSET;

  if ((entry & L1_RESERVED) != 0)
    sp_image_report (scan, "reserved-bits",
                     "entry %" G_GUINT64_FORMAT " of its L1 table has unknown bits set", index);
  if (!sp_image_is_inside (scan, offset, cluster_size (scan)))
    sp_image_report (scan, "l2-table",
                     "L2 table %" G_GUINT64_FORMAT " is not inside the file, or not at a cluster",
                     index);
  else if (!claim (walk, offset, 1))
    sp_image_report (scan, "l2-shared",
                     "L2 table %" G_GUINT64_FORMAT
                     " lies where something else is, at byte %" G_GUINT64_FORMAT,
                     index, offset);
  else
    return check_l2_entries (walk, offset, error);
  return TRUE;
}

gboolean
sp_image_scan_tables (SpImageScan *scan, GError **error)
{
  const gsize bitmap = (gsize) (scan->file_size >> scan->cluster_bits) / 8 + 1;
  g_autofree guint8 *used = g_malloc0 (bitmap), *copied = g_malloc0 (bitmap);
  g_autofree guint8 *buffer = g_malloc (cluster_size (scan));
  g_autofree guint64 *l2 = g_malloc (cluster_size (scan));
  guint64 refcount_bytes = (guint64) scan->refcount_clusters << scan->cluster_bits;
  Walk walk = { .scan = scan, .used = used, .copied = copied, .l2 = l2, .buffer = buffer };

  return take_table (&walk, 0, 1, "the header", error) &&
         take_table (&walk, scan->l1_offset, (guint64) scan->l1_size * 8, "the L1 table", error) &&
         take_table (&walk, scan->refcount_offset, refcount_bytes, "the table of reference counts",
                     error) &&
         check_snapshots (&walk, error) &&
         each_entry (&walk, scan->refcount_offset, refcount_bytes / 8, check_refcount_block,
                     error) &&
         each_entry (&walk, scan->l1_offset, scan->l1_size, check_l2, error);
}
