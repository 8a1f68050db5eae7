/* folder.h - a folder of another user and what is in it, opened so that nobody is fooled
 *
 * The whole way to the folder is walked without links, and nobody but root and the folder's owner may
 * be able to change it.  A sticky folder for everyone like /tmp on the way is refused, too: whoever came
 * first would count as the owner.
 */
#pragma once

#include <gio/gio.h>
#include <sys/stat.h>
#include <sys/types.h>

/* Open the absolute @path (O_PATH) and tell its owner.  SP_PROBLEM_NOT_FOUND: it is not there;
 * SP_PROBLEM_INTEGRITY: a link is on the way, someone else may write there, or FUSE, whose server can
 * hold up every call, is below it.  -1 with @error. */
int sp_source_folder_open (const char *path, uid_t *ret_owner, GError **error);

/* What a member of it must be. */
typedef struct {
  mode_t type; /* S_IFREG, S_IFSOCK */
  uid_t owner;
} SpSourceMember;

/* Open @name in @folder (O_PATH): of that type and owner, under one name only.  SP_PROBLEM_NOT_FOUND:
 * it is not there. */
int sp_source_member_open (int folder, const char *name, const SpSourceMember *expected,
                           GError **error);
/* The same of a regular file, for reading. */
int sp_source_file_open (int folder, const char *name, uid_t owner, struct stat *ret_stat,
                         GError **error);
