/* pid.h - the process of a machine that outlives the plugin host, found by its pid file
 *
 * A number in a file may be old, or another's by now: a process counts only if the machine's id stands in
 * its command line, and it is then held by a descriptor, so that a signal can't reach another one.
 */
#pragma once

#include <secret-proxy/vm.h>

/* A descriptor of the process of @spec, readable when it has ended; -1: it does not run. */
int sp_qemu_pid_open (const SpVmSpec *spec, gint64 *ret_pid);
gboolean sp_qemu_pid_has_ended (int pidfd);
void sp_qemu_pid_kill (int pidfd);
