/* test-domain.c - a specification as a definition of libvirt's: what the guest sees and what QEMU may do */
#include "domain.h"

#include "usual.h"
#include "xml.h"

static SpLibvirtPlan
usual_plan (const SpVmSpec *spec)
{
  return (SpLibvirtPlan){ .spec = spec,
                          .acceleration = SP_VM_EMULATED,
                          .emulator = "/usr/bin/qemu",
                          .owner = "12-345",
                          .kernel = "/b/kernel",
                          .initrd = "/b/initrd",
                          .console = "/s/console",
                          .label = "+61500:+107",
                          .guard = "/p/guard.so",
                          .rules = "80;127.0.0.53" };
}

/* Pairs of a path and the text that it finds; NULL as text: nothing is there. */
static void
assert_found (const SpLibvirtPlan *plan, const char *const pairs[][2], gsize n)
{
  g_autofree char *text = sp_libvirt_domain_xml (plan);
  g_autoptr (xmlDoc) doc = sp_xml_parse (text);

  g_assert_nonnull (doc);
  for (gsize i = 0; i < n; i++) {
    g_autofree char *found = sp_xml_find (doc, pairs[i][0]);

    if (g_strcmp0 (found, pairs[i][1]) != 0)
      g_error ("%s is '%s', not '%s', in %s", pairs[i][0], found, pairs[i][1], text);
  }
}

static void
test_usual (void)
{
  static const char *const pairs[][2] = {
    { "/domain/@type", "qemu" },
    { "/domain/name", "default" },
    { "/domain/uuid", "11111111-2222-4333-8444-555555555555" },
    { "/domain/memory[@unit='b']", "134217728" },
    { "/domain/vcpu", "1" },
    { "/domain/metadata/*[local-name()='machine']/@owner", "12-345" },
    { "/domain/os/kernel", "/b/kernel" },
    { "/domain/os/initrd", "/b/initrd" },
    { "/domain/os/cmdline", "quiet a,b=c" },
    { "/domain/features/acpi", "" },
    { "/domain/cpu/@mode", "maximum" },
    { "/domain/on_reboot", "destroy" },
    { "/domain/on_crash", "destroy" },
    { "/domain/devices/emulator", "/usr/bin/qemu" },
    { "/domain/devices/disk[1]/source/@file", "/v/root.img" },
    { "/domain/devices/disk[1]/source/@fdgroup", "disk0" },
    { "/domain/devices/disk[1]/target/@dev", "vda" },
    { "/domain/devices/disk[1]/driver/@type", "raw" },
    { "/domain/devices/disk[1]/readonly", "" },
    { "/domain/devices/disk[1]/serial", "root" },
    { "/domain/devices/disk[2]/source/@file", "/v/data \"1\",.qcow2" },
    { "/domain/devices/disk[2]/driver/@type", "qcow2" },
    { "/domain/devices/disk[2]/backingStore", "" },
    { "/domain/devices/disk[2]/readonly", NULL },
    { "/domain/devices/disk[3]", NULL },
    { "/domain/devices/serial/source/@path", "/s/console" },
    { "/domain/devices/channel/source[@mode='bind']/@path", "/v/admin.sock" },
    { "/domain/devices/channel/target[@type='virtio']/@name", SP_VM_ADMIN_PORT },
    { "/domain/devices/rng/backend", "/dev/urandom" },
    { "/domain/devices/memballoon/@model", "none" },
    { "/domain/devices/graphics", NULL },
    { "/domain/devices/interface", NULL },
    { "/domain/seclabel[@model='dac' and @relabel='no']/label", "+61500:+107" },
  };
  const SpVmSpec spec = usual_spec (SP_VM_OWNED);
  const SpLibvirtPlan plan = usual_plan (&spec);

  assert_found (&plan, pairs, G_N_ELEMENTS (pairs));
}

static void
test_kvm (void)
{
  static const char *const pairs[][2] = { { "/domain/@type", "kvm" },
                                          { "/domain/cpu/@mode", "host-passthrough" },
                                          { "/domain/cpu/feature", NULL } };
  const SpVmSpec spec = usual_spec (SP_VM_OWNED);
  SpLibvirtPlan plan = usual_plan (&spec);

  plan.acceleration = SP_VM_KVM;
  assert_found (&plan, pairs, G_N_ELEMENTS (pairs));
}

#define QEMU(what) "/domain/*[local-name()='commandline']/*[local-name()='" what "']"

static void
test_user_network_is_behind_the_guard (void)
{
  static const char *const pairs[][2] = {
    { QEMU ("arg") "[1]/@value", "-netdev" },
    { QEMU ("arg") "[2]/@value", "user,id=net0,ipv6=off,hostfwd=tcp:127.0.0.1:3737-:3737" },
    { QEMU ("arg") "[4]/@value", "virtio-net-pci,netdev=net0,romfile=,addr=0x10" },
    { QEMU ("arg") "[5]", NULL },
    { QEMU ("env") "[@name='LD_PRELOAD']/@value", "/p/guard.so" },
    { QEMU ("env") "[@name='SECRET_PROXY_NETGUARD']/@value", "80;127.0.0.53" },
    { QEMU ("env") "[@name='SECRET_PROXY_NETGUARD_SHOW']/@value", "1" },
  };
  const SpVmSpec spec = usual_spec (SP_VM_OWNED);
  const SpLibvirtPlan plan = usual_plan (&spec);

  assert_found (&plan, pairs, G_N_ELEMENTS (pairs));
}

static void
test_other_networks_are_elements (void)
{
  static const struct {
    guint32 network;
    const char *path;
  } cases[] = {
    { SP_VM_NETWORK_BRIDGE, "/domain/devices/interface[@type='bridge']/source/@bridge" },
    { SP_VM_NETWORK_TAP, "/domain/devices/interface[@type='ethernet']/target[@managed='no']/@dev" },
    { SP_VM_NETWORK_NAMED, "/domain/devices/interface[@type='network']/source/@network" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    const char *const pairs[][2] = {
      { cases[i].path, "net" },
      { "/domain/devices/interface/mac/@address", "52:54:00:12:34:56" },
      { "/domain/devices/interface/model/@type", "virtio" },
      { "/domain/devices/interface/rom/@enabled", "no" },
      { "/domain/*[local-name()='commandline']", NULL },
    };
    SpVmSpec spec = usual_spec (SP_VM_OWNED);
    const SpLibvirtPlan plan = usual_plan (&spec);

    spec.network = cases[i].network;
    spec.bridge = "net";
    spec.mac = "52:54:00:12:34:56";
    spec.n_forwards = 0;
    assert_found (&plan, pairs, G_N_ELEMENTS (pairs));
  }
}

/* What would be markup if it were pasted. */
static void
test_text_stays_text (void)
{
  static const char *const pairs[][2] = {
    { "/domain/os/cmdline", "a=</cmdline><x/> & ]]> \"'" },
    { "/domain/devices/disk[1]/source/@file", "/v/'><evil a=\"&quot;" },
    { "/domain/devices/evil", NULL },
  };
  static const SpVmDisk disk = { "/v/'><evil a=\"&quot;", "root", SP_VM_RAW, TRUE };
  SpVmSpec spec = usual_spec (SP_VM_OWNED);
  const SpLibvirtPlan plan = usual_plan (&spec);

  spec.cmdline = "a=</cmdline><x/> & ]]> \"'";
  spec.disks = &disk;
  spec.n_disks = 1;
  assert_found (&plan, pairs, G_N_ELEMENTS (pairs));
}

static void
test_without_what_is_not_wanted (void)
{
  static const char *const pairs[][2] = { { "/domain/os/kernel", NULL },
                                          { "/domain/os/boot/@dev", "hd" },
                                          { "/domain/devices/channel", NULL },
                                          { "/domain/seclabel", NULL } };
  SpVmSpec spec = usual_spec (SP_VM_OWNED);
  SpLibvirtPlan plan = usual_plan (&spec);

  spec.admin_socket = spec.cmdline = NULL;
  plan.kernel = plan.initrd = plan.label = NULL;
  assert_found (&plan, pairs, G_N_ELEMENTS (pairs));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/vm-libvirt/domain/usual", test_usual);
  g_test_add_func ("/vm-libvirt/domain/kvm", test_kvm);
  g_test_add_func ("/vm-libvirt/domain/user-network-is-behind-the-guard",
                   test_user_network_is_behind_the_guard);
  g_test_add_func ("/vm-libvirt/domain/other-networks-are-elements",
                   test_other_networks_are_elements);
  g_test_add_func ("/vm-libvirt/domain/text-stays-text", test_text_stays_text);
  g_test_add_func ("/vm-libvirt/domain/without-what-is-not-wanted",
                   test_without_what_is_not_wanted);
  return g_test_run ();
}
