/* file.h - files that hold keys: private from the first byte, whole or not there
 *
 * All is done relative to the descriptor of a folder, so that what was checked is what is used, and
 * folders may have paths of any length.  Writing goes through a temporary file that is flushed, given
 * its name in one step, and the folder flushed after it: a power cut leaves the old or the new file.
 *
 * Errors name the file by @name only; callers put the folder in front.
 */
#pragma once

#include "base/secret.h"

/* Open the folder @path, made with mode 0700 where it is not there (not its parents).  It must belong
 * to the running user (or root may use another's) and be closed to group and others:
 * SP_PROBLEM_CONFIG otherwise.  Returns a descriptor to read from, or -1. */
int sp_file_open_folder (const char *path, GError **error);

/* Whether @fd is a regular file of root or the running user, closed to group and others. */
gboolean sp_file_check_private (int fd, const char *name, GError **error);

/* All of the private file @name in @folder (AT_FDCWD: a path), at most @max bytes.
 * SP_PROBLEM_NOT_FOUND where it is not there. */
SpSecret *sp_file_read_private (int folder, const char *name, gsize max, GError **error);

typedef enum {
  SP_FILE_NEW,     /* G_IO_ERROR_EXISTS where there is one already */
  SP_FILE_REPLACE, /* whatever is there */
} SpFileMode;

/* Write @name in @folder with mode 0600. */
gboolean sp_file_write_private (int folder, const char *name, SpFileMode mode, gconstpointer data,
                                gsize length, GError **error);

/* All of @length bytes to @fd, whatever file it is; FALSE with errno set. */
gboolean sp_file_write_all (int fd, gconstpointer data, gsize length);
