/* guard.c - guard.h: hand the library over, hear it */
#include "guard.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <unistd.h>

#include <secret-proxy/plugin.h>

#include "argv.h"
#include "guard-rules.h"
#include "netguard.h"

G_STATIC_ASSERT (SP_NETGUARD_FD == SP_QEMU_FD_GUARD);

static int
open_library (GError **error)
{
  g_autofree char *path = sp_qemu_guard_path ();
  int fd = open (path, O_RDONLY | O_CLOEXEC);

  if (fd < 0)
    g_set_error (
        error, SP_ERROR, SP_ERROR_CONFIG,
        "cannot open %s: %s; without it a guest could reach the host's loopback, so no guest "
        "is started: install it beside this plugin",
        path, g_strerror (errno));
  return fd;
}

/* ---- at the start ----------------------------------------------------------------------------------------- */

static void
set_environment (SpQemuSpawn *spawn, const char *const *ports)
{
  g_autofree char *rules = sp_qemu_guard_rules_here (ports);
  g_autofree char *preload = g_strdup_printf ("/proc/self/fd/%d", SP_QEMU_FD_PRELOAD);

  spawn->environment = g_environ_setenv (spawn->environment, SP_NETGUARD_RULES, rules, TRUE);
  spawn->environment = g_environ_setenv (spawn->environment, "LD_PRELOAD", preload, TRUE);
}

int
sp_qemu_guard_arm (SpQemuSpawn *spawn, const char *const *ports, GError **error)
{
  int library = open_library (error);
  int pipe_fds[2];

  if (library < 0)
    return -1;
  sp_qemu_spawn_give (spawn, library, SP_QEMU_FD_PRELOAD);
  if (!g_unix_open_pipe (pipe_fds, FD_CLOEXEC, error))
    return -1;
  sp_qemu_spawn_give (spawn, pipe_fds[1], SP_QEMU_FD_GUARD);
  (void) g_unix_set_fd_nonblocking (pipe_fds[0], TRUE, NULL);
  set_environment (spawn, ports);
  return pipe_fds[0];
}

gboolean
sp_qemu_guard_is_there (int fd, GError **error)
{
  char byte = 0;

  if (read (fd, &byte, 1) == 1 && byte == SP_NETGUARD_BYTE)
    return TRUE;
  g_set_error_literal (
      error, SP_ERROR, SP_ERROR_REFUSED,
      "QEMU runs without the network guard, so that its guest could reach the host's "
      "loopback; it was ended");
  return FALSE;
}
