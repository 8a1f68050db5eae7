/* private.h - what the parts of image.h know of one image while they look into it
 *
 * What must stay true: a number of the header is used only after sp_image_scan_header() left no finding.
 */
#pragma once

#include "host/image/image.h"

#define SP_IMAGE_SECTOR 512u

/* Of an entry of an L1 or L2 table. */
#define SP_IMAGE_OFFSET G_GUINT64_CONSTANT (0x00fffffffffffe00)
#define SP_IMAGE_COPIED (G_GUINT64_CONSTANT (1) << 63)
#define SP_IMAGE_COMPRESSED (G_GUINT64_CONSTANT (1) << 62)
#define SP_IMAGE_ZERO G_GUINT64_CONSTANT (1)

typedef struct {
  int fd;
  SpImageLimits limits;
  guint64 file_size;
  GPtrArray *findings;
  int copy; /* where header and tables are copied to, in the same places; -1: nowhere */

  /* From the header. */
  guint cluster_bits;
  guint64 size;
  guint64 l1_offset;
  guint32 l1_size; /* entries */
  guint64 max_l1;  /* as many as any L1 table may have */
  guint64 refcount_offset;
  guint32 refcount_clusters;
  guint64 snapshots_offset;
  guint32 n_snapshots;
} SpImageScan;

/* ---- image.c ----------------------------------------------------------------------------------------- */

/* Begin with @fd: its length.  FALSE where it is no regular file or can't be read. */
gboolean
sp_image_scan_init (SpImageScan *scan, int fd, const SpImageLimits *limits, GError **error);
/* All checks. */
gboolean sp_image_scan_all (SpImageScan *scan, GError **error);
void sp_image_scan_clear (SpImageScan *scan);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (SpImageScan, sp_image_scan_clear)

/* The first finding of a code is kept; more of the same would only let the file choose how long the
 * list is.  @format must show nothing of the file but numbers. */
void
sp_image_report (SpImageScan *scan, const char *code, const char *format, ...) G_GNUC_PRINTF (3, 4);

/* @length bytes at @offset; what lies behind the end of the file is zero. */
gboolean sp_image_pread (int fd, guint64 offset, gpointer buffer, gsize length, GError **error);
gboolean
sp_image_pwrite (int fd, guint64 offset, gconstpointer buffer, gsize length, GError **error);

/* Whether @offset is a multiple of the cluster size, not the header's, and @length bytes from there on
 * are in the file. */
gboolean sp_image_is_inside (const SpImageScan *scan, guint64 offset, guint64 length);

/* How many entries of an L1 table @size bytes of the disk take. */
guint64 sp_image_l1_entries (guint64 size, guint cluster_bits);

/* ---- image-header.c, image-tables.c ------------------------------------------------------------------ */
/* FALSE: it can't be read. */
gboolean sp_image_scan_header (SpImageScan *scan, GError **error);
gboolean sp_image_scan_tables (SpImageScan *scan, GError **error);
