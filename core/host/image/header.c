/* header.c - the header of a qcow2 file, its extensions, and whether it is another thing as well
 *
 * Only what `qemu-img create` and a running QEMU write for a disk that stands alone is let through.
 * A feature that is unknown here is refused even where QEMU would ignore it: what it means for later
 * releases nobody knows.
 */
#include "host/image/private.h"

#include <string.h>

#define MAGIC 0x514649fbu /* "QFI\xfb" */
#define VERSION 3u
#define MIN_HEADER 104u
#define FULL_HEADER 112u /* with the compression type and its padding */
#define MIN_CLUSTER_BITS 9u
#define MAX_CLUSTER_BITS 21u
#define MAX_REFCOUNT_ORDER 6u
#define MAX_SNAPSHOTS 8u
/* QEMU's own bounds. */
#define MAX_L1_ENTRIES (32u * 1024u * 1024u / 8u)
#define MAX_REFCOUNT_TABLE (8u * 1024u * 1024u)

#define EXTENSION_HEADER 8u
#define EXTENSION_END 0u
#define EXTENSION_NAMES 0x6803f857u
#define NAME_LENGTH 48u

static guint32
be32 (const guint8 *at)
{
  guint32 value;

  memcpy (&value, at, sizeof value);
  return GUINT32_FROM_BE (value);
}

static guint64
be64 (const guint8 *at)
{
  guint64 value;

  memcpy (&value, at, sizeof value);
  return GUINT64_FROM_BE (value);
}

/* ---- feature bits ---------------------------------------------------------------------------------------- */

typedef struct {
  guint bit;
  const char *code; /* NULL: harmless */
  const char *message;
} Bit;

static const Bit incompatible_bits[] = {
  { 0, "dirty", "it was not closed cleanly: its reference counts are out of date" },
  { 1, "corrupt", "it is marked as corrupt" },
  { 2, "data-file", "its data lies in another file" },
  { 3, "compression-type", "it is compressed in another way than zlib's" },
  { 4, "extended-l2", "it has subclusters (extended L2 entries)" },
};
static const Bit compatible_bits[] = {
  { 0, NULL, NULL }, /* lazy reference counts: while they are, the image is dirty */
};
static const Bit autoclear_bits[] = {
  { 0, "bitmaps", "it has dirty bitmaps" },
  { 1, "data-file", "its data lies in another file" },
};

static const struct {
  const char *name;
  guint offset;
  const Bit *bits;
  gsize n_bits;
} feature_sets[] = {
  { "incompatible", 72, incompatible_bits, G_N_ELEMENTS (incompatible_bits) },
  { "compatible", 80, compatible_bits, G_N_ELEMENTS (compatible_bits) },
  { "autoclear", 88, autoclear_bits, G_N_ELEMENTS (autoclear_bits) },
};

static const Bit *
find_bit (const Bit *bits, gsize n_bits, guint bit)
{
  for (gsize i = 0; i < n_bits; i++)
    if (bits[i].bit == bit)
      return &bits[i];
  return NULL;
}

static void
check_features (SpImageScan *scan, const guint8 *header)
{
  for (gsize i = 0; i < G_N_ELEMENTS (feature_sets); i++) {
    guint64 features = be64 (header + feature_sets[i].offset);

    for (guint bit = 0; bit < 64; bit++) {
      const Bit *known = find_bit (feature_sets[i].bits, feature_sets[i].n_bits, bit);

      if ((features & (G_GUINT64_CONSTANT (1) << bit)) == 0)
        continue;
      if (known == NULL)
        sp_image_report (scan, "unknown-feature", "it has the unknown %s feature %u",
                         feature_sets[i].name, bit);
      else if (known->code != NULL)
        sp_image_report (scan, known->code, "%s", known->message);
    }
  }
}

/* ---- numbers -------------------------------------------------------------------------------------------- */

static void
check_plain (SpImageScan *scan, const guint8 *header)
{
  guint32 order = be32 (header + 96), method = be32 (header + 32);

  if (be64 (header + 8) != 0 || be32 (header + 16) != 0)
    sp_image_report (scan, "backing-file", "it names another file as the one that it is based on");
  if (method != 0)
    sp_image_report (scan, "encryption", "it is encrypted (method %u)", method);
  if (order > MAX_REFCOUNT_ORDER)
    sp_image_report (scan, "refcount-width",
                     "its reference counts have 2^%u bits; at most 64 are known", order);
}

/* FALSE: where the extensions begin is not known. */
static gboolean
check_header_length (SpImageScan *scan, const guint8 *header)
{
  static const guint8 zeros[FULL_HEADER - MIN_HEADER - 1];
  guint32 length = be32 (header + 100);

  if (length != MIN_HEADER && length != FULL_HEADER) {
    sp_image_report (scan, "header-length", "its header has %u bytes; %u or %u are known", length,
                     MIN_HEADER, FULL_HEADER);
    return FALSE;
  }
  if (length == MIN_HEADER)
    return TRUE;
  if (header[MIN_HEADER] != 0)
    sp_image_report (scan, "compression-type", "it is compressed by the unknown method %u",
                     header[MIN_HEADER]);
  if (memcmp (header + MIN_HEADER + 1, zeros, sizeof zeros) != 0)
    sp_image_report (scan, "header-length", "the padding of its header is not zero");
  return TRUE;
}

static void
check_size (SpImageScan *scan)
{
  guint bits = scan->cluster_bits;
  guint64 least;

  if (scan->size == 0 || scan->size % SP_IMAGE_SECTOR != 0 ||
      scan->size > scan->limits.max_virtual) {
    sp_image_report (scan, "virtual-size",
                     "its disk has %" G_GUINT64_FORMAT " bytes; it must be whole sectors of %u "
                     "bytes, at most %" G_GUINT64_FORMAT " bytes",
                     scan->size, SP_IMAGE_SECTOR, scan->limits.max_virtual);
    return;
  }
  /* Behind the disk lies the saved state of a machine; a table grows by half of itself.  This bounds
   * how many tables there can be. */
  least = sp_image_l1_entries (scan->size, bits);
  scan->max_l1 =
      MIN (2 * (least + sp_image_l1_entries (scan->limits.max_file, bits)) + 1, MAX_L1_ENTRIES);
  if (scan->l1_size < least || scan->l1_size > scan->max_l1)
    sp_image_report (
        scan, "l1-size",
        "its L1 table has %u entries; for a disk of this size it has %" G_GUINT64_FORMAT
        " to %" G_GUINT64_FORMAT,
        scan->l1_size, least, scan->max_l1);
}

static void
check_places (SpImageScan *scan)
{
  guint64 table = (guint64) scan->refcount_clusters << scan->cluster_bits;

  if (!sp_image_is_inside (scan, scan->l1_offset, (guint64) scan->l1_size * 8))
    sp_image_report (scan, "l1-table", "its L1 table is not inside the file, or not at a cluster");
  if (table == 0 || table > MAX_REFCOUNT_TABLE ||
      !sp_image_is_inside (scan, scan->refcount_offset, table))
    sp_image_report (scan, "refcount-table",
                     "its table of reference counts is empty, longer than %u bytes, not inside the "
                     "file, or not at a cluster",
                     MAX_REFCOUNT_TABLE);
  if (scan->n_snapshots > MAX_SNAPSHOTS)
    sp_image_report (scan, "snapshots", "it has %u snapshots; at most %u are taken",
                     scan->n_snapshots, MAX_SNAPSHOTS);
  else if (scan->n_snapshots > 0 && !sp_image_is_inside (scan, scan->snapshots_offset, 0))
    sp_image_report (scan, "snapshot-table",
                     "its table of snapshots is not inside the file, or not at a cluster");
}

static void
take_numbers (SpImageScan *scan, const guint8 *header)
{
  scan->cluster_bits = be32 (header + 20);
  scan->size = be64 (header + 24);
  scan->l1_size = be32 (header + 36);
  scan->l1_offset = be64 (header + 40);
  scan->refcount_offset = be64 (header + 48);
  scan->refcount_clusters = be32 (header + 56);
  scan->n_snapshots = be32 (header + 60);
  scan->snapshots_offset = be64 (header + 64);
}

/* ---- extensions ------------------------------------------------------------------------------------------ */

static const struct {
  guint32 type;
  const char *code;
  const char *message;
} refused_extensions[] = {
  { 0xe2792acau, "backing-file", "it names the format of a file that it is based on" },
  { 0x44415441u, "data-file", "it names another file for its data" },
  { 0x23852875u, "bitmaps", "it has dirty bitmaps" },
  { 0x0537be77u, "encryption", "it has the header of an encrypted disk" },
};

static void
refuse_extension (SpImageScan *scan, guint32 type)
{
  for (gsize i = 0; i < G_N_ELEMENTS (refused_extensions); i++)
    if (refused_extensions[i].type == type) {
      sp_image_report (scan, refused_extensions[i].code, "%s", refused_extensions[i].message);
      return;
    }
  sp_image_report (scan, "unknown-extension", "it has the unknown header extension 0x%08x", type);
}

/* The one extension that a plain image has: names of features, for messages.  Skipped, never shown. */
static gboolean
check_names (SpImageScan *scan, guint32 length, guint64 room, gboolean seen)
{
  if (!seen && length % NAME_LENGTH == 0 && length <= room)
    return TRUE;
  sp_image_report (scan, "extension",
                   "its table of feature names has %u bytes, or is there twice; it must be whole "
                   "names in the first cluster",
                   length);
  return FALSE;
}

static gboolean
check_extensions (SpImageScan *scan, guint32 at, GError **error)
{
  guint64 end = MIN (G_GUINT64_CONSTANT (1) << scan->cluster_bits, scan->file_size);
  gboolean seen = FALSE;

  for (guint64 offset = at; offset + EXTENSION_HEADER <= end;) {
    guint8 head[EXTENSION_HEADER];
    guint32 type, length;

    if (!sp_image_pread (scan->fd, offset, head, sizeof head, error))
      return FALSE;
    type = be32 (head);
    length = be32 (head + 4);
    offset += EXTENSION_HEADER;
    if (type == EXTENSION_END && length == 0)
      return TRUE;
    if (type != EXTENSION_NAMES) {
      refuse_extension (scan, type);
      return TRUE;
    }
    if (!check_names (scan, length, end - offset, seen))
      return TRUE;
    seen = TRUE;
    offset += (length + 7u) / 8u * 8u;
  }
  sp_image_report (scan, "extension", "its header extensions do not end in the first cluster");
  return TRUE;
}

/* ---- two things in one file ---------------------------------------------------------------------------- */

/* What another program could take the same bytes for.  All of it lies where QEMU writes nothing of the
 * kind. */
static const struct {
  guint64 offset;
  const char *bytes;
  gsize length;
  const char *what;
} marks[] = {
  { 510, "\x55\xaa", 2, "a boot sector" },
  { 512, "EFI PART", 8, "a partition table (GPT)" },
  { 4096, "EFI PART", 8, "a partition table (GPT)" },
  { 32769, "CD001", 5, "a CD (ISO 9660)" },
  { 32769, "BEA01", 5, "a DVD (UDF)" },
};

static gboolean
check_marks (SpImageScan *scan, GError **error)
{
  for (gsize i = 0; i < G_N_ELEMENTS (marks); i++) {
    char bytes[8];

    if (!sp_image_pread (scan->fd, marks[i].offset, bytes, marks[i].length, error))
      return FALSE;
    if (memcmp (bytes, marks[i].bytes, marks[i].length) == 0)
      sp_image_report (scan, "polyglot", "it is %s as well: at byte %" G_GUINT64_FORMAT,
                       marks[i].what, marks[i].offset);
  }
  return TRUE;
}

/* ---- all of it -------------------------------------------------------------------------------------------- */

/* Whether the rest can be read as a header at all. */
static gboolean
is_qcow2 (SpImageScan *scan, const guint8 *header)
{
  if (scan->file_size < 4 || be32 (header) != MAGIC) {
    sp_image_report (scan, "not-qcow2", "the file does not begin as a qcow2 image does");
    return FALSE;
  }
  if (scan->file_size < MIN_HEADER) {
    sp_image_report (scan, "truncated",
                     "the file ends in its header: it has %" G_GUINT64_FORMAT " bytes",
                     scan->file_size);
    return FALSE;
  }
  if (be32 (header + 4) != VERSION) {
    sp_image_report (scan, "version", "it is qcow2 version %u; only %u is taken", be32 (header + 4),
                     VERSION);
    return FALSE;
  }
  return TRUE;
}

gboolean
sp_image_scan_header (SpImageScan *scan, GError **error)
{
  guint8 header[FULL_HEADER];
  gboolean known;

  if (!sp_image_pread (scan->fd, 0, header, sizeof header, error))
    return FALSE;
  if (!is_qcow2 (scan, header))
    return TRUE;
  check_features (scan, header);
  check_plain (scan, header);
  known = check_header_length (scan, header);
  take_numbers (scan, header);
  if (scan->cluster_bits < MIN_CLUSTER_BITS || scan->cluster_bits > MAX_CLUSTER_BITS) {
    sp_image_report (scan, "cluster-size", "its clusters have 2^%u bytes; 2^%u to 2^%u are known",
                     scan->cluster_bits, MIN_CLUSTER_BITS, MAX_CLUSTER_BITS);
    return TRUE;
  }
  check_size (scan);
  check_places (scan);
  return check_marks (scan, error) &&
         (!known || check_extensions (scan, be32 (header + 100), error));
}
