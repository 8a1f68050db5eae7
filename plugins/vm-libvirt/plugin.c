/* plugin.c - vm-libvirt as the core sees it: options, life cycle, the calls
 *
 * Only machines of the host's are run: one of an agent's would have to outlive this process with a monitor that
 * the host can be led to, which libvirt keeps for itself; agents use another plugin.
 */
#include <string.h>
#include <unistd.h>

#include "machine.h"
#include "host-facts.h"
#include "options.h"
#include "spec.h"

#define SYSTEM "qemu:///system"
#define SESSION "qemu:///session"

static const SpOption options[] = {
  { .key = "uri",
    .type = SP_OPTION_STRING,
    .fallback = SYSTEM,
    .help = "qemu:///system, for root, or qemu:///session, for everyone else" },
  { .key = "boot-folder",
    .type = SP_OPTION_PATH,
    .fallback = "/var/lib/libvirt/boot",
    .help = "with qemu:///system: where copies of kernel and initrd lie while a machine starts" },
  SP_QEMU_OPTIONS_OF_SIZE,
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
  SP_QEMU_OPTIONS_OF_GUEST,
};

/* ---- what is heard -------------------------------------------------------------------------------------- */

static void
on_event (const char *id, SpLibvirtEvent event, int detail, gpointer data)
{
  SpLibvirt *self = data;
  GHashTableIter iter;
  gpointer machine;

  if (id != NULL) {
    machine = g_hash_table_lookup (self->machines.all, id);
    if (machine != NULL)
      sp_libvirt_machine_event (machine, event, detail);
    return;
  }
  g_hash_table_iter_init (&iter, self->machines.all);
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
  g_autofree SpLibvirt *self = g_new0 (SpLibvirt, 1);

  self->host = host;
  self->uri = sp_config_string (host, "uri");
  self->system = g_str_equal (self->uri, SYSTEM);
  self->boot_folder = self->system ? sp_config_string (host, "boot-folder") : NULL;
  self->ports = host->api->config_list (host, "host-loopback");
  self->on_event = on_event;
  self->data = self;
  if (!check_uri (self->uri, error) ||
      !sp_qemu_machines_init (&self->machines, host, &sp_libvirt_kind, error))
    return NULL;
  return g_steal_pointer (&self);
}

/* The daemon is asked when it is first needed, so that its absence is told to who needs it. */
static gboolean
plugin_start (gpointer data, GCancellable *cancellable, GError **error)
{
  sp_libvirt_begin (data);
  return TRUE;
}

static void
plugin_stop (gpointer data)
{
  sp_qemu_machines_end (data);
  sp_libvirt_end (data);
}

static void
plugin_close (gpointer data)
{
  plugin_stop (data);
  sp_qemu_machines_clear (data);
  g_free (data);
}

/* ---- calls ---------------------------------------------------------------------------------------------- */

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
  return sp_libvirt_probe (data, ret_probe, cancellable, error);
}

static gboolean
libvirt_create (gpointer data, const SpVmSpec *spec, GCancellable *cancellable, GError **error)
{
  return check (spec, error) && sp_qemu_machines_create (data, spec, error);
}

static const struct _SpVmOps ops = {
  .probe = libvirt_probe,
  .create = libvirt_create,
  .start = sp_qemu_machines_start,
  .stop = sp_qemu_machines_stop,
  .destroy = sp_qemu_machines_destroy,
  .inspect = sp_qemu_machines_inspect,
  .list = sp_qemu_machines_list,
};

SP_VM_PLUGIN (&ops, .name = "libvirt", .version = "0.1.0",
              .summary = "runs virtual machines through libvirt, under KVM or emulated",
              SP_OPTIONS (options), .open = plugin_open, .start = plugin_start, .stop = plugin_stop,
              .close = plugin_close)
