/* read.c - the reader of image.h: plain clusters and zeros, one L2 table at a time
 *
 * What must stay true: every place that is read is checked at the moment of reading too, so that a file
 * that changes after the check gives other bytes, or an error, and nothing worse.
 */
#include "host/image/private.h"

#include <string.h>

#include "base/problem.h"

struct _SpImage {
  SpImageScan scan; /* without findings */
  guint64 *l1;      /* big-endian; as many entries as the disk needs */
  guint64 *l2;      /* big-endian; the table at l2_offset */
  guint64 l2_offset;
};

SpImage *
sp_image_open (int fd, const SpImageLimits *limits, GError **error)
{
  g_autoptr (SpImage) image = g_new0 (SpImage, 1);
  SpImageScan *scan = &image->scan;
  gsize l1_bytes;

  if (!sp_image_scan_init (scan, fd, limits, error) || !sp_image_scan_all (scan, error))
    return NULL;
  if (scan->findings->len > 0) {
    const SpImageFinding *first = g_ptr_array_index (scan->findings, 0);

    g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY, "the image is refused: %s (%s)",
                 first->message, first->code);
    return NULL;
  }
  l1_bytes = sp_image_l1_entries (scan->size, scan->cluster_bits) * 8;
  image->l1 = g_malloc (l1_bytes);
  image->l2 = g_malloc ((gsize) 1 << scan->cluster_bits);
  if (!sp_image_pread (fd, scan->l1_offset, image->l1, l1_bytes, error))
    return NULL;
  return g_steal_pointer (&image);
}

void
sp_image_free (SpImage *image)
{
  if (image == NULL)
    return;
  sp_image_scan_clear (&image->scan);
  g_free (image->l1);
  g_free (image->l2);
  g_free (image);
}

guint64
sp_image_size (const SpImage *image)
{
  return image->scan.size;
}

static gboolean
fail_changed (GError **error)
{
  g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY,
                       "the image changed while it was read");
  return FALSE;
}

static gboolean
load_l2 (SpImage *image, guint64 offset, GError **error)
{
  gsize length = (gsize) 1 << image->scan.cluster_bits;

  if (offset == image->l2_offset)
    return TRUE;
  image->l2_offset = 0;
  if (!sp_image_is_inside (&image->scan, offset, length))
    return fail_changed (error);
  if (!sp_image_pread (image->scan.fd, offset, image->l2, length, error))
    return FALSE;
  image->l2_offset = offset;
  return TRUE;
}

/* Where the cluster with the byte @offset of the disk lies in the file; 0: it is zero. */
static gboolean
locate (SpImage *image, guint64 offset, guint64 *ret_place, GError **error)
{
  guint bits = image->scan.cluster_bits, l2_bits = bits - 3;
  guint64 index = offset >> bits;
  guint64 table = GUINT64_FROM_BE (image->l1[index >> l2_bits]) & SP_IMAGE_OFFSET;
  guint64 entry, place;

  *ret_place = 0;
  if (table == 0)
    return TRUE;
  if (!load_l2 (image, table, error))
    return FALSE;
  entry = GUINT64_FROM_BE (image->l2[index & ((G_GUINT64_CONSTANT (1) << l2_bits) - 1)]);
  place = entry & SP_IMAGE_OFFSET;
  if ((entry & SP_IMAGE_COMPRESSED) != 0)
    return fail_changed (error);
  if ((entry & SP_IMAGE_ZERO) != 0 || place == 0)
    return TRUE;
  if (!sp_image_is_inside (&image->scan, place, 1))
    return fail_changed (error);
  *ret_place = place;
  return TRUE;
}

gboolean
sp_image_read (SpImage *image, guint64 offset, gpointer buffer, gsize length, GError **error)
{
  guint64 cluster = G_GUINT64_CONSTANT (1) << image->scan.cluster_bits;
  char *to = buffer;

  if (offset > image->scan.size || length > image->scan.size - offset) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_INVALID,
                 "cannot read %" G_GSIZE_FORMAT " bytes at %" G_GUINT64_FORMAT
                 ": the disk has %" G_GUINT64_FORMAT,
                 length, offset, image->scan.size);
    return FALSE;
  }
  while (length > 0) {
    guint64 inner = offset % cluster, place;
    gsize part = (gsize) MIN (length, cluster - inner);

    if (!locate (image, offset, &place, error))
      return FALSE;
    if (place == 0)
      memset (to, 0, part);
    else if (!sp_image_pread (image->scan.fd, place + inner, to, part, error))
      return FALSE;
    to += part;
    offset += part;
    length -= part;
  }
  return TRUE;
}
