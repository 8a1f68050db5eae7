/* folder.c - source-folder.h by openat(2) and openat2(2)
 *
 * What must stay true: a thing is looked at through a descriptor with O_PATH, which opens nothing, and
 * what is read is what that descriptor holds.
 */
#include "host/source/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/problem.h"

#ifndef FUSE_SUPER_MAGIC
#define FUSE_SUPER_MAGIC 0x65735546
#endif

/* One step of the way: "/a/b" has "/", "/a", "/a/b". */
typedef struct {
  char *path;
  struct stat st;
} Step;

static void
step_clear (gpointer data)
{
  g_free (((Step *) data)->path);
}

static int
fail (GError **error, SpProblemCode code, const char *what, const char *why)
{
  g_set_error (error, SP_PROBLEM, code, "%s %s", what, why);
  return -1;
}

static int
fail_errno (GError **error, const char *what, int code)
{
  if (code == ENOENT)
    return fail (error, SP_PROBLEM_NOT_FOUND, what, "is not there");
  if (code == ELOOP || code == EXDEV)
    return fail (error, SP_PROBLEM_INTEGRITY, what,
                 "leads elsewhere, by a link or a mounted file system: it must lie there itself");
  if (code == EAGAIN)
    return fail (error, SP_PROBLEM_INTEGRITY, what,
                 "is held by a process that took a lease on it: end that process");
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_UNREACHABLE, "%s can't be opened: %s", what,
               g_strerror (code));
  return -1;
}

/* ---- the way to a folder -------------------------------------------------------------------------- */

static gboolean
keep_step (GArray *steps, int fd, char *path, GError **error)
{
  Step step = { path, { 0 } };

  g_array_append_val (steps, step);
  if (fstat (fd, &g_array_index (steps, Step, steps->len - 1).st) == 0)
    return TRUE;
  (void) fail_errno (error, path, errno);
  return FALSE;
}

static int
open_step (int parent, const char *name, const char *path, GError **error)
{
  int fd = openat (parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  struct stat st;

  if (fd >= 0)
    return fd;
  if (errno != ENOTDIR)
    return fail_errno (error, path, errno);
  if (fstatat (parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK (st.st_mode))
    return fail (error, SP_PROBLEM_INTEGRITY, path, "is a link: name the real folder instead");
  return fail (error, SP_PROBLEM_INTEGRITY, path, "is no folder");
}

/* The last step's descriptor. */
static int
walk (const char *path, GArray *steps, GError **error)
{
  g_auto (GStrv) names = g_strsplit (path, "/", -1);
  g_autoptr (GString) so_far = g_string_new (NULL);
  int fd = open ("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

  if (fd < 0)
    return fail_errno (error, "/", errno);
  if (!keep_step (steps, fd, g_strdup ("/"), error)) {
    (void) close (fd);
    return -1;
  }
  for (char **name = names; *name != NULL; name++) {
    int next;

    if (**name == 0 || g_str_equal (*name, "."))
      continue;
    g_string_append_printf (so_far, "/%s", *name);
    next = open_step (fd, *name, so_far->str, error);
    (void) close (fd);
    if (next < 0)
      return -1;
    fd = next;
    if (!keep_step (steps, fd, g_strdup (so_far->str), error)) {
      (void) close (fd);
      return -1;
    }
  }
  return fd;
}

static gboolean
check_step (const Step *step, uid_t owner, GError **error)
{
  if (step->st.st_uid != 0 && step->st.st_uid != owner)
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY,
                 "%s belongs to user %u, who could put another folder there: only root and user %u "
                 "may own what is above it",
                 step->path, step->st.st_uid, owner);
  else if ((step->st.st_mode & 022) != 0)
    g_set_error (
        error, SP_PROBLEM, SP_PROBLEM_INTEGRITY,
        "%s has mode %04o, so that others may write there: use a folder below one of root, "
        "or run chmod go-w %s",
        step->path, (guint) step->st.st_mode & 07777, step->path);
  else
    return TRUE;
  return FALSE;
}

static gboolean
check_file_system (int fd, const char *path, GError **error)
{
  struct statfs st;

  if (fstatfs (fd, &st) != 0) {
    (void) fail_errno (error, path, errno);
    return FALSE;
  }
  if (st.f_type != FUSE_SUPER_MAGIC)
    return TRUE;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY,
               "%s is on a FUSE file system, which can hold up whoever reads: set 'exec' to reach "
               "the agent's machine itself",
               path);
  return FALSE;
}

static gboolean
check_way (int fd, GArray *steps, uid_t *ret_owner, GError **error)
{
  const Step *last = &g_array_index (steps, Step, steps->len - 1);

  *ret_owner = last->st.st_uid;
  for (guint i = 0; i < steps->len; i++)
    if (!check_step (&g_array_index (steps, Step, i), last->st.st_uid, error))
      return FALSE;
  return check_file_system (fd, last->path, error);
}

int
sp_source_folder_open (const char *path, uid_t *ret_owner, GError **error)
{
  g_autoptr (GArray) steps = g_array_new (FALSE, TRUE, sizeof (Step));
  int fd;

  g_array_set_clear_func (steps, step_clear);
  fd = walk (path, steps, error);
  if (fd >= 0 && !check_way (fd, steps, ret_owner, error)) {
    (void) close (fd);
    return -1;
  }
  return fd;
}

/* ---- what is in it -------------------------------------------------------------------------------- */

static const char *
word_for (mode_t mode)
{
  static const struct {
    mode_t type;
    const char *word;
  } words[] = {
    { S_IFREG, "a regular file" }, { S_IFSOCK, "a socket" }, { S_IFDIR, "a folder" },
    { S_IFLNK, "a link" },         { S_IFIFO, "a FIFO" },    { S_IFCHR, "a device" },
    { S_IFBLK, "a device" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (words); i++)
    if (words[i].type == (mode & S_IFMT))
      return words[i].word;
  return "something else";
}

static gboolean
check_member (const struct stat *st, const char *name, const SpSourceMember *expected,
              GError **error)
{
  if ((st->st_mode & S_IFMT) != expected->type)
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY, "%s is %s instead of %s", name,
                 word_for (st->st_mode), word_for (expected->type));
  else if (st->st_uid != expected->owner)
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY,
                 "%s belongs to user %u instead of user %u, the owner of the folder", name,
                 st->st_uid, expected->owner);
  else if (st->st_nlink != 1)
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY,
                 "%s has %lu names: it must have this one only", name, (gulong) st->st_nlink);
  else
    return TRUE;
  return FALSE;
}

static int
open_beneath (int folder, const char *name)
{
  const struct open_how how = {
    .flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
    .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
  };

  return (int) syscall (SYS_openat2, folder, name, &how, sizeof how);
}

static int
open_member (int folder, const char *name, const SpSourceMember *expected, struct stat *ret_stat,
             GError **error)
{
  int fd = open_beneath (folder, name);

  if (fd < 0)
    return fail_errno (error, name, errno);
  if (fstat (fd, ret_stat) != 0)
    (void) fail_errno (error, name, errno);
  else if (check_member (ret_stat, name, expected, error))
    return fd;
  (void) close (fd);
  return -1;
}

int
sp_source_member_open (int folder, const char *name, const SpSourceMember *expected, GError **error)
{
  struct stat st;

  return open_member (folder, name, expected, &st, error);
}

int
sp_source_file_open (int folder, const char *name, uid_t owner, struct stat *ret_stat,
                     GError **error)
{
  const SpSourceMember expected = { S_IFREG, owner };
  int fd = open_member (folder, name, &expected, ret_stat, error), opened;
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", fd);

  if (fd < 0)
    return -1;
  opened = open (path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (opened < 0)
    (void) fail_errno (error, name, errno);
  (void) close (fd);
  return opened;
}
