/* ports.h - whether the ports that a machine is to be reached at are free; QEMU's own message does not say what
 * is wrong */
#pragma once

#include <secret-proxy/vm.h>

/* SP_ERROR_CONFLICT: one of @spec's forwarded ports is taken. */
gboolean sp_qemu_ports_check (const SpVmSpec *spec, GError **error);
