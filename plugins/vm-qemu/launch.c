/* launch.c - launch.h: descriptors
 *
 * What must stay true: an owned machine's QEMU opens no file of the vault by its name; the files stay
 * root's, 0600.
 */
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "argv.h"
#include "guard.h"
#include "network.h"
#include "ports.h"
#include "user.h"
#include "wait.h"

#define EXPLAIN_MS 500u

/* ---- files ------------------------------------------------------------------------------------------------ */

static gboolean
give_file (SpQemuSpawn *spawn, const char *path, int flags, int to, struct stat *ret_st,
           GError **error)
{
  int fd = open (path, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

  if (fd < 0 || fstat (fd, ret_st) != 0) {
    g_set_error (error, SP_ERROR, SP_ERROR_CONFIG, "cannot open %s: %s", path, g_strerror (errno));
    if (fd >= 0)
      (void) close (fd);
    return FALSE;
  }
  sp_qemu_spawn_give (spawn, fd, to);
  if (S_ISREG (ret_st->st_mode) || S_ISBLK (ret_st->st_mode))
    return TRUE;
  g_set_error (error, SP_ERROR, SP_ERROR_CONFIG, "%s is no regular file and no block device", path);
  return FALSE;
}

/* QEMU opens it anew through the descriptor, so its user must be able to read it. */
static gboolean
give_boot_file (SpQemuSpawn *spawn, const char *path, int to, GError **error)
{
  struct stat st;

  if (path == NULL)
    return TRUE;
  if (!give_file (spawn, path, O_RDONLY, to, &st, error))
    return FALSE;
  if (spawn->user == geteuid () || (st.st_mode & S_IROTH) != 0)
    return TRUE;
  g_set_error (error, SP_ERROR, SP_ERROR_CONFIG,
               "%s can't be read by QEMU, which runs as a user of its own: run chmod o+r %s", path,
               path);
  return FALSE;
}

static gboolean
give_files (SpQemuSpawn *spawn, const SpVmSpec *spec, GError **error)
{
  struct stat st;

  if (!give_boot_file (spawn, spec->kernel, SP_QEMU_FD_KERNEL, error) ||
      !give_boot_file (spawn, spec->initrd, SP_QEMU_FD_INITRD, error))
    return FALSE;
  for (gsize i = 0; i < spec->n_disks; i++)
    if (!give_file (spawn, spec->disks[i].path, spec->disks[i].read_only ? O_RDONLY : O_RDWR,
                    SP_QEMU_FD_DISKS + (int) i, &st, error))
      return FALSE;
  return TRUE;
}

/* ---- sockets ---------------------------------------------------------------------------------------------- */

static int
give_pair (SpQemuSpawn *spawn, int to, GError **error)
{
  int pair[2];

  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
    g_set_error (error, SP_ERROR, SP_ERROR_UNAVAILABLE, "cannot make a socket pair: %s",
                 g_strerror (errno));
    return -1;
  }
  sp_qemu_spawn_give (spawn, pair[1], to);
  return pair[0];
}

/* By way of the folder's descriptor, since a socket's path may have 107 bytes only. */
static gboolean
bind_in_folder (int fd, int folder, const char *name)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int length =
      g_snprintf (address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", folder, name);

  if (length >= (int) sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return FALSE;
  }
  return (unlinkat (folder, name, 0) == 0 || errno == ENOENT) &&
         bind (fd, (struct sockaddr *) &address, sizeof address) == 0 &&
         fchmodat (folder, name, 0600, 0) == 0 && listen (fd, 1) == 0;
}

static gboolean
give_listener (SpQemuSpawn *spawn, const char *path, int to, GError **error)
{
  g_autofree char *dir = path != NULL ? g_path_get_dirname (path) : NULL;
  g_autofree char *name = path != NULL ? g_path_get_basename (path) : NULL;
  int folder, fd;
  gboolean ok;

  if (path == NULL)
    return TRUE;
  folder = open (dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
  fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ok = folder >= 0 && fd >= 0 && bind_in_folder (fd, folder, name);
  if (!ok)
    g_set_error (error, SP_ERROR, SP_ERROR_CONFIG, "cannot listen on %s: %s", path,
                 g_strerror (errno));
  if (fd >= 0)
    sp_qemu_spawn_give (spawn, fd, to);
  if (folder >= 0)
    (void) close (folder);
  return ok;
}

/* ---- the network ------------------------------------------------------------------------------------------ */

static gboolean
give_network (const SpQemu *qemu, SpQemuSpawn *spawn, const SpVmSpec *spec, SpQemuLaunch *launch,
              GError **error)
{
  int tap;

  if (spec->network == SP_VM_NETWORK_USER) {
    if (!sp_qemu_ports_check (spec, error))
      return FALSE;
    launch->guard = sp_qemu_guard_arm (spawn, qemu->ports, error);
    return launch->guard >= 0;
  }
  tap = sp_qemu_network_open_tap (spec, error);
  if (tap >= 0)
    sp_qemu_spawn_give (spawn, tap, SP_QEMU_FD_NET);
  return tap >= 0;
}

/* ---- the whole -------------------------------------------------------------------------------------------- */

static SpQemuSpawn *
spawn_new (const SpQemu *qemu, const SpVmSpec *spec, guint32 acceleration)
{
  gboolean owned = spec->role == SP_VM_OWNED;
  g_autofree char *purpose = g_strconcat ("vm/", spec->id, NULL);
  SpQemuSpawn *spawn = sp_qemu_spawn_new (owned ? sp_qemu_user (purpose) : geteuid ());

  spawn->bound = owned;
  spawn->argv = sp_qemu_argv (qemu->program, spec, acceleration);
  if (acceleration == SP_VM_KVM)
    sp_qemu_spawn_allow_kvm (spawn);
  return spawn;
}

static gboolean
prepare (const SpQemu *qemu, SpQemuSpawn *spawn, const SpVmSpec *spec, SpQemuLaunch *launch,
         GError **error)
{
  if (!give_network (qemu, spawn, spec, launch, error) ||
      !give_listener (spawn, spec->admin_socket, SP_QEMU_FD_ADMIN, error))
    return FALSE;
  if (spec->role != SP_VM_OWNED)
    return give_listener (spawn, spec->monitor, SP_QEMU_FD_QMP, error);
  launch->qmp = give_pair (spawn, SP_QEMU_FD_QMP, error);
  if (launch->qmp >= 0)
    launch->console = give_pair (spawn, SP_QEMU_FD_CONSOLE, error);
  return launch->console >= 0 && give_files (spawn, spec, error);
}

static void
close_ends (SpQemuLaunch *launch)
{
  int *const ends[] = { &launch->qmp, &launch->console, &launch->guard };

  for (gsize i = 0; i < G_N_ELEMENTS (ends); i++)
    if (*ends[i] >= 0) {
      (void) close (*ends[i]);
      *ends[i] = -1;
    }
}

gboolean
sp_qemu_launch (const SpQemu *qemu, const SpVmSpec *spec, guint32 acceleration, SpQemuEnded ended,
                gpointer data, SpQemuLaunch *ret_launch, GError **error)
{
  g_autoptr (SpQemuSpawn) spawn = spawn_new (qemu, spec, acceleration);

  *ret_launch = (SpQemuLaunch){ NULL, -1, -1, -1 };
  if (prepare (qemu, spawn, spec, ret_launch, error))
    ret_launch->process = sp_qemu_process_start (spawn, ended, data, error);
  if (ret_launch->process != NULL)
    return TRUE;
  close_ends (ret_launch);
  return FALSE;
}

static gboolean
has_ended (gpointer process)
{
  return sp_qemu_process_has_ended (process);
}

void
sp_qemu_launch_explain (SpQemuProcess *process, GError **error)
{
  g_autofree char *how = NULL;

  if (!sp_qemu_wait (NULL, EXPLAIN_MS, has_ended, process))
    return;
  how = sp_qemu_process_how (process);
  g_clear_error (error);
  g_set_error (error, SP_ERROR, SP_ERROR_UNAVAILABLE, "QEMU %s", how);
}
