/* boot-image.h - what of the host's image set a vault's machine has, hashed just now
 *
 * Of an appliance all of it.  Of a cloud image nothing, as that has a disk of its own; but the archive, where its
 * programs are in a container.
 */
#pragma once

#include "host/appliance/image-set.h"
#include "host/vm/vault-record.h"

typedef struct {
  SpImageSet *set;       /* NULL: the image is none that is booted itself */
  SpImagePart container; /* all 0: there is none */
} SpBootImage;

/* Again, too: then every byte is hashed again. */
gboolean sp_boot_image_open (SpBootImage *boot, const SpVaultRecord *record, GError **error);
void sp_boot_image_clear (SpBootImage *boot);
