/* maintenance.h - what a vault's machine gets where its host wants to log in
 *
 * A small read-only disk, by which the guest knows (core/bundle/maintenance), and a port of the loopback that
 * leads to its port 22.  Both are there only for as long as the machine was started for it.
 */
#pragma once

#include <gio/gio.h>

/* Make the disk in @folder, a descriptor, and find a port that is free now. */
gboolean sp_maintenance_prepare (int folder, guint16 *ret_port, GError **error);
