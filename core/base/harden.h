/* harden.h - what every process of the daemon gives up before it does anything else */
#pragma once

#include <gio/gio.h>

/* No new privileges, no core dump, not readable by other processes of the same user, no capabilities
 * beyond what its user has, files 0600 by default; killed when the process that started it dies.
 * @name: as ps(1) shows it.  What the kernel refuses is said on stderr and is no error. */
void sp_harden (const char *name);

/* What of our environment a process may have that we start: how to find libraries, how to speak, how to
 * be debugged.  Nothing else: tokens often live in an environment.  Free with g_strfreev(). */
char **sp_clean_environment (void);
