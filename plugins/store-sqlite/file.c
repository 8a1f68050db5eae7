/* file.c - the database file before SQLite sees it
 *
 * SQLite would make the file with the umask's mode and take any file that it can open.  So the file
 * is made here, 0600 from its first byte, and one that is there already must be a plain file of
 * ours which nobody else can read or write, in a folder where nobody else can put another in its
 * place.  SQLite gives the files beside it (the log, the journal) the same mode.
 *
 * What must stay true: a file that may belong to an open database is looked at through O_PATH
 * descriptors only.  Closing any other kind would drop the locks that this process has on it.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* O_PATH */
#endif

#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_SUFFIX "-wal"

static const char *const companions[] = { LOG_SUFFIX, "-journal", "-shm" };

static gboolean
fail_system (GError **error, const char *path, const char *what, int number)
{
  g_set_error (error, SP_ERROR, SP_ERROR_UNAVAILABLE, "%s: cannot %s: %s; check its folder", path,
               what, g_strerror (number));
  return FALSE;
}

static gboolean
refuse (GError **error, const char *path, const char *why)
{
  g_set_error (error, SP_ERROR, SP_ERROR_REFUSED, "%s: %s", path, why);
  return FALSE;
}

static gboolean
check_folder (const char *folder, GError **error)
{
  struct stat info;

  if (stat (folder, &info) != 0)
    return fail_system (error, folder, "look at it", errno);
  if (info.st_uid != geteuid () && info.st_uid != 0)
    return refuse (error, folder, "the folder belongs to another user; use one of your own");
  if (info.st_mode & (S_IWGRP | S_IWOTH))
    return refuse (error, folder, "others can write in the folder; run chmod go-w on it");
  return TRUE;
}

static gboolean
check_private (const char *path, const struct stat *info, GError **error)
{
  if (S_ISLNK (info->st_mode))
    return refuse (error, path, "it is a symbolic link; name the file itself");
  if (!S_ISREG (info->st_mode))
    return refuse (error, path, "it is not a plain file; name another");
  if (info->st_uid != geteuid ())
    return refuse (error, path, "it belongs to another user; use a file of your own");
  if (info->st_mode & (S_IRWXG | S_IRWXO))
    return refuse (error, path,
                   "others can read or write it; look into who did, then run chmod 600 on it");
  if (info->st_nlink != 1)
    return refuse (error, path, "it has a second name (a hard link); remove that one");
  return TRUE;
}

/* @ret_size: in bytes; -1 where there is no such file. */
static gboolean
check_existing (const char *path, goffset *ret_size, GError **error)
{
  struct stat info;
  int fd = open (path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  int failed;

  *ret_size = -1;
  if (fd < 0)
    return errno == ENOENT ? TRUE : fail_system (error, path, "open it", errno);
  failed = fstat (fd, &info) == 0 ? 0 : errno;
  close (fd);
  if (failed != 0)
    return fail_system (error, path, "look at it", failed);
  *ret_size = info.st_size;
  return check_private (path, &info, error);
}

/* A power cut must not take away the name of a file that was reported as made. */
static gboolean
sync_folder (const char *folder, GError **error)
{
  int fd = open (folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int failed;

  if (fd < 0)
    return fail_system (error, folder, "open it", errno);
  failed = fsync (fd) == 0 ? 0 : errno;
  close (fd);
  return failed == 0 ? TRUE : fail_system (error, folder, "sync it", failed);
}

static gboolean
make_file (const char *path, GError **error)
{
  int fd = open (path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  int failed;

  if (fd < 0)
    return fail_system (error, path, "make it", errno);
  /* A umask can take away from 0600, but never add to it. */
  failed = fchmod (fd, 0600) == 0 ? 0 : errno;
  close (fd);
  return failed == 0 ? TRUE : fail_system (error, path, "set its mode", failed);
}

/* SQLite throws a log away whose database is empty; here that log is all that is left of the data.
 * Without a log, an empty file is what a crash right after make_file() leaves. */
static gboolean
check_companions (const char *path, goffset size, GError **error)
{
  for (gsize i = 0; i < G_N_ELEMENTS (companions); i++) {
    g_autofree char *companion = g_strconcat (path, companions[i], NULL);
    goffset companion_size;

    if (!check_existing (companion, &companion_size, error))
      return FALSE;
    if (size <= 0 && companion_size > 0 && g_str_equal (companions[i], LOG_SUFFIX))
      return refuse (error, path,
                     size < 0 ? "it is missing, but its log is there; restore it from a backup"
                              : "it is empty, but its log is not; restore it from a backup");
  }
  return TRUE;
}

char *
sp_sqlite_file_prepare (const char *path, GError **error)
{
  g_autofree char *name = g_path_get_basename (path);
  g_autofree char *parent = g_path_get_dirname (path);
  g_autofree char *real_path = NULL;
  char *folder = realpath (parent, NULL);
  gboolean ok;
  goffset size;

  if (folder == NULL) {
    fail_system (error, parent, "find it", errno);
    return NULL;
  }
  real_path = g_build_filename (folder, name, NULL);
  ok = check_folder (folder, error) && check_existing (real_path, &size, error) &&
       check_companions (real_path, size, error) &&
       (size >= 0 || (make_file (real_path, error) && sync_folder (folder, error)));
  free (folder);
  return ok ? g_steal_pointer (&real_path) : NULL;
}
