/* vm-spec.h - the well-known options of a [vm] instance (see secret-proxy/vm.h)
 *
 * They mean the same for every vm plugin, so they are read here, with the defaults that the plugin's own
 * table declares.  What a plugin does not declare stays 0 or NULL, and the network SP_VM_NETWORK_USER.
 */
#pragma once

#include <secret-proxy/vm.h>

#include "base/config.h"
#include "plugin/info.h"

typedef struct {
  guint64 memory; /* bytes */
  guint32 cpus;
  guint32 network; /* SpVmNetwork */
  char *bridge;    /* of the bridge or the tap device; NULL for USER */
  char *address;   /* "10.0.0.5/24"; NULL for USER */
  char *gateway, *dns;
  guint64 disk_size; /* bytes */
} SpVmSettings;

/* SP_PROBLEM_CONFIG names the instance and the option.  Where the network is not USER, bridge and address
 * are there, and addresses are numeric. */
SpVmSettings *
sp_vm_settings_new (const SpConfigInstance *instance, SpPluginCatalog *catalog, GError **error);
void sp_vm_settings_free (SpVmSettings *settings);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpVmSettings, sp_vm_settings_free)

/* Fill in memory, CPUs and network of @spec, whose strings are then those of @settings. */
void sp_vm_settings_apply (const SpVmSettings *settings, SpVmSpec *spec);
