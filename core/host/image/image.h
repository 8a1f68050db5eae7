/* image.h - look into a qcow2 file without trusting it
 *
 * QEMU's tools follow what a header says: to backing files, data files, other protocols.  So this
 * header check comes before any tool; and what the takeover compares is read by this reader, which
 * knows plain clusters only.  Format: QEMU's docs/interop/qcow2.txt.
 *
 * What must stay true: reading is bounded by the file and by SpImageLimits, whatever the file says;
 * nothing but the descriptor is opened.
 */
#pragma once

#include <gio/gio.h>

typedef struct {
  guint64 max_file;    /* bytes of the file itself */
  guint64 max_virtual; /* bytes of the disk that it stands for */
} SpImageLimits;

/* 16 GiB each. */
extern const SpImageLimits sp_image_default_limits;

typedef struct {
  const char *code; /* static: "backing-file", "data-file", "not-qcow2", … */
  char *message;    /* what and where, a sentence for people, escaped */
} SpImageFinding;

void sp_image_finding_free (SpImageFinding *finding);

/* All that is wrong with the image behind @fd (readable, seekable): header, extensions, snapshot
 * table, refcount and L1/L2 tables, each allocated cluster used once.  SpImageFinding; empty: it is
 * good.  NULL with @error only where the file can't be read. */
GPtrArray *sp_image_check (int fd, const SpImageLimits *limits, GError **error);

/* The same for the header and its extensions only: whether it is a disk that names no other file.  For one
 * that is trusted by its checksum, and may have clusters that are compressed. */
GPtrArray *sp_image_check_header (int fd, const SpImageLimits *limits, GError **error);

/* ---- reading one that has no finding --------------------------------------------------------------- */

typedef struct _SpImage SpImage;

/* Checks again.  SP_PROBLEM_INTEGRITY with the first finding.  @fd is not taken; it must stay open. */
SpImage *sp_image_open (int fd, const SpImageLimits *limits, GError **error);
void sp_image_free (SpImage *image);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpImage, sp_image_free)

guint64 sp_image_size (const SpImage *image); /* of the disk */
/* All @length bytes at @offset of the disk; what is not allocated is zero. */
gboolean
sp_image_read (SpImage *image, guint64 offset, gpointer buffer, gsize length, GError **error);
