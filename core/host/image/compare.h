/* compare.h - is the root partition of a disk, byte for byte, a file of the host's?
 *
 * No file system is looked at.  Runs in the child of image-judge.h.
 */
#pragma once

#include "host/image/image.h"

/* See sp_image_judge_root(). */
gboolean sp_image_compare_root (int fd, guint64 size, const char *sha256, GError **error);
