/* end.c - end the agent's QEMU on this machine: source-private.h
 *
 * The number comes from the agent, so it may be that of any process.  A pidfd holds on to one process;
 * what /proc says of the number is true of that process where it still runs after the looking.
 *
 * What must stay true: a signal goes through the pidfd, and only to a QEMU that belongs to the owner of
 * the staging folder alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/problem.h"
#include "host/source/private.h"

#define KILL_MS 2000

static gboolean
has_ended (int process, int ms)
{
  struct pollfd ended = { process, POLLIN, 0 };

  return poll (&ended, 1, ms) > 0;
}

/* All four: real, effective, saved, of files. */
static gboolean
belongs_to (pid_t pid, uid_t owner)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/status", (int) pid);
  g_autofree char *status = NULL;
  const char *line;
  uid_t uids[4];

  if (!g_file_get_contents (path, &status, NULL, NULL))
    return FALSE;
  line = strstr (status, "\nUid:");
  if (line == NULL ||
      sscanf (line, "\nUid: %u %u %u %u", &uids[0], &uids[1], &uids[2], &uids[3]) != 4)
    return FALSE;
  for (gsize i = 0; i < G_N_ELEMENTS (uids); i++)
    if (uids[i] != owner)
      return FALSE;
  return TRUE;
}

static gboolean
is_machine (pid_t pid)
{
  g_autofree char *link = g_strdup_printf ("/proc/%d/exe", (int) pid);
  g_autofree char *path = g_file_read_link (link, NULL);
  const char *name = path ? strrchr (path, '/') : NULL;

  return name != NULL && g_str_has_prefix (name + 1, SP_SOURCE_MACHINE);
}

static gboolean
end_process (int process, pid_t pid, guint ms, GError **error)
{
  if (pidfd_send_signal (process, SIGTERM, NULL, 0) == 0 && has_ended (process, (int) ms))
    return TRUE;
  if (has_ended (process, 0) ||
      (pidfd_send_signal (process, SIGKILL, NULL, 0) == 0 && has_ended (process, KILL_MS)))
    return TRUE;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_TIMED_OUT,
               "the agent's VM, process %d, does not end: end it by hand", (int) pid);
  return FALSE;
}

static gboolean
end_if_machine (int process, pid_t pid, uid_t owner, guint ms, GError **error)
{
  gboolean ours = belongs_to (pid, owner) && is_machine (pid);

  if (has_ended (process, 0))
    return TRUE;
  if (ours)
    return end_process (process, pid, ms, error);
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY,
               SP_STAGING_PID " names process %d, which is no VM of user %u and was left alone: "
                              "see that the agent's VM has ended",
               (int) pid, owner);
  return FALSE;
}

gboolean
sp_source_end_local (pid_t pid, uid_t owner, guint ms, GError **error)
{
  int process = pidfd_open (pid, 0);
  gboolean done;

  if (process < 0 && errno == ESRCH)
    return TRUE;
  if (process < 0) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTERNAL, "process %d can't be looked at: %s",
                 (int) pid, g_strerror (errno));
    return FALSE;
  }
  done = end_if_machine (process, pid, owner, ms, error);
  (void) close (process);
  return done;
}
