/* room.c - room.h: the folder, the machine's parts, the disk in and out */
#include "host/audit/room.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/problem.h"
#include "base/user.h"
#include "host/image/judge.h"
#include "host/self.h"
#include "sp-build.h"

#define DISK_TOOL "/usr/bin/qemu-img"
#define SUPERMIN "/usr/bin/supermin"
#define PARTS "/usr/lib/x86_64-linux-gnu/guestfs/supermin.d"
#define MARK "README.fixed"
#define NAME "secret-proxy-audit-"
#define PURPOSE "audit"
#define ELSEWHERE "/var/tmp"
#define TOOL_SECONDS 600u
#define LOOK_SECONDS 1800u
#define CHUNK ((gsize) 64 << 20)

struct _SpAuditRoom {
  char *path;
  int lock;        /* held while it is in use */
  SpAuditRun *run; /* the session; NULL: none */
};

static gboolean
fail_errno (GError **error, const char *what, const char *path)
{
  int saved = errno;

  g_set_error (error, SP_PROBLEM, SP_PROBLEM_STORE, "cannot %s %s: %s", what, path,
               g_strerror (saved));
  return FALSE;
}

/* ---- the folder ------------------------------------------------------------------------------------------------ */

/* Whether a user that owns nothing gets as far as @path. */
static gboolean
is_open (const char *path)
{
  g_autofree char *at = g_canonicalize_filename (path, "/");
  struct stat st;

  for (;;) {
    char *slash;

    if (stat (at, &st) != 0 || (st.st_mode & S_IXOTH) == 0)
      return FALSE;
    slash = strrchr (at, '/');
    if (slash == at)
      return TRUE;
    *slash = 0;
  }
}

static void
remove_tree (int parent, const char *name)
{
  int fd = openat (parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  g_autofree char *path = fd >= 0 ? g_strdup_printf ("/proc/self/fd/%d", fd) : NULL;
  g_autoptr (GDir) dir = path ? g_dir_open (path, 0, NULL) : NULL;
  const char *entry;

  while (dir != NULL && (entry = g_dir_read_name (dir)) != NULL)
    if (unlinkat (fd, entry, 0) != 0)
      remove_tree (fd, entry);
  if (fd >= 0)
    (void) close (fd);
  (void) unlinkat (parent, name, AT_REMOVEDIR);
}

void
sp_audit_room_free (SpAuditRoom *room)
{
  if (room == NULL)
    return;
  g_clear_pointer (&room->run, sp_audit_run_free);
  if (room->path != NULL)
    remove_tree (AT_FDCWD, room->path);
  if (room->lock >= 0)
    (void) close (room->lock);
  g_free (room->path);
  g_free (room);
}

static char *
path_in (const SpAuditRoom *room, const char *name)
{
  return g_build_filename (room->path, name, NULL);
}

/* ---- what runs -------------------------------------------------------------------------------------------------- */

static gboolean
run_tool (const SpAuditJob *job, GError **error)
{
  g_autoptr (SpAuditRun) run = sp_audit_run_start (job, TOOL_SECONDS, error);

  return run != NULL && sp_audit_run_end (run, error);
}

gboolean
sp_audit_room_check (GError **error)
{
  g_autofree char *program = sp_audit_program (error);

  if (program == NULL)
    return FALSE;
  if (access (SUPERMIN, X_OK) == 0 && access (PARTS, R_OK) == 0)
    return TRUE;
  g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_CONFIG,
                       "there is no libguestfs: install the packages libguestfs0 and supermin");
  return FALSE;
}

/* From the host's own packages, before anything of a stranger's is there. */
static gboolean
make_machine (SpAuditRoom *room, GError **error)
{
  g_autofree char *to = path_in (room, "appliance");
  g_autofree char *mark = g_build_filename (to, MARK, NULL);
  const char *const argv[] = { SUPERMIN, "--build", "--copy-kernel",
                               "-f",     "ext2",    "--host-cpu",
                               "x86_64", "-o",      to,
                               PARTS,    NULL };
  const SpAuditJob job = { .argv = argv, .scratch = room->path };

  if (!run_tool (&job, error) || !g_file_set_contents (mark, "", 0, error)) {
    g_prefix_error_literal (error, "the machine that looks at disks can't be made: ");
    return FALSE;
  }
  return TRUE;
}

/* The folder is locked while a process uses it, so that another one knows which are left over. */
static int
lock_folder (const char *path)
{
  int fd = open (path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

  if (fd >= 0 && flock (fd, LOCK_EX | LOCK_NB) == 0)
    return fd;
  if (fd >= 0)
    (void) close (fd);
  return -1;
}

static void
sweep_one (const char *path)
{
  struct stat st;
  int fd = -1;

  if (lstat (path, &st) == 0 && st.st_uid == sp_user_for (PURPOSE))
    fd = lock_folder (path);
  if (fd < 0)
    return;
  remove_tree (AT_FDCWD, path);
  (void) close (fd);
}

static const char *
place_for (const char *beside)
{
  return is_open (beside) && access (beside, W_OK) == 0 ? beside : ELSEWHERE;
}

void
sp_audit_room_sweep (const char *beside)
{
  const char *place = place_for (beside);
  g_autoptr (GDir) dir = g_dir_open (place, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    if (g_str_has_prefix (name, NAME)) {
      g_autofree char *path = g_build_filename (place, name, NULL);

      sweep_one (path);
    }
}

static gboolean
make_folder (SpAuditRoom *room, const char *beside, GError **error)
{
  g_autofree char *template = g_build_filename (place_for (beside), NAME "XXXXXX", NULL);
  uid_t uid = sp_user_for (PURPOSE);

  if (g_mkdtemp_full (template, 0700) == NULL)
    return fail_errno (error, "make a folder beside", template);
  room->path = g_steal_pointer (&template);
  room->lock = lock_folder (room->path);
  if (room->lock < 0)
    return fail_errno (error, "lock", room->path);
  return geteuid () != 0 || chown (room->path, uid, uid) == 0 ||
         fail_errno (error, "give away", room->path);
}

SpAuditRoom *
sp_audit_room_new (const char *beside, GError **error)
{
  g_autoptr (SpAuditRoom) room = g_new0 (SpAuditRoom, 1);

  room->lock = -1;
  sp_audit_room_sweep (beside);
  return sp_audit_room_check (error) && make_folder (room, beside, error) &&
                 make_machine (room, error)
             ? g_steal_pointer (&room)
             : NULL;
}

/* ---- the disk --------------------------------------------------------------------------------------------------- */

static gboolean
copy_bytes (int from, int to, GError **error)
{
  loff_t at = 0;
  gssize n;

  while ((n = copy_file_range (from, &at, to, NULL, CHUNK, 0)) > 0)
    ;
  return n == 0 || fail_errno (error, "copy", "the disk");
}

static gboolean
check_header (int fd, GError **error)
{
  g_autoptr (GPtrArray) findings = sp_image_judge (fd, error);
  const SpImageFinding *first;

  if (findings == NULL || findings->len == 0)
    return findings != NULL;
  first = g_ptr_array_index (findings, 0);
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY, "it is refused (%s): %s", first->code,
               first->message);
  return FALSE;
}

/* A copy that the room's user can read and not write; what is checked is what is converted. */
static gboolean
bring_in (const char *path, int fd, gboolean of_stranger, GError **error)
{
  int copy = open (path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0444);
  gboolean ok = copy >= 0 ? copy_bytes (fd, copy, error) : fail_errno (error, "make", path);

  ok = ok && (fchmod (copy, 0444) == 0 || fail_errno (error, "show", path)) &&
       (!of_stranger || check_header (copy, error));
  if (copy >= 0)
    (void) close (copy);
  return ok;
}

gboolean
sp_audit_room_take_disk (SpAuditRoom *room, int fd, gboolean of_stranger, GError **error)
{
  const char *const argv[] = { DISK_TOOL,          "convert",        "-f", "qcow2", "-O", "raw",
                               "/room/disk.qcow2", "/room/disk.raw", NULL };
  const SpAuditJob job = { .argv = argv, .folder = room->path };
  g_autofree char *path = path_in (room, "disk.qcow2");
  gboolean ok = bring_in (path, fd, of_stranger, error) && run_tool (&job, error);

  (void) unlink (path);
  if (!ok)
    g_prefix_error_literal (error, "the disk can't be read: ");
  return ok;
}

/* A new file: the one in the room was somebody else's. */
static gboolean
take_out (const char *path, int folder, const char *name, GError **error)
{
  int from = open (path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), to;
  struct stat st;
  gboolean ok;

  if (from < 0 || fstat (from, &st) != 0 || !S_ISREG (st.st_mode)) {
    if (from >= 0)
      (void) close (from);
    return fail_errno (error, "take the disk out of", path);
  }
  to = openat (folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  ok = to >= 0 ? copy_bytes (from, to, error) : fail_errno (error, "make", name);
  /* This one stays; what is in the room need not outlive a power cut. */
  ok = ok && (fsync (to) == 0 || fail_errno (error, "write", name));
  (void) close (from);
  if (to >= 0)
    (void) close (to);
  return ok;
}

gboolean
sp_audit_room_give_disk (SpAuditRoom *room, int folder, const char *name, GError **error)
{
  const char *const argv[] = { DISK_TOOL,        "convert",          "-f", "raw", "-O", "qcow2",
                               "/room/disk.raw", "/room/disk.qcow2", NULL };
  const SpAuditJob job = { .argv = argv, .folder = room->path };
  g_autofree char *path = path_in (room, "disk.qcow2");

  return run_tool (&job, error) && take_out (path, folder, name, error);
}

/* ---- the session -------------------------------------------------------------------------------------------------- */

SpAuditTree *
sp_audit_room_look (SpAuditRoom *room, gboolean kvm, GError **error)
{
  const char *const argv[] = { "/audit", kvm ? "kvm" : "tcg", NULL };
  g_autofree char *program = sp_audit_program (error);
  const SpAuditJob job = { .argv = argv, .folder = room->path, .program = program };
  g_autofree char *text = NULL;

  if (program == NULL)
    return NULL;
  room->run = sp_audit_run_start (&job, LOOK_SECONDS, error);
  text = room->run ? sp_audit_run_read (room->run, "end ", SP_AUDIT_MAX_TREE, error) : NULL;
  return text ? sp_audit_tree_parse (text, strlen (text), error) : NULL;
}

gboolean
sp_audit_room_end (SpAuditRoom *room, const char *plan, GError **error)
{
  g_autoptr (SpAuditRun) run = g_steal_pointer (&room->run);
  g_autofree char *answer = NULL;

  if (plan == NULL)
    return sp_audit_run_end (run, error);
  if (!sp_audit_run_write (run, plan, error))
    return FALSE;
  answer = sp_audit_run_read (run, "done", 4096, error);
  return answer != NULL && sp_audit_run_end (run, error);
}
