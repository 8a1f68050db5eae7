/* machine.h - the machine of an owned vault: what it boots, and what of that is measured
 *
 * Everything that boots is the host's: kernel, initrd and root of an image whose bytes were hashed just
 * now, a command line that is written here, the plugin disk that the host built, and the data volume.
 */
#pragma once

#include <json-glib/json-glib.h>
#include <secret-proxy/vm.h>

#include "base/config.h"
#include "host/appliance/image-set.h"
#include "host/vm/vault-record.h"
#include "host/vm/vm-spec.h"

typedef struct _SpMachine SpMachine;

/* @folder: the vault's, absolute.  @settings: of the [vm] section.  @plugins_sha256: of the plugin disk
 * there.  SP_PROBLEM_CONFIG where network and `listen` do not go together. */
SpMachine *sp_machine_new (const SpVaultRecord *record, const char *folder,
                           const SpConfigVault *vault, const SpVmSettings *settings,
                           const SpImageSet *image, const char *plugins_sha256, GError **error);
void sp_machine_free (SpMachine *machine);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpMachine, sp_machine_free)

const SpVmSpec *sp_machine_spec (const SpMachine *machine);
/* Where agents reach it. */
const char *sp_machine_url (const SpMachine *machine);
/* Strings, for the ownership statement; a new reference. */
JsonObject *sp_machine_measure (const SpMachine *machine);

/* The words of the kernel's command line for a root device and a network; free it. */
char *sp_machine_cmdline (const char *root, const SpVmSettings *settings);
