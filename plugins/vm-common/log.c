/* log.c - log.h: two halves that change places */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <secret-proxy/plugin.h>

#define USUAL_LIMIT (1024u * 1024u)

struct _SpQemuLog {
  char *path, *older;
  int fd; /* -1: it could not be made again */
  guint64 size, half;
};

static int
open_file (const char *path, int more)
{
  return open (path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | more,
               0600);
}

SpQemuLog *
sp_qemu_log_open (const char *path, guint64 limit, GError **error)
{
  int fd = open_file (path, 0);
  struct stat st;
  SpQemuLog *log;

  if (fd < 0 || fstat (fd, &st) != 0 || !S_ISREG (st.st_mode)) {
    g_set_error (error, SP_ERROR, SP_ERROR_UNAVAILABLE, "cannot write the log %s: %s", path,
                 fd < 0 ? g_strerror (errno) : "it is no regular file");
    if (fd >= 0)
      (void) close (fd);
    return NULL;
  }
  log = g_new0 (SpQemuLog, 1);
  log->path = g_strdup (path);
  log->older = g_strconcat (path, ".1", NULL);
  log->fd = fd;
  log->size = (guint64) st.st_size;
  log->half = MAX ((limit != 0 ? limit : USUAL_LIMIT) / 2, 1);
  return log;
}

static void
turn_over (SpQemuLog *log)
{
  (void) close (log->fd);
  (void) rename (log->path, log->older);
  /* Were the name still taken, it would be emptied: the bound comes first. */
  log->fd = open_file (log->path, O_TRUNC);
  log->size = 0;
}

void
sp_qemu_log_write (SpQemuLog *log, const void *data, gsize length)
{
  const guint8 *at = data;

  while (length > 0 && log->fd >= 0) {
    gssize n;

    if (log->size >= log->half)
      turn_over (log);
    if (log->fd < 0)
      return;
    n = write (log->fd, at, MIN (length, log->half - log->size));
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return;
    log->size += (guint64) n;
    at += n;
    length -= (gsize) n;
  }
}

void
sp_qemu_log_close (SpQemuLog *log)
{
  if (log == NULL)
    return;
  if (log->fd >= 0)
    (void) close (log->fd);
  g_free (log->path);
  g_free (log->older);
  g_free (log);
}
