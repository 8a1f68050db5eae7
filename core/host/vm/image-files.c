/* image-files.c - image-files.h */
#include "host/vm/image-files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/problem.h"
#include "host/takeover/journal.h"

#define DRAFT SP_IMAGE_DRAFT
#define OUT "image.out"
#define BACK "image.back"
#define BEFORE "image.before"
#define RECORD "vault.json"
#define STAT_BLOCK 512u

/* All that may lie in one of the folders.  A seed is only ever among those to come: it goes with the first boot. */
static const char *const names[] = { SP_VAULT_SEED, SP_VAULT_SSH_HOSTS, SP_VAULT_SYSTEM };

static gboolean
fail (GError **error, const char *what, const char *name)
{
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_STORE, "cannot %s %s: %s", what, name,
               g_strerror (errno));
  return FALSE;
}

static int
open_part (int folder, const char *name)
{
  return openat (folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static void
shut (int fd)
{
  if (fd >= 0)
    (void) close (fd);
}

static gboolean
is_there (int folder, const char *name)
{
  return folder >= 0 && faccessat (folder, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void
drop (int folder, const char *name)
{
  int part = open_part (folder, name);

  if (part < 0)
    return;
  /* The record first: without it nobody takes what is left for a way back. */
  (void) unlinkat (part, RECORD, 0);
  (void) sp_takeover_folder_clear (part, NULL);
  shut (part);
  (void) unlinkat (folder, name, AT_REMOVEDIR);
}

static gboolean
flush (int folder, GError **error)
{
  return fsync (folder) == 0 || fail (error, "flush", "the vault's folder");
}

/* ---- what there is ----------------------------------------------------------------------------------------- */

int
sp_image_files_draft (int folder, GError **error)
{
  int part;

  drop (folder, DRAFT);
  part = mkdirat (folder, DRAFT, 0700) == 0 ? open_part (folder, DRAFT) : -1;
  if (part < 0)
    fail (error, "make the folder", DRAFT);
  return part;
}

void
sp_image_files_drop_draft (int folder)
{
  drop (folder, DRAFT);
}

guint64
sp_image_files_taken (int folder, const char *name)
{
  struct stat st;

  return fstatat (folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? (guint64) st.st_blocks * STAT_BLOCK
                                                               : 0;
}

static SpVaultRecord *
record_in (int folder, const char *name)
{
  int part = open_part (folder, name);
  SpVaultRecord *record = part >= 0 ? sp_vault_record_read (part, NULL) : NULL;

  shut (part);
  return record;
}

/* Where it is made of something else than the disk of now it needs its own, or that one would go by its name. */
static gboolean
has_disk (int folder, const SpVaultRecord *before)
{
  g_autoptr (SpVaultRecord) now = sp_vault_record_read (folder, NULL);
  int part = open_part (folder, BEFORE);
  gboolean has = is_there (part, SP_VAULT_SYSTEM);

  shut (part);
  return has ||
         (now != NULL && g_strcmp0 (now->base, before->base) == 0 &&
          g_strcmp0 (now->bundle, before->bundle) == 0 && g_str_equal (now->trust, before->trust));
}

SpVaultRecord *
sp_image_files_before (int folder, const char *image)
{
  g_autoptr (SpVaultRecord) record = record_in (folder, BEFORE);

  return record != NULL && g_strcmp0 (record->image, image) == 0 && has_disk (folder, record)
             ? g_steal_pointer (&record)
             : NULL;
}

/* ---- there --------------------------------------------------------------------------------------------------- */

gboolean
sp_image_files_set_aside (int folder, const SpVaultRecord *now, GError **error)
{
  int out = mkdirat (folder, OUT, 0700) == 0 ? open_part (folder, OUT) : -1;
  gboolean ok = out >= 0 && sp_vault_record_write (now, out, error);

  if (out < 0 && errno == EEXIST)
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_STORE,
                         "in the vault's folder lies " OUT ", with files that are of none of its "
                         "images: look after them, and move it away");
  else if (out < 0)
    fail (error, "make the folder", OUT);
  shut (out);
  return ok && flush (folder, error);
}

/* One after the other, so that at any moment a file is in one place. */
static gboolean
exchange (int folder, int from, int out, GError **error)
{
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++) {
    const char *name = names[i];

    if (!is_there (from, name))
      continue;
    if (is_there (folder, name) && renameat (folder, name, out, name) != 0)
      return fail (error, "set aside", name);
    if (renameat (from, name, folder, name) != 0)
      return fail (error, "put in its place", name);
  }
  return flush (folder, error);
}

/* Under a name of its own, so that it is known where they have to go if this is taken back. */
static int
open_from (int folder, SpImageFrom from)
{
  if (from == SP_IMAGE_FROM_DRAFT)
    return open_part (folder, DRAFT);
  if (!is_there (folder, BACK))
    (void) renameat (folder, BEFORE, folder, BACK);
  return open_part (folder, BACK);
}

gboolean
sp_image_files_exchange (int folder, SpImageFrom from, GError **error)
{
  int out = open_part (folder, OUT), part = out >= 0 ? open_from (folder, from) : -1;
  gboolean ok = out < 0 || part >= 0 || fail (error, "open", "the files to come");

  ok = ok && (out < 0 || exchange (folder, part, out, error));
  shut (part);
  shut (out);
  return ok;
}

/* ---- and back ------------------------------------------------------------------------------------------------- */

static gboolean
put_back (int folder, int out, int back, GError **error)
{
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++) {
    const char *name = names[i];

    if (!is_there (out, name))
      continue;
    if (back >= 0 && is_there (folder, name) && renameat (folder, name, back, name) != 0)
      return fail (error, "put back", name);
    if (renameat (out, name, folder, name) != 0)
      return fail (error, "put back", name);
  }
  /* No image that was kept has one. */
  (void) unlinkat (folder, SP_VAULT_SEED, 0);
  return flush (folder, error);
}

gboolean
sp_image_files_take_back (int folder, SpVaultRecord *record, GError **error)
{
  g_autoptr (SpVaultRecord) was = record_in (folder, OUT);
  int out = open_part (folder, OUT), back = open_part (folder, BACK);
  gboolean ok = TRUE;

  if (out >= 0 && was == NULL) {
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY,
                         OUT " has no record that can be read: restore the vault's folder");
    ok = FALSE;
  }
  ok = ok && (out < 0 || put_back (folder, out, back, error));
  if (ok && was != NULL)
    sp_vault_record_take_origin (record, was);
  if (ok && back >= 0 && renameat (folder, BACK, folder, BEFORE) != 0)
    ok = fail (error, "give its name back to", BEFORE);
  shut (out);
  shut (back);
  return ok;
}

/* ---- the end ---------------------------------------------------------------------------------------------------- */

static gboolean
adopt (int folder, GError **error)
{
  drop (folder, BACK);
  drop (folder, BEFORE);
  return (renameat (folder, OUT, folder, BEFORE) == 0 && fsync (folder) == 0) ||
         fail (error, "give its name to", BEFORE);
}

/* What was in it is back in its place, or was never moved.  A file that nobody knows of stays. */
static void
forget_out (int folder)
{
  int out = open_part (folder, OUT);
  gboolean has_files = FALSE;

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    has_files = has_files || is_there (out, names[i]);
  shut (out);
  if (!has_files)
    drop (folder, OUT);
}

gboolean
sp_image_files_settle (int folder, const SpVaultRecord *record, GError **error)
{
  g_autoptr (SpVaultRecord) was = record_in (folder, OUT);

  sp_image_files_drop_draft (folder);
  if (was != NULL && g_strcmp0 (was->image, record->previous) == 0)
    return adopt (folder, error);
  if (was == NULL || g_str_equal (was->image, record->image))
    forget_out (folder);
  return TRUE;
}
