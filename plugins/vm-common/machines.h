/* machines.h - the machines of a plugin by their ids, and the calls that come for them
 *
 * A plugin begins with SpQemuMachines, each of its machines with SpQemuAny; then what is declared here as calls
 * goes into its SpVmOps as it is.
 */
#pragma once

#include <secret-proxy/vm.h>

typedef struct {
  SpVmSpec *spec; /* a copy, checked */
  guint32 ended;  /* while it does not run: SP_VM_STOPPED or SP_VM_FAILED */
  char *why;      /* of FAILED */
} SpQemuAny;

/* What the plugins do differently, with a machine of theirs. */
typedef struct {
  gpointer (*make) (gpointer plugin, const SpVmSpec *spec);
  void (*free) (gpointer machine);
  gboolean (*runs) (gpointer machine);
  gboolean (*start) (gpointer machine, GCancellable *cancellable, GError **error);
  gboolean (*stop) (gpointer machine, gboolean force, GCancellable *cancellable, GError **error);
  /* Fills @info for one that runs; TRUE with nothing filled in where it does not, or has ended meanwhile. */
  gboolean (*inspect) (gpointer machine, SpVmInfo *info, GCancellable *cancellable, GError **error);
} SpQemuKind;

typedef struct {
  const SpQemuKind *kind;
  GHashTable *all; /* id -> machine */
} SpQemuMachines;

/* FALSE: the core is too old. */
gboolean sp_qemu_machines_init (SpQemuMachines *machines, SpHost *host, const SpQemuKind *kind,
                                GError **error);
void sp_qemu_machines_clear (SpQemuMachines *machines);
/* End all owned ones. */
void sp_qemu_machines_end (SpQemuMachines *machines);
/* How it ended, or why it did not start. */
void sp_qemu_set_ended (SpQemuAny *machine, guint32 ended, const char *why);

/* ---- calls; @plugin begins with SpQemuMachines --------------------------------------------------- */

/* @spec: checked. */
gboolean sp_qemu_machines_create (gpointer plugin, const SpVmSpec *spec, GError **error);
gboolean
sp_qemu_machines_start (gpointer plugin, const char *id, GCancellable *cancellable, GError **error);
gboolean sp_qemu_machines_stop (gpointer plugin, const char *id, gboolean force,
                                GCancellable *cancellable, GError **error);
gboolean sp_qemu_machines_destroy (gpointer plugin, const char *id, GCancellable *cancellable,
                                   GError **error);
gboolean sp_qemu_machines_inspect (gpointer plugin, const char *id, SpVmInfo *ret_info,
                                   GCancellable *cancellable, GError **error);
gboolean sp_qemu_machines_list (gpointer plugin, SpVmFunc each, gpointer each_data,
                                GCancellable *cancellable, GError **error);
