/* start.c - machine.h: from a specification to a guest that executes
 *
 * A domain must be known to libvirt before it can be given descriptors, so it is defined first, started from
 * that, paused, and then undefined: from there on it is transient.
 *
 * What must stay true: a guest executes only when its sockets are nobody else's and, with network = user, the
 * network guard has answered from inside of its QEMU; disks are opened here, without following links, and given as
 * descriptors; what is not ours in libvirt is left alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "boot.h"
#include "domain.h"
#include "errors.h"
#include "guard-rules.h"
#include "host-facts.h"
#include "live.h"
#include "machine.h"
#include "ports.h"
#include "process.h"
#include "wait.h"
#include "xml.h"

#define STALE_MS 2000u

typedef struct {
  SpLibvirtBoot boot;
  char *emulator, *owner, *console, *label, *guard, *rules;
  uid_t user;
  SpLibvirtPlan plan;
} Launch;

static void
launch_clear (Launch *launch)
{
  sp_libvirt_boot_clear (&launch->boot);
  g_free (launch->emulator);
  g_free (launch->owner);
  g_free (launch->console);
  g_free (launch->label);
  g_free (launch->guard);
  g_free (launch->rules);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Launch, launch_clear)

/* ---- what it needs -------------------------------------------------------------------------------------- */

/* Not in XML, and nothing that libvirt could bind to. */
static gboolean
check_socket (const char *path, GError **error)
{
  if (path == NULL || strlen (path) < sizeof ((struct sockaddr_un *) 0)->sun_path)
    return TRUE;
  g_set_error (error, SP_ERROR, SP_ERROR_CONFIG,
               "the path %s is too long for a socket, which may have 107 bytes", path);
  return FALSE;
}

static gboolean
check_named (virConnectPtr connection, const char *name, GError **error)
{
  virNetworkPtr network = virNetworkLookupByName (connection, name);
  int active = network != NULL ? virNetworkIsActive (network) : -1;

  if (network != NULL)
    (void) virNetworkFree (network);
  if (active == 1)
    return TRUE;
  g_set_error (error, SP_ERROR, SP_ERROR_CONFIG,
               active == 0 ? "libvirt's network '%s' is not active: run virsh net-start NAME"
                           : "libvirt has no network '%s': make it (virsh net-define), or name "
                             "another one with `bridge`",
               name);
  return FALSE;
}

static gboolean
check_network (const SpLibvirtMachine *machine, GError **error)
{
  const SpVmSpec *spec = machine->any.spec;

  if (spec->network == SP_VM_NETWORK_USER)
    return sp_qemu_ports_check (spec, error);
  if (spec->network == SP_VM_NETWORK_NAMED)
    return check_named (machine->libvirt->connection, spec->bridge, error);
  if (if_nametoindex (spec->bridge) != 0)
    return TRUE;
  g_set_error (error, SP_ERROR, SP_ERROR_CONFIG,
               "there is no bridge or tap device '%s': make it, or name another one with `bridge`",
               spec->bridge);
  return FALSE;
}

/* QEMU's user must be able to read it, and the loader takes colons and spaces for the end of a name. */
static gboolean
find_guard (const SpLibvirtMachine *machine, Launch *launch, GError **error)
{
  struct stat st;

  if (machine->any.spec->network != SP_VM_NETWORK_USER)
    return TRUE;
  launch->guard = sp_qemu_guard_path ();
  launch->rules = sp_qemu_guard_rules_here (machine->libvirt->ports);
  if (stat (launch->guard, &st) != 0) {
    g_set_error (error, SP_ERROR, SP_ERROR_CONFIG,
                 "cannot find %s: %s; without it a guest could reach the host's loopback, so no "
                 "guest is started: install it beside this plugin",
                 launch->guard, g_strerror (errno));
    return FALSE;
  }
  if ((st.st_mode & S_IROTH) != 0 && strpbrk (launch->guard, ": ") == NULL)
    return TRUE;
  g_set_error (error, SP_ERROR, SP_ERROR_CONFIG,
               "%s can't be put before QEMU: everyone must be able to read it, and no folder may "
               "have a space or a colon in its name",
               launch->guard);
  return FALSE;
}

static gboolean
prepare (SpLibvirtMachine *machine, guint32 acceleration, Launch *launch, GError **error)
{
  SpLibvirt *libvirt = machine->libvirt;
  const SpVmSpec *spec = machine->any.spec;
  g_autoptr (GError) why = NULL;

  launch->emulator = sp_libvirt_emulator (libvirt->connection, error);
  launch->owner = sp_libvirt_process_word ();
  launch->console =
      g_strdup_printf ("%s/console-%.8s", libvirt->host->api->state_dir (libvirt->host), spec->id);
  if (launch->emulator == NULL || !check_socket (launch->console, error) ||
      !check_socket (spec->admin_socket, error) || !check_network (machine, error) ||
      !find_guard (machine, launch, error))
    return FALSE;
  launch->label = sp_libvirt_label (libvirt, spec->id, acceleration, &launch->user, &why);
  if (why != NULL) {
    g_propagate_error (error, g_steal_pointer (&why));
    return FALSE;
  }
  if (!sp_libvirt_boot_prepare (libvirt->boot_folder, spec, &launch->boot, error))
    return FALSE;
  launch->plan = (SpLibvirtPlan){ .spec = spec,
                                  .acceleration = acceleration,
                                  .emulator = launch->emulator,
                                  .owner = launch->owner,
                                  .kernel = launch->boot.kernel,
                                  .initrd = launch->boot.initrd,
                                  .console = launch->console,
                                  .label = launch->label,
                                  .guard = launch->guard,
                                  .rules = launch->rules };
  return TRUE;
}

/* ---- what is left of an earlier start ------------------------------------------------------------------- */

/* The word of the process that made it; NULL: it is not of this plugin. */
static char *
owner_of (virDomainPtr domain)
{
  g_autofree char *text = virDomainGetXMLDesc (domain, 0);
  g_autoptr (xmlDoc) doc = text != NULL ? sp_xml_parse (text) : NULL;

  return doc != NULL ? sp_xml_find (doc, "/domain/metadata/*[local-name()='machine' and "
                                         "namespace-uri()='" SP_LIBVIRT_NAMESPACE "']/@owner")
                     : NULL;
}

static gboolean
is_not_stale (gpointer machine)
{
  return !((SpLibvirtMachine *) machine)->stale;
}

static void
end_leftover (SpLibvirtMachine *machine, virDomainPtr domain)
{
  char id[VIR_UUID_STRING_BUFLEN] = "";

  if (virDomainIsActive (domain) == 1) {
    machine->stale =
        virDomainGetUUIDString (domain, id) == 0 && g_str_equal (id, machine->any.spec->id);
    (void) virDomainDestroy (domain);
  }
  (void) virDomainUndefineFlags (domain, 0);
  /* Its end must not be taken for that of what comes now. */
  (void) sp_qemu_wait (NULL, STALE_MS, is_not_stale, machine);
  machine->stale = FALSE;
}

static gboolean
clear_number (SpLibvirtMachine *machine, GError **error)
{
  virDomainPtr domain =
      virDomainLookupByUUIDString (machine->libvirt->connection, machine->any.spec->id);
  g_autofree char *owner = domain != NULL ? owner_of (domain) : NULL;
  gboolean mine = owner != NULL && g_str_equal (virDomainGetName (domain), machine->any.spec->name);
  g_autofree char *own = sp_libvirt_process_word ();
  /* One of ours can only be what an end that failed has left. */
  gboolean used = mine && g_strcmp0 (owner, own) != 0 && sp_libvirt_process_lives (owner) &&
                  virDomainIsActive (domain) == 1;

  if (domain == NULL)
    return TRUE;
  if (used)
    g_set_error (error, SP_ERROR, SP_ERROR_CONFLICT,
                 "it runs already, as libvirt's domain '%s', by process %s: stop that first",
                 virDomainGetName (domain), owner);
  else if (!mine)
    g_set_error (
        error, SP_ERROR, SP_ERROR_CONFLICT,
        "libvirt's domain '%s' has the number of this machine: it was renamed, or defined by "
        "somebody else; remove it with virsh undefine, and stop it before with virsh destroy",
        virDomainGetName (domain));
  else
    end_leftover (machine, domain);
  (void) virDomainFree (domain);
  return mine && !used;
}

/* A takeover that was taken back has forgotten the number of its machine, so what a kill left of it is known by
 * its name, our mark, and that who made it is no more. */
static gboolean
clear_name (SpLibvirtMachine *machine, GError **error)
{
  const char *name = machine->any.spec->name;
  virDomainPtr domain = virDomainLookupByName (machine->libvirt->connection, name);
  g_autofree char *owner = domain != NULL ? owner_of (domain) : NULL;
  gboolean left = owner != NULL && !sp_libvirt_process_lives (owner);

  if (domain == NULL)
    return TRUE;
  if (left)
    end_leftover (machine, domain);
  else if (owner != NULL)
    g_set_error (error, SP_ERROR, SP_ERROR_CONFLICT,
                 "libvirt's domain '%s' is another vault of the same name, run by process %s: "
                 "stop that first, or give one of them another name",
                 name, owner);
  else
    g_set_error (error, SP_ERROR, SP_ERROR_CONFLICT,
                 "libvirt has a domain '%s' of somebody else's, and a vault's has the vault's "
                 "name: rename either (virsh domrename %s OTHER)",
                 name, name);
  (void) virDomainFree (domain);
  return left;
}

/* ---- the domain ----------------------------------------------------------------------------------------- */

static gboolean
give_disk (virDomainPtr domain, const SpVmDisk *disk, gsize i, GError **error)
{
  g_autofree char *group = sp_libvirt_disk_group (i);
  int fd = open (disk->path,
                 (disk->read_only ? O_RDONLY : O_RDWR) | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  struct stat st;
  gboolean ok = fd >= 0 && fstat (fd, &st) == 0 && S_ISREG (st.st_mode);

  if (!ok)
    g_set_error (error, SP_ERROR, SP_ERROR_CONFIG, "cannot open %s: %s", disk->path,
                 fd < 0 ? g_strerror (errno) : "it is no regular file");
  else if (virDomainFDAssociate (domain, group, 1, &fd, 0) != 0)
    ok = sp_libvirt_fail (error, "libvirt does not take the disk %s", disk->path);
  if (fd >= 0)
    (void) close (fd);
  return ok;
}

static gboolean
give_disks (virDomainPtr domain, const SpVmSpec *spec, GError **error)
{
  for (gsize i = 0; i < spec->n_disks; i++)
    if (!give_disk (domain, &spec->disks[i], i, error))
      return FALSE;
  return TRUE;
}

static gboolean
run_paused (SpLibvirtMachine *machine, const Launch *launch, GError **error)
{
  g_autofree char *xml = sp_libvirt_domain_xml (&launch->plan);
  virDomainPtr domain =
      virDomainDefineXMLFlags (machine->libvirt->connection, xml, VIR_DOMAIN_DEFINE_VALIDATE);
  gboolean ok;

  if (domain == NULL)
    return sp_libvirt_fail (error, "libvirt does not take the machine");
  ok = give_disks (domain, machine->any.spec, error);
  machine->user = launch->user;
  machine->launched = ok;
  if (ok && virDomainCreateWithFlags (domain,
                                      VIR_DOMAIN_START_PAUSED | VIR_DOMAIN_START_AUTODESTROY) != 0)
    ok = sp_libvirt_fail (error, "libvirt did not start it");
  if (virDomainUndefineFlags (domain, 0) != 0 && ok)
    ok = sp_libvirt_fail (error, "libvirt does not forget its definition");
  /* A failure after the start still has to end it. */
  if (ok || virDomainIsActive (domain) == 1)
    machine->domain = domain;
  else
    (void) virDomainFree (domain);
  return ok;
}

/* ---- what is around it ---------------------------------------------------------------------------------- */

static int
connect_to (const char *path)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  (void) g_strlcpy (address.sun_path, path, sizeof address.sun_path);
  if (fd < 0 || connect (fd, (struct sockaddr *) &address, sizeof address) == 0)
    return fd;
  (void) close (fd);
  return -1;
}

/* libvirt makes sockets for everybody's eyes. */
static gboolean
close_sockets (const SpLibvirtMachine *machine, const Launch *launch, GError **error)
{
  const char *const paths[] = { launch->console, machine->any.spec->admin_socket };

  for (gsize i = 0; i < G_N_ELEMENTS (paths); i++)
    if (paths[i] != NULL && chmod (paths[i], 0600) != 0) {
      g_set_error (error, SP_ERROR, SP_ERROR_UNAVAILABLE, "cannot close the socket %s: %s",
                   paths[i], g_strerror (errno));
      return FALSE;
    }
  return TRUE;
}

static gboolean
read_console (SpLibvirtMachine *machine, const Launch *launch, GError **error)
{
  const SpVmSpec *spec = machine->any.spec;
  g_autoptr (SpQemuLog) log =
      spec->log != NULL ? sp_qemu_log_open (spec->log, spec->log_limit, error) : NULL;
  int fd;

  if (spec->log != NULL && log == NULL)
    return FALSE;
  fd = connect_to (launch->console);
  if (fd < 0) {
    g_set_error (error, SP_ERROR, SP_ERROR_UNAVAILABLE, "cannot reach the console at %s: %s",
                 launch->console, g_strerror (errno));
    return FALSE;
  }
  machine->console = sp_qemu_console_new (fd, g_steal_pointer (&log));
  return TRUE;
}

static gboolean
find_process (SpLibvirtMachine *machine, const Launch *launch, GError **error)
{
  machine->pidfd = sp_libvirt_process_open (machine->any.spec->id, launch->user, &machine->pid);
  if (machine->pidfd < 0) {
    g_set_error_literal (
        error, SP_ERROR, SP_ERROR_UNAVAILABLE,
        "the machine's QEMU is not among the processes here: is libvirt's daemon in "
        "another container?");
    return FALSE;
  }
  if (launch->guard == NULL || sp_libvirt_process_is_guarded (machine->pid))
    return TRUE;
  g_set_error (error, SP_ERROR, SP_ERROR_REFUSED,
               "QEMU runs without the network guard, so that its guest could reach the host's "
               "loopback; it was ended: let libvirt's QEMU read %s",
               launch->guard);
  return FALSE;
}

/* ---- the guest ------------------------------------------------------------------------------------------ */

static gboolean
let_go (SpLibvirtMachine *machine, GError **error)
{
  g_autofree char *xml = NULL;
  int state = VIR_DOMAIN_NOSTATE, reason = 0;

  if (virDomainResume (machine->domain) != 0)
    return sp_libvirt_fail (error, "the guest can't be let go");
  if (virDomainGetState (machine->domain, &state, &reason, 0) != 0)
    return sp_libvirt_fail (error, "the machine has ended");
  if (state != VIR_DOMAIN_RUNNING) {
    g_set_error_literal (error, SP_ERROR, SP_ERROR_UNAVAILABLE, "the guest does not execute");
    return FALSE;
  }
  xml = virDomainGetXMLDesc (machine->domain, 0);
  machine->live = xml != NULL ? sp_libvirt_live_form (xml) : NULL;
  return machine->live != NULL || sp_libvirt_fail (error, "libvirt does not describe the machine");
}

gboolean
sp_libvirt_launch (SpLibvirtMachine *machine, guint32 acceleration, GCancellable *cancellable,
                   GError **error)
{
  g_auto (Launch) launch = { .user = 0 };

  if (sp_libvirt_connect (machine->libvirt, cancellable, error) == NULL ||
      !clear_number (machine, error) || !clear_name (machine, error) ||
      !prepare (machine, acceleration, &launch, error) || !run_paused (machine, &launch, error))
    return FALSE;
  machine->acceleration = acceleration;
  /* QEMU has them in its memory, also for a reset. */
  sp_libvirt_boot_remove (machine->libvirt->boot_folder, machine->any.spec->id);
  return close_sockets (machine, &launch, error) && read_console (machine, &launch, error) &&
         find_process (machine, &launch, error) && let_go (machine, error);
}
