/* usual.h - the usual specification, for tests to change */
#pragma once

#include <secret-proxy/vm.h>

static const SpVmDisk usual_disks[] = { { "/v/root.img", "root", SP_VM_RAW, TRUE },
                                        { "/v/data \"1\",.qcow2", "data", SP_VM_QCOW2, FALSE } };
static const SpVmForward usual_forwards[] = { { "127.0.0.1", 3737, 3737 } };

static inline SpVmSpec
usual_spec (guint32 role)
{
  gboolean owned = role == SP_VM_OWNED;

  return (SpVmSpec){ .size = sizeof (SpVmSpec),
                     .id = "11111111-2222-4333-8444-555555555555",
                     .name = "default",
                     .role = role,
                     .kernel = "/v/vmlinuz",
                     .initrd = "/v/initrd",
                     .cmdline = "quiet a,b=c",
                     .disks = usual_disks,
                     .n_disks = G_N_ELEMENTS (usual_disks),
                     .memory = 128u * 1024 * 1024,
                     .cpus = 1,
                     .network = SP_VM_NETWORK_USER,
                     .forwards = usual_forwards,
                     .n_forwards = 1,
                     .admin_socket = "/v/admin.sock",
                     .log = "/v/log",
                     .monitor = owned ? NULL : "/v/monitor.sock",
                     .pid_file = owned ? NULL : "/v/qemu.pid" };
}
