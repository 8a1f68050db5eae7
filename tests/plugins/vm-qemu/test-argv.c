/* test-argv.c - what QEMU is told, word by word */
#include "argv.h"

#include <string.h>

#include "usual.h"

static char *
line_of (const SpVmSpec *spec, guint32 acceleration)
{
  g_auto (GStrv) argv = sp_qemu_argv ("qemu", spec, acceleration);

  return g_strjoinv ("\n", argv);
}

static void
assert_has (const SpVmSpec *spec, guint32 acceleration, const char *words)
{
  g_autofree char *line = line_of (spec, acceleration);
  g_autofree char *whole = g_strdup_printf ("\n%s\n", line);
  g_autofree char *part = g_strdup_printf ("\n%s\n", words);

  if (strstr (whole, part) == NULL)
    g_error ("'%s' is not in %s", words, line);
}

static void
assert_lacks (const SpVmSpec *spec, const char *text)
{
  g_autofree char *line = line_of (spec, SP_VM_EMULATED);

  if (strstr (line, text) != NULL)
    g_error ("'%s' is in %s", text, line);
}

static void
test_owned_whole (void)
{
  SpVmSpec spec = usual_spec (SP_VM_OWNED);
  g_autofree char *line = line_of (&spec, SP_VM_KVM);

  g_assert_cmpstr (
      line, ==,
      "qemu\n"
      "-name\ndefault\n"
      "-uuid\n11111111-2222-4333-8444-555555555555\n"
      "-S\n"
      "-nodefaults\n"
      "-no-user-config\n"
      "-machine\npc,dump-guest-core=off,mem-merge=off,usb=off,vmport=off,hpet=off,smbus=off,i8042="
      "off\n"
      "-accel\nkvm\n"
      "-cpu\nhost\n"
      "-m\n128M\n"
      "-smp\n1\n"
      "-sandbox\non,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny\n"
      "-display\nnone\n"
      "-vga\nnone\n"
      "-parallel\nnone\n"
      "-monitor\nnone\n"
      "-boot\nstrict=on\n"
      "-no-reboot\n"
      "-kernel\n/proc/self/fd/7\n"
      "-initrd\n/proc/self/fd/8\n"
      "-append\nquiet a,b=c\n"
      "-add-fd\nfd=11,set=0\n"
      "-blockdev\n{\"driver\":\"raw\",\"node-name\":\"disk0\",\"read-only\":true,"
      "\"file\":{\"driver\":\"file\",\"filename\":\"/dev/fdset/0\",\"read-only\":true}}\n"
      "-device\nvirtio-blk-pci,drive=disk0,serial=root\n"
      "-add-fd\nfd=12,set=1\n"
      "-blockdev\n{\"driver\":\"qcow2\",\"node-name\":\"disk1\",\"read-only\":false,\"backing\":"
      "null,"
      "\"file\":{\"driver\":\"file\",\"filename\":\"/dev/fdset/1\",\"read-only\":false}}\n"
      "-device\nvirtio-blk-pci,drive=disk1,serial=data\n"
      "-netdev\nuser,id=net0,ipv6=off,hostfwd=tcp:127.0.0.1:3737-:3737\n"
      "-device\nvirtio-net-pci,netdev=net0,romfile=\n"
      "-object\nrng-random,id=rng0,filename=/dev/urandom\n"
      "-device\nvirtio-rng-pci,rng=rng0\n"
      "-device\nvmgenid,guid=auto\n"
      "-chardev\nsocket,id=admin,fd=5,server=on,wait=off\n"
      "-device\nvirtio-serial-pci,max_ports=2\n"
      "-device\nvirtserialport,chardev=admin,name=org.secret-proxy.admin\n"
      "-chardev\nsocket,id=console,fd=4\n"
      "-serial\nchardev:console\n"
      "-chardev\nsocket,id=qmp,fd=3\n"
      "-mon\nchardev=qmp,mode=control");
}

static void
test_owned_names_no_path (void)
{
  SpVmSpec spec = usual_spec (SP_VM_OWNED);

  assert_lacks (&spec, "/v/");
  assert_lacks (&spec, "-pidfile");
  assert_lacks (&spec, "-daemonize");
}

static void
test_emulated (void)
{
  SpVmSpec spec = usual_spec (SP_VM_OWNED);

  assert_has (&spec, SP_VM_EMULATED, "-accel\ntcg,tb-size=64\n-cpu\nmax,erms=off,la57=off");
}

static void
test_provision (void)
{
  SpVmSpec spec = usual_spec (SP_VM_PROVISION);

  assert_has (&spec, SP_VM_EMULATED, "-kernel\n/v/vmlinuz\n-initrd\n/v/initrd");
  assert_has (&spec, SP_VM_EMULATED,
              "-chardev\nringbuf,id=console,size=65536\n-serial\nchardev:console");
  assert_has (&spec, SP_VM_EMULATED,
              "-chardev\nsocket,id=qmp,fd=3,server=on,wait=off\n-mon\nchardev=qmp,mode=control\n"
              "-pidfile\n/v/qemu.pid");
  assert_has (&spec, SP_VM_EMULATED,
              "-sandbox\non,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
  assert_lacks (&spec, "-add-fd");
}

/* The path of a disk may have any character, and must not mean anything else for that. */
static void
test_paths_are_quoted (void)
{
  SpVmSpec spec = usual_spec (SP_VM_PROVISION);

  assert_has (&spec, SP_VM_EMULATED,
              "-blockdev\n{\"driver\":\"qcow2\",\"node-name\":\"disk1\",\"read-only\":false,"
              "\"file\":{\"driver\":\"file\",\"filename\":\"/v/data \\u00221\\u0022,.qcow2\","
              "\"read-only\":false}}");
}

static void
test_without_a_kernel_the_first_disk_boots (void)
{
  SpVmSpec spec = usual_spec (SP_VM_PROVISION);

  spec.kernel = spec.initrd = spec.cmdline = NULL;
  assert_has (&spec, SP_VM_EMULATED, "virtio-blk-pci,drive=disk0,serial=root,bootindex=1");
  assert_has (&spec, SP_VM_EMULATED, "virtio-blk-pci,drive=disk1,serial=data");
  assert_lacks (&spec, "-kernel");
  assert_lacks (&spec, "-append");
}

/* And it is a descriptor as any other disk, which the guest may write to. */
static void
test_an_owned_machine_boots_from_a_disk_of_the_hosts (void)
{
  static const SpVmDisk system = { "/v/system.qcow2", "system", SP_VM_QCOW2, FALSE };
  SpVmSpec spec = usual_spec (SP_VM_OWNED);

  spec.kernel = spec.initrd = spec.cmdline = NULL;
  spec.disks = &system;
  spec.n_disks = 1;
  assert_has (
      &spec, SP_VM_EMULATED,
      "-blockdev\n{\"driver\":\"qcow2\",\"node-name\":\"disk0\",\"read-only\":false,\"backing\":"
      "null,\"file\":{\"driver\":\"file\",\"filename\":\"/dev/fdset/0\",\"read-only\":false}}\n"
      "-device\nvirtio-blk-pci,drive=disk0,serial=system,bootindex=1");
  assert_has (&spec, SP_VM_EMULATED, "-boot\nstrict=on");
  assert_has (&spec, SP_VM_EMULATED, "-accel\ntcg,tb-size=128");
  assert_lacks (&spec, "-kernel");
  assert_lacks (&spec, "/v/");
}

static void
test_tap (void)
{
  SpVmSpec spec = usual_spec (SP_VM_OWNED);

  spec.network = SP_VM_NETWORK_BRIDGE;
  spec.bridge = "br0";
  spec.mac = "52:54:00:12:34:56";
  spec.n_forwards = 0;
  assert_has (&spec, SP_VM_EMULATED, "-netdev\ntap,id=net0,fd=6");
  assert_has (&spec, SP_VM_EMULATED, "virtio-net-pci,netdev=net0,romfile=,mac=52:54:00:12:34:56");
  assert_lacks (&spec, "br0");
}

static void
test_without_an_admin_socket_there_is_no_port (void)
{
  SpVmSpec spec = usual_spec (SP_VM_OWNED);

  spec.admin_socket = NULL;
  assert_lacks (&spec, "virtio-serial");
  assert_lacks (&spec, "virtserialport");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/vm-qemu/argv/owned-whole", test_owned_whole);
  g_test_add_func ("/vm-qemu/argv/owned-names-no-path", test_owned_names_no_path);
  g_test_add_func ("/vm-qemu/argv/emulated", test_emulated);
  g_test_add_func ("/vm-qemu/argv/provision", test_provision);
  g_test_add_func ("/vm-qemu/argv/paths-are-quoted", test_paths_are_quoted);
  g_test_add_func ("/vm-qemu/argv/without-a-kernel-the-first-disk-boots",
                   test_without_a_kernel_the_first_disk_boots);
  g_test_add_func ("/vm-qemu/argv/an-owned-machine-boots-from-a-disk-of-the-hosts",
                   test_an_owned_machine_boots_from_a_disk_of_the_hosts);
  g_test_add_func ("/vm-qemu/argv/tap", test_tap);
  g_test_add_func ("/vm-qemu/argv/without-an-admin-socket-there-is-no-port",
                   test_without_an_admin_socket_there_is_no_port);
  return g_test_run ();
}
