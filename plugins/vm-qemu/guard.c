/* guard.c - guard.h: find the library, hand it over, hear it */
#include "guard.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <secret-proxy/plugin.h>

#include "argv.h"
#include "netguard.h"

G_STATIC_ASSERT (SP_NETGUARD_FD == SP_QEMU_FD_GUARD);

#define MAX_LINE 4096

/* ---- where it lies ---------------------------------------------------------------------------------------- */

/* The file that @address was loaded from.  The name that the loader knows is that of a descriptor. */
static char *
file_of (gconstpointer address)
{
  FILE *maps = fopen ("/proc/self/maps", "re");
  g_autofree char *line = g_malloc (MAX_LINE);
  char *found = NULL;

  while (maps != NULL && found == NULL && fgets (line, MAX_LINE, maps) != NULL) {
    char *end;
    guint64 from = g_ascii_strtoull (line, &end, 16);
    guint64 to = *end == '-' ? g_ascii_strtoull (end + 1, NULL, 16) : 0;
    char *path = strchr (line, '/');

    if (path != NULL && GPOINTER_TO_SIZE (address) >= from && GPOINTER_TO_SIZE (address) < to)
      found = g_strchomp (g_strdup (path));
  }
  if (maps != NULL)
    (void) fclose (maps);
  return found;
}

static int
open_library (GError **error)
{
  static const char here = 0;
  g_autofree char *file = file_of (&here);
  g_autofree char *dir = g_path_get_dirname (file != NULL ? file : "/");
  g_autofree char *path = g_build_filename (dir, SP_NETGUARD_FILE, NULL);
  int fd = open (path, O_RDONLY | O_CLOEXEC);

  if (fd < 0)
    g_set_error (
        error, SP_ERROR, SP_ERROR_CONFIG,
        "cannot open %s: %s; without it a guest could reach the host's loopback, so no guest "
        "is started: install it beside this plugin",
        path, g_strerror (errno));
  return fd;
}

/* ---- its rules -------------------------------------------------------------------------------------------- */

static gboolean
is_loopback (const char *text)
{
  g_autoptr (GInetAddress) address = g_inet_address_new_from_string (text);

  return address != NULL && g_inet_address_get_family (address) == G_SOCKET_FAMILY_IPV4 &&
         g_inet_address_get_is_loopback (address);
}

char *
sp_qemu_guard_rules (const char *const *ports, const char *resolv_conf)
{
  GString *rules = g_string_new (NULL);
  g_auto (GStrv) lines = g_strsplit (resolv_conf, "\n", -1);
  const char *comma = "";

  for (gsize i = 0; ports[i] != NULL; i++)
    g_string_append_printf (rules, "%s%s", i > 0 ? "," : "", ports[i]);
  g_string_append_c (rules, ';');
  for (gsize i = 0; lines[i] != NULL; i++) {
    g_auto (GStrv) words = g_strsplit_set (g_strstrip (lines[i]), " \t", 3);

    if (g_strcmp0 (words[0], "nameserver") != 0 || words[1] == NULL || !is_loopback (words[1]))
      continue;
    g_string_append_printf (rules, "%s%s", comma, words[1]);
    comma = ",";
  }
  return g_string_free (rules, FALSE);
}

/* ---- at the start ----------------------------------------------------------------------------------------- */

static void
set_environment (SpQemuSpawn *spawn, const char *const *ports)
{
  g_autofree char *resolv_conf = NULL;
  g_autofree char *rules = NULL;
  g_autofree char *preload = g_strdup_printf ("/proc/self/fd/%d", SP_QEMU_FD_PRELOAD);

  (void) g_file_get_contents ("/etc/resolv.conf", &resolv_conf, NULL, NULL);
  rules = sp_qemu_guard_rules (ports, resolv_conf != NULL ? resolv_conf : "");
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
