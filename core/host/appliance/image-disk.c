/* image-disk.c - the disk that provision makes of an image: image-set.h
 *
 * An MBR, the root file, and room.  The table is 66 bytes, which is less than calling a tool for it; the
 * qcow2 is written by QEMU's own tool.
 */
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "base/problem.h"
#include "host/appliance/image-set.h"
#include "host/appliance/tool.h"

#define SECTOR SP_DISK_TABLE_SIZE
#define STEP SP_DISK_ROOT_START
#define MBR_FIRST_ENTRY 446u
#define MBR_ENTRY 16u
#define TYPE_LINUX 0x83

static void
put_le32 (guint8 *to, guint64 value)
{
  for (guint i = 0; i < 4; i++)
    to[i] = (guint8) (value >> (8 * i));
}

/* CHS values are of no use to anybody any more: the largest, as is custom. */
static void
put_partition (guint8 *sector, guint number, guint64 start, guint64 length)
{
  guint8 *entry = sector + MBR_FIRST_ENTRY + number * MBR_ENTRY;

  memcpy (entry + 1, "\xfe\xff\xff", 3);
  entry[4] = TYPE_LINUX;
  memcpy (entry + 5, "\xfe\xff\xff", 3);
  put_le32 (entry + 8, start / SECTOR);
  put_le32 (entry + 12, length / SECTOR);
}

static gboolean
write_all (int fd, gconstpointer data, gsize length, off_t at)
{
  const char *bytes = data;

  while (length > 0) {
    gssize n = pwrite (fd, bytes, length, at);

    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return FALSE;
    bytes += n;
    at += n;
    length -= (gsize) n;
  }
  return TRUE;
}

void
sp_image_disk_table (guint64 root_size, guint64 size, guint8 *ret_sector)
{
  guint64 root_length = (root_size + STEP - 1) / STEP * STEP;

  memset (ret_sector, 0, SECTOR);
  put_partition (ret_sector, 0, SP_DISK_ROOT_START, root_length);
  put_partition (ret_sector, 1, SP_DISK_ROOT_START + root_length,
                 size - SP_DISK_ROOT_START - root_length);
  ret_sector[510] = 0x55;
  ret_sector[511] = 0xaa;
}

static gboolean
write_raw (const SpImageSet *set, int fd, guint64 size, GError **error)
{
  g_autoptr (GMappedFile) root = g_mapped_file_new (set->root.path, FALSE, error);
  guint8 sector[SECTOR];

  if (root == NULL)
    return FALSE;
  sp_image_disk_table (set->root.size, size, sector);
  if (ftruncate (fd, (off_t) size) == 0 && write_all (fd, sector, sizeof sector, 0) &&
      write_all (fd, g_mapped_file_get_contents (root), g_mapped_file_get_length (root),
                 SP_DISK_ROOT_START))
    return TRUE;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_STORE, "cannot write the disk: %s",
               g_strerror (errno));
  return FALSE;
}

gboolean
sp_image_set_make_disk (const SpImageSet *set, const char *path, guint64 size, GError **error)
{
  g_autofree char *raw = g_strconcat (path, ".raw", NULL);
  const char *const argv[] = { "qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, path, NULL };
  guint64 least = SP_DISK_ROOT_START + set->root.size + 2 * STEP;
  gboolean ok;
  int fd;

  size = size / STEP * STEP;
  if (size < least) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_USAGE,
                 "a disk of this image needs at least %" G_GUINT64_FORMAT " MiB", least / STEP + 1);
    return FALSE;
  }
  fd = open (raw, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_STORE, "cannot make %s: %s", raw,
                 g_strerror (errno));
    return FALSE;
  }
  ok = write_raw (set, fd, size, error);
  (void) close (fd);
  ok = ok && sp_tool_run (argv, "qemu-utils", error);
  (void) g_unlink (raw);
  return ok && g_chmod (path, 0600) == 0;
}
