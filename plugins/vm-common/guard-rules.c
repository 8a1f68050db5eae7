/* guard-rules.c - guard-rules.h */
#include "guard-rules.h"

#include <gio/gio.h>
#include <stdio.h>
#include <string.h>

#include "netguard.h"

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

char *
sp_qemu_guard_path (void)
{
  static const char here = 0;
  g_autofree char *file = file_of (&here);
  g_autofree char *dir = g_path_get_dirname (file != NULL ? file : "/");

  return g_build_filename (dir, SP_NETGUARD_FILE, NULL);
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

char *
sp_qemu_guard_rules_here (const char *const *ports)
{
  g_autofree char *resolv_conf = NULL;

  (void) g_file_get_contents ("/etc/resolv.conf", &resolv_conf, NULL, NULL);
  return sp_qemu_guard_rules (ports, resolv_conf != NULL ? resolv_conf : "");
}
