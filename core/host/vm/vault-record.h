/* vault-record.h - what a vault in a machine consists of: the file `vault.json` in its folder
 *
 * Written once, when the vault is made, as its last file; a folder without it is no vault that can run.
 *
 *      {"data":UUID,"format":1,"image":HEX,"machine":UUID,"source":NAME|null,"trust":"exact"}
 */
#pragma once

#include <gio/gio.h>

typedef struct {
  char *image;   /* id of the appliance, hex */
  char *machine; /* id for the vm plugin */
  char *data;    /* UUID of the data volume's file system */
  char *source;  /* where it was taken over from; NULL: made by the host alone */
  char *trust;
} SpVaultRecord;

void sp_vault_record_free (SpVaultRecord *record);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpVaultRecord, sp_vault_record_free)

/* With new ids. */
SpVaultRecord *sp_vault_record_new (const char *image, const char *trust, const char *source);
gboolean sp_vault_record_write (const SpVaultRecord *record, int folder, GError **error);
/* SP_PROBLEM_NOT_FOUND: there is no vault in @folder, or none that was finished. */
SpVaultRecord *sp_vault_record_read (int folder, GError **error);

/* The other files of the folder. */
#define SP_VAULT_DATA "data.raw"
#define SP_VAULT_PLUGINS "plugins.squashfs"
#define SP_VAULT_CONSOLE "console.log"
#define SP_VAULT_LOG "resident.log"
#define SP_VAULT_CHANNEL "channel.sock"
#define SP_VAULT_MACHINE "machine"
