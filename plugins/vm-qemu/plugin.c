/* plugin.c - vm-qemu as the core sees it: options, life cycle, the calls
 *
 * An owned machine never outlives this process: the kernel ends its QEMU with it, and stop() does so in an
 * orderly way before.
 */
#include "argv.h"
#include "machine.h"
#include "options.h"
#include "probe.h"
#include "spec.h"

static const SpOption options[] = {
  { .key = "qemu",
    .type = SP_OPTION_PATH,
    .fallback = "/usr/bin/qemu-system-x86_64",
    .help = "the program" },
  SP_QEMU_OPTIONS_OF_SIZE,
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
  SP_QEMU_OPTIONS_OF_GUEST,
};

/* ---- life ------------------------------------------------------------------------------------------------- */

static gpointer
plugin_open (SpHost *host, GError **error)
{
  g_autofree SpQemu *qemu = g_new0 (SpQemu, 1);

  if (!sp_qemu_machines_init (&qemu->machines, host, &sp_qemu_kind, error))
    return NULL;
  qemu->host = host;
  qemu->program = sp_config_string (host, "qemu");
  qemu->ports = host->api->config_list (host, "host-loopback");
  return g_steal_pointer (&qemu);
}

static void
plugin_stop (gpointer data)
{
  sp_qemu_machines_end (data);
}

static void
plugin_close (gpointer data)
{
  sp_qemu_machines_clear (data);
  g_free (data);
}

/* ---- calls ------------------------------------------------------------------------------------------------ */

static gboolean
qemu_probe (gpointer data, SpVmProbe *ret_probe, GCancellable *cancellable, GError **error)
{
  SpQemu *qemu = data;

  if (!sp_qemu_probe (qemu->host, qemu->program, NULL, ret_probe, cancellable, error))
    return FALSE;
  qemu->acceleration = ret_probe->acceleration;
  return TRUE;
}

static gboolean
qemu_create (gpointer data, const SpVmSpec *spec, GCancellable *cancellable, GError **error)
{
  if (!sp_qemu_spec_check (spec, error))
    return FALSE;
  if (spec->network != SP_VM_NETWORK_NAMED)
    return sp_qemu_machines_create (data, spec, error);
  g_set_error_literal (error, SP_ERROR, SP_ERROR_UNSUPPORTED,
                       "QEMU itself knows no networks by name: use bridge or tap");
  return FALSE;
}

static const struct _SpVmOps ops = {
  .probe = qemu_probe,
  .create = qemu_create,
  .start = sp_qemu_machines_start,
  .stop = sp_qemu_machines_stop,
  .destroy = sp_qemu_machines_destroy,
  .inspect = sp_qemu_machines_inspect,
  .list = sp_qemu_machines_list,
};

SP_VM_PLUGIN (&ops, .name = "qemu", .version = "0.1.0",
              .summary = "runs virtual machines with QEMU, under KVM or emulated",
              SP_OPTIONS (options), .open = plugin_open, .stop = plugin_stop, .close = plugin_close)
