/* harden.c - harden.h with prctl(2) */
#include "base/harden.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sp-build.h"

#define LAST_CAPABILITY 63

#if !SP_NOT_DUMPABLE
/* Called by LeakSanitizer: what it holds itself for a thread that the end of the process meets in its first
 * steps counts as a leak otherwise. */
const char *__lsan_default_suppressions (void);

const char *
__lsan_default_suppressions (void)
{
  return "leak:pthread_getattr_np\n";
}
#endif

void
sp_harden (const char *name)
{
  const struct rlimit none = { 0, 0 };

  (void) prctl (PR_SET_NAME, name, 0, 0, 0);
  /* In messages, too: many of us are started as /proc/self/exe. */
  g_set_prgname (name);
  (void) prctl (PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || setrlimit (RLIMIT_CORE, &none) != 0)
    g_printerr ("%s: the kernel refuses to give up privileges\n", name);
  /* Leak checkers trace their own process. */
  if (SP_NOT_DUMPABLE)
    (void) prctl (PR_SET_DUMPABLE, 0, 0, 0, 0);
  for (int capability = 0; capability <= LAST_CAPABILITY; capability++)
    (void) prctl (PR_CAPBSET_DROP, capability, 0, 0, 0);
  (void) umask (077);
  (void) signal (SIGPIPE, SIG_IGN);
}

void
sp_hold_standard_descriptors (void)
{
  /* The lowest free number is taken, so in this order each gets its own. */
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
    if (fcntl (fd, F_GETFD) < 0 && errno == EBADF &&
        open ("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
      _exit (EXIT_FAILURE);
}

char **
sp_clean_environment (void)
{
  static const char *const kept[] = { "ASAN_OPTIONS", "G_DEBUG",         "G_MESSAGES_DEBUG",
                                      "LANG",         "LC_ALL",          "LD_LIBRARY_PATH",
                                      "LSAN_OPTIONS", "MALLOC_PERTURB_", "TZ",
                                      "UBSAN_OPTIONS" };
  char **environment = g_environ_setenv (NULL, "PATH", "/usr/sbin:/usr/bin:/sbin:/bin", TRUE);

  for (gsize i = 0; i < G_N_ELEMENTS (kept); i++) {
    const char *value = g_getenv (kept[i]);

    if (value != NULL)
      environment = g_environ_setenv (environment, kept[i], value, TRUE);
  }
  return environment;
}
