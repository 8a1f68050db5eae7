/* boot.h - kernel and initrd where libvirt's QEMU can read them
 *
 * libvirt gives disks to QEMU as descriptors, but not these; QEMU opens them by their names as its own user,
 * who can't enter the vault's folders.  They hold no secret, so copies lie in libvirt's own folder for them
 * until QEMU has read them.
 */
#pragma once

#include <secret-proxy/vm.h>

typedef struct {
  char *kernel, *initrd;
} SpLibvirtBoot;

/* Copies into @folder, which must be root's, nobody else's to write to, and QEMU's to enter; where it is NULL, the
 * names as they are. */
gboolean sp_libvirt_boot_prepare (const char *folder, const SpVmSpec *spec, SpLibvirtBoot *ret_boot,
                                  GError **error);
/* Remove the copies for the machine @id. */
void sp_libvirt_boot_remove (const char *folder, const char *id);
void sp_libvirt_boot_clear (SpLibvirtBoot *boot);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (SpLibvirtBoot, sp_libvirt_boot_clear)
