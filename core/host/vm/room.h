/* room.h - is there room for a large file beside what a vault has? */
#pragma once

#include <gio/gio.h>

/* On the file system of @fd, for @needed bytes, and with a reserve for all else.  SP_PROBLEM_STORE names @what
 * there is no room for, and @advice, what else may be done. */
gboolean
sp_room_check (int fd, guint64 needed, const char *what, const char *advice, GError **error);
