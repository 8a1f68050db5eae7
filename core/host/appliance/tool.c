/* tool.c - tool.h */
#include "host/appliance/tool.h"

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/harden.h"
#include "base/problem.h"

#define MAX_WORDS 400

/* Nothing is left that goes on writing when this process is killed. */
static void
in_child (gpointer parent)
{
  if (prctl (PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid () != GPOINTER_TO_INT (parent))
    _exit (126);
}

gboolean
sp_tool_run (const char *const *argv, const char *package, GError **error)
{
  g_autoptr (GSubprocessLauncher) launcher =
      g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_MERGE);
  g_auto (GStrv) environment = sp_clean_environment ();
  g_autofree char *program = g_find_program_in_path (argv[0]);
  g_autoptr (GSubprocess) process = NULL;
  g_autofree char *out = NULL;

  if (program == NULL) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG, "there is no %s: install the package %s",
                 argv[0], package);
    return FALSE;
  }
  g_subprocess_launcher_set_environ (launcher, environment);
  g_subprocess_launcher_set_child_setup (launcher, in_child, GINT_TO_POINTER (getpid ()), NULL);
  process = g_subprocess_launcher_spawnv (launcher, argv, error);
  if (process == NULL || !g_subprocess_communicate_utf8 (process, NULL, NULL, &out, NULL, error))
    return FALSE;
  if (g_subprocess_get_successful (process))
    return TRUE;
  g_strchomp (out);
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTERNAL, "%s failed: %.*s", argv[0], MAX_WORDS, out);
  return FALSE;
}
