/* host-facts.h - what libvirt says of this machine, and what a guest then shows */
#pragma once

#include "connection.h"

/* The program that libvirt would run.  Free with g_free(). */
char *sp_libvirt_emulator (virConnectPtr connection, GError **error);

/* Which acceleration libvirt offers, and whether a tiny guest runs with it; fills @ret_probe. */
gboolean sp_libvirt_probe (SpLibvirt *libvirt, SpVmProbe *ret_probe, GCancellable *cancellable,
                           GError **error);

/* Who QEMU of the machine @id is to run as, "+UID:+GID", and the same as a number.  NULL where that is nobody's
 * choice, in a session; the error is set only where it can't be known. */
char *sp_libvirt_label (SpLibvirt *libvirt, const char *id, guint32 acceleration, uid_t *ret_user,
                        GError **error);
/* The choice itself.  @base: what libvirt runs QEMU as, "+UID:+GID".  @kvm_closed: only members of the group
 * @kvm_group may use /dev/kvm, and it is wanted.  NULL: none is safe. */
char *sp_libvirt_choose_label (const char *base, uid_t own, gboolean kvm_closed, gid_t kvm_group,
                               uid_t *ret_user);
