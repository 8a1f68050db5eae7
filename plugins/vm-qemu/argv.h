/* argv.h - a specification as QEMU's command line: a pure function
 *
 * It decides which devices the guest sees and what QEMU may do, so it is tested word by word.  No secret is
 * in it, since everyone on the host can read it.
 */
#pragma once

#include <secret-proxy/vm.h>

/* Where QEMU finds what it is given. */
typedef enum {
  SP_QEMU_FD_QMP = 3, /* owned: one end of a socket pair; else a listening socket */
  SP_QEMU_FD_CONSOLE, /* owned: one end of a socket pair */
  SP_QEMU_FD_ADMIN,   /* a listening socket */
  SP_QEMU_FD_NET,     /* a tap device */
  SP_QEMU_FD_KERNEL,
  SP_QEMU_FD_INITRD,
  SP_QEMU_FD_GUARD,   /* where the network guard says that it is there */
  SP_QEMU_FD_PRELOAD, /* the network guard */
  SP_QEMU_FD_DISKS,   /* as many as there are */
} SpQemuFd;

/* The console; of a machine to be provisioned a ring buffer of that size. */
#define SP_QEMU_CONSOLE "console"
#define SP_QEMU_CONSOLE_SIZE 65536

/* @spec: checked.  @acceleration: KVM or emulated.  Free with g_strfreev(). */
char **sp_qemu_argv (const char *program, const SpVmSpec *spec, guint32 acceleration);
