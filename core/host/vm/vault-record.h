/* vault-record.h - what a vault in a machine consists of: the file `vault.json` in its folder
 *
 * Written when the vault is made, as its last file; a folder without it is no vault that can run.  Written
 * anew when the vault is moved to another image, by whoever holds the lock of takeover/journal.h.
 *
 *      {"data":UUID,"format":1,"image":HEX,"machine":UUID,"source":NAME|null,"trust":"exact"}
 *
 * where it boots a disk of its own, made of a cloud image, also "base":HEX and "bundle":HEX, and
 * "container":true where its programs are in one;
 * and, where it was moved, "index":N, "previous":HEX, "newest":VERSION; while it is moved "on_trial":true and
 * "older":HEX, or "restoring":true.
 */
#pragma once

#include <gio/gio.h>

typedef struct {
  char *image;   /* id, hex */
  char *machine; /* id for the vm plugin */
  char *data;    /* UUID of the data volume's file system */
  char *source;  /* where it was taken over from; NULL: made by the host alone */
  char *trust;
  /* Of a cloud image; both NULL: the image is an appliance.  SHA-256, hex, of the vendor's disk that
   * SP_VAULT_SYSTEM began as, and the id of the bundle in it. */
  char *base, *bundle;
  gboolean container; /* its programs are in one: the archive of `image` is a disk, at each start */
  guint index;        /* how often the image was exchanged, there and back; never less */
  char *previous;     /* the image of before; NULL: none */
  char *newest;       /* the highest version that was ever kept; NULL: not known */
  char *older;        /* while it is on trial: the one before `previous` */
  gboolean on_trial;  /* `image` has not proven itself; it goes back at the next start */
  gboolean restoring; /* the data of before are being put back */
} SpVaultRecord;

/* The words of `trust`. */
#define SP_TRUST_EXACT "exact"
#define SP_TRUST_REBUILT "rebuilt"
#define SP_TRUST_AUDITED "audited"

void sp_vault_record_free (SpVaultRecord *record);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpVaultRecord, sp_vault_record_free)

/* With new ids. */
SpVaultRecord *sp_vault_record_new (const char *image, const char *trust, const char *source);
gboolean sp_vault_record_write (const SpVaultRecord *record, int folder, GError **error);
/* SP_PROBLEM_NOT_FOUND: there is no vault in @folder, or none that was finished. */
SpVaultRecord *sp_vault_record_read (int folder, GError **error);

/* Only the record in memory.  Boot @image from now on, on trial; it has proven itself, and is of @version;
 * it has not. */
void sp_vault_record_try (SpVaultRecord *record, const char *image);
void sp_vault_record_keep (SpVaultRecord *record, const char *version);
void sp_vault_record_go_back (SpVaultRecord *record);
/* Boot @image, which may be the one of now, with the data of before. */
void sp_vault_record_restore (SpVaultRecord *record, const char *image);
/* How what it boots came to be trusted, and what that was made of, as @of has it. */
void sp_vault_record_take_origin (SpVaultRecord *record, const SpVaultRecord *of);
/* It has booted an image of @version. */
void sp_vault_record_had (SpVaultRecord *record, const char *version);

/* The other files of the folder.  Of the vault of a cloud image only: the disk that it boots, the seed of
 * its first boot, what is attached for maintenance, and how to log in then. */
#define SP_VAULT_SYSTEM "system.qcow2"
#define SP_VAULT_SEED "seed.iso"
#define SP_VAULT_MAINTENANCE "maintenance.raw"
#define SP_VAULT_SSH_KEY "ssh-key"
#define SP_VAULT_SSH_PUBLIC "ssh-key.pub"
#define SP_VAULT_SSH_HOSTS "ssh-known-hosts"
/* By this name the machine is in that file, whatever its address is. */
#define SP_VAULT_SSH_ALIAS "vault"
#define SP_VAULT_DATA "data.raw"
#define SP_VAULT_PLUGINS "plugins.squashfs"
#define SP_VAULT_CONSOLE "console.log"
#define SP_VAULT_LOG "resident.log"
#define SP_VAULT_CHANNEL "channel.sock"
#define SP_VAULT_MACHINE "machine"
