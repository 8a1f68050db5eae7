/* confine.c - confine.h with prctl(2), setrlimit(2), close_range(2) */
#include "host/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/harden.h"
#include "base/user.h"
#include "sp-build.h"

#define FIRST_FD 3
#define MAX_FDS 8u

static gboolean
keep_descriptors (int last)
{
  int null = open ("/dev/null", O_RDWR | O_CLOEXEC);

  if (null < 0)
    return FALSE;
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
    if (dup2 (null, fd) < 0)
      return FALSE;
  for (int fd = FIRST_FD; fd <= last; fd++)
    if (fcntl (fd, F_SETFD, FD_CLOEXEC) != 0)
      return FALSE;
  return close_range ((guint) last + 1, ~0u, 0) == 0;
}

static gboolean
limit (const SpConfinement *confinement)
{
  const struct {
    __rlimit_resource_t resource;
    rlim_t most;
  } limits[] = {
    /* A sanitizer maps terabytes. */
    { RLIMIT_AS, SP_NOT_DUMPABLE ? confinement->max_memory : RLIM_INFINITY },
    { RLIMIT_CPU, confinement->max_seconds },
    { RLIMIT_FSIZE, confinement->max_file },
    { RLIMIT_CORE, 0 },
    { RLIMIT_NPROC, 0 },
    { RLIMIT_MEMLOCK, 0 },
    { RLIMIT_NOFILE, 0 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (limits); i++) {
    const struct rlimit most = { limits[i].most, limits[i].most };

    if (setrlimit (limits[i].resource, &most) != 0)
      return FALSE;
  }
  return TRUE;
}

gboolean
sp_confine (const SpConfinement *confinement)
{
  uid_t uid = sp_user_for (confinement->purpose);

  sp_harden (confinement->name);
  /* Becoming another user undoes the last two: its death with the parent, and its privacy. */
  return chdir ("/") == 0 && keep_descriptors (confinement->last_fd) && sp_user_become (uid) &&
         prctl (PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 &&
         (!SP_NOT_DUMPABLE || prctl (PR_SET_DUMPABLE, 0, 0, 0, 0) == 0) && limit (confinement);
}

gboolean
sp_confined_spawn (const char **argv, const int *fds, gsize n_fds, GPid *ret_pid, GError **error)
{
  g_auto (GStrv) environment = sp_clean_environment ();
  int targets[MAX_FDS];

  argv[0] = "/proc/self/exe";
  for (gsize i = 0; i < n_fds; i++)
    targets[i] = FIRST_FD + (int) i;
  return g_spawn_async_with_pipes_and_fds (NULL, (const char *const *) argv,
                                           (const char *const *) environment,
                                           G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, -1, -1, -1, fds,
                                           targets, n_fds, ret_pid, NULL, NULL, NULL, error);
}

int
sp_confined_end (GPid pid)
{
  int status = 0;

  (void) kill (pid, SIGKILL);
  while (waitpid (pid, &status, 0) < 0 && errno == EINTR)
    ;
  return status;
}
