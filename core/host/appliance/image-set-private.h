/* image-set-private.h - between the files of image-set.h */
#pragma once

#include "host/appliance/image-set.h"

/* The names of the parts' files, in the order of SpImageSet. */
typedef enum { SP_PART_KERNEL, SP_PART_INITRD, SP_PART_ROOT, SP_N_PARTS } SpPart;
extern const char *const sp_part_names[SP_N_PARTS];
SpImagePart *sp_image_set_part (SpImageSet *set, SpPart part);

/* Write the manifest of the three files in @dir. */
gboolean sp_manifest_write (const char *dir, const char *release, GError **error);
