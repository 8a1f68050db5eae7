/* session.c - session.h with guestfs(3)
 *
 * A launch takes seconds, so there is one for all.  What must stay true: the format is named, there is no
 * network, and nothing of the guest's is ever run.
 */
#include "host/audit/session.h"

#include <string.h>

#include "base/problem.h"
#include "host/audit/rules.h"

#define DEVICE "/dev/sda"
#define MOUNT_OPTIONS "noatime,nosuid,nodev,noexec"

void
sp_audit_session_free (SpAuditSession *session)
{
  if (session != NULL)
    guestfs_close (session);
}

gboolean
sp_audit_session_fail (SpAuditSession *session, const char *what, GError **error)
{
  const char *why = guestfs_last_error (session);

  g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY, "%s: %s", what,
               why ? why : "no reason given");
  return FALSE;
}

static gboolean
set_up (SpAuditSession *session, gboolean kvm)
{
  char force_tcg[] = "force_tcg";
  char *settings[] = { kvm ? NULL : force_tcg, NULL };

  guestfs_set_error_handler (session, NULL, NULL);
  return guestfs_set_backend (session, "direct") == 0 &&
         guestfs_set_backend_settings (session, settings) == 0 &&
         guestfs_set_network (session, 0) == 0 && guestfs_set_autosync (session, 1) == 0 &&
         guestfs_add_drive_opts (session, SP_AUDIT_DISK, GUESTFS_ADD_DRIVE_OPTS_FORMAT, "raw",
                                 GUESTFS_ADD_DRIVE_OPTS_CACHEMODE, "unsafe", -1) == 0;
}

SpAuditSession *
sp_audit_session_new (gboolean kvm, GError **error)
{
  g_autoptr (SpAuditSession) session = guestfs_create ();

  if (session == NULL) {
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_INTERNAL, "libguestfs can't be begun");
    return NULL;
  }
  if (!set_up (session, kvm) || guestfs_launch (session) != 0) {
    (void) sp_audit_session_fail (session, "the machine that looks at the disk does not start",
                                  error);
    return NULL;
  }
  return g_steal_pointer (&session);
}

gboolean
sp_audit_session_mount (SpAuditSession *session, const SpAuditTree *tree, guint number,
                        GError **error)
{
  const SpAuditPart *part = sp_audit_tree_part (tree, number);
  gboolean whole = g_str_equal (tree->table, "none");
  g_autofree char *device = whole ? g_strdup (DEVICE) : g_strdup_printf (DEVICE "%u", number);
  g_autofree char *what = g_strdup_printf ("partition %u can't be mounted", number);
  gboolean is_ext = g_str_equal (part->fs, "ext");

  if (guestfs_mount_vfs (session, is_ext ? MOUNT_OPTIONS : MOUNT_OPTIONS ",utf8",
                         is_ext ? "ext4" : "vfat", device, "/") == 0)
    return TRUE;
  return sp_audit_session_fail (session, what, error);
}

/* ---- the few small files whose content is wanted --------------------------------------------------------- */

static gboolean
keep (SpAuditSession *session, SpAuditTree *tree, const SpAuditEntry *entry, GError **error)
{
  size_t length = 0;
  char *content = guestfs_read_file (session, entry->path, &length);
  g_autoptr (GBytes) bytes = NULL;

  if (content == NULL)
    return sp_audit_session_fail (session, "a file can't be read", error);
  bytes = g_bytes_new (content, MIN (length, SP_AUDIT_MAX_KEPT));
  free (content);
  sp_audit_tree_keep (tree, entry->part, entry->path, bytes);
  return TRUE;
}

static gboolean
keep_all (SpAuditSession *session, SpAuditTree *tree, guint part, GError **error)
{
  for (guint i = 0; i < tree->entries->len; i++) {
    const SpAuditEntry *entry = g_ptr_array_index (tree->entries, i);

    if (entry->part == part && entry->type == SP_AUDIT_FILE && entry->size <= SP_AUDIT_MAX_KEPT &&
        sp_audit_rule_keeps (entry->path) && !keep (session, tree, entry, error))
      return FALSE;
  }
  return TRUE;
}

/* ---- where a boot loader looks that knows no file systems -------------------------------------------------- */

/* Numbers of blocks, and nothing else. */
static gboolean
is_list (const char *text)
{
  return *text != 0 && text[strspn (text, "0123456789 \n")] == 0;
}

/* Syslinux' first sector has the places of the blocks of ldlinux.sys in it: the file's content says nothing of
 * what lies there.  So they are part of what the file is, as an attribute of ours.  The words go through a shell;
 * none of them is the disk's. */
static gboolean
note_blocks (SpAuditSession *session, SpAuditTree *tree, SpAuditEntry *entry, GError **error)
{
  g_autofree char *device = g_str_equal (tree->table, "none")
                                ? g_strdup (DEVICE)
                                : g_strdup_printf (DEVICE "%u", entry->part);
  g_autofree char *command =
      g_strdup_printf ("debugfs -R 'blocks %s' %s 2>/dev/null", entry->path, device);
  char *argv[] = { command, NULL };
  char *blocks = guestfs_debug (session, "sh", argv);
  g_autofree char *sum = NULL;
  g_autofree char *before = g_steal_pointer (&entry->xattrs);

  if (blocks == NULL)
    return sp_audit_session_fail (session, "the boot loader's blocks can't be found", error);
  if (!is_list (blocks)) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY,
                 "the boot loader's blocks can't be found: %.200s", blocks);
    free (blocks);
    return FALSE;
  }
  sum = g_compute_checksum_for_string (G_CHECKSUM_SHA256, blocks, -1);
  free (blocks);
  entry->xattrs =
      g_strdup_printf ("%s%sblocks:%.32s", before ? before : "", before ? "," : "", sum);
  return TRUE;
}

static gboolean
note_all_blocks (SpAuditSession *session, SpAuditTree *tree, guint part, GError **error)
{
  const char *const places[] = { "/boot/extlinux/ldlinux.sys", "/boot/syslinux/ldlinux.sys",
                                 "/boot/ldlinux.sys",          "/extlinux/ldlinux.sys",
                                 "/syslinux/ldlinux.sys",      "/ldlinux.sys" };

  for (gsize i = 0; i < G_N_ELEMENTS (places); i++) {
    SpAuditEntry *entry = (SpAuditEntry *) sp_audit_tree_find (tree, part, places[i]);

    if (entry != NULL && entry->type == SP_AUDIT_FILE && !note_blocks (session, tree, entry, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
walk_part (SpAuditSession *session, SpAuditTree *tree, const SpAuditPart *part, GError **error)
{
  if (g_str_equal (part->fs, "raw"))
    return TRUE;
  if (!sp_audit_session_mount (session, tree, part->number, error) ||
      !sp_audit_walk (session, tree, part->number, error) ||
      !keep_all (session, tree, part->number, error))
    return FALSE;
  if (guestfs_umount_all (session) != 0)
    return sp_audit_session_fail (session, "a partition can't be unmounted", error);
  /* Not before, as what is mounted need not be whole on the disk. */
  return !g_str_equal (part->fs, "ext") || note_all_blocks (session, tree, part->number, error);
}

gboolean
sp_audit_session_walk (SpAuditSession *session, SpAuditTree *tree, GError **error)
{
  for (guint i = 0; i < tree->parts->len; i++)
    if (!walk_part (session, tree, g_ptr_array_index (tree->parts, i), error))
      return FALSE;
  return TRUE;
}
