/* user.h - the numeric user that a machine's QEMU runs as
 *
 * For root: a number from the range that systemd keeps for users without a name (61184 to 65519), found by
 * a digest of the purpose, so that it is the same each time; one that has a name here is passed over.  For
 * everyone else: the running user, as there is no other choice.
 */
#pragma once

#include <glib.h>
#include <sys/types.h>

uid_t sp_qemu_user (const char *purpose);
