/* probe.h - what this machine can really do, found out by running guests
 *
 * A device that opens proves nothing: there are hosts where /dev/kvm opens and a guest still never gets out
 * of real mode, or where QEMU aborts with the host's own CPU model.  So a tiny guest (guest.S) is run with
 * the CPU model that start() would use.  With KVM that is "host" and nothing else: under another model such
 * a host may look fine to a tiny guest and hang a kernel.
 */
#pragma once

#include "launch.h"

/* Fills @ret_probe; remembers in @qemu what it chose. */
gboolean
sp_qemu_probe (SpQemu *qemu, SpVmProbe *ret_probe, GCancellable *cancellable, GError **error);
