/* takeover-trust.c - step 7: what will boot?
 *
 * For trust `exact` the agent's root partition must be the bytes of an image of the host's, and then the
 * host's own file boots; the agent's bytes never run, and no file system of the agent's is looked at.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/problem.h"
#include "host/image.h"
#include "host/takeover-private.h"

#define STEP (1024u * 1024u)
#define SECTOR 512u
#define MBR_FIRST_ENTRY 446u
#define MBR_ENTRY 16u
#define MBR_N_ENTRIES 4u

static gboolean
differ (GError **error, const char *what)
{
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY,
               "%s, so this is not the image that it claims to be: have the agent provision anew "
               "with an image that this host exported",
               what);
  return FALSE;
}

static guint32
le32 (const guint8 *bytes)
{
  return bytes[0] | (guint32) bytes[1] << 8 | (guint32) bytes[2] << 16 | (guint32) bytes[3] << 24;
}

/* The one table that provision writes: root, then data, then nothing. */
static gboolean
check_partitions (SpImage *disk, const SpImageSet *image, GError **error)
{
  guint8 sector[SECTOR];
  guint64 length = (image->root.size + STEP - 1) / STEP * STEP;
  const guint8 *entry = sector + MBR_FIRST_ENTRY;

  if (!sp_image_read (disk, 0, sector, sizeof sector, error))
    return FALSE;
  if (sector[510] != 0x55 || sector[511] != 0xaa)
    return differ (error, "the disk has no partition table");
  if (le32 (entry + 8) != SP_DISK_ROOT_START / SECTOR || le32 (entry + 12) != length / SECTOR)
    return differ (error, "the root partition has another place or size");
  for (guint i = 2; i < MBR_N_ENTRIES; i++)
    if (entry[i * MBR_ENTRY + 4] != 0)
      return differ (error, "the disk has partitions that the image does not have");
  return TRUE;
}

/* The root file's bytes, and zeros up to the partition's end. */
static gboolean
compare_root (SpImage *disk, const SpImageSet *image, GError **error)
{
  g_autofree guint8 *buffer = g_malloc (STEP);
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA256);
  guint64 at = 0;

  for (; at < image->root.size; at += STEP) {
    gsize wanted = (gsize) MIN (STEP, image->root.size - at);

    if (!sp_image_read (disk, SP_DISK_ROOT_START + at, buffer, STEP, error))
      return FALSE;
    g_checksum_update (sum, buffer, (gssize) wanted);
    for (gsize i = wanted; i < STEP; i++)
      if (buffer[i] != 0)
        return differ (error, "there is something behind the root file system");
  }
  if (!g_str_equal (g_checksum_get_string (sum), image->root.sha256))
    return differ (error, "the root partition differs from the image's");
  return TRUE;
}

static gboolean
compare (int fd, const SpImageSet *image, GError **error)
{
  g_autoptr (SpImage) disk = sp_image_open (fd, &sp_image_default_limits, error);
  guint64 least = SP_DISK_ROOT_START + (image->root.size + STEP - 1) / STEP * STEP;

  if (disk == NULL)
    return FALSE;
  if (sp_image_size (disk) < least)
    return differ (error, "the disk is too small for its image");
  return check_partitions (disk, image, error) && compare_root (disk, image, error);
}

gboolean
sp_takeover_trust (gpointer data, char **ret_message, gboolean *ret_skipped, GError **error)
{
  SpTakeover *takeover = data;
  int fd = openat (takeover->fd, SP_TAKEOVER_COPY, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  gboolean same;

  if (fd < 0) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_STORE, "cannot open %s/" SP_TAKEOVER_COPY ": %s",
                 takeover->folder, g_strerror (errno));
    return FALSE;
  }
  same = compare (fd, takeover->image, error);
  (void) close (fd);
  if (!same)
    return FALSE;
  /* It has proven what it could, and nothing of it is ever used. */
  (void) unlinkat (takeover->fd, SP_TAKEOVER_COPY, 0);
  *ret_message = g_strdup_printf ("exact: root is byte-identical to image %.12s…, whose own copy "
                                  "boots",
                                  takeover->image->id);
  return TRUE;
}

gboolean
sp_create_trust (gpointer data, char **ret_message, gboolean *ret_skipped, GError **error)
{
  SpTakeover *takeover = data;

  takeover->image = sp_image_set_find (takeover->state, takeover->options->image, error);
  if (takeover->image == NULL)
    return FALSE;
  *ret_message = g_strdup_printf ("exact: image %.12s… of this host", takeover->image->id);
  return TRUE;
}
