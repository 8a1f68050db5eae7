/* argv.c - argv.h
 *
 * QEMU begins paused (-S): it must not run a guest before its acceleration and the network guard have been
 * seen to be there.
 *
 * What must stay true: no default devices, no file of the user's, a monitor only where the role says so; an
 * owned machine gets disks as descriptors and never opens another file because an image names it.
 */
#include "argv.h"

#include "probe.h"

#define MIB (1024u * 1024u)

static void
add (GPtrArray *argv, const char *option, const char *value)
{
  g_ptr_array_add (argv, g_strdup (option));
  if (value != NULL)
    g_ptr_array_add (argv, g_strdup (value));
}

static void
    G_GNUC_PRINTF (3, 4) add_format (GPtrArray *argv, const char *option, const char *format, ...)
{
  va_list list;

  va_start (list, format);
  g_ptr_array_add (argv, g_strdup (option));
  g_ptr_array_add (argv, g_strdup_vprintf (format, list));
  va_end (list);
}

/* ---- parts ------------------------------------------------------------------------------------------------ */

static void
add_machine (GPtrArray *argv, const SpVmSpec *spec, guint32 acceleration)
{
  add (argv, "-name", spec->name);
  add (argv, "-uuid", spec->id);
  add (argv, "-S", NULL);
  add (argv, "-nodefaults", NULL);
  add (argv, "-no-user-config", NULL);
  add (argv, "-machine",
       "pc,dump-guest-core=off,mem-merge=off,usb=off,vmport=off,hpet=off,smbus=off,i8042=off");
  if (acceleration == SP_VM_KVM)
    add (argv, "-accel", "kvm");
  else
    add_format (argv, "-accel", "tcg,tb-size=%u", sp_qemu_translated_mib (spec));
  add (argv, "-cpu", sp_qemu_cpu (acceleration));
  add_format (argv, "-m", "%" G_GUINT64_FORMAT "M", spec->memory / MIB);
  add_format (argv, "-smp", "%u", spec->cpus);
  add (argv, "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
  add (argv, "-display", "none");
  add (argv, "-vga", "none");
  add (argv, "-parallel", "none");
  add (argv, "-monitor", "none");
  add (argv, "-boot", "strict=on");
  add (argv, "-no-reboot", NULL);
}

static void
add_kernel (GPtrArray *argv, const SpVmSpec *spec)
{
  gboolean owned = spec->role == SP_VM_OWNED;

  if (spec->kernel == NULL)
    return;
  if (owned)
    add_format (argv, "-kernel", "/proc/self/fd/%d", SP_QEMU_FD_KERNEL);
  else
    add (argv, "-kernel", spec->kernel);
  if (spec->initrd != NULL && owned)
    add_format (argv, "-initrd", "/proc/self/fd/%d", SP_QEMU_FD_INITRD);
  else if (spec->initrd != NULL)
    add (argv, "-initrd", spec->initrd);
  if (spec->cmdline != NULL)
    add (argv, "-append", spec->cmdline);
}

/* As a JSON object, where a path may have any character.  An image of an owned machine must not name
 * another file: the host's own have no backing file. */
static void
add_blockdev (GPtrArray *argv, const SpVmSpec *spec, gsize i, const char *filename)
{
  const SpVmDisk *disk = &spec->disks[i];
  gboolean qcow2 = disk->format == SP_VM_QCOW2;
  GString *quoted = g_string_new (NULL);

  for (const char *p = filename; *p != '\0'; p++)
    if (*p == '"' || *p == '\\' || g_ascii_iscntrl (*p))
      g_string_append_printf (quoted, "\\u%04x", (guint) (guchar) *p);
    else
      g_string_append_c (quoted, *p);
  add_format (argv, "-blockdev",
              "{\"driver\":\"%s\",\"node-name\":\"disk%u\",\"read-only\":%s,%s"
              "\"file\":{\"driver\":\"file\",\"filename\":\"%s\",\"read-only\":%s}}",
              qcow2 ? "qcow2" : "raw", (guint) i, disk->read_only ? "true" : "false",
              qcow2 && spec->role == SP_VM_OWNED ? "\"backing\":null," : "", quoted->str,
              disk->read_only ? "true" : "false");
  g_string_free (quoted, TRUE);
}

static void
add_disks (GPtrArray *argv, const SpVmSpec *spec)
{
  for (gsize i = 0; i < spec->n_disks; i++) {
    g_autofree char *set = g_strdup_printf ("/dev/fdset/%u", (guint) i);
    gboolean owned = spec->role == SP_VM_OWNED;
    const char *boot = spec->kernel == NULL && i == 0 ? ",bootindex=1" : "";

    if (owned)
      add_format (argv, "-add-fd", "fd=%u,set=%u", SP_QEMU_FD_DISKS + (guint) i, (guint) i);
    add_blockdev (argv, spec, i, owned ? set : spec->disks[i].path);
    add_format (argv, "-device", "virtio-blk-pci,drive=disk%u,serial=%s%s", (guint) i,
                spec->disks[i].name, boot);
  }
}

static void
add_network (GPtrArray *argv, const SpVmSpec *spec)
{
  GString *netdev = g_string_new (NULL);

  if (spec->network == SP_VM_NETWORK_USER)
    g_string_append (netdev, "user,id=net0,ipv6=off");
  else
    g_string_append_printf (netdev, "tap,id=net0,fd=%d", SP_QEMU_FD_NET);
  for (gsize i = 0; i < spec->n_forwards; i++)
    g_string_append_printf (netdev, ",hostfwd=tcp:%s:%u-:%u", spec->forwards[i].address,
                            spec->forwards[i].port, spec->forwards[i].guest_port);
  add (argv, "-netdev", netdev->str);
  g_string_free (netdev, TRUE);
  add_format (argv, "-device", "virtio-net-pci,netdev=net0,romfile=%s%s",
              spec->mac != NULL ? ",mac=" : "", spec->mac != NULL ? spec->mac : "");
}

static void
add_small_devices (GPtrArray *argv, const SpVmSpec *spec)
{
  add (argv, "-object", "rng-random,id=rng0,filename=/dev/urandom");
  add (argv, "-device", "virtio-rng-pci,rng=rng0");
  add (argv, "-device", "vmgenid,guid=auto");
  if (spec->admin_socket == NULL)
    return;
  add_format (argv, "-chardev", "socket,id=admin,fd=%d,server=on,wait=off", SP_QEMU_FD_ADMIN);
  add (argv, "-device", "virtio-serial-pci,max_ports=2");
  add (argv, "-device", "virtserialport,chardev=admin,name=" SP_VM_ADMIN_PORT);
}

/* A console that nobody reads must not fill a file: a buffer, for who asks. */
static void
add_console_and_monitor (GPtrArray *argv, const SpVmSpec *spec)
{
  gboolean owned = spec->role == SP_VM_OWNED;

  if (owned)
    add_format (argv, "-chardev", "socket,id=" SP_QEMU_CONSOLE ",fd=%d", SP_QEMU_FD_CONSOLE);
  else
    add_format (argv, "-chardev", "ringbuf,id=" SP_QEMU_CONSOLE ",size=%d", SP_QEMU_CONSOLE_SIZE);
  add (argv, "-serial", "chardev:" SP_QEMU_CONSOLE);
  add_format (argv, "-chardev", "socket,id=qmp,fd=%d%s", SP_QEMU_FD_QMP,
              owned ? "" : ",server=on,wait=off");
  add (argv, "-mon", "chardev=qmp,mode=control");
  if (!owned)
    add (argv, "-pidfile", spec->pid_file);
}

/* ---- the whole -------------------------------------------------------------------------------------------- */

char **
sp_qemu_argv (const char *program, const SpVmSpec *spec, guint32 acceleration)
{
  g_autoptr (GPtrArray) argv = g_ptr_array_new ();

  add (argv, program, NULL);
  add_machine (argv, spec, acceleration);
  add_kernel (argv, spec);
  add_disks (argv, spec);
  add_network (argv, spec);
  add_small_devices (argv, spec);
  add_console_and_monitor (argv, spec);
  g_ptr_array_add (argv, NULL);
  return (char **) g_ptr_array_free (g_steal_pointer (&argv), FALSE);
}
