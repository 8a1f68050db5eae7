/* local.c - the staging folder on this machine: a way of source-private.h
 *
 * What must stay true: everything goes through the descriptors of the folders that were checked when
 * the source was opened; what is written there, or run, has the rights of the folder's owner only.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <pwd.h>

#include "base/file.h"
#include "base/problem.h"
#include "host/source/folder.h"
#include "host/source/private.h"

/* ---- opening -------------------------------------------------------------------------------------- */

/* Where we are no root there is one user only, and it is ours. */
static gboolean
check_owner (const SpSource *source, uid_t owner, GError **error)
{
  if (geteuid () == 0 && owner == 0)
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY,
                 "%s belongs to root: it must belong to the agent's own user", source->base);
  else if (geteuid () != 0 && owner != geteuid ())
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY,
                 "%s belongs to user %u: run this as root, or as that user", source->base, owner);
  else
    return TRUE;
  return FALSE;
}

static SpSourceUser
user_of (uid_t uid)
{
  const struct passwd *entry = getpwuid (uid);

  return (SpSourceUser){ uid, entry ? entry->pw_gid : (gid_t) uid };
}

/* A file that the host's admin put elsewhere: its folder is the agent's, or root's. */
static gboolean
open_folder_of (SpSource *source, SpSourceFile file, GError **error)
{
  g_autofree char *folder = g_path_get_dirname (source->paths[file]);
  uid_t owner;

  if (g_str_equal (folder, source->base)) {
    source->folders[file] = fcntl (source->folders[SP_SOURCE_AGENT], F_DUPFD_CLOEXEC, 0);
    return TRUE;
  }
  source->folders[file] = sp_source_folder_open (folder, &owner, error);
  if (source->folders[file] < 0)
    return FALSE;
  if (owner == 0 || owner == source->owner.uid)
    return TRUE;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY,
               "%s belongs to user %u, but the agent is user %u", folder, owner, source->owner.uid);
  return FALSE;
}

static gboolean
local_open (SpSource *source, GError **error)
{
  uid_t owner;
  int base = sp_source_folder_open (source->base, &owner, error);

  /* agent.json is always in the staging folder itself. */
  source->folders[SP_SOURCE_AGENT] = base;
  if (base < 0 || !check_owner (source, owner, error))
    return FALSE;
  source->owner = user_of (owner);
  for (guint i = 0; i < SP_SOURCE_AGENT; i++)
    if (!open_folder_of (source, i, error))
      return FALSE;
  return TRUE;
}

static void
local_close (SpSource *source)
{
  for (guint i = 0; i < SP_SOURCE_N_FILES; i++)
    if (source->folders[i] >= 0)
      (void) close (source->folders[i]);
}

static const char *
name_of (const SpSource *source, SpSourceFile file)
{
  return strrchr (source->paths[file], '/') + 1;
}

/* ---- files ---------------------------------------------------------------------------------------- */

static int
open_file (SpSource *source, SpSourceFile file, struct stat *ret_stat, GError **error)
{
  return sp_source_file_open (source->folders[file], name_of (source, file), source->owner.uid,
                              ret_stat, error);
}

static gboolean
read_all (int fd, GByteArray *bytes, const char *name, GError **error)
{
  guint8 piece[1024];
  gssize n;

  do {
    n = read (fd, piece, sizeof piece);
    if (n < 0 && errno != EINTR) {
      g_set_error (error, SP_PROBLEM, SP_PROBLEM_UNREACHABLE, "%s can't be read: %s", name,
                   g_strerror (errno));
      return FALSE;
    }
    if (n > 0 && !sp_source_take_file (bytes, piece, (gsize) n, error)) {
      g_prefix_error (error, "%s: ", name);
      return FALSE;
    }
  } while (n != 0);
  return TRUE;
}

static GByteArray *
local_read (SpSource *source, SpSourceFile file, GError **error)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  struct stat st;
  int fd = open_file (source, file, &st, error);
  gboolean done = fd >= 0 && read_all (fd, bytes, name_of (source, file), error);

  if (fd >= 0)
    (void) close (fd);
  return done ? g_steal_pointer (&bytes) : NULL;
}

static gboolean
local_copy_disk (SpSource *source, SpSourceSink *sink, GError **error)
{
  struct stat st;
  int fd = open_file (source, SP_SOURCE_DISK, &st, error);
  gboolean done;

  if (fd < 0)
    return FALSE;
  done = sp_source_copy_local (fd, &st, sink, error);
  if (!done)
    g_prefix_error (error, "%s: ", name_of (source, SP_SOURCE_DISK));
  (void) close (fd);
  return done;
}

static gboolean
local_remove (SpSource *source, SpSourceFile file, GError **error)
{
  if (unlinkat (source->folders[file], name_of (source, file), 0) == 0 || errno == ENOENT)
    return TRUE;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY, "%s can't be removed: %s",
               name_of (source, file), g_strerror (errno));
  return FALSE;
}

/* ---- as the owner --------------------------------------------------------------------------------- */

/* Of this thread's file accesses only; the kernel takes root's rights over files away with it. */
static gboolean
access_files_as (const SpSourceUser *user)
{
  (void) setfsgid (user->gid);
  (void) setfsuid (user->uid);
  return (uid_t) setfsuid ((uid_t) -1) == user->uid;
}

static gboolean
write_as_owner (SpSource *source, SpSecret *content, GError **error)
{
  int folder = openat (source->folders[SP_SOURCE_AGENT], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  g_autoptr (GError) local = NULL;

  if (folder >= 0 &&
      sp_file_write_private (folder, SP_STAGING_AGENT, SP_FILE_REPLACE, sp_secret_data (content),
                             sp_secret_length (content), &local)) {
    (void) close (folder);
    return TRUE;
  }
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY, "%s",
               local ? local->message : "the owner can't open the folder");
  if (folder >= 0)
    (void) close (folder);
  return FALSE;
}

static gboolean
local_write_agent (SpSource *source, SpSecret *content, GError **error)
{
  const SpSourceUser own = { geteuid (), getegid () };
  SpSourceUser owner = source->owner;
  gboolean done = FALSE;

  if (own.uid == owner.uid)
    owner.gid = own.gid;
  if (access_files_as (&owner))
    done = write_as_owner (source, content, error);
  else
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_INTERNAL, "cannot take the owner's rights");
  if (!access_files_as (&own))
    g_error ("cannot take back the rights over files");
  return done;
}

static gboolean
local_run (SpSource *source, const char *const *argv, guint timeout_ms, GByteArray *out,
           int *ret_status, GError **error)
{
  g_autoptr (SpSourceProcess) process = sp_source_process_start (argv, &source->owner, error);

  if (process == NULL)
    return FALSE;
  if (!sp_source_process_run (process, NULL, 0, sp_source_deadline (timeout_ms),
                              sp_source_take_output, out, error)) {
    g_prefix_error (error, "%s: ", argv[0]);
    return FALSE;
  }
  *ret_status = sp_source_process_status (process);
  return TRUE;
}

static gboolean
local_end_machine (SpSource *source, pid_t pid, GError **error)
{
  return sp_source_end_local (pid, source->owner.uid, source->end_ms, error);
}

/* ---- the monitor ---------------------------------------------------------------------------------- */

static gboolean
connect_to (int socket_file, guint ms, int fd, GError **error)
{
  const struct timeval timeout = { ms / 1000, (ms % 1000) * 1000 }, none = { 0, 0 };
  struct sockaddr_un address = { .sun_family = AF_UNIX };

  g_snprintf (address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d", socket_file);
  if (setsockopt (fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) == 0 &&
      connect (fd, (const struct sockaddr *) &address, sizeof address) == 0 &&
      setsockopt (fd, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof none) == 0)
    return TRUE;
  if (errno == EAGAIN)
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_TIMED_OUT,
                         "nobody takes connections: its queue is full");
  else
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_UNREACHABLE, "nobody listens, is the VM up? (%s)",
                 g_strerror (errno));
  return FALSE;
}

/* A socket file that the owner has made may be served by another process. */
static gboolean
check_peer (int fd, uid_t owner, GError **error)
{
  struct ucred peer;
  socklen_t length = sizeof peer;

  if (getsockopt (fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0)
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTERNAL, "cannot tell who listens: %s",
                 g_strerror (errno));
  else if (peer.uid != owner)
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY,
                 "user %u listens there instead of user %u, the owner of the folder", peer.uid,
                 owner);
  else
    return TRUE;
  return FALSE;
}

static int
connect_checked (int socket_file, const SpSource *source, GError **error)
{
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  if (fd < 0)
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTERNAL, "cannot make a socket: %s",
                 g_strerror (errno));
  else if (connect_to (socket_file, source->answer_ms, fd, error) &&
           check_peer (fd, source->owner.uid, error))
    return fd;
  if (fd >= 0)
    (void) close (fd);
  return -1;
}

static gboolean
local_connect_monitor (SpSource *source, int *ret_in, int *ret_out, GError **error)
{
  const SpSourceMember expected = { S_IFSOCK, source->owner.uid };
  const char *name = name_of (source, SP_SOURCE_MONITOR);
  int file = sp_source_member_open (source->folders[SP_SOURCE_MONITOR], name, &expected, error);
  int fd;

  if (file < 0)
    return FALSE;
  fd = connect_checked (file, source, error);
  (void) close (file);
  if (fd < 0)
    g_prefix_error (error, "%s: ", name);
  *ret_in = *ret_out = fd;
  return fd >= 0;
}

const SpSourceWay sp_source_local = {
  .open = local_open,
  .close = local_close,
  .read = local_read,
  .copy_disk = local_copy_disk,
  .connect_monitor = local_connect_monitor,
  .remove = local_remove,
  .write_agent = local_write_agent,
  .end_machine = local_end_machine,
  .run = local_run,
};
