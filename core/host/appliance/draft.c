/* draft.c - draft.h
 *
 * The lock is on the folder itself.  Between its making and its locking another process may take it for a left one and
 * remove it; then another one is made.
 */
#include "host/appliance/draft.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/problem.h"
#include "host/appliance/image-folder.h"
#include "host/appliance/tool.h"

#define PREFIX "draft-"
/* Of an image whose removal was not finished. */
#define GOING ".old"
#define TRIES 10u

/* -1: somebody holds it, or it is gone by now. */
static int
hold (const char *path)
{
  int fd = open (path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  struct stat held, there;

  if (fd >= 0 && flock (fd, LOCK_EX | LOCK_NB) == 0 && fstat (fd, &held) == 0 &&
      lstat (path, &there) == 0 && held.st_ino == there.st_ino)
    return fd;
  if (fd >= 0)
    (void) close (fd);
  return -1;
}

static void
remove_all (const char *path)
{
  const char *const argv[] = { "rm", "-rf", "--", path, NULL };

  (void) sp_tool_run (argv, "coreutils", NULL);
}

static void
sweep (const char *images)
{
  g_autoptr (GDir) dir = g_dir_open (images, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *path = g_build_filename (images, name, NULL);
    gboolean is_left = g_str_has_prefix (name, PREFIX) || g_str_has_suffix (name, GOING);
    int lock = is_left ? hold (path) : -1;

    if (lock < 0)
      continue;
    remove_all (path);
    (void) close (lock);
  }
}

static gboolean
make_one (SpDraft *draft, const char *images, GError **error)
{
  for (guint i = 0; draft->lock < 0 && i < TRIES; i++) {
    g_free (draft->path);
    draft->path = g_build_filename (images, PREFIX "XXXXXX", NULL);
    if (g_mkdtemp (draft->path) == NULL)
      break;
    draft->lock = hold (draft->path);
  }
  if (draft->lock >= 0)
    return TRUE;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_STORE, "cannot make a folder in %s: %s", images,
               g_strerror (errno));
  return FALSE;
}

SpDraft *
sp_draft_new (const char *state, GError **error)
{
  g_autofree char *images = g_build_filename (state, SP_IMAGES, NULL);
  g_autoptr (SpDraft) draft = g_new0 (SpDraft, 1);

  draft->lock = -1;
  if (g_mkdir_with_parents (images, 0755) != 0 || g_chmod (images, 0755) != 0) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_STORE, "cannot make %s: %s", images,
                 g_strerror (errno));
    return NULL;
  }
  sweep (images);
  return make_one (draft, images, error) ? g_steal_pointer (&draft) : NULL;
}

void
sp_draft_free (SpDraft *draft)
{
  if (draft == NULL)
    return;
  if (draft->lock >= 0) {
    remove_all (draft->path);
    (void) close (draft->lock);
  }
  g_free (draft->path);
  g_free (draft);
}
