/* machine.h - the machine of an owned vault: what it boots, and what of that is measured
 *
 * Everything that boots is the host's.  Of an appliance: kernel, initrd and root of an image whose bytes
 * were hashed just now, and a command line that is written here.  Of a cloud image: the disk that the host
 * made of it in the vault's folder, which the guest writes to, by its own boot loader; and where its programs are
 * in a container, the archive of that, which was hashed just now, too.  In both cases the
 * plugin disk that the host built, and the data volume.
 */
#pragma once

#include <json-glib/json-glib.h>
#include <secret-proxy/vm.h>

#include "base/config.h"
#include "host/appliance/image-set.h"
#include "host/vm/vault-record.h"
#include "host/vm/vm-spec.h"

typedef struct _SpMachine SpMachine;

typedef struct {
  const char *folder; /* the vault's, absolute */
  const SpConfigVault *vault;
  const SpVmSettings *settings; /* of the [vm] section */
  const SpImageSet *image;      /* NULL: the record is of a cloud image */
  const char *plugins_sha256;   /* of the plugin disk in the folder */
  /* Of a cloud image only.  The OCI archive, hashed just now; NULL: its programs are in none. */
  const SpImagePart *container;
  gboolean seed;        /* it boots for the first time, with SP_VAULT_SEED */
  gboolean maintenance; /* with SP_VAULT_MAINTENANCE, so that its sshd runs */
  guint16
      ssh_port; /* of the host's loopback, for that; not used where the machine has an address */
} SpMachineSetup;

/* SP_PROBLEM_CONFIG where network and `listen` do not go together. */
SpMachine *
sp_machine_new (const SpVaultRecord *record, const SpMachineSetup *setup, GError **error);
void sp_machine_free (SpMachine *machine);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpMachine, sp_machine_free)

const SpVmSpec *sp_machine_spec (const SpMachine *machine);
/* From its next start on it has no seed. */
void sp_machine_drop_seed (SpMachine *machine);
/* Where agents reach it. */
const char *sp_machine_url (const SpMachine *machine);
/* Where SSH reaches it, "127.0.0.1:2222"; NULL: nowhere. */
const char *sp_machine_ssh (const SpMachine *machine);
/* The port of the loopback that leads there; 0: there is none, or the machine has an address of its own. */
guint16 sp_machine_ssh_port (const SpMachine *machine);
/* From its next start on it is another one. */
void sp_machine_move_ssh (SpMachine *machine, guint16 port);
/* Strings, for the ownership statement; a new reference. */
JsonObject *sp_machine_measure (const SpMachine *machine);

/* The address of the network card of the machine @id; free it. */
char *sp_machine_mac (const char *id);
/* What a guest on a user network is told of its network where the config names a server of names. */
#define SP_MACHINE_USER_ADDRESS "10.0.2.15/24"
#define SP_MACHINE_USER_GATEWAY "10.0.2.2"

/* The words of the kernel's command line for a root device and a network; free it. */
char *sp_machine_cmdline (const char *root, const SpVmSettings *settings);
