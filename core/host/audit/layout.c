/* layout.c - layout.h with pread(2) and lseek(2)
 *
 * What must stay true: each byte of the disk is in one partition, in one gap, or in a table whose every field
 * is in a line of the tree.
 */
#include "host/audit/layout.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/problem.h"

#define SECTOR 512u
#define BLOCK 4096u
#define MBR_CODE 440u
#define MBR_TABLE 446u
#define MBR_ENTRY 16u
#define MBR_ENTRIES 4u
#define GPT_ENTRY 128u
#define GPT_ENTRIES 128u
#define GPT_TABLE (GPT_ENTRY * GPT_ENTRIES)
#define KIND_GPT 0xeeu

typedef struct {
  int fd;
  SpAuditTree *tree;
  guint64 first; /* the first byte behind the table */
  guint64 last;  /* the first byte of the second table, or the end */
} Layout;

static gboolean
fail (GError **error, const char *what)
{
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY, "the disk's partition table is refused: %s",
               what);
  return FALSE;
}

static gboolean
read_at (int fd, guint64 offset, void *data, gsize length, GError **error)
{
  gssize n = pread (fd, data, length, (off_t) offset);

  if (n == (gssize) length)
    return TRUE;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY,
               "the disk can't be read at %" G_GUINT64_FORMAT, offset);
  return FALSE;
}

static guint64
little (const guint8 *data, guint n)
{
  guint64 value = 0;

  while (n-- > 0)
    value = value << 8 | data[n];
  return value;
}

static void
append_hex (GString *out, const guint8 *data, gsize length)
{
  for (gsize i = 0; i < length; i++)
    g_string_append_printf (out, "%02x", data[i]);
}

/* ---- digests that zeros do not count for --------------------------------------------------------------- */

static gboolean
is_zero (const guint8 *data, gsize length)
{
  return length == 0 || (data[0] == 0 && memcmp (data, data + 1, length - 1) == 0);
}

/* Where something may be from @offset on; @end: nowhere. */
static guint64
next_data (int fd, guint64 offset, guint64 end)
{
  off_t found = lseek (fd, (off_t) offset, SEEK_DATA);

  if (found < 0)
    return errno == ENXIO ? end : offset;
  return MIN ((guint64) found, end);
}

static char *
digest (int fd, guint64 start, guint64 end, GError **error)
{
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA256);
  g_autofree guint8 *data = g_malloc (BLOCK);

  for (guint64 at = start; at < end;) {
    guint64 found = next_data (fd, at, end);
    gsize length;

    at += (found - at) / BLOCK * BLOCK;
    length = (gsize) MIN (BLOCK, end - at);
    if (found >= end)
      break;
    if (!read_at (fd, at, data, length, error))
      return NULL;
    memset (data + length, 0, BLOCK - length);
    if (!is_zero (data, BLOCK)) {
      guint64 place = GUINT64_TO_LE (at - start);

      g_checksum_update (sum, (const guchar *) &place, sizeof place);
      g_checksum_update (sum, data, BLOCK);
    }
    at += length;
  }
  return g_strdup (g_checksum_get_string (sum));
}

static gboolean
add_gap (Layout *layout, const char *name, guint64 start, guint64 end, GError **error)
{
  g_autofree char *sha256 = NULL;

  if (start > end)
    return fail (error, "partitions overlap, or lie in the table or outside of the disk");
  sha256 = digest (layout->fd, start, end, error);
  if (sha256 == NULL)
    return FALSE;
  sp_audit_tree_add_gap (layout->tree, name, end - start, sha256);
  return TRUE;
}

/* ---- a partition ------------------------------------------------------------------------------------------- */

static const struct {
  const char *fs;
  guint64 at; /* of the mark */
  const char *mark;
  gsize length;
  guint64 boot_from, boot_to; /* what of it may boot, and stays as it is in use */
} systems[] = {
  { "ext", 1080, "\x53\xef", 2, 0, 1024 },
  { "vfat", 82, "FAT32   ", 8, 90, 510 },
  { "vfat", 54, "FAT16   ", 8, 62, 510 },
  { "vfat", 54, "FAT12   ", 8, 62, 510 },
};

static gboolean
look_into (Layout *layout, SpAuditPart *part, GError **error)
{
  guint8 head[2048] = { 0 };
  guint64 from = part->start, to = part->start + part->size;

  if (part->size >= sizeof head && !read_at (layout->fd, part->start, head, sizeof head, error))
    return FALSE;
  part->fs = g_strdup ("raw");
  for (gsize i = 0; i < G_N_ELEMENTS (systems); i++)
    if (memcmp (head + systems[i].at, systems[i].mark, systems[i].length) == 0) {
      g_free (part->fs);
      part->fs = g_strdup (systems[i].fs);
      from = part->start + systems[i].boot_from;
      to = part->start + systems[i].boot_to;
      break;
    }
  part->sha256 = digest (layout->fd, from, to, error);
  return part->sha256 != NULL;
}

static void
add_part (Layout *layout, guint number, guint64 start, guint64 size, const char *kind)
{
  SpAuditPart *part = g_new0 (SpAuditPart, 1);

  part->number = number;
  part->start = start;
  part->size = size;
  part->kind = g_strdup (kind);
  sp_audit_tree_add_part (layout->tree, part);
}

/* ---- tables ------------------------------------------------------------------------------------------------- */

static gboolean
take_mbr (Layout *layout, const guint8 *sector, GError **error)
{
  for (guint i = 0; i < MBR_ENTRIES; i++) {
    const guint8 *entry = sector + MBR_TABLE + i * MBR_ENTRY;
    g_autofree char *kind = g_strdup_printf ("%02x-%02x", entry[4], entry[0]);

    if (entry[4] == 0 && is_zero (entry, MBR_ENTRY))
      continue;
    if (entry[4] == 0 || entry[4] == 0x05 || entry[4] == 0x0f || entry[4] == 0x85)
      return fail (error, "it has a partition without a type, or an extended one");
    add_part (layout, i + 1, little (entry + 8, 4) * SECTOR, little (entry + 12, 4) * SECTOR, kind);
  }
  layout->first = SECTOR;
  return TRUE;
}

static gboolean
take_gpt_entry (Layout *layout, guint number, const guint8 *entry, GError **error)
{
  g_autoptr (GString) kind = g_string_new (NULL);
  guint64 first = little (entry + 32, 8), last = little (entry + 40, 8);

  if (is_zero (entry, 16))
    return is_zero (entry, GPT_ENTRY) ? TRUE
                                      : fail (error, "an unused partition has something in it");
  if (first > last || last > G_MAXINT64 / SECTOR / 2)
    return fail (error, "a partition ends before it begins, or beyond any disk");
  append_hex (kind, entry, 32);
  g_string_append_c (kind, '-');
  append_hex (kind, entry + 48, 8);
  add_part (layout, number, first * SECTOR, (last - first + 1) * SECTOR, kind->str);
  return TRUE;
}

/* Firmware may go by either table. */
static gboolean
take_gpt (Layout *layout, GError **error)
{
  guint64 second = layout->tree->size / SECTOR * SECTOR - SECTOR - GPT_TABLE;
  guint8 header[SECTOR];
  g_autofree guint8 *table = g_malloc (GPT_TABLE);
  g_autofree guint8 *copy = g_malloc (GPT_TABLE);

  if (layout->tree->size < 2 * GPT_TABLE + 8 * SECTOR)
    return fail (error, "the disk is too small for one");
  if (!read_at (layout->fd, SECTOR, header, SECTOR, error) ||
      !read_at (layout->fd, 2 * SECTOR, table, GPT_TABLE, error) ||
      !read_at (layout->fd, second, copy, GPT_TABLE, error))
    return FALSE;
  if (memcmp (header, "EFI PART", 8) != 0 || little (header + 72, 8) != 2 ||
      little (header + 80, 4) != GPT_ENTRIES || little (header + 84, 4) != GPT_ENTRY)
    return fail (error, "a GPT of another form than usual");
  if (memcmp (table, copy, GPT_TABLE) != 0)
    return fail (error, "the second GPT is not at the end of the disk, or differs from the first");
  for (guint i = 0; i < GPT_ENTRIES; i++)
    if (!take_gpt_entry (layout, i + 1, table + i * GPT_ENTRY, error))
      return FALSE;
  layout->first = 2 * SECTOR + GPT_TABLE;
  layout->last = second;
  return TRUE;
}

static gboolean
take_table (Layout *layout, const guint8 *sector, GError **error)
{
  gboolean has_table = sector[510] == 0x55 && sector[511] == 0xaa;
  const char *kind = !has_table ? "none" : sector[MBR_TABLE + 4] == KIND_GPT ? "gpt" : "mbr";

  g_free (layout->tree->table);
  layout->tree->table = g_strdup (kind);
  if (!has_table)
    add_part (layout, 1, 0, layout->tree->size, "0");
  return !has_table                  ? TRUE
         : g_str_equal (kind, "gpt") ? take_gpt (layout, error)
                                     : take_mbr (layout, sector, error);
}

/* ---- all of it ---------------------------------------------------------------------------------------------- */

static gint
by_start (gconstpointer a, gconstpointer b)
{
  const SpAuditPart *left = *(SpAuditPart *const *) a, *right = *(SpAuditPart *const *) b;

  return left->start < right->start ? -1 : left->start > right->start;
}

static gboolean
cover (Layout *layout, GError **error)
{
  GPtrArray *parts = layout->tree->parts;
  guint64 at = layout->first;

  g_ptr_array_sort (parts, by_start);
  for (guint i = 0; i < parts->len; i++) {
    SpAuditPart *part = g_ptr_array_index (parts, i);
    g_autofree char *name = g_strdup_printf ("before-%u", part->number);

    if (part->start > layout->last || part->size > layout->last - part->start)
      return fail (error, "a partition leaves the disk");
    if (!add_gap (layout, name, at, part->start, error))
      return FALSE;
    if (!look_into (layout, part, error))
      return FALSE;
    at = part->start + part->size;
  }
  return add_gap (layout, "tail", at, layout->last, error);
}

gboolean
sp_audit_layout (int fd, SpAuditTree *tree, GError **error)
{
  Layout layout = { .fd = fd, .tree = tree };
  guint8 sector[SECTOR];
  struct stat st;

  if (fstat (fd, &st) != 0 || !S_ISREG (st.st_mode) || st.st_size < (off_t) (4 * SECTOR))
    return fail (error, "this is no disk");
  tree->size = layout.last = (guint64) st.st_size;
  return read_at (fd, 0, sector, sizeof sector, error) && take_table (&layout, sector, error) &&
         (g_str_equal (tree->table, "none") || add_gap (&layout, "code", 0, MBR_CODE, error)) &&
         cover (&layout, error);
}
