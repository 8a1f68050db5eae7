/* plugin.c - vm-libvirt as the core sees it: options, life cycle, the calls
 *
 * Only machines of the host's are run: one of an agent's would have to outlive this process with a monitor that
 * the host can be led to, which libvirt keeps for itself; agents use another plugin.
 */
#include <string.h>
#include <unistd.h>

#include "machine.h"
#include "host-facts.h"
#include "spec.h"

#define SYSTEM "qemu:///system"
#define SESSION "qemu:///session"

typedef struct {
  SpLibvirt libvirt;
  GHashTable *machines; /* id -> SpLibvirtMachine */
} Plugin;

static const SpOption options[] = {
  { .key = "uri",
    .type = SP_OPTION_STRING,
    .fallback = SYSTEM,
    .help = "qemu:///system, for root, or qemu:///session, for everyone else" },
  { .key = "boot-folder",
    .type = SP_OPTION_PATH,
    .fallback = "/var/lib/libvirt/boot",
    .help = "with qemu:///system: where copies of kernel and initrd lie while a machine starts" },
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
    .choices = "user|bridge|tap|named",
    .help =
        "user: address translation, inbound by forwarded ports; bridge, tap and named, a network "
        "of libvirt's: a place of its own" },
  { .key = "bridge",
    .type = SP_OPTION_STRING,
    .help = "with bridge, tap and named: the name of the bridge, the tap device, the network" },
  { .key = "address",
    .type = SP_OPTION_STRING,
    .help = "with bridge, tap and named: the machine's own, such as 192.168.122.5/24" },
  { .key = "gateway", .type = SP_OPTION_STRING, .help = "with bridge, tap and named: numeric" },
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

/* ---- what is heard -------------------------------------------------------------------------------------- */

static void
on_event (const char *id, SpLibvirtEvent event, int detail, gpointer data)
{
  Plugin *self = data;
  GHashTableIter iter;
  gpointer machine;

  if (id != NULL) {
    machine = g_hash_table_lookup (self->machines, id);
    if (machine != NULL)
      sp_libvirt_machine_event (machine, event, detail);
    return;
  }
  g_hash_table_iter_init (&iter, self->machines);
  while (g_hash_table_iter_next (&iter, NULL, &machine))
    sp_libvirt_machine_event (machine, event, detail);
}

/* ---- life ----------------------------------------------------------------------------------------------- */

static gboolean
check_uri (const char *uri, GError **error)
{
  gboolean root = geteuid () == 0;

  if (!g_str_equal (uri, SYSTEM) && !g_str_equal (uri, SESSION)) {
    g_set_error (error, SP_ERROR, SP_ERROR_UNSUPPORTED,
                 "uri = %s: only this machine's libvirt is used, " SYSTEM " or " SESSION
                 "; a remote one would need the vault's disks there, and can't be had yet",
                 uri);
    return FALSE;
  }
  if (root == g_str_equal (uri, SYSTEM))
    return TRUE;
  g_set_error (error, SP_ERROR, SP_ERROR_CONFIG,
               root ? "uri = %s: root's session would run QEMU as root; set uri = " SYSTEM
                    : "uri = %s needs root, whose files the sockets there are; set uri = " SESSION,
               uri);
  return FALSE;
}

static gpointer
plugin_open (SpHost *host, GError **error)
{
  const char *uri = sp_config_string (host, "uri");
  Plugin *self;

  if (!SP_HOST_HAS (host, vm_changed)) {
    g_set_error_literal (error, SP_ERROR, SP_ERROR_UNSUPPORTED, "this core is too old for it");
    return NULL;
  }
  if (!check_uri (uri, error))
    return NULL;
  self = g_new0 (Plugin, 1);
  self->libvirt.host = host;
  self->libvirt.uri = uri;
  self->libvirt.system = g_str_equal (uri, SYSTEM);
  self->libvirt.boot_folder = self->libvirt.system ? sp_config_string (host, "boot-folder") : NULL;
  self->libvirt.ports = host->api->config_list (host, "host-loopback");
  self->libvirt.on_event = on_event;
  self->libvirt.data = self;
  self->machines = g_hash_table_new_full (g_str_hash, g_str_equal, g_free,
                                          (GDestroyNotify) sp_libvirt_machine_free);
  return self;
}

/* The daemon is asked when it is first needed, so that its absence is told to who needs it. */
static gboolean
plugin_start (gpointer data, GCancellable *cancellable, GError **error)
{
  Plugin *self = data;

  sp_libvirt_begin (&self->libvirt);
  return TRUE;
}

static void
plugin_stop (gpointer data)
{
  Plugin *self = data;
  GHashTableIter iter;
  gpointer machine;

  /* While they are still in the table, so that their ends are heard of. */
  g_hash_table_iter_init (&iter, self->machines);
  while (g_hash_table_iter_next (&iter, NULL, &machine))
    (void) sp_libvirt_machine_stop (machine, TRUE, NULL, NULL);
  g_hash_table_remove_all (self->machines);
  sp_libvirt_end (&self->libvirt);
}

static void
plugin_close (gpointer data)
{
  Plugin *self = data;

  plugin_stop (data);
  g_hash_table_unref (self->machines);
  g_free (self);
}

/* ---- calls ---------------------------------------------------------------------------------------------- */

static SpLibvirtMachine *
find (Plugin *self, const char *id, GError **error)
{
  SpLibvirtMachine *machine = g_hash_table_lookup (self->machines, id);

  if (machine == NULL)
    g_set_error (error, SP_ERROR, SP_ERROR_NOT_FOUND, "there is no machine %s: create it first",
                 id);
  return machine;
}

/* What XML can hold. */
static gboolean
check_texts (const SpVmSpec *spec, GError **error)
{
  const char *texts[4 + SP_QEMU_MAX_DISKS] = { spec->kernel, spec->initrd, spec->admin_socket,
                                               spec->log };

  for (gsize i = 0; i < spec->n_disks; i++)
    texts[4 + i] = spec->disks[i].path;
  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    for (const char *p = texts[i]; p != NULL && *p != '\0'; p++)
      if (g_ascii_iscntrl (*p) || !g_utf8_validate (texts[i], -1, NULL)) {
        g_set_error (error, SP_ERROR, SP_ERROR_CONFIG,
                     "a path of the machine is not UTF-8, or has control characters");
        return FALSE;
      }
  return TRUE;
}

static gboolean
check (const SpVmSpec *spec, GError **error)
{
  if (!sp_qemu_spec_check (spec, error) || !check_texts (spec, error))
    return FALSE;
  if (spec->role == SP_VM_OWNED)
    return TRUE;
  g_set_error_literal (
      error, SP_ERROR, SP_ERROR_UNSUPPORTED,
      "libvirt keeps a machine's monitor for itself, so one that the host is to take "
      "over can't be run by it: provision it with vm = qemu");
  return FALSE;
}

static gboolean
libvirt_probe (gpointer data, SpVmProbe *ret_probe, GCancellable *cancellable, GError **error)
{
  Plugin *self = data;

  return sp_libvirt_probe (&self->libvirt, ret_probe, cancellable, error);
}

static gboolean
libvirt_create (gpointer data, const SpVmSpec *spec, GCancellable *cancellable, GError **error)
{
  Plugin *self = data;
  SpLibvirtMachine *there;

  if (!check (spec, error))
    return FALSE;
  there = g_hash_table_lookup (self->machines, spec->id);
  if (there != NULL && sp_qemu_spec_equal (there->spec, spec))
    return TRUE;
  if (there != NULL && sp_libvirt_machine_runs (there)) {
    g_set_error (error, SP_ERROR, SP_ERROR_CONFLICT,
                 "%s runs already, with another specification: stop it first", spec->name);
    return FALSE;
  }
  g_hash_table_replace (self->machines, g_strdup (spec->id),
                        sp_libvirt_machine_new (&self->libvirt, spec));
  return TRUE;
}

static gboolean
libvirt_start (gpointer data, const char *id, GCancellable *cancellable, GError **error)
{
  SpLibvirtMachine *machine = find (data, id, error);

  return machine != NULL && sp_libvirt_machine_start (machine, cancellable, error);
}

static gboolean
libvirt_stop (gpointer data, const char *id, gboolean force, GCancellable *cancellable,
              GError **error)
{
  SpLibvirtMachine *machine = find (data, id, error);

  return machine != NULL && sp_libvirt_machine_stop (machine, force, cancellable, error);
}

static gboolean
libvirt_destroy (gpointer data, const char *id, GCancellable *cancellable, GError **error)
{
  Plugin *self = data;
  SpLibvirtMachine *machine = g_hash_table_lookup (self->machines, id);

  if (machine == NULL)
    return TRUE;
  /* While it is still in the table, so that its end is heard of. */
  if (!sp_libvirt_machine_stop (machine, TRUE, cancellable, error))
    return FALSE;
  return g_hash_table_remove (self->machines, id);
}

static gboolean
libvirt_inspect (gpointer data, const char *id, SpVmInfo *ret_info, GCancellable *cancellable,
                 GError **error)
{
  Plugin *self = data;
  SpLibvirtMachine *machine = g_hash_table_lookup (self->machines, id);

  if (machine != NULL)
    return sp_libvirt_machine_inspect (machine, ret_info, cancellable, error);
  ret_info->state = SP_VM_ABSENT;
  return TRUE;
}

static gboolean
libvirt_list (gpointer data, SpVmFunc each, gpointer each_data, GCancellable *cancellable,
              GError **error)
{
  Plugin *self = data;
  GHashTableIter iter;
  gpointer id, value;

  g_hash_table_iter_init (&iter, self->machines);
  while (g_hash_table_iter_next (&iter, &id, &value)) {
    const SpLibvirtMachine *machine = value;

    if (!each (id, sp_libvirt_machine_runs (machine) ? SP_VM_RUNNING : machine->ended, each_data))
      break;
  }
  return TRUE;
}

static const struct _SpVmOps ops = {
  .probe = libvirt_probe,
  .create = libvirt_create,
  .start = libvirt_start,
  .stop = libvirt_stop,
  .destroy = libvirt_destroy,
  .inspect = libvirt_inspect,
  .list = libvirt_list,
};

SP_VM_PLUGIN (&ops, .name = "libvirt", .version = "0.1.0",
              .summary = "runs virtual machines through libvirt, under KVM or emulated",
              SP_OPTIONS (options), .open = plugin_open, .start = plugin_start, .stop = plugin_stop,
              .close = plugin_close)
