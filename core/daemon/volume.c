/* volume.c - volume.h with EXT4_IOC_RESIZE_FS, while the file system is in use
 *
 * A full store can't even forget a secret, as that needs room for a moment; so there must be a way to
 * more.
 */
#include "daemon/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#define SECTOR 512u
/* Not all kernel headers have it. */
#define RESIZE_FS _IOW ('f', 16, guint64)

/* In bytes; 0: it is not known. */
static guint64
size_of_disk (dev_t device)
{
  g_autofree char *path =
      g_strdup_printf ("/sys/dev/block/%u:%u/size", major (device), minor (device));
  g_autofree char *text = NULL;
  guint64 sectors = 0;

  if (!g_file_get_contents (path, &text, NULL, NULL) ||
      !g_ascii_string_to_unsigned (g_strchomp (text), 10, 0, G_MAXUINT64 / SECTOR, &sectors, NULL))
    return 0;
  return sectors * SECTOR;
}

static void
fill (int folder)
{
  struct statfs fs;
  struct stat st;
  guint64 blocks;

  if (fstatfs (folder, &fs) != 0 || fs.f_type != EXT4_SUPER_MAGIC || fs.f_bsize <= 0 ||
      fstat (folder, &st) != 0)
    return;
  blocks = size_of_disk (st.st_dev) / (guint64) fs.f_bsize;
  /* As large already: nothing happens. */
  if (blocks > 0 && ioctl (folder, RESIZE_FS, &blocks) != 0)
    g_warning ("cannot make the data volume's file system as large as its disk: %s",
               g_strerror (errno));
}

void
sp_volume_fill (const char *path)
{
  int folder = open (path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  if (folder < 0)
    return;
  fill (folder);
  (void) close (folder);
}
