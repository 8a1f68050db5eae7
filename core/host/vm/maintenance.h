/* maintenance.h - what a vault's machine gets where its host wants to log in
 *
 * A small read-only disk, by which the guest knows (core/bundle/maintenance), and a port of the loopback that
 * leads to its port 22.  Both are there only for as long as the machine was started for it.
 */
#pragma once

#include "host/vm/machine.h"

/* Where it is @wanted make the disk in @folder, a descriptor, and find a port that is free now; else remove what an
 * earlier one has left. */
gboolean sp_maintenance_prepare (int folder, const SpVaultRecord *record, gboolean wanted,
                                 guint16 *ret_port, GError **error);
/* After @machine could not be started: whether another program has taken its port meanwhile.  Then it has another one
 * and may be tried again; some times, which are counted in @moves. */
gboolean sp_maintenance_move (SpMachine *machine, guint *moves);
