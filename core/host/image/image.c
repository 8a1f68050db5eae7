/* image.c - image.h: the steps of a check, and what they share */
#include "host/image/private.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/problem.h"

#define GIB (G_GUINT64_CONSTANT (1) << 30)

const SpImageLimits sp_image_default_limits = { .max_file = 16 * GIB, .max_virtual = 16 * GIB };

void
sp_image_finding_free (SpImageFinding *finding)
{
  g_free (finding->message);
  g_free (finding);
}

static gboolean
has_code (GPtrArray *findings, const char *code)
{
  for (guint i = 0; i < findings->len; i++)
    if (g_str_equal (((SpImageFinding *) g_ptr_array_index (findings, i))->code, code))
      return TRUE;
  return FALSE;
}

void
sp_image_report (SpImageScan *scan, const char *code, const char *format, ...)
{
  SpImageFinding *finding;
  va_list args;

  if (has_code (scan->findings, code))
    return;
  finding = g_new0 (SpImageFinding, 1);
  finding->code = code;
  va_start (args, format);
  finding->message = g_strdup_vprintf (format, args);
  va_end (args);
  g_ptr_array_add (scan->findings, finding);
}

gboolean
sp_image_pread (int fd, guint64 offset, gpointer buffer, gsize length, GError **error)
{
  char *at = buffer;
  gsize done = 0;

  while (done < length) {
    gssize got = pread (fd, at + done, length - done, (off_t) (offset + done));

    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0) {
      int saved = errno;

      g_set_error (error, G_IO_ERROR, (gint) g_io_error_from_errno (saved),
                   "cannot read the image: %s", g_strerror (saved));
      return FALSE;
    }
    if (got == 0)
      break;
    done += (gsize) got;
  }
  memset (at + done, 0, length - done);
  return TRUE;
}

gboolean
sp_image_pwrite (int fd, guint64 offset, gconstpointer buffer, gsize length, GError **error)
{
  const char *at = buffer;

  for (gsize done = 0; done < length;) {
    gssize put = pwrite (fd, at + done, length - done, (off_t) (offset + done));

    if (put < 0 && errno == EINTR)
      continue;
    if (put <= 0) {
      int saved = errno;

      g_set_error (error, G_IO_ERROR, (gint) g_io_error_from_errno (saved),
                   "cannot copy the tables of the image: %s", g_strerror (saved));
      return FALSE;
    }
    done += (gsize) put;
  }
  return TRUE;
}

gboolean
sp_image_is_inside (const SpImageScan *scan, guint64 offset, guint64 length)
{
  guint64 mask = (G_GUINT64_CONSTANT (1) << scan->cluster_bits) - 1;

  return offset != 0 && (offset & mask) == 0 && offset < scan->file_size &&
         length <= scan->file_size - offset;
}

guint64
sp_image_l1_entries (guint64 size, guint cluster_bits)
{
  /* A table is a cluster of entries of 8 bytes, each for a cluster. */
  guint bits = cluster_bits + cluster_bits - 3;

  return (size >> bits) + ((size & ((G_GUINT64_CONSTANT (1) << bits) - 1)) != 0 ? 1 : 0);
}

gboolean
sp_image_scan_init (SpImageScan *scan, int fd, const SpImageLimits *limits, GError **error)
{
  struct stat st;

  *scan = (SpImageScan){ .fd = fd, .limits = *limits, .copy = -1 };
  scan->findings = g_ptr_array_new_with_free_func ((GDestroyNotify) sp_image_finding_free);
  if (fstat (fd, &st) != 0 || !S_ISREG (st.st_mode)) {
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_INVALID, "the image is no regular file");
    return FALSE;
  }
  scan->file_size = (guint64) st.st_size;
  return TRUE;
}

gboolean
sp_image_scan_all (SpImageScan *scan, GError **error)
{
  if (scan->file_size > scan->limits.max_file) {
    sp_image_report (scan, "file-too-large",
                     "the file has %" G_GUINT64_FORMAT " bytes; at most %" G_GUINT64_FORMAT
                     " are taken",
                     scan->file_size, scan->limits.max_file);
    return TRUE;
  }
  if (!sp_image_scan_header (scan, error))
    return FALSE;
  return scan->findings->len > 0 || sp_image_scan_tables (scan, error);
}

void
sp_image_scan_clear (SpImageScan *scan)
{
  g_clear_pointer (&scan->findings, g_ptr_array_unref);
}

GPtrArray *
sp_image_check (int fd, const SpImageLimits *limits, GError **error)
{
  g_auto (SpImageScan) scan = { 0 };

  if (!sp_image_scan_init (&scan, fd, limits, error) || !sp_image_scan_all (&scan, error))
    return NULL;
  return g_steal_pointer (&scan.findings);
}

GPtrArray *
sp_image_check_header (int fd, const SpImageLimits *limits, GError **error)
{
  g_auto (SpImageScan) scan = { 0 };

  if (!sp_image_scan_init (&scan, fd, limits, error) || !sp_image_scan_header (&scan, error))
    return NULL;
  return g_steal_pointer (&scan.findings);
}
