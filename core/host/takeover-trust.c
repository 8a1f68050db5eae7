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

static gboolean
differ (GError **error, const char *what)
{
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY,
               "%s, so this is not the image that it claims to be: have the agent provision anew "
               "with an image that this host exported",
               what);
  return FALSE;
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
check_partitions (SpImage *disk, const SpImageSet *image, GError **error)
{
  g_autofree guint8 *start = g_malloc (SP_DISK_ROOT_START);
  guint8 expected[SP_DISK_TABLE_SIZE];

  if (!sp_image_read (disk, 0, start, SP_DISK_ROOT_START, error))
    return FALSE;
  sp_image_set_disk_table (image, sp_image_size (disk), expected);
  if (start[510] != expected[510] || start[511] != expected[511])
    return differ (error, "the disk has no partition table");
  if (memcmp (start, expected, sizeof expected) != 0)
    return differ (error, "its partition table is not the one that belongs to the image");
  if (!is_zero (start + sizeof expected, SP_DISK_ROOT_START - sizeof expected))
    return differ (error, "there is something before the root partition");
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
    if (!is_zero (buffer + wanted, STEP - wanted))
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
