/* boot-image.c - boot-image.h */
#include "host/vm/boot-image.h"

#include "base/state.h"
#include "host/cloud/cloud-image.h"

gboolean
sp_boot_image_open (SpBootImage *boot, const SpVaultRecord *record, GError **error)
{
  g_autofree char *state = sp_state_dir ();

  sp_boot_image_clear (boot);
  if (record->base == NULL)
    return (boot->set = sp_image_set_find (state, record->image, error)) != NULL;
  return !record->container ||
         sp_cloud_image_container (state, record->image, &boot->container, error);
}

void
sp_boot_image_clear (SpBootImage *boot)
{
  g_clear_pointer (&boot->set, sp_image_set_free);
  sp_image_part_clear (&boot->container);
}
