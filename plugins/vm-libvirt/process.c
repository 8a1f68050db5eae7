/* process.c - process.h on /proc */
#include "process.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "netguard.h"

#define STARTTIME 19 /* the words between the name and it, in /proc/PID/stat */

static gboolean
is_qemu_of (const char *pid, const char *id, uid_t user)
{
  g_autofree char *folder = g_build_filename ("/proc", pid, NULL);
  g_autofree char *path = g_build_filename (folder, "cmdline", NULL);
  g_autofree char *text = NULL;
  struct stat st;
  gsize length;
  gboolean after = FALSE;

  if (!g_ascii_isdigit (*pid) || stat (folder, &st) != 0 || st.st_uid != user ||
      !g_file_get_contents (path, &text, &length, NULL))
    return FALSE;
  for (const char *word = text; word < text + length; word += strlen (word) + 1) {
    if (after && g_str_equal (word, id))
      return TRUE;
    after = g_str_equal (word, "-uuid");
  }
  return FALSE;
}

gint64
sp_libvirt_process_find (const char *id, uid_t user)
{
  g_autoptr (GDir) proc = g_dir_open ("/proc", 0, NULL);
  const char *name;
  gint64 found = 0;

  while (proc != NULL && (name = g_dir_read_name (proc)) != NULL) {
    if (!is_qemu_of (name, id, user))
      continue;
    if (found != 0)
      return 0;
    found = g_ascii_strtoll (name, NULL, 10);
  }
  return found;
}

int
sp_libvirt_process_open (const char *id, uid_t user, gint64 *ret_pid)
{
  gint64 pid = sp_libvirt_process_find (id, user);
  int fd = pid != 0 ? (int) syscall (SYS_pidfd_open, (pid_t) pid, 0) : -1;

  /* The number may have become another's before it was held. */
  if (fd >= 0 && sp_libvirt_process_find (id, user) == pid) {
    *ret_pid = pid;
    return fd;
  }
  if (fd >= 0)
    (void) close (fd);
  return -1;
}

gboolean
sp_libvirt_process_is_guarded (gint64 pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%" G_GINT64_FORMAT "/fd", pid);
  g_autoptr (GDir) folder = g_dir_open (path, 0, NULL);
  const char *name;
  gboolean found = FALSE;

  while (folder != NULL && !found && (name = g_dir_read_name (folder)) != NULL) {
    g_autofree char *link = g_build_filename (path, name, NULL);
    g_autofree char *target = g_file_read_link (link, NULL);

    found = g_strcmp0 (target, "/memfd:" SP_NETGUARD_SHOWN " (deleted)") == 0;
  }
  return found;
}

/* The name of a program may have spaces and brackets in it. */
static char *
word_of (const char *pid)
{
  g_autofree char *path = g_build_filename ("/proc", pid, "stat", NULL);
  g_autofree char *text = NULL;
  g_auto (GStrv) words = NULL;
  const char *rest;

  if (!g_file_get_contents (path, &text, NULL, NULL))
    return NULL;
  rest = strrchr (text, ')');
  words = g_strsplit (rest != NULL ? rest + 1 : "", " ", -1);
  if (g_strv_length (words) <= STARTTIME + 1)
    return NULL;
  return g_strconcat (pid, "-", words[STARTTIME + 1], NULL);
}

char *
sp_libvirt_process_word (void)
{
  g_autofree char *pid = g_strdup_printf ("%d", (int) getpid ());

  return word_of (pid);
}

gboolean
sp_libvirt_process_lives (const char *word)
{
  g_autofree char *pid = g_strndup (word, strspn (word, "0123456789"));
  g_autofree char *now = *pid != '\0' ? word_of (pid) : NULL;

  return g_strcmp0 (now, word) == 0;
}
