/* spawn.c - start a child of the suite: this program once more, with an order and a place for its report */
#include "plugin/check/report.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/harden.h"
#include "base/problem.h"
#include "plugin/check/check.h"

/* In memory: there may be secrets in it. */
static int
write_order (GVariant *order, GError **error)
{
  int fd = memfd_create ("order", MFD_CLOEXEC);
  gssize length = (gssize) g_variant_get_size (order);

  if (fd >= 0 && write (fd, g_variant_get_data (order), (gsize) length) == length)
    return fd;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTERNAL, "cannot hand over what to check: %s",
               g_strerror (errno));
  if (fd >= 0)
    (void) close (fd);
  return -1;
}

GPid
sp_check_spawn (GVariant *order, int report_fd, int stdout_fd, GError **error)
{
  static const char *const argv[] = { "/proc/self/exe", SP_CHECK_CHILD, NULL };
  static const int targets[] = { SP_CHECK_REPORT_FD, SP_CHECK_ORDER_FD };
  g_auto (GStrv) environment = sp_clean_environment ();
  int order_fd = write_order (order, error);
  int sources[] = { report_fd, order_fd };
  GPid pid = -1;

  /* A freed chunk in a thread's cache counts as used, so that nothing could be said about leaks. */
  environment =
      g_environ_setenv (environment, "GLIBC_TUNABLES", "glibc.malloc.tcache_count=0", TRUE);
  if (order_fd < 0)
    return -1;
  if (!g_spawn_async_with_pipes_and_fds (
          NULL, argv, (const char *const *) environment, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, -1,
          stdout_fd, -1, sources, targets, G_N_ELEMENTS (targets), &pid, NULL, NULL, NULL, error))
    pid = -1;
  (void) close (order_fd);
  return pid;
}
