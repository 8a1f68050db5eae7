/* domain.h - a specification as libvirt's definition of a domain: a pure function
 *
 * It decides which devices the guest sees and what QEMU may do.  No secret is in it, since everyone who may
 * speak to libvirt can read it.
 */
#pragma once

#include <secret-proxy/vm.h>

/* The mark of what this plugin has defined, and who did. */
#define SP_LIBVIRT_NAMESPACE "urn:secret-proxy:machine"

typedef struct {
  const SpVmSpec *spec; /* checked */
  guint32 acceleration; /* KVM or emulated */
  const char *emulator;
  const char *owner;           /* a word for this process */
  const char *kernel, *initrd; /* where QEMU finds them */
  const char *console;         /* where its console comes out: a socket to be */
  const char *label;           /* "+UID:+GID" for QEMU; NULL: it runs as who asks */
  const char *guard, *rules; /* with network = user: the network guard, and what it lets through */
} SpLibvirtPlan;

/* The group of descriptors by which libvirt knows a disk.  Free with g_free(). */
char *sp_libvirt_disk_group (gsize i);

/* Free with g_free(). */
char *sp_libvirt_domain_xml (const SpLibvirtPlan *plan);
