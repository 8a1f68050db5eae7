/* notifier-place.h - where notifiers with `where = host` have their folders
 *
 * A vault's folder is root's alone, and such a notifier runs as another user, whose programs are to reach
 * its sockets.  So for root it is /run/secret-proxy/VAULT-ID, which others can pass through but not list,
 * with a folder of the notifier's user for each; the link `notifiers` in the vault's folder leads there.
 * For everybody else it is the folder `notifiers` itself.  Nothing there outlives a reboot, or has to.
 */
#pragma once

#include <gio/gio.h>

#include "base/user.h"

/* Also the name of the folder or link in the vault's folder. */
#define SP_NOTIFIER_PLACE "notifiers"

/* Make it for the vault @vault_id in the folder @path; its own path, to be freed. */
char *sp_notifier_place_make (const char *path, const char *vault_id, GError **error);
/* For root: make the folder @name in @place, @user's. */
gboolean
sp_notifier_place_give (const char *place, const char *name, const SpUser *user, GError **error);
/* What of @place is empty is removed. */
void sp_notifier_place_tidy (const char *place);
