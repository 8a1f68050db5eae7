/* host-status.c - how a plugin host ended, in words */
#include <sys/wait.h>

#include "plugin/host.h"

char *
sp_plugin_host_why_ended (int status)
{
  if (WIFSIGNALED (status))
    return g_strdup_printf ("its process was ended by signal %d (%s)", WTERMSIG (status),
                            g_strsignal (WTERMSIG (status)));
  if (WEXITSTATUS (status) == SP_PLUGIN_HOST_OVERRUN)
    return g_strdup ("it went on after a deadline, and its process was ended");
  return g_strdup_printf ("its process has ended with status %d", WEXITSTATUS (status));
}
