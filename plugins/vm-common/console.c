/* console.c - console.h */
#include "console.h"

#include <errno.h>
#include <glib-unix.h>
#include <sys/socket.h>
#include <unistd.h>

struct _SpQemuConsole {
  int fd;
  SpQemuLog *log;
  GSource *source;
};

/* 1: there may be more; 0: nothing now; -1: nothing any more. */
static int
take_some (SpQemuConsole *console)
{
  char chunk[4096];
  gssize n = recv (console->fd, chunk, sizeof chunk, MSG_DONTWAIT);

  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return 0;
  if (n <= 0)
    return -1;
  if (console->log != NULL)
    sp_qemu_log_write (console->log, chunk, (gsize) n);
  return 1;
}

static gboolean
on_readable (int fd, GIOCondition condition, gpointer data)
{
  return take_some (data) < 0 ? G_SOURCE_REMOVE : G_SOURCE_CONTINUE;
}

SpQemuConsole *
sp_qemu_console_new (int fd, SpQemuLog *log)
{
  SpQemuConsole *console = g_new0 (SpQemuConsole, 1);

  console->fd = fd;
  console->log = log;
  console->source = g_unix_fd_source_new (fd, G_IO_IN | G_IO_HUP);
  g_source_set_callback (console->source, G_SOURCE_FUNC (on_readable), console, NULL);
  g_source_attach (console->source, g_main_context_get_thread_default ());
  return console;
}

void
sp_qemu_console_free (SpQemuConsole *console)
{
  if (console == NULL)
    return;
  while (take_some (console) > 0)
    ;
  g_source_destroy (console->source);
  g_source_unref (console->source);
  (void) close (console->fd);
  sp_qemu_log_close (console->log);
  g_free (console);
}
