/* harden.h - what every process of the daemon gives up before it does anything else */
#pragma once

#include <gio/gio.h>

/* No new privileges, no core dump, not readable by other processes of the same user, no capabilities
 * beyond what its user has, files 0600 by default; killed when the process that started it dies.
 * @name: as ps(1) shows it.  What the kernel refuses is said on stderr and is no error. */
void sp_harden (const char *name);

/* First of all in main(): where 0, 1 or 2 is closed, the next file that is opened would become it, and
 * get what is meant for people.  They are held by something that can't be used, so that reading and
 * writing fails as before. */
void sp_hold_standard_descriptors (void);

/* What of our environment a process may have that we start: how to find libraries, how to speak, how to
 * be debugged.  Nothing else: tokens often live in an environment.  Free with g_strfreev(). */
char **sp_clean_environment (void);
