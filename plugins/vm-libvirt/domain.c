/* domain.c - domain.h
 *
 * What must stay true: no device that the vault does not need; disks by descriptors, with their format said
 * and no backing file; nothing is relabelled, so that the vault's files stay root's; a guest that resets
 * itself or crashes ends.
 */
#include "domain.h"

#include "netguard.h"
#include "probe.h"
#include "xml.h"

#define QEMU_NAMESPACE "http://libvirt.org/schemas/domain/qemu/1.0"
/* Beyond what libvirt gives out by itself. */
#define NET_PLACE "0x10"

char *
sp_libvirt_disk_group (gsize i)
{
  return g_strdup_printf ("disk%" G_GSIZE_FORMAT, i);
}

/* ---- parts ------------------------------------------------------------------------------------------ */

static void
add_mark (xmlNode *root, const SpLibvirtPlan *plan)
{
  xmlNode *metadata = sp_xml_add (root, "metadata", NULL);
  xmlNode *mark = sp_xml_add (metadata, "machine", "owner", plan->owner, NULL);

  xmlSetNs (mark, xmlNewNs (mark, (const xmlChar *) SP_LIBVIRT_NAMESPACE, (const xmlChar *) "sp"));
}

static void
add_machine (xmlNode *root, const SpLibvirtPlan *plan)
{
  const SpVmSpec *spec = plan->spec;
  g_autofree char *memory = g_strdup_printf ("%" G_GUINT64_FORMAT, spec->memory);
  g_autofree char *cpus = g_strdup_printf ("%u", spec->cpus);
  xmlNode *backing;

  sp_xml_add_text (root, "name", spec->name);
  sp_xml_add_text (root, "uuid", spec->id);
  add_mark (root, plan);
  (void) sp_xml_add (root, "genid", NULL);
  sp_xml_set (sp_xml_add_text (root, "memory", memory), "unit", "b");
  backing = sp_xml_add (root, "memoryBacking", NULL);
  (void) sp_xml_add (backing, "nosharepages", NULL);
  sp_xml_add_text (root, "vcpu", cpus);
}

static void
add_boot (xmlNode *root, const SpLibvirtPlan *plan)
{
  xmlNode *os = sp_xml_add (root, "os", NULL);
  xmlNode *type = sp_xml_add_text (os, "type", "hvm");

  sp_xml_set (type, "arch", "x86_64");
  sp_xml_set (type, "machine", "pc");
  if (plan->kernel != NULL)
    sp_xml_add_text (os, "kernel", plan->kernel);
  if (plan->initrd != NULL)
    sp_xml_add_text (os, "initrd", plan->initrd);
  if (plan->spec->cmdline != NULL)
    sp_xml_add_text (os, "cmdline", plan->spec->cmdline);
  if (plan->kernel == NULL)
    (void) sp_xml_add (os, "boot", "dev", "hd", NULL);
}

/* As vm-common's probe has tried it; see sp_qemu_cpu(). */
static void
add_cpu (xmlNode *root, const SpLibvirtPlan *plan)
{
  gboolean kvm = plan->acceleration == SP_VM_KVM;
  xmlNode *cpu =
      sp_xml_add (root, "cpu", "mode", kvm ? "host-passthrough" : "maximum", "check", "none", NULL);

  if (kvm)
    return;
  (void) sp_xml_add (cpu, "feature", "policy", "disable", "name", "erms", NULL);
  (void) sp_xml_add (cpu, "feature", "policy", "disable", "name", "la57", NULL);
}

static void
add_behaviour (xmlNode *root, const SpLibvirtPlan *plan)
{
  xmlNode *features = sp_xml_add (root, "features", NULL);
  xmlNode *clock;

  (void) sp_xml_add (features, "acpi", NULL);
  (void) sp_xml_add (features, "apic", NULL);
  (void) sp_xml_add (features, "vmport", "state", "off", NULL);
  if (plan->acceleration != SP_VM_KVM) {
    xmlNode *tcg = sp_xml_add (features, "tcg", NULL);
    g_autofree char *mib = g_strdup_printf ("%u", sp_qemu_translated_mib (plan->spec));

    sp_xml_set (sp_xml_add_text (tcg, "tb-cache", mib), "unit", "MiB");
  }
  add_cpu (root, plan);
  clock = sp_xml_add (root, "clock", "offset", "utc", NULL);
  (void) sp_xml_add (clock, "timer", "name", "hpet", "present", "no", NULL);
  sp_xml_add_text (root, "on_poweroff", "destroy");
  sp_xml_add_text (root, "on_reboot", "destroy");
  sp_xml_add_text (root, "on_crash", "destroy");
}

static void
add_disk (xmlNode *devices, const SpVmDisk *disk, gsize i)
{
  g_autofree char *group = sp_libvirt_disk_group (i);
  const char device[] = { 'v', 'd', (char) ('a' + i), '\0' };
  xmlNode *node = sp_xml_add (devices, "disk", "type", "file", "device", "disk", NULL);

  (void) sp_xml_add (node, "driver", "name", "qemu", "type",
                     disk->format == SP_VM_QCOW2 ? "qcow2" : "raw", NULL);
  (void) sp_xml_add (node, "source", "file", disk->path, "fdgroup", group, NULL);
  (void) sp_xml_add (node, "backingStore", NULL);
  (void) sp_xml_add (node, "target", "dev", device, "bus", "virtio", NULL);
  if (disk->read_only)
    (void) sp_xml_add (node, "readonly", NULL);
  sp_xml_add_text (node, "serial", disk->name);
}

static const struct {
  guint32 network;
  const char *type, *element, *attribute;
} interfaces[] = {
  { SP_VM_NETWORK_BRIDGE, "bridge", "source", "bridge" },
  { SP_VM_NETWORK_TAP, "ethernet", "target", "dev" },
  { SP_VM_NETWORK_NAMED, "network", "source", "network" },
};

/* With network = user there is none: see add_user_network(). */
static void
add_interface (xmlNode *devices, const SpVmSpec *spec)
{
  for (gsize i = 0; i < G_N_ELEMENTS (interfaces); i++) {
    xmlNode *node, *place;

    if (interfaces[i].network != spec->network)
      continue;
    node = sp_xml_add (devices, "interface", "type", interfaces[i].type, NULL);
    place = sp_xml_add (node, interfaces[i].element, interfaces[i].attribute, spec->bridge, NULL);
    if (spec->network == SP_VM_NETWORK_TAP)
      sp_xml_set (place, "managed", "no");
    if (spec->mac != NULL)
      (void) sp_xml_add (node, "mac", "address", spec->mac, NULL);
    (void) sp_xml_add (node, "model", "type", "virtio", NULL);
    (void) sp_xml_add (node, "rom", "enabled", "no", NULL);
  }
}

static void
add_socket (xmlNode *device, const char *path)
{
  (void) sp_xml_add (device, "source", "mode", "bind", "path", path, NULL);
}

static void
add_devices (xmlNode *root, const SpLibvirtPlan *plan)
{
  const SpVmSpec *spec = plan->spec;
  xmlNode *devices = sp_xml_add (root, "devices", NULL);
  xmlNode *rng;

  sp_xml_add_text (devices, "emulator", plan->emulator);
  for (gsize i = 0; i < spec->n_disks; i++)
    add_disk (devices, &spec->disks[i], i);
  (void) sp_xml_add (devices, "controller", "type", "usb", "model", "none", NULL);
  add_interface (devices, spec);
  add_socket (sp_xml_add (devices, "serial", "type", "unix", NULL), plan->console);
  if (spec->admin_socket != NULL) {
    xmlNode *channel = sp_xml_add (devices, "channel", "type", "unix", NULL);

    add_socket (channel, spec->admin_socket);
    (void) sp_xml_add (channel, "target", "type", "virtio", "name", SP_VM_ADMIN_PORT, NULL);
  }
  (void) sp_xml_add (devices, "memballoon", "model", "none", NULL);
  rng = sp_xml_add (devices, "rng", "model", "virtio", NULL);
  sp_xml_set (sp_xml_add_text (rng, "backend", "/dev/urandom"), "model", "random");
}

static void
add_label (xmlNode *root, const SpLibvirtPlan *plan)
{
  xmlNode *label;

  if (plan->label == NULL)
    return;
  label = sp_xml_add (root, "seclabel", "type", "static", "model", "dac", "relabel", "no", NULL);
  sp_xml_add_text (label, "label", plan->label);
}

/* ---- what libvirt has no elements for --------------------------------------------------------------- */

static void
add_pair (xmlNode *commandline, const char *option, const char *value)
{
  (void) sp_xml_add (commandline, "arg", "value", option, NULL);
  (void) sp_xml_add (commandline, "arg", "value", value, NULL);
}

/* libvirt 9.0 knows a user network, but no forwarded ports. */
static void
add_user_network (xmlNode *root, const SpLibvirtPlan *plan)
{
  const SpVmSpec *spec = plan->spec;
  xmlNs *qemu = xmlNewNs (root, (const xmlChar *) QEMU_NAMESPACE, (const xmlChar *) "qemu");
  g_autoptr (GString) netdev = g_string_new ("user,id=net0,ipv6=off");
  g_autofree char *device = g_strconcat ("virtio-net-pci,netdev=net0,romfile=,addr=" NET_PLACE,
                                         spec->mac != NULL ? ",mac=" : NULL, spec->mac, NULL);
  xmlNode *commandline = sp_xml_add (root, "commandline", NULL);

  for (gsize i = 0; i < spec->n_forwards; i++)
    g_string_append_printf (netdev, ",hostfwd=tcp:%s:%u-:%u", spec->forwards[i].address,
                            spec->forwards[i].port, spec->forwards[i].guest_port);
  xmlSetNs (commandline, qemu);
  add_pair (commandline, "-netdev", netdev->str);
  add_pair (commandline, "-device", device);
  (void) sp_xml_add (commandline, "env", "name", "LD_PRELOAD", "value", plan->guard, NULL);
  (void) sp_xml_add (commandline, "env", "name", SP_NETGUARD_RULES, "value", plan->rules, NULL);
  (void) sp_xml_add (commandline, "env", "name", SP_NETGUARD_SHOW, "value", "1", NULL);
}

/* ---- the whole -------------------------------------------------------------------------------------- */

char *
sp_libvirt_domain_xml (const SpLibvirtPlan *plan)
{
  g_autoptr (xmlDoc) doc = xmlNewDoc ((const xmlChar *) "1.0");
  xmlNode *root = xmlNewNode (NULL, (const xmlChar *) "domain");

  xmlDocSetRootElement (doc, root);
  sp_xml_set (root, "type", plan->acceleration == SP_VM_KVM ? "kvm" : "qemu");
  add_machine (root, plan);
  add_boot (root, plan);
  add_behaviour (root, plan);
  add_devices (root, plan);
  add_label (root, plan);
  if (plan->spec->network == SP_VM_NETWORK_USER)
    add_user_network (root, plan);
  return sp_xml_text (doc);
}
