/* image-set.h - the appliance: what it consists of, and where the host keeps it
 *
 * An image is a folder with four files: `kernel`, `initrd`, `root` (squashfs), and `manifest`, which
 * names their SHA-256 and sizes, the version, and the packages that it was made of.  The image's id is
 * the SHA-256 of the manifest's bytes, so it stands for all of it.  The host keeps images in
 * STATE/images/ID; they are no secret, and QEMU reads them as a user without rights: 0755 and 0644.
 */
#pragma once

#include "host/appliance/image-folder.h"

typedef struct {
  char *dir;
  char *id; /* hex; "sha256:" in front of it in ready files */
  char *version;
  char *made_of; /* kernel release and the like, for people */
  SpImagePart kernel, initrd, root;
} SpImageSet;

void sp_image_set_free (SpImageSet *set);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpImageSet, sp_image_set_free)

/* The image in @dir; with every byte hashed and compared.  SP_PROBLEM_NOT_FOUND, or
 * SP_PROBLEM_INTEGRITY with the file's name. */
SpImageSet *sp_image_set_open (const char *dir, GError **error);
/* The one with the id @id below @state; NULL: the newest.  SP_PROBLEM_NOT_FOUND says how to get one. */
SpImageSet *sp_image_set_find (const char *state, const char *id, GError **error);
/* Copy into STATE/images/ID, whole or not at all; the copy. */
SpImageSet *sp_image_set_import (const SpImageSet *set, const char *state, GError **error);
/* Copy into the folder @to, which must not be there or be empty. */
gboolean sp_image_set_export (const SpImageSet *set, const char *to, GError **error);

/* Build one into the new folder @to: runs the recipe (core/guest).  @kernel NULL: the newest of /boot.
 * The same packages give the same bytes. */
SpImageSet *sp_image_set_build (const char *to, const char *kernel, GError **error);

/* ---- the disk that provision makes of it -------------------------------------------------------------
 *
 * An MBR with two partitions: the root file at 1 MiB, its length rounded up to 1 MiB with zeros; and
 * the rest of the disk, empty, for data.  Everything else is zero. */
#define SP_DISK_ROOT_START (1024u * 1024u)
#define SP_DISK_ROOT_DEVICE "/dev/vda1"
#define SP_DISK_TABLE_SIZE 512u
/* The first sector of such a disk of @size bytes with a root file of @root_size bytes: root, then data,
 * then nothing. */
void sp_image_disk_table (guint64 root_size, guint64 size, guint8 *ret_sector);

/* A qcow2 at @path (replaced), in the end as large as @size for the guest. */
gboolean
sp_image_set_make_disk (const SpImageSet *set, const char *path, guint64 size, GError **error);

/* The words of the kernel's command line that every boot has.  The last two are for speed: the kernel need
 * not test its ciphers at each boot; and devices with interrupts of their own kind (MSI) need no routing by
 * ACPI, whose tables take a third of a second to work through under emulation. */
#define SP_KERNEL_WORDS "console=ttyS0 quiet panic=1 8250.nr_uarts=1 cryptomgr.notests acpi=noirq"
