/* pid.c - pid.h with pidfd_open(2) */
#include "pid.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#define MAX_FILE 32
#define MAX_CMDLINE (64 * 1024)

static gssize
read_file (const char *path, char *buffer, gsize size)
{
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  gssize n = fd >= 0 ? read (fd, buffer, size) : -1;

  if (fd >= 0)
    (void) close (fd);
  return n;
}

static guint64
number_in (const char *path)
{
  char text[MAX_FILE + 1];
  gssize n = read_file (path, text, MAX_FILE);
  guint64 number;

  if (n <= 0)
    return 0;
  text[n] = '\0';
  return g_ascii_string_to_unsigned (g_strchomp (text), 10, 1, G_MAXINT, &number, NULL) ? number
                                                                                        : 0;
}

static gboolean
is_of (guint64 pid, const char *id)
{
  g_autofree char *path = g_strdup_printf ("/proc/%" G_GUINT64_FORMAT "/cmdline", pid);
  g_autofree char *words = g_malloc (MAX_CMDLINE);
  gssize n = read_file (path, words, MAX_CMDLINE - 1);
  const char *end = words + MAX (n, 0);

  words[MAX (n, 0)] = '\0';
  for (const char *word = words; word < end; word += strlen (word) + 1)
    if (strcmp (word, id) == 0)
      return TRUE;
  return FALSE;
}

int
sp_qemu_pid_open (const SpVmSpec *spec, gint64 *ret_pid)
{
  guint64 pid = number_in (spec->pid_file);
  int pidfd = pid != 0 ? pidfd_open ((pid_t) pid, 0) : -1;

  *ret_pid = 0;
  if (pidfd < 0)
    return -1;
  /* Held first, looked at then: it can't become another in between. */
  if (is_of (pid, spec->id) && !sp_qemu_pid_has_ended (pidfd)) {
    *ret_pid = (gint64) pid;
    return pidfd;
  }
  (void) close (pidfd);
  return -1;
}

gboolean
sp_qemu_pid_has_ended (int pidfd)
{
  struct pollfd ready = { .fd = pidfd, .events = POLLIN };

  return poll (&ready, 1, 0) != 0;
}

void
sp_qemu_pid_kill (int pidfd)
{
  (void) pidfd_send_signal (pidfd, SIGKILL, NULL, 0);
}
