/* judge.h - what the host thinks of an image, without reading it itself
 *
 * The reader (image.h) runs in a child that holds nothing (confine.h); the second opinion of qemu-img, for
 * images of which the reader has nothing to say, in a sandbox (sandbox.h) that sees a copy of the tables only.  What
 * this process reads is what they answer, bounded.
 */
#pragma once

#include "host/image/image.h"

/* All findings; empty: it is good.  @fd: a regular file, open for reading. */
GPtrArray *sp_image_judge (int fd, GError **error);

/* Whether the disk has the partition table of sp_image_set_make_disk() and a root partition of exactly
 * these @size bytes with this SHA-256, and zeros up to its end.  SP_PROBLEM_INTEGRITY with what differs. */
gboolean sp_image_judge_root (int fd, guint64 size, const char *sha256, GError **error);

/* The child's side: @args after its role. */
int sp_image_child_main (int n_args, char **args);
