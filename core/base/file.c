/* file.c - file.h on openat(2), linkat(2) and renameat(2)
 *
 * What must stay true: a file is never under its own name before it is complete and on the disk, and
 * SP_FILE_NEW never replaces one (linkat() fails where a name is taken; renameat() would not).
 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/problem.h"
#include "base/random.h"

static gboolean
fail_errno (GError **error, const char *what, const char *name)
{
  int saved = errno;

  if (saved == ENOENT)
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_NOT_FOUND, "cannot %s %s: there is no such file",
                 what, name);
  else
    g_set_error (error, G_IO_ERROR, (gint) g_io_error_from_errno (saved), "cannot %s %s: %s", what,
                 name, g_strerror (saved));
  return FALSE;
}

static gboolean
is_ours (uid_t owner)
{
  return owner == geteuid () || owner == 0;
}

/* Root may work in the folder of a user's vault. */
static gboolean
check_folder (int fd, const char *path, GError **error)
{
  struct stat st;

  if (fstat (fd, &st) != 0)
    return fail_errno (error, "look at", path);
  if (geteuid () != 0 && st.st_uid != geteuid ()) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG,
                 "%s belongs to user %u, not to you: choose a folder of your own", path, st.st_uid);
    return FALSE;
  }
  if ((st.st_mode & 077) != 0) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG,
                 "%s has mode %04o, so that others can reach into it: run chmod 0700 %s", path,
                 (guint) st.st_mode & 07777, path);
    return FALSE;
  }
  return TRUE;
}

int
sp_file_open_folder (const char *path, GError **error)
{
  int fd;

  if (mkdir (path, 0700) != 0 && errno != EEXIST) {
    fail_errno (error, "make the folder", path);
    return -1;
  }
  fd = open (path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) {
    fail_errno (error, "open the folder", path);
    return -1;
  }
  if (!check_folder (fd, path, error)) {
    (void) close (fd);
    return -1;
  }
  return fd;
}

gboolean
sp_file_check_private (int fd, const char *name, GError **error)
{
  struct stat st;

  if (fstat (fd, &st) != 0)
    return fail_errno (error, "look at", name);
  if (!S_ISREG (st.st_mode)) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG, "%s is no regular file", name);
    return FALSE;
  }
  if (!is_ours (st.st_uid) && geteuid () != 0) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG,
                 "%s belongs to user %u: it must belong to you or to root", name, st.st_uid);
    return FALSE;
  }
  if ((st.st_mode & 077) != 0) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG,
                 "%s has mode %04o, so that others may have read it: make a new one, or run chmod "
                 "0600 %s if you know that nobody has",
                 name, (guint) st.st_mode & 07777, name);
    return FALSE;
  }
  return TRUE;
}

SpSecret *
sp_file_read_private (int folder, const char *name, gsize max, GError **error)
{
  /* Not to be stopped by a FIFO. */
  int fd = openat (folder, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  SpSecret *secret = NULL;

  if (fd < 0) {
    fail_errno (error, "open", name);
    return NULL;
  }
  if (sp_file_check_private (fd, name, error)) {
    secret = sp_secret_read_fd (fd, max, error);
    if (secret == NULL)
      g_prefix_error (error, "%s: ", name);
  }
  (void) close (fd);
  return secret;
}

gboolean
sp_file_write_all (int fd, gconstpointer data, gsize length)
{
  const guint8 *bytes = data;

  while (length > 0) {
    gssize n = write (fd, bytes, length);

    if (n < 0 && errno == EINTR)
      continue;
    /* Nothing written is no error of the system's, and would go on for ever. */
    if (n == 0)
      errno = EIO;
    if (n <= 0)
      return FALSE;
    bytes += n;
    length -= (gsize) n;
  }
  return TRUE;
}

static gboolean
give_name (int folder, const char *temporary, const char *name, SpFileMode mode)
{
  if (mode == SP_FILE_REPLACE)
    return renameat (folder, temporary, folder, name) == 0;
  return linkat (folder, temporary, folder, name, 0) == 0;
}

static gboolean
fill_and_name (int folder, const char *temporary, int fd, const char *name, SpFileMode mode,
               gconstpointer data, gsize length)
{
  return sp_file_write_all (fd, data, length) && fsync (fd) == 0 &&
         give_name (folder, temporary, name, mode) && fsync (folder) == 0;
}

gboolean
sp_file_write_private (int folder, const char *name, SpFileMode mode, gconstpointer data,
                       gsize length, GError **error)
{
  g_autofree char *id = sp_random_id (9);
  g_autofree char *temporary = g_strconcat (".", name, ".", id, NULL);
  int fd = openat (folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  gboolean done;

  if (fd < 0)
    return fail_errno (error, "make", name);
  done = fill_and_name (folder, temporary, fd, name, mode, data, length);
  if (!done)
    fail_errno (error, "write", name);
  (void) close (fd);
  /* Gone already where it was renamed. */
  (void) unlinkat (folder, temporary, 0);
  return done;
}
