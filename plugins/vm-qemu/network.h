/* network.h - what a machine's network needs from the host before QEMU starts */
#pragma once

#include <secret-proxy/vm.h>

/* A tap device for @spec: its own, made and put into the bridge, or the one it names.  -1: the error says
 * what to do.  A device made here goes with the descriptor. */
int sp_qemu_network_open_tap (const SpVmSpec *spec, GError **error);
