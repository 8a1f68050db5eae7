/* probe.h - what this machine can really do, found out by running guests
 *
 * A device that opens proves nothing: there are hosts where /dev/kvm opens and a guest still never gets out
 * of real mode, or where QEMU aborts with the host's own CPU model.  So a tiny guest (guest.S) is run with
 * the CPU model that start() would use.  With KVM that is "host" and nothing else: under another model such
 * a host may look fine to a tiny guest and hang a kernel.
 */
#pragma once

#include <secret-proxy/vm.h>

/* Fills @ret_probe.  @program: QEMU.  @no_kvm: why KVM need not be tried; NULL: it is. */
gboolean sp_qemu_probe (SpHost *host, const char *program, const char *no_kvm, SpVmProbe *ret_probe,
                        GCancellable *cancellable, GError **error);

/* How many MiB of translated code emulation keeps for the machine of @spec. */
guint sp_qemu_translated_mib (const SpVmSpec *spec);

/* QEMU's CPU model for @acceleration. */
const char *sp_qemu_cpu (guint32 acceleration);
