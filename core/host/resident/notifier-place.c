/* notifier-place.c - notifier-place.h
 *
 * What must stay true: root follows no link and changes no owner in a folder that anybody else can write
 * to.  A notifier's folder is its user's, so nothing in it is touched here, but for what another user has
 * left there: links and files with which it could lead its successor astray.
 */
#include "host/resident/notifier-place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/problem.h"

#define RUN "/run/secret-proxy"

/* A folder of root's that others may pass through. */
static gboolean
make_passage (const char *path, GError **error)
{
  struct stat st;

  if ((mkdir (path, 0711) == 0 || errno == EEXIST) && lstat (path, &st) == 0 &&
      S_ISDIR (st.st_mode) && st.st_uid == 0 && (st.st_mode & 022) == 0 && chmod (path, 0711) == 0)
    return TRUE;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG,
               "%s can't be used as a folder of root's: remove what is there", path);
  return FALSE;
}

/* In the vault's folder, which is root's. */
static gboolean
set_link (const char *path, const char *place, GError **error)
{
  g_autofree char *link = g_build_filename (path, SP_NOTIFIER_PLACE, NULL);

  (void) unlink (link);
  if (symlink (place, link) == 0)
    return TRUE;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTERNAL, "cannot make the link %s: %s", link,
               g_strerror (errno));
  return FALSE;
}

char *
sp_notifier_place_make (const char *path, const char *vault_id, GError **error)
{
  g_autofree char *place = geteuid () == 0 ? g_build_filename (RUN, vault_id, NULL)
                                           : g_build_filename (path, SP_NOTIFIER_PLACE, NULL);
  int folder;

  if (geteuid () == 0)
    return make_passage (RUN, error) && make_passage (place, error) && set_link (path, place, error)
               ? g_steal_pointer (&place)
               : NULL;
  folder = sp_file_open_folder (place, error);
  if (folder < 0)
    return NULL;
  (void) close (folder);
  return g_steal_pointer (&place);
}

/* Nobody else can get in any more.  No folder is gone into. */
static gboolean
remove_all (int fd)
{
  int copy = openat (fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *dir = copy >= 0 ? fdopendir (copy) : NULL;
  gboolean ok = dir != NULL;
  const struct dirent *entry;

  if (dir == NULL && copy >= 0)
    (void) close (copy);
  while (dir != NULL && (entry = readdir (dir)) != NULL)
    if (strcmp (entry->d_name, ".") != 0 && strcmp (entry->d_name, "..") != 0)
      ok = (unlinkat (fd, entry->d_name, 0) == 0 ||
            unlinkat (fd, entry->d_name, AT_REMOVEDIR) == 0) &&
           ok;
  if (dir != NULL)
    (void) closedir (dir);
  return ok;
}

/* @fd: a folder that may have been another user's. */
static gboolean
hand_over (int fd, const char *path, const SpUser *user, GError **error)
{
  struct stat st;
  gboolean ok = fstat (fd, &st) == 0;

  if (ok && st.st_uid != user->uid) {
    ok = fchown (fd, 0, 0) == 0 && fchmod (fd, 0700) == 0;
    if (ok && !remove_all (fd)) {
      g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG,
                   "%s was a folder of user %u, who has left folders in it: remove it", path,
                   st.st_uid);
      return FALSE;
    }
  }
  ok = ok && fchown (fd, user->uid, user->gid) == 0 && fchmod (fd, 0700) == 0;
  if (!ok)
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTERNAL, "cannot give away the folder %s: %s", path,
                 g_strerror (errno));
  return ok;
}

gboolean
sp_notifier_place_give (const char *place, const char *name, const SpUser *user, GError **error)
{
  g_autofree char *path = g_build_filename (place, name, NULL);
  gboolean ok = mkdir (path, 0700) == 0 || errno == EEXIST;
  int fd = ok ? open (path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;

  if (fd < 0) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTERNAL, "cannot make the folder %s: %s", path,
                 g_strerror (errno));
    return FALSE;
  }
  ok = hand_over (fd, path, user, error);
  (void) close (fd);
  return ok;
}

void
sp_notifier_place_tidy (const char *place)
{
  g_autoptr (GDir) dir = g_dir_open (place, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *path = g_build_filename (place, name, NULL);

    (void) rmdir (path);
  }
  (void) rmdir (place);
}
