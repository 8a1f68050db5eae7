/* machine.c - machine.h */
#include "host/vm/machine.h"

#include <string.h>

#include "base/problem.h"
#include "host/cloud/seed.h"
#include "host/resident/service.h"

#define ROOT_DEVICE "/dev/vda"
#define GUEST_PORT 3737u
#define LOG_LIMIT (1024u * 1024u)
#define SSH_PORT 22u
#define LOOPBACK "127.0.0.1"
#define MAX_NAME 64
/* What systemd and its like need. */
#define CLOUD_MEMORY (256u * 1024u * 1024u)
/* And an engine, which keeps its image in memory. */
#define CONTAINER_MEMORY (512u * 1024u * 1024u)

/* The first one is what a cloud image boots; a seed is the last. */
#define MAX_DISKS 6

struct _SpMachine {
  char *id, *name;
  char *kernel, *initrd, *cmdline;
  char *paths[MAX_DISKS];
  char *bridge, *channel, *log, *listen_host, *mac;
  char *url, *ssh;
  gboolean has_seed;
  JsonObject *measurement;
  SpVmDisk disks[MAX_DISKS];
  SpVmForward forwards[2];
  SpVmForward *ssh_forward; /* of these; NULL: none */
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
  for (guint i = 0; i < MAX_DISKS; i++)
    g_free (machine->paths[i]);
  g_free (machine->bridge);
  g_free (machine->channel);
  g_free (machine->log);
  g_free (machine->listen_host);
  g_free (machine->mac);
  g_free (machine->url);
  g_free (machine->ssh);
  g_clear_pointer (&machine->measurement, json_object_unref);
  g_free (machine);
}

/* Where nothing is said of its network the guest takes the addresses of a user network by itself. */
char *
sp_machine_cmdline (const char *root, const SpVmSettings *settings)
{
  gboolean user = settings->network == SP_VM_NETWORK_USER;
  const char *address = user ? SP_MACHINE_USER_ADDRESS : settings->address;
  const char *gateway = user ? SP_MACHINE_USER_GATEWAY : settings->gateway;
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
char *
sp_machine_mac (const char *id)
{
  g_autofree char *sum = g_compute_checksum_for_string (G_CHECKSUM_SHA256, id, -1);

  return g_strdup_printf ("52:54:00:%.2s:%.2s:%.2s", sum, sum + 2, sum + 4);
}

static void
add_forward (SpMachine *machine, const char *host, guint16 port, guint16 guest_port)
{
  machine->forwards[machine->spec.n_forwards++] = (SpVmForward){ host, port, guest_port };
  machine->spec.forwards = machine->forwards;
}

static void
set_ssh (SpMachine *machine, const SpMachineSetup *setup)
{
  const char *own = setup->settings->address;

  if (!setup->maintenance)
    return;
  if (setup->settings->network == SP_VM_NETWORK_USER) {
    add_forward (machine, LOOPBACK, setup->ssh_port, SSH_PORT);
    machine->ssh_forward = &machine->forwards[machine->spec.n_forwards - 1];
    machine->ssh = sp_listen_text (LOOPBACK, setup->ssh_port);
  } else {
    machine->ssh = g_strdup_printf ("%.*s:%u", (int) strcspn (own, "/"), own, SSH_PORT);
  }
}

static gboolean
set_network (SpMachine *machine, const SpMachineSetup *setup, GError **error)
{
  const SpConfigVault *vault = setup->vault;
  g_autofree char *listen = sp_listen_text (vault->listen_host, vault->listen_port);

  machine->url = g_strconcat ("https://", listen, NULL);
  machine->spec.mac = machine->mac = sp_machine_mac (machine->id);
  if (setup->settings->network != SP_VM_NETWORK_USER) {
    set_ssh (machine, setup);
    return check_address (vault, setup->settings, error);
  }
  machine->listen_host = g_strdup (vault->listen_host);
  add_forward (machine, machine->listen_host, vault->listen_port, GUEST_PORT);
  set_ssh (machine, setup);
  return TRUE;
}

/* ---- what it boots ----------------------------------------------------------------------------------- */

static void
add_disk (SpMachine *machine, char *path, const char *name, guint32 format, gboolean read_only)
{
  gsize i = machine->spec.n_disks++;

  machine->paths[i] = path;
  machine->disks[i] = (SpVmDisk){ path, name, format, read_only };
  machine->spec.disks = machine->disks;
}

static char *
in (const SpMachineSetup *setup, const char *name)
{
  return g_build_filename (setup->folder, name, NULL);
}

static void
set_disks (SpMachine *machine, const SpMachineSetup *setup)
{
  if (setup->image != NULL)
    add_disk (machine, g_strdup (setup->image->root.path), "root", SP_VM_RAW, TRUE);
  else
    add_disk (machine, in (setup, SP_VAULT_SYSTEM), "system", SP_VM_QCOW2, FALSE);
  add_disk (machine, in (setup, SP_VAULT_DATA), "data", SP_VM_RAW, FALSE);
  add_disk (machine, in (setup, SP_VAULT_PLUGINS), "plugins", SP_VM_RAW, TRUE);
  if (setup->container != NULL)
    add_disk (machine, g_strdup (setup->container->path), SP_CLOUD_CONTAINER_SERIAL, SP_VM_RAW,
              TRUE);
  if (setup->maintenance)
    add_disk (machine, in (setup, SP_VAULT_MAINTENANCE), "maintenance", SP_VM_RAW, TRUE);
  machine->has_seed = setup->seed;
  if (setup->seed)
    add_disk (machine, in (setup, SP_VAULT_SEED), SP_CLOUD_SEED_SERIAL, SP_VM_RAW, TRUE);
}

void
sp_machine_drop_seed (SpMachine *machine)
{
  if (machine->has_seed)
    machine->spec.n_disks--;
  machine->has_seed = FALSE;
}

static void
set_boot (SpMachine *machine, const SpMachineSetup *setup)
{
  const SpImageSet *image = setup->image;

  if (image == NULL) {
    machine->spec.memory =
        MAX (machine->spec.memory, setup->container ? CONTAINER_MEMORY : CLOUD_MEMORY);
    return;
  }
  machine->kernel = g_strdup (image->kernel.path);
  machine->initrd = g_strdup (image->initrd.path);
  machine->cmdline = sp_machine_cmdline (ROOT_DEVICE, setup->settings);
  machine->spec.kernel = machine->kernel;
  machine->spec.initrd = machine->initrd;
  machine->spec.cmdline = machine->cmdline;
}

static void
measure (SpMachine *machine, const SpVaultRecord *record, const SpMachineSetup *setup)
{
  const SpImageSet *image = setup->image;
  g_autofree char *cmdline =
      image ? g_compute_checksum_for_string (G_CHECKSUM_SHA256, machine->cmdline, -1) : NULL;
  const char *const pairs[][2] = {
    { "base", record->base },
    { "bundle", record->bundle },
    { "cmdline", cmdline },
    { "container", setup->container ? setup->container->sha256 : NULL },
    { "image", image ? image->id : record->image },
    { "initrd", image ? image->initrd.sha256 : NULL },
    { "kernel", image ? image->kernel.sha256 : NULL },
    { "plugins", setup->plugins_sha256 },
    { "root", image ? image->root.sha256 : NULL },
  };

  machine->measurement = json_object_new ();
  for (gsize i = 0; i < G_N_ELEMENTS (pairs); i++)
    if (pairs[i][1] != NULL)
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
sp_machine_new (const SpVaultRecord *record, const SpMachineSetup *setup, GError **error)
{
  g_autoptr (SpMachine) machine = g_new0 (SpMachine, 1);

  machine->id = g_strdup (record->machine);
  machine->name = name_of (setup->vault);
  machine->log = in (setup, SP_VAULT_CONSOLE);
  machine->channel = in (setup, SP_VAULT_CHANNEL);
  machine->spec = (SpVmSpec){
    .size = sizeof (SpVmSpec),
    .id = machine->id,
    .name = machine->name,
    .role = SP_VM_OWNED,
    .acceleration = setup->vault->allow_emulation ? SP_VM_NONE : SP_VM_KVM,
    .admin_socket = machine->channel,
    .log = machine->log,
    .log_limit = LOG_LIMIT,
  };
  sp_vm_settings_apply (setup->settings, &machine->spec);
  /* The settings need not live on. */
  machine->spec.bridge = machine->bridge = g_strdup (machine->spec.bridge);
  set_disks (machine, setup);
  set_boot (machine, setup);
  if (!set_network (machine, setup, error))
    return NULL;
  measure (machine, record, setup);
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

const char *
sp_machine_ssh (const SpMachine *machine)
{
  return machine->ssh;
}

guint16
sp_machine_ssh_port (const SpMachine *machine)
{
  return machine->ssh_forward ? machine->ssh_forward->port : 0;
}

void
sp_machine_move_ssh (SpMachine *machine, guint16 port)
{
  g_return_if_fail (machine->ssh_forward != NULL);
  machine->ssh_forward->port = port;
  g_free (machine->ssh);
  machine->ssh = sp_listen_text (LOOPBACK, port);
}

JsonObject *
sp_machine_measure (const SpMachine *machine)
{
  return json_object_ref (machine->measurement);
}
