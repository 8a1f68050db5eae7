/* room.c - room.h */
#include "host/vm/room.h"

#include <sys/statvfs.h>

#include "base/problem.h"

/* What is left of the file system, as in a takeover. */
#define RESERVE_SHARE 20u
#define MAX_RESERVE (G_GUINT64_CONSTANT (256) << 20)

gboolean
sp_room_check (int fd, guint64 needed, const char *what, const char *advice, GError **error)
{
  struct statvfs st;
  guint64 there, reserve;

  if (fstatvfs (fd, &st) != 0)
    return TRUE;
  there = (guint64) st.f_bavail * st.f_frsize;
  reserve = MIN ((guint64) st.f_blocks * st.f_frsize / RESERVE_SHARE, MAX_RESERVE);
  if (there >= needed + reserve)
    return TRUE;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_STORE,
               "there is no room for %s, which takes %" G_GUINT64_FORMAT " MB: free space%s", what,
               needed / 1000000 + 1, advice);
  return FALSE;
}
