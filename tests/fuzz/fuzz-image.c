/* fuzz-image.c - images from patches of a good one, and any bytes at all: what is found to be good can
 * be read, all of it */
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../lib/test-qcow2.h"
#include "host/image/image.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

#define BITS 9u
#define MAX_PATCHES 6u
#define PATCH 3u /* a place, as two bytes, and what is put there */

static const SpImageLimits limits = { .max_file = 64 * 1024, .max_virtual = 1024 * 1024 };

static void
read_all (int fd)
{
  g_autoptr (SpImage) image = sp_image_open (fd, &limits, NULL);
  guint64 size = image ? sp_image_size (image) : 0;
  g_autofree guint8 *disk = g_malloc (size + 1);

  g_assert_nonnull (image);
  g_assert_true (size <= limits.max_virtual);
  g_assert_true (sp_image_read (image, 0, disk, size, NULL));
  g_assert_false (sp_image_read (image, 0, disk, size + 1, NULL));
}

static void
check (const guint8 *bytes, gsize length)
{
  g_autoptr (GPtrArray) findings = NULL;
  int fd = memfd_create ("fuzz", MFD_CLOEXEC);

  g_assert_cmpint (write (fd, bytes, length), ==, (gssize) length);
  findings = sp_image_check (fd, &limits, NULL);
  g_assert_nonnull (findings);
  if (findings->len == 0)
    read_all (fd);
  (void) close (fd);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autofree guint8 *image = qcow2_new (BITS);

  check (data, size);
  for (guint i = 0; i < MAX_PATCHES && size >= PATCH; i++, data += PATCH, size -= PATCH) {
    image[(data[0] << 8 | data[1]) % qcow2_length (BITS)] = data[2];
    check (image, qcow2_length (BITS));
  }
  return 0;
}
