/* user.h - numeric users for processes that must own nothing
 *
 * What handles an agent's bytes, and each vault's QEMU, runs as a user of its own that exists in no
 * passwd file: a number from the range that systemd keeps for such users (61184 to 65519), found by a
 * digest of the purpose, so that it is the same each time.
 */
#pragma once

#include <gio/gio.h>
#include <sys/types.h>

/* For root: the user for @purpose ("vm/UUID", "tool", "monitor"); a number that has a name here is
 * passed over.  For everyone else: the running user, as there is no other choice. */
uid_t sp_user_for (const char *purpose);

/* In a child between fork and exec; async-signal-safe.  Become @uid (group of the same number, no
 * other groups) where we are root, and give up new privileges.  FALSE: it failed, so _exit(). */
gboolean sp_user_become (uid_t uid);

/* A user of this machine, by name. */
typedef struct {
  uid_t uid;
  gid_t gid;
  gid_t *groups; /* all of them; NULL: none but @gid */
  gsize n_groups;
} SpUser;

/* Whether a plugin may run as @name: SP_PROBLEM_CONFIG where there is no such user, or it is root. */
gboolean sp_user_exists (const char *name, GError **error);
/* The same, and SP_PROBLEM_CONFIG where we are neither root nor that user. */
gboolean sp_user_find (const char *name, SpUser *ret_user, GError **error);
void sp_user_clear (SpUser *user);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (SpUser, sp_user_clear)

/* Like sp_user_become(), with the groups that @user has. */
gboolean sp_user_become_named (const SpUser *user);
