/* compare.c - image-compare.h */
#include "host/image/compare.h"

#include <string.h>

#include "base/problem.h"
#include "host/appliance/image-set.h"

#define STEP SP_DISK_ROOT_START

static gboolean
differ (GError **error, const char *what)
{
  g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY, what);
  return FALSE;
}

static guint64
padded (guint64 size)
{
  return (size + STEP - 1) / STEP * STEP;
}

static gboolean
is_zero (const guint8 *bytes, gsize length)
{
  for (gsize i = 0; i < length; i++)
    if (bytes[i] != 0)
      return FALSE;
  return TRUE;
}

/* What provision writes before the root is known to the byte. */
static gboolean
check_start (SpImage *disk, guint64 size, GError **error)
{
  g_autofree guint8 *start = g_malloc (SP_DISK_ROOT_START);
  guint8 expected[SP_DISK_TABLE_SIZE];

  if (!sp_image_read (disk, 0, start, SP_DISK_ROOT_START, error))
    return FALSE;
  sp_image_disk_table (size, sp_image_size (disk), expected);
  if (start[510] != expected[510] || start[511] != expected[511])
    return differ (error, "the disk has no partition table");
  if (memcmp (start, expected, sizeof expected) != 0)
    return differ (error, "its partition table is not the one that belongs to the image");
  if (!is_zero (start + sizeof expected, SP_DISK_ROOT_START - sizeof expected))
    return differ (error, "there is something before the root partition");
  return TRUE;
}

static gboolean
check_root (SpImage *disk, guint64 size, const char *sha256, GError **error)
{
  g_autofree guint8 *buffer = g_malloc (STEP);
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA256);

  for (guint64 at = 0; at < size; at += STEP) {
    gsize wanted = (gsize) MIN (STEP, size - at);

    if (!sp_image_read (disk, SP_DISK_ROOT_START + at, buffer, STEP, error))
      return FALSE;
    g_checksum_update (sum, buffer, (gssize) wanted);
    if (!is_zero (buffer + wanted, STEP - wanted))
      return differ (error, "there is something behind the root file system");
  }
  if (!g_str_equal (g_checksum_get_string (sum), sha256))
    return differ (error, "the root partition differs from the image's");
  return TRUE;
}

gboolean
sp_image_compare_root (int fd, guint64 size, const char *sha256, GError **error)
{
  g_autoptr (SpImage) disk = sp_image_open (fd, &sp_image_default_limits, error);

  if (disk == NULL)
    return FALSE;
  if (sp_image_size (disk) < SP_DISK_ROOT_START + padded (size))
    return differ (error, "the disk is too small for its image");
  return check_start (disk, size, error) && check_root (disk, size, sha256, error);
}
