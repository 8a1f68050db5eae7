/* read-image.c - the disk in a qcow2 file on stdout, by the reader of host/image/image.h */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "host/image/image.h"

/* No multiple of anything, so that reads cross clusters in every way. */
#define PART 99991u

static gboolean
print (SpImage *image, GError **error)
{
  g_autofree char *buffer = g_malloc (PART);
  guint64 size = sp_image_size (image);

  for (guint64 at = 0; at < size; at += PART) {
    gsize length = (gsize) MIN (PART, size - at);

    if (!sp_image_read (image, at, buffer, length, error))
      return FALSE;
    (void) fwrite (buffer, 1, length, stdout);
  }
  return TRUE;
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (SpImage) image = NULL;
  int fd = argc == 2 ? open (argv[1], O_RDONLY | O_CLOEXEC) : -1;

  image = fd >= 0 ? sp_image_open (fd, &sp_image_default_limits, &error) : NULL;
  if (image != NULL && print (image, &error) && fflush (stdout) == 0)
    return EXIT_SUCCESS;
  (void) fprintf (stderr, "%s\n", error ? error->message : "cannot read");
  return EXIT_FAILURE;
}
