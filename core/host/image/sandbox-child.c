/* sandbox-child.c - sandbox-child.h */
#include "host/image/sandbox-child.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/user.h"

#define NOT_BOUND SP_SANDBOX_COMPLAINS "its limits or its user can't be set"

/* clang-format off */
static const char *const first_words[] = {
  SP_SANDBOX_BWRAP, "--unshare-all", "--unshare-user", "--disable-userns",
  "--uid", "65534", "--gid", "65534",
  "--new-session", "--die-with-parent",
  "--ro-bind", "/usr", "/usr",
  "--symlink", "usr/bin", "/bin",
  "--symlink", "usr/lib", "/lib",
  "--symlink", "usr/lib64", "/lib64",
  "--proc", "/proc",
};
/* clang-format on */

void
sp_sandbox_add (GPtrArray *argv, const char *const *words, gsize n)
{
  for (gsize i = 0; i < n; i++)
    g_ptr_array_add (argv, (gpointer) words[i]);
}

void
sp_sandbox_begin (GPtrArray *argv)
{
  sp_sandbox_add (argv, first_words, G_N_ELEMENTS (first_words));
}

static gboolean
set_limits (const SpSandboxBounds *bounds)
{
  const struct {
    __rlimit_resource_t resource;
    guint64 most;
  } limits[] = {
    { RLIMIT_AS, bounds->max_memory },    { RLIMIT_CPU, bounds->max_seconds },
    { RLIMIT_FSIZE, bounds->max_file },   { RLIMIT_CORE, 0 },
    { RLIMIT_NOFILE, bounds->max_files },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (limits); i++) {
    const struct rlimit limit = { .rlim_cur = limits[i].most, .rlim_max = limits[i].most };

    if (setrlimit (limits[i].resource, &limit) != 0)
      return FALSE;
  }
  return TRUE;
}

/* After fork: only what is safe there. */
void
sp_sandbox_in_child (gpointer data)
{
  const SpSandboxBounds *bounds = data;

  if (!set_limits (bounds) || !sp_user_become (bounds->uid) ||
      prctl (PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid () != bounds->parent)
    _exit (write (STDERR_FILENO, NOT_BOUND, sizeof NOT_BOUND - 1) < 0 ? 1 : 2);
}
