/* image-compare.c - image-compare.h */
#include "host/image-compare.h"

#include <string.h>

#include "base/problem.h"
#include "host/image-set.h"

#define STEP SP_DISK_ROOT_START
#define SECTOR 512u
#define MBR_FIRST_ENTRY 446u
#define MBR_ENTRY 16u
#define MBR_N_ENTRIES 4u

static gboolean
differ (GError **error, const char *what)
{
  g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY, what);
  return FALSE;
}

static guint32
le32 (const guint8 *bytes)
{
  return bytes[0] | (guint32) bytes[1] << 8 | (guint32) bytes[2] << 16 | (guint32) bytes[3] << 24;
}

static guint64
padded (guint64 size)
{
  return (size + STEP - 1) / STEP * STEP;
}

/* The one table that provision writes: root, then data, then nothing. */
static gboolean
check_partitions (SpImage *disk, guint64 size, GError **error)
{
  guint8 sector[SECTOR];
  const guint8 *entry = sector + MBR_FIRST_ENTRY;

  if (!sp_image_read (disk, 0, sector, sizeof sector, error))
    return FALSE;
  if (sector[510] != 0x55 || sector[511] != 0xaa)
    return differ (error, "the disk has no partition table");
  if (le32 (entry + 8) != SP_DISK_ROOT_START / SECTOR ||
      le32 (entry + 12) != padded (size) / SECTOR)
    return differ (error, "the root partition has another place or size");
  for (guint i = 2; i < MBR_N_ENTRIES; i++)
    if (entry[i * MBR_ENTRY + 4] != 0)
      return differ (error, "the disk has partitions that the image does not have");
  return TRUE;
}

static gboolean
is_zero (const guint8 *bytes, gsize length)
{
  for (gsize i = 0; i < length; i++)
    if (bytes[i] != 0)
      return FALSE;
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
  return check_partitions (disk, size, error) && check_root (disk, size, sha256, error);
}
