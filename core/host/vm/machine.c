/* machine.c - machine.h */
#include "host/vm/machine.h"

#include <string.h>

#include "base/problem.h"
#include "host/resident/service.h"

#define ROOT_DEVICE "/dev/vda"
#define GUEST_PORT 3737u
#define LOG_LIMIT (1024u * 1024u)
/* Of QEMU's user network. */
#define USER_ADDRESS "10.0.2.15/24"
#define USER_GATEWAY "10.0.2.2"
#define MAX_NAME 64

enum { ROOT, DATA, PLUGINS, N_DISKS };

struct _SpMachine {
  char *id, *name;
  char *kernel, *initrd, *cmdline;
  char *paths[N_DISKS];
  char *bridge, *channel, *log, *listen_host, *mac;
  char *url;
  JsonObject *measurement;
  SpVmDisk disks[N_DISKS];
  SpVmForward forward;
  SpVmSpec spec;
};

void
sp_machine_free (SpMachine *machine)
{
  if (machine == NULL)
    return;
  g_free (machine->id);
  g_free (machine->name);
  g_free (machine->kernel);
  g_free (machine->initrd);
  g_free (machine->cmdline);
  for (guint i = 0; i < N_DISKS; i++)
    g_free (machine->paths[i]);
  g_free (machine->bridge);
  g_free (machine->channel);
  g_free (machine->log);
  g_free (machine->listen_host);
  g_free (machine->mac);
  g_free (machine->url);
  g_clear_pointer (&machine->measurement, json_object_unref);
  g_free (machine);
}

/* Where nothing is said of its network the guest takes the addresses of a user network by itself. */
char *
sp_machine_cmdline (const char *root, const SpVmSettings *settings)
{
  gboolean user = settings->network == SP_VM_NETWORK_USER;
  const char *address = user ? USER_ADDRESS : settings->address;
  const char *gateway = user ? USER_GATEWAY : settings->gateway;
  const char *dns = settings->dns ? settings->dns : gateway;
  GString *words = g_string_new (SP_KERNEL_WORDS " root=");

  g_string_append (words, root);
  if (user && settings->dns == NULL)
    return g_string_free (words, FALSE);
  g_string_append_printf (words, " sp.net=%s", address);
  if (gateway != NULL || dns != NULL)
    g_string_append_printf (words, ",%s,%s", gateway ? gateway : "", dns);
  return g_string_free (words, FALSE);
}

/* ---- the network ------------------------------------------------------------------------------------- */

/* On a bridge the machine has an address of its own, which is then where agents reach it. */
static gboolean
check_address (const SpConfigVault *vault, const SpVmSettings *settings, GError **error)
{
  gsize length = strcspn (settings->address, "/");

  if (strncmp (settings->address, vault->listen_host, length) == 0 &&
      vault->listen_host[length] == 0 && vault->listen_port == GUEST_PORT)
    return TRUE;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG,
               "[vault %s] listen must be %.*s:%u, the machine's own address on its network",
               vault->name, (int) length, settings->address, GUEST_PORT);
  return FALSE;
}

/* Machines may share a bridge, so each has an address of its own; 52:54:00 is QEMU's prefix. */
static char *
mac_of (const char *id)
{
  g_autofree char *sum = g_compute_checksum_for_string (G_CHECKSUM_SHA256, id, -1);

  return g_strdup_printf ("52:54:00:%.2s:%.2s:%.2s", sum, sum + 2, sum + 4);
}

static gboolean
set_network (SpMachine *machine, const SpConfigVault *vault, const SpVmSettings *settings,
             GError **error)
{
  g_autofree char *listen = sp_listen_text (vault->listen_host, vault->listen_port);

  machine->url = g_strconcat ("https://", listen, NULL);
  machine->spec.mac = machine->mac = mac_of (machine->id);
  if (settings->network != SP_VM_NETWORK_USER)
    return check_address (vault, settings, error);
  machine->listen_host = g_strdup (vault->listen_host);
  machine->forward = (SpVmForward){ machine->listen_host, vault->listen_port, GUEST_PORT };
  machine->spec.forwards = &machine->forward;
  machine->spec.n_forwards = 1;
  return TRUE;
}

/* ---- what it boots ----------------------------------------------------------------------------------- */

static void
set_disks (SpMachine *machine, const char *folder, const SpImageSet *image)
{
  machine->paths[ROOT] = g_strdup (image->root.path);
  machine->paths[DATA] = g_build_filename (folder, SP_VAULT_DATA, NULL);
  machine->paths[PLUGINS] = g_build_filename (folder, SP_VAULT_PLUGINS, NULL);
  machine->disks[ROOT] = (SpVmDisk){ machine->paths[ROOT], "root", SP_VM_RAW, TRUE };
  machine->disks[DATA] = (SpVmDisk){ machine->paths[DATA], "data", SP_VM_RAW, FALSE };
  machine->disks[PLUGINS] = (SpVmDisk){ machine->paths[PLUGINS], "plugins", SP_VM_RAW, TRUE };
  machine->spec.disks = machine->disks;
  machine->spec.n_disks = N_DISKS;
}

static void
set_boot (SpMachine *machine, const SpImageSet *image, const SpVmSettings *settings)
{
  machine->kernel = g_strdup (image->kernel.path);
  machine->initrd = g_strdup (image->initrd.path);
  machine->cmdline = sp_machine_cmdline (ROOT_DEVICE, settings);
  machine->spec.kernel = machine->kernel;
  machine->spec.initrd = machine->initrd;
  machine->spec.cmdline = machine->cmdline;
}

static void
measure (SpMachine *machine, const SpImageSet *image, const char *plugins_sha256)
{
  g_autofree char *cmdline =
      g_compute_checksum_for_string (G_CHECKSUM_SHA256, machine->cmdline, -1);
  const char *const pairs[][2] = {
    { "cmdline", cmdline },
    { "image", image->id },
    { "initrd", image->initrd.sha256 },
    { "kernel", image->kernel.sha256 },
    { "plugins", plugins_sha256 },
    { "root", image->root.sha256 },
  };

  machine->measurement = json_object_new ();
  for (gsize i = 0; i < G_N_ELEMENTS (pairs); i++)
    json_object_set_string_member (machine->measurement, pairs[i][0], pairs[i][1]);
}

/* As plugins take it: a name of a vault may have more characters. */
static char *
name_of (const SpConfigVault *vault)
{
  char *name = g_strndup (vault->name, MAX_NAME);

  return g_strcanon (name, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS ".-", '-');
}

SpMachine *
sp_machine_new (const SpVaultRecord *record, const char *folder, const SpConfigVault *vault,
                const SpVmSettings *settings, const SpImageSet *image, const char *plugins_sha256,
                GError **error)
{
  g_autoptr (SpMachine) machine = g_new0 (SpMachine, 1);

  machine->id = g_strdup (record->machine);
  machine->name = name_of (vault);
  machine->log = g_build_filename (folder, SP_VAULT_CONSOLE, NULL);
  machine->channel = g_build_filename (folder, SP_VAULT_CHANNEL, NULL);
  machine->spec = (SpVmSpec){
    .size = sizeof (SpVmSpec),
    .id = machine->id,
    .name = machine->name,
    .role = SP_VM_OWNED,
    .acceleration = vault->allow_emulation ? SP_VM_NONE : SP_VM_KVM,
    .admin_socket = machine->channel,
    .log = machine->log,
    .log_limit = LOG_LIMIT,
  };
  sp_vm_settings_apply (settings, &machine->spec);
  /* The settings need not live on. */
  machine->spec.bridge = machine->bridge = g_strdup (machine->spec.bridge);
  set_disks (machine, folder, image);
  set_boot (machine, image, settings);
  if (!set_network (machine, vault, settings, error))
    return NULL;
  measure (machine, image, plugins_sha256);
  return g_steal_pointer (&machine);
}

const SpVmSpec *
sp_machine_spec (const SpMachine *machine)
{
  return &machine->spec;
}

const char *
sp_machine_url (const SpMachine *machine)
{
  return machine->url;
}

JsonObject *
sp_machine_measure (const SpMachine *machine)
{
  return json_object_ref (machine->measurement);
}
