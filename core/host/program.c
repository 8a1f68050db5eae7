/* program.c - program.h with PR_SET_PDEATHSIG */
#include "host/program.h"

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/harden.h"

#define PROGRAM "secret-proxyd"

char *
sp_program_daemon (GError **error)
{
  g_autofree char *self = g_file_read_link ("/proc/self/exe", error);
  g_autofree char *dir = self ? g_path_get_dirname (self) : NULL;

  return dir ? g_build_filename (dir, PROGRAM, NULL) : NULL;
}

/* In the child, after fork: only what is safe there. */
static void
in_child (gpointer parent)
{
  (void) prctl (PR_SET_PDEATHSIG, SIGKILL);
  if (getppid () != GPOINTER_TO_INT (parent))
    _exit (1);
}

void
sp_program_bind (GSubprocessLauncher *launcher)
{
  g_auto (GStrv) environment = sp_clean_environment ();

  g_subprocess_launcher_set_environ (launcher, environment);
  g_subprocess_launcher_set_child_setup (launcher, in_child, GINT_TO_POINTER (getpid ()), NULL);
}
