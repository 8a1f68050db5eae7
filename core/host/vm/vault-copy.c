/* vault-copy.c - vault-copy.h
 *
 * What must stay true: a copy that has the name `before` is whole and on the disk; whatever moment putting
 * it back is interrupted at, doing it again ends with the same files.
 */
#include "host/vm/vault-copy.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/problem.h"
#include "host/resident/anchor.h"
#include "host/vm/room.h"
#include "host/vm/vault-record.h"

#define BEFORE "before"
#define DRAFT "before.new"
#define ANCHOR "anchor"
#define MAX_ANCHOR 4096u
#define STAT_BLOCK 512u

static gboolean
fail (GError **error, const char *what)
{
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_STORE, "cannot %s: %s", what, g_strerror (errno));
  return FALSE;
}

static int
open_part (int folder, const char *name)
{
  return openat (folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static void
drop (int folder, const char *name)
{
  static const char *const files[] = { "vault.json", ANCHOR, SP_VAULT_DATA };
  int part = open_part (folder, name);

  if (part < 0)
    return;
  /* The record first: without it nobody takes what is left for a copy. */
  for (gsize i = 0; i < G_N_ELEMENTS (files); i++)
    (void) unlinkat (part, files[i], 0);
  (void) close (part);
  (void) unlinkat (folder, name, AT_REMOVEDIR);
}

/* ---- the data volume ------------------------------------------------------------------------------------ */

static gboolean
copy_range (int in, int out, off_t from, off_t to)
{
  off_t at = from;

  while (from < to) {
    ssize_t n = copy_file_range (in, &from, out, &at, (size_t) (to - from), 0);

    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return FALSE;
  }
  return TRUE;
}

/* Holes stay holes. */
static gboolean
copy_data (int in, int out, off_t size)
{
  off_t from = lseek (in, 0, SEEK_DATA);

  while (from >= 0 && from < size) {
    off_t to = lseek (in, from, SEEK_HOLE);

    if (to < 0 || !copy_range (in, out, from, MIN (to, size)))
      return FALSE;
    from = lseek (in, to, SEEK_DATA);
  }
  /* There is no more data. */
  return from >= 0 || errno == ENXIO;
}

static gboolean
copy_volume (int in, int out, char **ret_message, GError **error)
{
  struct stat st;
  guint64 taken;

  if (fstat (in, &st) != 0 || !S_ISREG (st.st_mode)) {
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_STORE,
                         SP_VAULT_DATA " is no file, so there can be no copy: see --no-copy");
    return FALSE;
  }
  taken = (guint64) st.st_blocks * STAT_BLOCK;
  if (ioctl (out, FICLONE, in) == 0) {
    *ret_message = g_strdup ("data volume and anchor, sharing their blocks");
    return fsync (out) == 0 || fail (error, "flush the copy");
  }
  if (!sp_room_check (out, taken, "a copy of the data volume",
                      ", or do without a way back for the data with --no-copy", error))
    return FALSE;
  if (ftruncate (out, st.st_size) != 0 || !copy_data (in, out, st.st_size) || fsync (out) != 0)
    return fail (error, "copy the data volume");
  *ret_message = g_strdup_printf ("data volume and anchor, %.1f MB", (double) taken / 1e6);
  return TRUE;
}

static gboolean
make_volume (int folder, int draft, char **ret_message, GError **error)
{
  int in = openat (folder, SP_VAULT_DATA, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  int out =
      openat (draft, SP_VAULT_DATA, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  gboolean ok = (in >= 0 && out >= 0) || fail (error, "open the data volume and a copy of it");

  ok = ok && copy_volume (in, out, ret_message, error);
  if (in >= 0)
    (void) close (in);
  if (out >= 0)
    (void) close (out);
  return ok;
}

/* ---- making it -------------------------------------------------------------------------------------------- */

/* A vault that was never unlocked has none; then there is none afterwards. */
static gboolean
copy_anchor (int from, int to, GError **error)
{
  g_autoptr (GError) local = NULL;
  g_autoptr (SpSecret) text = sp_file_read_private (from, ANCHOR, MAX_ANCHOR, &local);

  if (text != NULL)
    return sp_file_write_private (to, ANCHOR, SP_FILE_REPLACE, sp_secret_data (text),
                                  sp_secret_length (text), error);
  if (!g_error_matches (local, SP_PROBLEM, SP_PROBLEM_NOT_FOUND)) {
    g_propagate_error (error, g_steal_pointer (&local));
    return FALSE;
  }
  return unlinkat (to, ANCHOR, 0) == 0 || errno == ENOENT || fail (error, "remove the anchor");
}

gboolean
sp_vault_copy_make (int folder, char **ret_message, GError **error)
{
  g_autoptr (SpVaultRecord) record = sp_vault_record_read (folder, error);
  int draft;
  gboolean ok;

  if (record == NULL)
    return FALSE;
  drop (folder, DRAFT);
  draft = mkdirat (folder, DRAFT, 0700) == 0 ? open_part (folder, DRAFT) : -1;
  if (draft < 0)
    return fail (error, "make the folder " DRAFT);
  ok = make_volume (folder, draft, ret_message, error) && copy_anchor (folder, draft, error) &&
       sp_vault_record_write (record, draft, error);
  (void) close (draft);
  if (!ok)
    drop (folder, DRAFT);
  return ok;
}

gboolean
sp_vault_copy_adopt (int folder, GError **error)
{
  int draft = open_part (folder, DRAFT);

  drop (folder, BEFORE);
  if (draft < 0)
    return TRUE;
  (void) close (draft);
  return (renameat (folder, DRAFT, folder, BEFORE) == 0 && fsync (folder) == 0) ||
         fail (error, "give the copy its name");
}

/* ---- looking at it ----------------------------------------------------------------------------------------- */

gboolean
sp_vault_copy_is_of (int folder, const char *image)
{
  int part = open_part (folder, BEFORE);
  g_autoptr (SpVaultRecord) record = part >= 0 ? sp_vault_record_read (part, NULL) : NULL;
  gboolean is = record != NULL && image != NULL && g_str_equal (record->image, image) &&
                faccessat (part, SP_VAULT_DATA, F_OK, AT_SYMLINK_NOFOLLOW) == 0;

  if (part >= 0)
    (void) close (part);
  return is;
}

static guint64
entries_of (int folder)
{
  g_autoptr (SpAnchor) anchor = sp_anchor_open (folder, NULL);
  const char *head;
  guint64 seq = 0;

  return anchor != NULL && sp_anchor_get (anchor, &seq, &head) ? seq : 0;
}

static guint64
age_of (int folder, const char *name)
{
  int part = open_part (folder, name);
  guint64 now = entries_of (folder), then = part >= 0 ? entries_of (part) : now;

  if (part >= 0)
    (void) close (part);
  return now > then ? now - then : 0;
}

guint64
sp_vault_copy_age (int folder)
{
  return age_of (folder, BEFORE);
}

/* A vault that opens its store writes down that it did. */
void
sp_vault_copy_undo (int folder)
{
  if (age_of (folder, DRAFT) == 0 || !sp_vault_copy_adopt (folder, NULL))
    drop (folder, DRAFT);
}

/* ---- putting it back ------------------------------------------------------------------------------------------ */

static gboolean
is_there (int folder, const char *name)
{
  return faccessat (folder, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Two renames: where only the first one was done there is no data volume, and nothing starts. */
static gboolean
exchange (int folder, int part, GError **error)
{
  if (!is_there (part, SP_VAULT_DATA))
    return TRUE;
  if (is_there (folder, SP_VAULT_DATA) &&
      renameat (folder, SP_VAULT_DATA, folder, SP_VAULT_AFTER) != 0)
    return fail (error, "put the data of now aside");
  if (renameat (part, SP_VAULT_DATA, folder, SP_VAULT_DATA) != 0)
    return fail (error, "put the data volume back");
  return (fsync (folder) == 0 && fsync (part) == 0) || fail (error, "flush the folder");
}

gboolean
sp_vault_copy_restore (int folder, GError **error)
{
  int part = open_part (folder, BEFORE);
  gboolean ok;

  if (part < 0)
    return fail (error, "open the folder " BEFORE);
  ok = exchange (folder, part, error) && copy_anchor (part, folder, error);
  (void) close (part);
  return ok;
}

void
sp_vault_copy_finish (int folder)
{
  drop (folder, BEFORE);
  (void) unlinkat (folder, SP_VAULT_AFTER, 0);
}
