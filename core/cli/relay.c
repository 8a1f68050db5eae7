/* relay.c - `secret-proxy relay`: stdin and stdout, to and from a Unix socket
 *
 * For the far side of a command that runs programs in another machine: so the host comes to a socket
 * there.  It looks at nothing that it carries.
 *
 * What must stay true: what was read from one side is written to the other before its end is passed
 * on; nothing but a socket is opened, and no link is followed to one; stdin and stdout, which others
 * may share, stay as blocking as they were.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/cli.h"

#define ROOM 65536u

/* One direction. */
typedef struct {
  int from, to;
  gsize most;     /* that one write takes without blocking, once it can take something */
  gboolean ended; /* nothing more comes from @from; all that came was written */
  gsize start, end;
  char data[ROOM]; /* from @start to @end: to be written */
} Way;

/* ---- the socket ------------------------------------------------------------------------------------------- */

static int
set_no_socket (const char *path, const char *why, SpProblemCode code, GError **error)
{
  g_set_error (error, SP_PROBLEM, (int) code, "cannot use the socket %s: %s", path, why);
  return -1;
}

static int
open_socket (const char *path, GError **error)
{
  int fd = open (path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  struct stat st;

  if (fd < 0)
    return set_no_socket (path, g_strerror (errno),
                          errno == ENOENT ? SP_PROBLEM_NOT_FOUND : SP_PROBLEM_UNREACHABLE, error);
  if (fstat (fd, &st) == 0 && S_ISSOCK (st.st_mode))
    return fd;
  (void) close (fd);
  return set_no_socket (path, "it is none, or a link to one; name the socket itself",
                        SP_PROBLEM_INVALID, error);
}

/* By its descriptor, so that it is the one that was looked at, and its path may be long. */
static int
connect_to (const char *path, GError **error)
{
  int file = open_socket (path, error);
  int fd = file < 0 ? -1 : socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int failure;

  if (file < 0)
    return -1;
  (void) g_snprintf (address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d", file);
  failure = fd < 0 || connect (fd, (struct sockaddr *) &address, sizeof address) != 0 ||
                    fcntl (fd, F_SETFL, O_NONBLOCK) != 0
                ? errno
                : 0;
  (void) close (file);
  if (failure == 0)
    return fd;
  if (fd >= 0)
    (void) close (fd);
  return set_no_socket (path, g_strerror (failure), SP_PROBLEM_UNREACHABLE, error);
}

/* ---- a direction --------------------------------------------------------------------------------------------- */

static gboolean
is_for_later (gssize n)
{
  return n < 0 && (errno == EAGAIN || errno == EINTR);
}

static void
take (Way *way)
{
  gssize n = read (way->from, way->data, sizeof way->data);

  if (is_for_later (n))
    return;
  way->start = 0;
  way->end = (gsize) MAX (n, 0);
  way->ended = n <= 0;
}

/* FALSE: nobody takes it any more. */
static gboolean
give (Way *way)
{
  gssize n = write (way->to, way->data + way->start, MIN (way->end - way->start, way->most));

  if (is_for_later (n))
    return TRUE;
  way->start += (gsize) MAX (n, 0);
  return n >= 0;
}

static gboolean
is_full (const Way *way)
{
  return way->start < way->end;
}

/* ---- both ------------------------------------------------------------------------------------------------------ */

enum { IN, OUT, SOCKET, N_POLLED };

static void
poll_both (const Way *up, const Way *down, struct pollfd *polled)
{
  gboolean writing = is_full (up), reading = !is_full (down) && !down->ended;
  int n;

  polled[IN] = (struct pollfd){ .fd = up->ended || writing ? -1 : up->from, .events = POLLIN };
  polled[OUT] = (struct pollfd){ .fd = down->ended ? -1 : down->to,
                                 .events = (short) (is_full (down) ? POLLOUT : 0) };
  /* That it was hung up is told unasked, which is of no use while stdout must take more first. */
  polled[SOCKET] =
      (struct pollfd){ .fd = writing || !is_full (down) ? up->to : -1,
                       .events = (short) ((reading ? POLLIN : 0) | (writing ? POLLOUT : 0)) };
  do
    n = poll (polled, N_POLLED, -1);
  while (n < 0 && errno == EINTR);
}

/* From stdin to the socket. */
static void
step_up (Way *up, const struct pollfd *polled)
{
  if (polled[IN].revents != 0) {
    take (up);
    if (up->ended)
      (void) shutdown (up->to, SHUT_WR);
  }
  /* Nobody reads there any more, but something may still come from there. */
  if ((polled[SOCKET].revents & ~POLLIN) != 0 && is_full (up) && !give (up)) {
    up->start = up->end;
    up->ended = TRUE;
  }
}

/* From the socket to stdout.  FALSE: nobody reads there. */
static gboolean
step_down (Way *down, const struct pollfd *polled)
{
  if (is_full (down))
    return polled[OUT].revents == 0 || give (down);
  if (polled[SOCKET].revents != 0 && !down->ended) {
    take (down);
    if (down->ended)
      (void) close (down->to);
  }
  return polled[OUT].revents == 0;
}

static gboolean
relay (int fd, GError **error)
{
  g_autofree Way *up = g_new0 (Way, 1);
  g_autofree Way *down = g_new0 (Way, 1);
  struct pollfd polled[N_POLLED];
  gboolean hung_up = FALSE;

  *up = (Way){ .from = STDIN_FILENO, .to = fd, .most = ROOM };
  *down = (Way){ .from = fd, .to = STDOUT_FILENO, .most = PIPE_BUF };
  while (!down->ended || !(up->ended || hung_up)) {
    poll_both (up, down, polled);
    hung_up = (polled[SOCKET].revents & (POLLHUP | POLLERR)) != 0;
    step_up (up, polled);
    if (!step_down (down, polled)) {
      if (!is_full (down))
        return TRUE;
      g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_UNREACHABLE,
                           "stdout was closed before all was written that came from the socket");
      return FALSE;
    }
  }
  return TRUE;
}

int
sp_cli_relay (SpCli *cli, GError **error)
{
  int fd = connect_to (cli->args[0], error);
  gboolean done = fd >= 0 && relay (fd, error);

  if (fd >= 0)
    (void) close (fd);
  return done ? 0 : 1;
}
