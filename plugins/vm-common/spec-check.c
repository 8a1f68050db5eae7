/* spec-check.c - spec.h: what QEMU will not be asked to do */
#include <net/if.h>
#include <string.h>
#include <sys/un.h>

#include "spec.h"

#define MIB (1024u * 1024u)
#define MIN_MEMORY (96u * MIB)
#define MAX_MEMORY ((guint64) MIB * MIB)
#define MAX_CPUS 64u
#define MAX_CMDLINE 2047 /* the kernel's own limit on x86 */
#define MAX_NAME 64
#define MAX_DISK_NAME 20
#define MAX_FORWARDS 16

#define fail(error, ...) (g_set_error ((error), SP_ERROR, SP_ERROR_CONFIG, __VA_ARGS__), FALSE)

/* ---- single values ------------------------------------------------------------------------------------ */

static gboolean
is_word (const char *text, gsize max)
{
  gsize length = text != NULL ? strlen (text) : 0;

  return length > 0 && length <= max &&
         strspn (text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
             length;
}

static gboolean
is_line (const char *text)
{
  for (; *text != '\0'; text++)
    if (!g_ascii_isprint (*text))
      return FALSE;
  return TRUE;
}

static gboolean
is_mac (const char *text)
{
  gboolean ok = strlen (text) == 17;

  for (gsize i = 0; ok && i < 17; i++)
    ok = i % 3 == 2 ? text[i] == ':' : g_ascii_isxdigit (text[i]);
  return ok;
}

static gboolean
is_ipv4 (const char *text)
{
  g_autoptr (GInetAddress) address = text != NULL ? g_inet_address_new_from_string (text) : NULL;

  return address != NULL && g_inet_address_get_family (address) == G_SOCKET_FAMILY_IPV4;
}

/* ---- groups of them ------------------------------------------------------------------------------------- */

static gboolean
check_paths (const SpVmSpec *spec, GError **error)
{
  const struct {
    const char *what, *path;
  } paths[] = {
    { "kernel", spec->kernel },   { "initrd", spec->initrd },
    { "log", spec->log },         { "admin socket", spec->admin_socket },
    { "monitor", spec->monitor }, { "pid file", spec->pid_file },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (paths); i++)
    if (paths[i].path != NULL && !g_path_is_absolute (paths[i].path))
      return fail (error, "the path of the %s, %s, is not absolute", paths[i].what, paths[i].path);
  if (spec->kernel == NULL && (spec->initrd != NULL || spec->cmdline != NULL))
    return fail (error, "an initrd or a command line needs a kernel");
  if (spec->cmdline != NULL && (strlen (spec->cmdline) > MAX_CMDLINE || !is_line (spec->cmdline)))
    return fail (error, "the kernel's command line is not one line of at most %d characters",
                 MAX_CMDLINE);
  return TRUE;
}

static gboolean
check_role (const SpVmSpec *spec, GError **error)
{
  switch (spec->role) {
  case SP_VM_OWNED:
    return (spec->monitor == NULL && spec->pid_file == NULL) ||
           fail (error, "an owned machine has no monitor and no pid file");
  case SP_VM_PROVISION:
    if (spec->monitor == NULL || spec->pid_file == NULL)
      return fail (error, "a machine to be provisioned needs a monitor and a pid file");
    return strlen (spec->monitor) < sizeof ((struct sockaddr_un *) 0)->sun_path ||
           fail (error, "the path of the monitor, %s, is too long for a socket", spec->monitor);
  default:
    return fail (error, "there is no role %u", spec->role);
  }
}

static gboolean
check_disks (const SpVmSpec *spec, GError **error)
{
  if (spec->kernel == NULL && spec->n_disks == 0)
    return fail (error, "there is neither a kernel nor a disk to boot");
  if (spec->n_disks > SP_QEMU_MAX_DISKS)
    return fail (error, "%" G_GSIZE_FORMAT " disks; %d are the most", spec->n_disks,
                 SP_QEMU_MAX_DISKS);
  for (gsize i = 0; i < spec->n_disks; i++) {
    const SpVmDisk *disk = &spec->disks[i];

    if (disk->path == NULL || !g_path_is_absolute (disk->path))
      return fail (error, "the path of disk %" G_GSIZE_FORMAT " is not absolute", i + 1);
    if (!is_word (disk->name, MAX_DISK_NAME))
      return fail (error, "the name of the disk %s is not 1 to %d letters, digits and dashes",
                   disk->path, MAX_DISK_NAME);
    if (disk->format != SP_VM_RAW && disk->format != SP_VM_QCOW2)
      return fail (error, "the format of the disk %s is neither raw nor qcow2", disk->path);
  }
  return TRUE;
}

static gboolean
check_size (const SpVmSpec *spec, GError **error)
{
  if (spec->memory < MIN_MEMORY || spec->memory > MAX_MEMORY || spec->memory % MIB != 0)
    return fail (error,
                 "%" G_GUINT64_FORMAT " bytes of memory: whole MiB are needed, and at least 96",
                 spec->memory);
  if (spec->cpus == 0 || spec->cpus > MAX_CPUS)
    return fail (error, "%u CPUs: 1 to %u are possible", spec->cpus, MAX_CPUS);
  if (spec->acceleration > SP_VM_EMULATED)
    return fail (error, "there is no acceleration %u", spec->acceleration);
  return TRUE;
}

static gboolean
check_forwards (const SpVmSpec *spec, GError **error)
{
  if (spec->n_forwards > MAX_FORWARDS)
    return fail (error, "%" G_GSIZE_FORMAT " forwarded ports; %d are the most", spec->n_forwards,
                 MAX_FORWARDS);
  for (gsize i = 0; i < spec->n_forwards; i++) {
    const SpVmForward *forward = &spec->forwards[i];

    if (!is_ipv4 (forward->address))
      return fail (error,
                   "cannot listen on '%s': network = user forwards numeric IPv4 addresses only",
                   forward->address != NULL ? forward->address : "");
    if (forward->port == 0 || forward->guest_port == 0)
      return fail (error, "a forwarded port is 1 to 65535");
  }
  return TRUE;
}

static gboolean
check_network (const SpVmSpec *spec, GError **error)
{
  if (spec->mac != NULL && !is_mac (spec->mac))
    return fail (error, "'%s' is no MAC address, such as 52:54:00:12:34:56", spec->mac);
  switch (spec->network) {
  case SP_VM_NETWORK_USER:
    return check_forwards (spec, error);
  case SP_VM_NETWORK_BRIDGE:
  case SP_VM_NETWORK_TAP:
    if (!is_word (spec->bridge, IFNAMSIZ - 1))
      return fail (error, "the name of the bridge or tap device is not 1 to %d letters and digits",
                   IFNAMSIZ - 1);
    return spec->n_forwards == 0 || fail (error, "only network = user forwards ports");
  case SP_VM_NETWORK_NAMED:
    return (is_word (spec->bridge, MAX_NAME) ||
            fail (error, "the name of the network is not 1 to %d letters and digits", MAX_NAME)) &&
           (spec->n_forwards == 0 || fail (error, "only network = user forwards ports"));
  default:
    return fail (error, "there is no network %u", spec->network);
  }
}

gboolean
sp_qemu_spec_check (const SpVmSpec *spec, GError **error)
{
  if (spec->id == NULL || !g_uuid_string_is_valid (spec->id))
    return fail (error, "the id of the machine is no UUID");
  if (!is_word (spec->name, MAX_NAME))
    return fail (error, "the name of the machine is not 1 to %d letters, digits, dots and dashes",
                 MAX_NAME);
  return check_role (spec, error) && check_paths (spec, error) && check_disks (spec, error) &&
         check_size (spec, error) && check_network (spec, error);
}
