/* machines.c - machines.h
 *
 * What must stay true: a machine is ended while it is still in the table, so that what comes by itself finds it.
 */
#include "machines.h"

#include "spec.h"

gboolean
sp_qemu_machines_init (SpQemuMachines *machines, SpHost *host, const SpQemuKind *kind,
                       GError **error)
{
  if (!SP_HOST_HAS (host, vm_changed)) {
    g_set_error_literal (error, SP_ERROR, SP_ERROR_UNSUPPORTED, "this core is too old for it");
    return FALSE;
  }
  machines->kind = kind;
  machines->all = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, kind->free);
  return TRUE;
}

void
sp_qemu_machines_clear (SpQemuMachines *machines)
{
  g_clear_pointer (&machines->all, g_hash_table_unref);
}

void
sp_qemu_machines_end (SpQemuMachines *machines)
{
  GHashTableIter iter;
  gpointer machine;

  g_hash_table_iter_init (&iter, machines->all);
  while (g_hash_table_iter_next (&iter, NULL, &machine))
    if (((SpQemuAny *) machine)->spec->role == SP_VM_OWNED)
      (void) machines->kind->stop (machine, TRUE, NULL, NULL);
}

void
sp_qemu_set_ended (SpQemuAny *machine, guint32 ended, const char *why)
{
  /* It may be the one that is there. */
  char *copy = g_strdup (why);

  machine->ended = ended;
  g_free (machine->why);
  machine->why = copy;
}

/* ---- calls ------------------------------------------------------------------------------------------------ */

static gpointer
find (SpQemuMachines *machines, const char *id, GError **error)
{
  gpointer machine = g_hash_table_lookup (machines->all, id);

  if (machine == NULL)
    g_set_error (error, SP_ERROR, SP_ERROR_NOT_FOUND, "there is no machine %s: create it first",
                 id);
  return machine;
}

gboolean
sp_qemu_machines_create (gpointer plugin, const SpVmSpec *spec, GError **error)
{
  SpQemuMachines *machines = plugin;
  SpQemuAny *there = g_hash_table_lookup (machines->all, spec->id);

  if (there != NULL && sp_qemu_spec_equal (there->spec, spec))
    return TRUE;
  if (there != NULL && machines->kind->runs (there)) {
    g_set_error (error, SP_ERROR, SP_ERROR_CONFLICT,
                 "%s runs already, with another specification: stop it first", spec->name);
    return FALSE;
  }
  g_hash_table_replace (machines->all, g_strdup (spec->id), machines->kind->make (plugin, spec));
  return TRUE;
}

gboolean
sp_qemu_machines_start (gpointer plugin, const char *id, GCancellable *cancellable, GError **error)
{
  SpQemuMachines *machines = plugin;
  gpointer machine = find (machines, id, error);

  return machine != NULL && machines->kind->start (machine, cancellable, error);
}

gboolean
sp_qemu_machines_stop (gpointer plugin, const char *id, gboolean force, GCancellable *cancellable,
                       GError **error)
{
  SpQemuMachines *machines = plugin;
  gpointer machine = find (machines, id, error);

  return machine != NULL && machines->kind->stop (machine, force, cancellable, error);
}

gboolean
sp_qemu_machines_destroy (gpointer plugin, const char *id, GCancellable *cancellable,
                          GError **error)
{
  SpQemuMachines *machines = plugin;
  gpointer machine = g_hash_table_lookup (machines->all, id);

  if (machine == NULL)
    return TRUE;
  if (!machines->kind->stop (machine, TRUE, cancellable, error))
    return FALSE;
  return g_hash_table_remove (machines->all, id);
}

gboolean
sp_qemu_machines_inspect (gpointer plugin, const char *id, SpVmInfo *ret_info,
                          GCancellable *cancellable, GError **error)
{
  SpQemuMachines *machines = plugin;
  SpQemuAny *machine = g_hash_table_lookup (machines->all, id);

  if (machine == NULL) {
    ret_info->state = SP_VM_ABSENT;
    return TRUE;
  }
  if (!machines->kind->inspect (machine, ret_info, cancellable, error))
    return FALSE;
  if (machines->kind->runs (machine))
    return TRUE;
  ret_info->state = machine->ended;
  ret_info->why = g_strdup (machine->why);
  return TRUE;
}

gboolean
sp_qemu_machines_list (gpointer plugin, SpVmFunc each, gpointer each_data,
                       GCancellable *cancellable, GError **error)
{
  SpQemuMachines *machines = plugin;
  GHashTableIter iter;
  gpointer id, machine;

  g_hash_table_iter_init (&iter, machines->all);
  while (g_hash_table_iter_next (&iter, &id, &machine)) {
    gboolean runs = machines->kind->runs (machine);

    if (!each (id, runs ? SP_VM_RUNNING : ((SpQemuAny *) machine)->ended, each_data))
      break;
  }
  return TRUE;
}
