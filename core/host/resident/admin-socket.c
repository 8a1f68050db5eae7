/* admin-socket.c - admin-socket.h */
#include "host/resident/admin-socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/problem.h"

#define LOCK "lock"
#define BACKLOG 32

/* ---- the lock ------------------------------------------------------------------------------------- */

static void
set_running (int fd, GError **error)
{
  char pid[32] = "";
  gssize n = pread (fd, pid, sizeof pid - 1, 0);

  pid[MAX (n, 0)] = 0;
  pid[strspn (pid, "0123456789")] = 0;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFLICT, "this vault is already running (pid %s)",
               *pid != 0 ? pid : "unknown");
}

static gboolean
write_pid (int fd)
{
  g_autofree char *pid = g_strdup_printf ("%d\n", (int) getpid ());

  return ftruncate (fd, 0) == 0 && pwrite (fd, pid, strlen (pid), 0) == (gssize) strlen (pid);
}

int
sp_admin_lock (int folder, GError **error)
{
  int fd = openat (folder, LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

  if (fd < 0) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTERNAL, "cannot open the lock file: %s",
                 g_strerror (errno));
    return -1;
  }
  if (flock (fd, LOCK_EX | LOCK_NB) != 0)
    set_running (fd, error);
  else if (!write_pid (fd))
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTERNAL, "cannot write the lock file: %s",
                 g_strerror (errno));
  else
    return fd;
  (void) close (fd);
  return -1;
}

/* The number in the file is that of whoever holds the lock, as it is written by its holder only. */
pid_t
sp_admin_lock_holder (int folder)
{
  int fd = openat (folder, LOCK, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  char text[16] = "";
  gint64 pid = 0;

  if (fd < 0)
    return 0;
  if (flock (fd, LOCK_SH | LOCK_NB) != 0 && pread (fd, text, sizeof text - 1, 0) > 0)
    pid = g_ascii_strtoll (text, NULL, 10);
  (void) close (fd);
  return pid > 1 && pid <= G_MAXINT ? (pid_t) pid : 0;
}

/* ---- the socket ------------------------------------------------------------------------------------ */

static struct sockaddr_un
address_in (int folder, const char *name)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };

  (void) g_snprintf (address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", folder,
                     name);
  return address;
}

int
sp_admin_listen (int folder, GError **error)
{
  struct sockaddr_un address = address_in (folder, SP_ADMIN_SOCKET);
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

  (void) unlinkat (folder, SP_ADMIN_SOCKET, 0);
  /* The mode of the descriptor is the mode that bind() gives the file, so it is never looser. */
  if (fd >= 0 && fchmod (fd, 0600) == 0 &&
      bind (fd, (const struct sockaddr *) &address, sizeof address) == 0 &&
      listen (fd, BACKLOG) == 0)
    return fd;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTERNAL, "cannot make " SP_ADMIN_SOCKET ": %s",
               g_strerror (errno));
  if (fd >= 0)
    (void) close (fd);
  return -1;
}

static gboolean
may_be_here (int fd)
{
  struct ucred peer;
  socklen_t length = sizeof peer;

  return getsockopt (fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
         (peer.uid == 0 || peer.uid == geteuid ());
}

int
sp_admin_accept (int listener)
{
  int fd;

  while ((fd = accept4 (listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
    if (may_be_here (fd))
      return fd;
    (void) close (fd);
  }
  return -1;
}

void
sp_admin_unlink (int folder)
{
  (void) unlinkat (folder, SP_ADMIN_SOCKET, 0);
}

/* ---- the other end ------------------------------------------------------------------------------------ */

int
sp_socket_connect (int folder, const char *name)
{
  struct sockaddr_un address = address_in (folder, name);
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int saved;

  if (fd < 0 || connect (fd, (const struct sockaddr *) &address, sizeof address) == 0)
    return fd;
  saved = errno;
  (void) close (fd);
  errno = saved;
  return -1;
}

int
sp_admin_connect (const char *path, GError **error)
{
  int folder = open (path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  int fd = folder >= 0 ? sp_socket_connect (folder, SP_ADMIN_SOCKET) : -1;
  int saved = errno;

  if (folder >= 0)
    (void) close (folder);
  if (fd >= 0)
    return fd;
  if (saved == ENOENT || saved == ECONNREFUSED)
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_UNREACHABLE,
                 "no vault runs in %s: start it first, or name another one with --vault", path);
  else
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_UNREACHABLE, "cannot reach the vault in %s: %s",
                 path, g_strerror (saved));
  return -1;
}
