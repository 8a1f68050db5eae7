/* plugin.c - vm-qemu as the core sees it: options, life cycle, the calls
 *
 * An owned machine never outlives this process: the kernel ends its QEMU with it, and stop() does so in an
 * orderly way before.
 */
#include "argv.h"
#include "machine.h"
#include "probe.h"
#include "spec.h"

typedef struct {
  SpQemu qemu;
  GHashTable *machines; /* id -> SpQemuMachine */
} Plugin;

static const SpOption options[] = {
  { .key = "qemu",
    .type = SP_OPTION_PATH,
    .fallback = "/usr/bin/qemu-system-x86_64",
    .help = "the program" },
  { .key = "memory",
    .type = SP_OPTION_SIZE,
    .fallback = "128M",
    .min = 96 * 1024 * 1024,
    .max = G_GINT64_CONSTANT (1) << 40,
    .help = "of the machine; whole MiB" },
  { .key = "cpus",
    .type = SP_OPTION_INT,
    .fallback = "1",
    .min = 1,
    .max = 64,
    .help = "of the machine" },
  { .key = "network",
    .type = SP_OPTION_CHOICE,
    .fallback = "user",
    .choices = "user|bridge|tap",
    .help = "user: address translation, inbound by forwarded ports; bridge and tap: a place of its "
            "own" },
  { .key = "bridge",
    .type = SP_OPTION_STRING,
    .help = "with network = bridge its name, with network = tap the name of a tap device" },
  { .key = "address",
    .type = SP_OPTION_STRING,
    .help = "with bridge and tap: the machine's own, such as 10.0.0.5/24" },
  { .key = "gateway", .type = SP_OPTION_STRING, .help = "with bridge and tap: numeric" },
  { .key = "dns",
    .type = SP_OPTION_STRING,
    .help = "numeric; where absent, with network = user: QEMU's own" },
  { .key = "disk-size",
    .type = SP_OPTION_SIZE,
    .fallback = "256M",
    .min = 16 * 1024 * 1024,
    .max = G_GINT64_CONSTANT (1) << 40,
    .help = "of the data volume; raised later, it grows at the next start" },
  { .key = "host-loopback",
    .type = SP_OPTION_INT,
    .flags = SP_OPTION_LIST,
    .min = 1,
    .max = 65535,
    .help =
        "with network = user: ports of the host's loopback that the guest may reach, as 10.0.2.2" },
};

/* ---- life ------------------------------------------------------------------------------------------------- */

static gpointer
plugin_open (SpHost *host, GError **error)
{
  Plugin *self;

  if (!SP_HOST_HAS (host, vm_changed)) {
    g_set_error_literal (error, SP_ERROR, SP_ERROR_UNSUPPORTED, "this core is too old for it");
    return NULL;
  }
  self = g_new0 (Plugin, 1);
  self->qemu.host = host;
  self->qemu.program = sp_config_string (host, "qemu");
  self->qemu.ports = host->api->config_list (host, "host-loopback");
  self->machines = g_hash_table_new_full (g_str_hash, g_str_equal, g_free,
                                          (GDestroyNotify) sp_qemu_machine_free);
  return self;
}

static void
plugin_stop (gpointer data)
{
  Plugin *self = data;
  GHashTableIter iter;
  gpointer machine;

  g_hash_table_iter_init (&iter, self->machines);
  while (g_hash_table_iter_next (&iter, NULL, &machine))
    if (((SpQemuMachine *) machine)->spec->role == SP_VM_OWNED)
      (void) sp_qemu_machine_stop (machine, TRUE, NULL, NULL);
}

static void
plugin_close (gpointer data)
{
  Plugin *self = data;

  g_hash_table_unref (self->machines);
  g_free (self);
}

/* ---- calls ------------------------------------------------------------------------------------------------ */

static SpQemuMachine *
find (Plugin *self, const char *id, GError **error)
{
  SpQemuMachine *machine = g_hash_table_lookup (self->machines, id);

  if (machine == NULL)
    g_set_error (error, SP_ERROR, SP_ERROR_NOT_FOUND, "there is no machine %s: create it first",
                 id);
  return machine;
}

static gboolean
qemu_probe (gpointer data, SpVmProbe *ret_probe, GCancellable *cancellable, GError **error)
{
  Plugin *self = data;

  if (!sp_qemu_probe (self->qemu.host, self->qemu.program, NULL, ret_probe, cancellable, error))
    return FALSE;
  self->qemu.acceleration = ret_probe->acceleration;
  return TRUE;
}

static gboolean
qemu_create (gpointer data, const SpVmSpec *spec, GCancellable *cancellable, GError **error)
{
  Plugin *self = data;
  SpQemuMachine *there;

  if (!sp_qemu_spec_check (spec, error))
    return FALSE;
  if (spec->network == SP_VM_NETWORK_NAMED) {
    g_set_error_literal (error, SP_ERROR, SP_ERROR_UNSUPPORTED,
                         "QEMU itself knows no networks by name: use bridge or tap");
    return FALSE;
  }
  there = g_hash_table_lookup (self->machines, spec->id);
  if (there != NULL && sp_qemu_spec_equal (there->spec, spec))
    return TRUE;
  if (there != NULL && sp_qemu_machine_runs (there)) {
    g_set_error (error, SP_ERROR, SP_ERROR_CONFLICT,
                 "%s runs already, with another specification: stop it first", spec->name);
    return FALSE;
  }
  g_hash_table_replace (self->machines, g_strdup (spec->id),
                        sp_qemu_machine_new (&self->qemu, spec));
  return TRUE;
}

static gboolean
qemu_start (gpointer data, const char *id, GCancellable *cancellable, GError **error)
{
  SpQemuMachine *machine = find (data, id, error);

  return machine != NULL && sp_qemu_machine_start (machine, cancellable, error);
}

static gboolean
qemu_stop (gpointer data, const char *id, gboolean force, GCancellable *cancellable, GError **error)
{
  SpQemuMachine *machine = find (data, id, error);

  return machine != NULL && sp_qemu_machine_stop (machine, force, cancellable, error);
}

static gboolean
qemu_destroy (gpointer data, const char *id, GCancellable *cancellable, GError **error)
{
  Plugin *self = data;
  SpQemuMachine *machine = g_hash_table_lookup (self->machines, id);

  if (machine == NULL)
    return TRUE;
  if (!sp_qemu_machine_stop (machine, TRUE, cancellable, error))
    return FALSE;
  return g_hash_table_remove (self->machines, id);
}

static gboolean
qemu_inspect (gpointer data, const char *id, SpVmInfo *ret_info, GCancellable *cancellable,
              GError **error)
{
  Plugin *self = data;
  SpQemuMachine *machine = g_hash_table_lookup (self->machines, id);

  if (machine != NULL)
    return sp_qemu_machine_inspect (machine, ret_info, cancellable, error);
  ret_info->state = SP_VM_ABSENT;
  return TRUE;
}

static gboolean
qemu_list (gpointer data, SpVmFunc each, gpointer each_data, GCancellable *cancellable,
           GError **error)
{
  Plugin *self = data;
  GHashTableIter iter;
  gpointer id, machine;

  g_hash_table_iter_init (&iter, self->machines);
  while (g_hash_table_iter_next (&iter, &id, &machine))
    if (!each (id,
               sp_qemu_machine_runs (machine) ? SP_VM_RUNNING : ((SpQemuMachine *) machine)->ended,
               each_data))
      break;
  return TRUE;
}

static const struct _SpVmOps ops = {
  .probe = qemu_probe,
  .create = qemu_create,
  .start = qemu_start,
  .stop = qemu_stop,
  .destroy = qemu_destroy,
  .inspect = qemu_inspect,
  .list = qemu_list,
};

SP_VM_PLUGIN (&ops, .name = "qemu", .version = "0.1.0",
              .summary = "runs virtual machines with QEMU, under KVM or emulated",
              SP_OPTIONS (options), .open = plugin_open, .stop = plugin_stop, .close = plugin_close)
