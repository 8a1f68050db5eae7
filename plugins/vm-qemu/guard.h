/* guard.h - the network guard (netguard.c) in front of a QEMU with network = user
 *
 * QEMU is given it as a descriptor, so that its user need not reach the folder, and what was opened is what
 * is loaded.  It answers with a byte; without that byte no guest runs.
 */
#pragma once

#include <gio/gio.h>

#include "process.h"

/* @ports: of the host's loopback, that the guest may reach.  Returns the end to hear the guard on, or -1. */
int sp_qemu_guard_arm (SpQemuSpawn *spawn, const char *const *ports, GError **error);
/* Whether the guard has answered.  QEMU has begun to answer before. */
gboolean sp_qemu_guard_is_there (int fd, GError **error);
