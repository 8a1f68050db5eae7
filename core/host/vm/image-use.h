/* image-use.h - which vault of this host needs which image: to boot, to go back to, or to be taken over with */
#pragma once

#include <gio/gio.h>

/* For each id an array of words ("default", "default (before)"), as read from the vaults' folders below
 * @state.  @ret_hidden: a folder could not be looked into, so there may be more; NULL: all were. */
GHashTable *sp_image_uses (const char *state, char **ret_hidden);
