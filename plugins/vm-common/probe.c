/* probe.c - probe.h */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "process.h"
#include "user.h"
#include "wait.h"

#define FIRMWARE_SIZE 65536
#define RESET_VECTOR 0xfff0
#define FIRMWARE_FD 3
#define KVM_MS 3000u
#define EMULATED_MS 15000u /* a busy machine emulates slowly */
#define EXIT_STATUS (0x2a * 2 + 1)

/* A distribution's boot runs more code than an appliance's, and what is thrown away is translated again: with
 * 64 MiB its boots took an eighth more of a processor than with 99. */
guint
sp_qemu_translated_mib (const SpVmSpec *spec)
{
  return spec->kernel != NULL ? 64 : 128;
}

/* Emulated, instructions for whole strings go on byte by byte where a processor says that they are fast
 * (erms), and every look-up of a page takes one step more (la57): without them a boot takes a sixth less
 * time. */
const char *
sp_qemu_cpu (guint32 acceleration)
{
  return acceleration == SP_VM_KVM ? "host" : "max,erms=off,la57=off";
}

extern const guint8 sp_qemu_guest_start[], sp_qemu_guest_end[];

/* ---- one guest -------------------------------------------------------------------------------------------- */

/* The guest, and at the place where a CPU begins a jump to it. */
static int
make_firmware (GError **error)
{
  static const guint8 jump[] = { 0xea, 0x00, 0x00, 0x00, 0xf0 };
  g_autofree guint8 *image = g_malloc0 (FIRMWARE_SIZE);
  int fd = memfd_create ("probe", MFD_CLOEXEC);

  memcpy (image, sp_qemu_guest_start, (gsize) (sp_qemu_guest_end - sp_qemu_guest_start));
  memcpy (image + RESET_VECTOR, jump, sizeof jump);
  if (fd >= 0 && write (fd, image, FIRMWARE_SIZE) == FIRMWARE_SIZE)
    return fd;
  g_set_error (error, SP_ERROR, SP_ERROR_UNAVAILABLE, "cannot make the probe's firmware: %s",
               g_strerror (errno));
  if (fd >= 0)
    (void) close (fd);
  return -1;
}

static char **
make_argv (const char *program, guint32 acceleration)
{
  const char *const argv[] = {
    program,
    "-nodefaults",
    "-no-user-config",
    "-machine",
    "pc,dump-guest-core=off,usb=off,vmport=off,hpet=off,smbus=off,i8042=off",
    "-accel",
    acceleration == SP_VM_KVM ? "kvm" : "tcg,tb-size=4",
    "-cpu",
    sp_qemu_cpu (acceleration),
    "-m",
    "4M",
    "-sandbox",
    "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
    "-display",
    "none",
    "-vga",
    "none",
    "-no-reboot",
    "-bios",
    "/proc/self/fd/" G_STRINGIFY (FIRMWARE_FD),
    "-device",
    "isa-debug-exit,iobase=0xf4,iosize=1",
    NULL
  };

  return g_strdupv ((char **) argv);
}

static gboolean
has_ended (gpointer process)
{
  return sp_qemu_process_has_ended (process);
}

static gboolean
run_guest (const char *program, guint32 acceleration, guint ms, GCancellable *cancellable,
           GError **error)
{
  g_autoptr (SpQemuSpawn) spawn = sp_qemu_spawn_new (sp_qemu_user ("vm/probe"));
  g_autoptr (SpQemuProcess) process = NULL;
  g_autofree char *how = NULL;
  int firmware = make_firmware (error);

  if (firmware < 0)
    return FALSE;
  sp_qemu_spawn_give (spawn, firmware, FIRMWARE_FD);
  spawn->argv = make_argv (program, acceleration);
  spawn->bound = TRUE;
  if (acceleration == SP_VM_KVM)
    sp_qemu_spawn_allow_kvm (spawn);
  process = sp_qemu_process_start (spawn, NULL, NULL, error);
  if (process == NULL)
    return FALSE;
  if (!sp_qemu_wait (cancellable, ms, has_ended, process)) {
    g_set_error (error, SP_ERROR, SP_ERROR_UNAVAILABLE, "it did not end within %u ms", ms);
    return FALSE;
  }
  if (sp_qemu_process_status (process) == EXIT_STATUS)
    return TRUE;
  how = sp_qemu_process_how (process);
  g_set_error (error, SP_ERROR, SP_ERROR_UNAVAILABLE, "QEMU %s", how);
  return FALSE;
}

/* ---- what is said of it ----------------------------------------------------------------------------------- */

/* The first line of `qemu --version`. */
static char *
find_version (const char *program, GError **error)
{
  const char *const argv[] = { program, "--version", NULL };
  g_autoptr (GError) local = NULL;
  g_autoptr (GSubprocess) child = g_subprocess_newv (argv, G_SUBPROCESS_FLAGS_STDOUT_PIPE, &local);
  g_autoptr (GBytes) head = NULL;
  g_autofree char *text = NULL;

  if (child == NULL) {
    g_set_error (error, SP_ERROR, SP_ERROR_CONFIG,
                 "there is no QEMU: %s; install qemu-system-x86, or name the program with `qemu`",
                 local->message);
    return NULL;
  }
  head = g_input_stream_read_bytes (g_subprocess_get_stdout_pipe (child), 512, NULL, NULL);
  g_subprocess_force_exit (child);
  text = head != NULL ? g_strndup (g_bytes_get_data (head, NULL), g_bytes_get_size (head))
                      : g_strdup ("");
  text[strcspn (text, "\n")] = '\0';
  return g_utf8_make_valid (text, -1);
}

/* NULL: a guest runs with KVM. */
static char *
find_fault_of_kvm (SpHost *host, const char *program, GCancellable *cancellable)
{
  g_autoptr (GError) why = NULL;
  int fd = open ("/dev/kvm", O_RDWR | O_CLOEXEC);

  if (fd < 0)
    return g_strdup_printf ("/dev/kvm can't be opened (%s)", g_strerror (errno));
  (void) close (fd);
  host->api->progress (host, "running a tiny guest with KVM");
  if (run_guest (program, SP_VM_KVM, KVM_MS, cancellable, &why))
    return NULL;
  return g_strdup_printf ("/dev/kvm opens, but a tiny guest with the host's CPU model does not run "
                          "under KVM (%s); other models are not tried, as a kernel may hang there",
                          why->message);
}

gboolean
sp_qemu_probe (SpHost *host, const char *program, const char *no_kvm, SpVmProbe *ret_probe,
               GCancellable *cancellable, GError **error)
{
  g_autofree char *version = find_version (program, error);
  g_autofree char *fault = g_strdup (no_kvm);

  if (version == NULL)
    return FALSE;
  if (fault == NULL)
    fault = find_fault_of_kvm (host, program, cancellable);
  if (fault == NULL) {
    ret_probe->why = g_strdup ("a tiny guest with the host's CPU model ran under KVM");
    ret_probe->acceleration = SP_VM_KVM;
  } else {
    host->api->progress (host, "running a tiny guest, emulated");
    if (!run_guest (program, SP_VM_EMULATED, EMULATED_MS, cancellable, error)) {
      g_prefix_error (error, "no guest runs here: %s, and emulation fails: ", fault);
      return FALSE;
    }
    ret_probe->why = g_strdup_printf ("%s; emulation works, and isolates nothing", fault);
    ret_probe->acceleration = SP_VM_EMULATED;
  }
  ret_probe->version = g_steal_pointer (&version);
  return TRUE;
}
