/* spec.h - a copy of a specification, checked: what QEMU's command line is then made from
 *
 * Nothing of it is quoted or escaped later but paths of disks, so names and addresses are checked here
 * for what could mean something to QEMU.
 */
#pragma once

#include <secret-proxy/vm.h>

#define SP_QEMU_MAX_DISKS 8

/* SP_ERROR_CONFIG says which member is wrong and why. */
gboolean sp_qemu_spec_check (const SpVmSpec *spec, GError **error);

SpVmSpec *sp_qemu_spec_copy (const SpVmSpec *spec);
void sp_qemu_spec_free (SpVmSpec *copy);
gboolean sp_qemu_spec_equal (const SpVmSpec *a, const SpVmSpec *b);
