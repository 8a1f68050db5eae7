/* data-volume.c - sp_data_volume_*() of plugin-disk.h: a sparse file with an ext4 in it
 *
 * A file system is made by its own tool, on a file of the host's, so nothing hostile is parsed.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/problem.h"
#include "host/appliance/plugin-disk.h"
#include "host/appliance/tool.h"

static gboolean
make_file (const char *path, guint64 size, GError **error)
{
  int fd = open (path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  gboolean ok = fd >= 0 && ftruncate (fd, (off_t) size) == 0;

  if (!ok)
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_STORE, "cannot make the data volume %s: %s", path,
                 g_strerror (errno));
  if (fd >= 0)
    (void) close (fd);
  return ok;
}

static gboolean
flush (const char *path, GError **error)
{
  int fd = open (path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
  gboolean ok = fd >= 0 && fsync (fd) == 0;

  if (!ok)
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_STORE, "cannot flush the data volume %s: %s", path,
                 g_strerror (errno));
  if (fd >= 0)
    (void) close (fd);
  return ok;
}

gboolean
sp_data_volume_make (const char *path, guint64 size, const char *uuid, GError **error)
{
  const char *const argv[] = { "mke2fs", "-q",
                               "-t",     "ext4",
                               "-E",     "lazy_itable_init=1,lazy_journal_init=1,root_owner=0:0",
                               "-O",     "^resize_inode",
                               "-m",     "0",
                               "-e",     "remount-ro",
                               "-L",     "data",
                               "-U",     uuid,
                               path,     NULL };

  return make_file (path, size, error) && sp_tool_run (argv, "e2fsprogs", error) &&
         flush (path, error);
}

gboolean
sp_data_volume_grow (const char *path, guint64 size, GError **error)
{
  int fd = open (path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  struct stat st;
  gboolean ok;

  if (fd < 0 && errno == ENOENT)
    return TRUE;
  ok = fd >= 0 && fstat (fd, &st) == 0 &&
       (!S_ISREG (st.st_mode) || (guint64) st.st_size >= size ||
        (ftruncate (fd, (off_t) size) == 0 && fsync (fd) == 0));
  if (!ok)
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_STORE, "cannot make the data volume %s larger: %s",
                 path, g_strerror (errno));
  if (fd >= 0)
    (void) close (fd);
  return ok;
}
