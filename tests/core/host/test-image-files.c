/* test-image-files.c - a vault's disk comes and goes with its image, whatever moment that is interrupted at:
 * host/vm/image-files.h with host/vm/settle.h
 *
 * A child does what a move does, and ends in the place of its n-th change to a folder; then the vault is settled,
 * by a child that ends likewise, and at last by one that may finish.  For each n, and each fourth end of that.
 */
#include "host/vm/image-files.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/problem.h"
#include "host/takeover/journal.h"
#include "host/vm/settle.h"
#include "host/vm/vault-copy.h"

#define KILLED 42
#define ENOUGH 100
/* Each pair of moments would take a minute on a busy machine; so the second ones of one first are those that the
 * next ones leave out. */
#define STEP 4

/* ---- an end in the middle --------------------------------------------------------------------------------- */

/* How many changes are still let through; negative: all. */
static int left = -1;

static void
count (void)
{
  if (left == 0)
    _exit (KILLED);
  if (left > 0)
    left--;
}

/* In the place of the C library's, for the code under test, too. */
int
renameat (int from, const char *old, int to, const char *new)
{
  int (*real) (int, const char *, int, const char *);

  *(void **) &real = dlsym (RTLD_NEXT, "renameat");
  count ();
  return real (from, old, to, new);
}

int
unlinkat (int fd, const char *name, int flags)
{
  int (*real) (int, const char *, int);

  *(void **) &real = dlsym (RTLD_NEXT, "unlinkat");
  count ();
  return real (fd, name, flags);
}

int
mkdirat (int fd, const char *name, mode_t mode)
{
  int (*real) (int, const char *, mode_t);

  *(void **) &real = dlsym (RTLD_NEXT, "mkdirat");
  count ();
  return real (fd, name, mode);
}

/* No power is cut here, and there are thousands of these. */
int
fsync (int fd)
{
  return 0;
}

static void
say_nothing (const char *text)
{
}

typedef struct {
  const char *name, *to;
  SpImageFrom from;
  gboolean keep;  /* or take it back */
  gboolean data;  /* put the data of before back, too: there is no trial */
  gboolean stays; /* all images have the disk of "b", of which nothing is exchanged */
} Case;

/* ---- a vault ------------------------------------------------------------------------------------------------ */

typedef struct {
  char *path;
  int fd;
} Vault;

static void
put (int folder, const char *name, const char *text)
{
  g_autoptr (GError) error = NULL;

  sp_file_write_private (folder, name, SP_FILE_REPLACE, text, strlen (text), &error);
  g_assert_no_error (error);
}

/* What the image @id brings. */
static void
put_files (int folder, const char *id)
{
  put (folder, SP_VAULT_SYSTEM, id);
  put (folder, SP_VAULT_SSH_HOSTS, id);
}

/* With the disk that came with @disk. */
static SpVaultRecord *
record_of (const char *id, const char *disk, const char *trust)
{
  SpVaultRecord *record = sp_vault_record_new (id, trust, NULL);

  record->base = g_strdup (disk);
  record->bundle = g_strdup (disk);
  return record;
}

/* Of image "b", which came after "a"; the disk of "a" was the agent's, where it had its own. */
static void
vault_set_up (Vault *vault, gboolean stays)
{
  g_autoptr (SpVaultRecord) record = record_of ("b", "b", SP_TRUST_REBUILT);
  g_autoptr (SpVaultRecord) before =
      record_of ("a", stays ? "b" : "a", stays ? SP_TRUST_REBUILT : SP_TRUST_AUDITED);
  g_autofree char *message = NULL;
  int part;

  vault->path = g_dir_make_tmp ("sp-files-XXXXXX", NULL);
  vault->fd = sp_file_open_folder (vault->path, NULL);
  put (vault->fd, SP_VAULT_DATA, "old");
  put (vault->fd, SP_VAULT_SSH_KEY, "key");
  g_assert_true (sp_vault_record_write (before, vault->fd, NULL));
  g_assert_true (sp_vault_copy_make (vault->fd, &message, NULL));
  g_assert_true (sp_vault_copy_adopt (vault->fd, NULL));
  put (vault->fd, SP_VAULT_DATA, "new");
  put_files (vault->fd, "b");
  record->previous = g_strdup ("a");
  record->index = 1;
  g_assert_true (sp_vault_record_write (record, vault->fd, NULL));
  g_assert_cmpint (mkdirat (vault->fd, "image.before", 0700), ==, 0);
  part = openat (vault->fd, "image.before", O_RDONLY | O_DIRECTORY);
  if (!stays)
    put_files (part, "a");
  g_assert_true (sp_vault_record_write (before, part, NULL));
  (void) close (part);
}

static void
vault_clear (Vault *vault)
{
  g_assert_true (sp_takeover_folder_remove (vault->fd, vault->path, NULL));
  (void) close (vault->fd);
  g_free (vault->path);
}

static void
assert_text (int folder, const char *name, const char *expected)
{
  g_autoptr (SpSecret) text = sp_file_read_private (folder, name, 4096, NULL);

  g_assert_nonnull (text);
  g_assert_cmpmem (sp_secret_data (text), sp_secret_length (text), expected, strlen (expected));
}

static gboolean
has (const Vault *vault, const char *name)
{
  return faccessat (vault->fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* That of the image with the disk @disk. */
static void
assert_origin (const SpVaultRecord *record, const char *disk)
{
  g_assert_cmpstr (record->base, ==, disk);
  g_assert_cmpstr (record->trust, ==,
                   g_str_equal (disk, "a") ? SP_TRUST_AUDITED : SP_TRUST_REBUILT);
}

static void
assert_way_back (const Vault *vault, const char *image, gboolean stays)
{
  g_autoptr (SpVaultRecord) before = sp_image_files_before (vault->fd, image);
  int part = openat (vault->fd, "image.before", O_RDONLY | O_DIRECTORY);

  g_assert_nonnull (before);
  assert_origin (before, stays ? "b" : image);
  if (!stays) {
    assert_text (part, SP_VAULT_SYSTEM, image);
    assert_text (part, SP_VAULT_SSH_HOSTS, image);
  }
  g_assert_cmpint (faccessat (part, SP_VAULT_SYSTEM, F_OK, 0) == 0, ==, !stays);
  (void) close (part);
}

/* Whatever was killed: all of the folder is of one image, and the way back is whole.  The image, to be freed. */
static char *
assert_whole (const Vault *vault, gboolean has_seed, gboolean stays)
{
  static const char *const leftovers[] = { "image.new", "image.out", "image.back" };
  g_autoptr (SpVaultRecord) record = sp_vault_record_read (vault->fd, NULL);
  const char *disk;

  g_assert_nonnull (record);
  g_assert_false (record->on_trial || record->restoring);
  disk = stays ? "b" : record->image;
  assert_text (vault->fd, SP_VAULT_SYSTEM, disk);
  assert_text (vault->fd, SP_VAULT_SSH_HOSTS, disk);
  assert_text (vault->fd, SP_VAULT_SSH_KEY, "key");
  assert_origin (record, disk);
  assert_way_back (vault, record->previous, stays);
  for (gsize i = 0; i < G_N_ELEMENTS (leftovers); i++)
    g_assert_false (has (vault, leftovers[i]));
  g_assert_cmpint (has (vault, SP_VAULT_SEED), ==, has_seed);
  return g_strdup (record->image);
}

/* ---- what a move does ---------------------------------------------------------------------------------------- */

static gboolean
settle (const Vault *vault, gconstpointer data)
{
  return sp_vault_settle (vault->path, NULL);
}

static gboolean
put_data_back (const Vault *vault, SpVaultRecord *record)
{
  if (!sp_vault_copy_restore (vault->fd, NULL))
    return FALSE;
  record->restoring = FALSE;
  return sp_vault_record_write (record, vault->fd, NULL) &&
         sp_image_files_settle (vault->fd, record, NULL);
}

static gboolean
end_trial (const Vault *vault, SpVaultRecord *record, gboolean keep)
{
  if (keep) {
    sp_vault_record_keep (record, "1");
  } else {
    if (!sp_image_files_take_back (vault->fd, record, NULL))
      return FALSE;
    sp_vault_record_go_back (record);
  }
  return sp_vault_record_write (record, vault->fd, NULL) &&
         sp_image_files_settle (vault->fd, record, NULL);
}

/* In the order of update-steps.c. */
static gboolean
move (const Vault *vault, gconstpointer data)
{
  const Case *how = data;
  g_autoptr (SpVaultRecord) record = sp_vault_record_read (vault->fd, NULL);
  g_autoptr (SpVaultRecord) origin = NULL;

  if (how->from == SP_IMAGE_FROM_DRAFT) {
    int draft = sp_image_files_draft (vault->fd, NULL);

    if (!how->stays) {
      put_files (draft, how->to);
      put (draft, SP_VAULT_SEED, how->to);
    }
    (void) close (draft);
    origin = record_of (how->to, how->stays ? "b" : how->to, SP_TRUST_REBUILT);
  } else {
    origin = sp_image_files_before (vault->fd, how->to);
  }
  if (origin == NULL || !sp_image_files_set_aside (vault->fd, record, NULL))
    return FALSE;
  (how->data ? sp_vault_record_restore : sp_vault_record_try) (record, how->to);
  sp_vault_record_take_origin (record, origin);
  if (!sp_vault_record_write (record, vault->fd, NULL) ||
      !sp_image_files_exchange (vault->fd, how->from, NULL))
    return FALSE;
  return how->data ? put_data_back (vault, record) : end_trial (vault, record, how->keep);
}

/* FALSE: it was killed. */
static gboolean
in_child (const Vault *vault, int after, gboolean (*act) (const Vault *, gconstpointer),
          gconstpointer how)
{
  pid_t child = fork ();
  int status = 0;

  if (child == 0) {
    left = after;
    _exit (act (vault, how) ? 0 : 1);
  }
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  g_assert_true (WIFEXITED (status));
  g_assert_true (WEXITSTATUS (status) == 0 || WEXITSTATUS (status) == KILLED);
  return WEXITSTATUS (status) == 0;
}

/* Killed there, and settled by one that is killed, too; FALSE: there was nothing left to be killed at. */
static gboolean
kill_twice (const Case *how, int first, int second, char **ret_image)
{
  Vault vault;
  gboolean settled;

  vault_set_up (&vault, how->stays);
  g_assert_false (in_child (&vault, first, move, how));
  settled = in_child (&vault, second, settle, NULL);
  g_assert_true (in_child (&vault, -1, settle, NULL));
  *ret_image = assert_whole (&vault, has (&vault, SP_VAULT_SEED), how->stays);
  /* A seed is of the image that it came with. */
  if (has (&vault, SP_VAULT_SEED))
    assert_text (vault.fd, SP_VAULT_SEED, *ret_image);
  assert_text (vault.fd, SP_VAULT_DATA,
               how->data && g_str_equal (*ret_image, how->to) ? "old" : "new");
  vault_clear (&vault);
  return !settled;
}

/* How many moments there are to be killed at. */
static int
moments (const Case *how)
{
  int n = 0;

  for (gboolean killed = TRUE; killed; n++) {
    Vault vault;
    g_autofree char *image = NULL;

    vault_set_up (&vault, how->stays);
    killed = !in_child (&vault, n, move, how);
    if (!killed) {
      image = assert_whole (&vault, how->from == SP_IMAGE_FROM_DRAFT && how->keep && !how->stays,
                            how->stays);
      g_assert_cmpstr (image, ==, how->keep || how->data ? how->to : "b");
    }
    vault_clear (&vault);
    g_assert_cmpint (n, <, ENOUGH);
  }
  return n - 1;
}

static void
test_killed (gconstpointer data)
{
  const Case *how = data;
  int n = moments (how);
  gboolean has_moved = FALSE;

  g_assert_cmpint (n, >, 5);
  for (int first = 0; first < n; first++) {
    gboolean killed = TRUE;

    for (int second = first % STEP; killed; second += STEP) {
      g_autofree char *image = NULL;

      killed = kill_twice (how, first, second, &image);
      /* Once it has moved there is no way back in between. */
      g_assert_true (!has_moved || g_str_equal (image, how->to));
      g_assert_true (g_str_equal (image, how->to) || g_str_equal (image, "b"));
      has_moved = has_moved || g_str_equal (image, how->to);
    }
  }
  g_assert_cmpint (has_moved, ==, how->keep || how->data);
}

/* ---- without files ---------------------------------------------------------------------------------------------- */

/* A vault of an appliance: nothing is set aside, so nothing is exchanged. */
static void
test_none (void)
{
  g_autofree char *path = g_dir_make_tmp ("sp-files-XXXXXX", NULL);
  int fd = sp_file_open_folder (path, NULL);
  g_autoptr (SpVaultRecord) record = sp_vault_record_new ("a", SP_TRUST_EXACT, NULL);
  g_autoptr (GError) error = NULL;

  g_assert_true (sp_image_files_exchange (fd, SP_IMAGE_FROM_BEFORE, &error));
  g_assert_true (sp_image_files_take_back (fd, record, &error));
  g_assert_true (sp_image_files_settle (fd, record, &error));
  g_assert_no_error (error);
  g_assert_null (sp_image_files_before (fd, NULL));
  g_assert_true (sp_takeover_folder_is_empty (fd));
  (void) close (fd);
  (void) g_rmdir (path);
}

/* Where nobody knows what was set aside, nothing is taken for it. */
static void
test_damaged (void)
{
  g_autoptr (SpVaultRecord) record = NULL;
  g_autoptr (GError) error = NULL;
  Vault vault;
  int out;

  vault_set_up (&vault, FALSE);
  record = sp_vault_record_read (vault.fd, NULL);
  g_assert_true (sp_image_files_set_aside (vault.fd, record, NULL));
  sp_vault_record_try (record, "a");
  g_assert_true (sp_vault_record_write (record, vault.fd, NULL));
  g_assert_true (sp_image_files_exchange (vault.fd, SP_IMAGE_FROM_BEFORE, NULL));
  out = openat (vault.fd, "image.out", O_RDONLY | O_DIRECTORY);
  put (out, "vault.json", "{");
  g_assert_false (sp_vault_settle (vault.path, &error));
  g_assert_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY);
  assert_text (out, SP_VAULT_SYSTEM, "b");
  (void) close (out);
  vault_clear (&vault);
}

/* The disk of then was removed to make room: the one of now must not be taken for it. */
static void
test_without_disk (void)
{
  static const char *const trusts[] = { SP_TRUST_REBUILT, SP_TRUST_AUDITED };
  Vault vault;
  int part;

  vault_set_up (&vault, FALSE);
  part = openat (vault.fd, "image.before", O_RDONLY | O_DIRECTORY);
  g_assert_cmpint (unlinkat (part, SP_VAULT_SYSTEM, 0), ==, 0);
  g_assert_null (sp_image_files_before (vault.fd, "a"));
  /* Of the same base and bundle, and trusted for the same reason, the one of now is of both. */
  for (guint i = 0; i < G_N_ELEMENTS (trusts); i++) {
    g_autoptr (SpVaultRecord) before = record_of ("a", "b", trusts[i]);
    g_autoptr (SpVaultRecord) found = NULL;

    g_assert_true (sp_vault_record_write (before, part, NULL));
    found = sp_image_files_before (vault.fd, "a");
    g_assert_cmpint (found != NULL, ==, i == 0);
  }
  (void) close (part);
  vault_clear (&vault);
}

/* Of an image that the vault does not know. */
static void
test_strange (void)
{
  g_autoptr (SpVaultRecord) record = NULL;
  g_autoptr (SpVaultRecord) other = record_of ("x", "x", SP_TRUST_REBUILT);
  g_autoptr (GError) error = NULL;
  Vault vault;
  int out;

  vault_set_up (&vault, FALSE);
  record = sp_vault_record_read (vault.fd, NULL);
  g_assert_true (sp_image_files_set_aside (vault.fd, other, NULL));
  out = openat (vault.fd, "image.out", O_RDONLY | O_DIRECTORY);
  put_files (out, "x");
  g_assert_true (sp_vault_settle (vault.path, NULL));
  assert_text (out, SP_VAULT_SYSTEM, "x");
  g_assert_false (sp_image_files_set_aside (vault.fd, record, &error));
  g_assert_error (error, SP_PROBLEM, SP_PROBLEM_STORE);
  g_assert_nonnull (strstr (error->message, "move it away"));
  (void) close (out);
  vault_clear (&vault);
}

int
main (int argc, char **argv)
{
  static const Case cases[] = {
    { "update-kept", "c", SP_IMAGE_FROM_DRAFT, TRUE, FALSE, FALSE },
    { "update-taken-back", "c", SP_IMAGE_FROM_DRAFT, FALSE, FALSE, FALSE },
    { "back-kept", "a", SP_IMAGE_FROM_BEFORE, TRUE, FALSE, FALSE },
    { "back-taken-back", "a", SP_IMAGE_FROM_BEFORE, FALSE, FALSE, FALSE },
    { "back-with-the-data", "a", SP_IMAGE_FROM_BEFORE, FALSE, TRUE, FALSE },
    { "the-disk-stays", "c", SP_IMAGE_FROM_DRAFT, TRUE, FALSE, TRUE },
    { "the-disk-stays-taken-back", "c", SP_IMAGE_FROM_DRAFT, FALSE, FALSE, TRUE },
    { "the-disk-stays-and-back", "a", SP_IMAGE_FROM_BEFORE, TRUE, FALSE, TRUE },
  };

  g_test_init (&argc, &argv, NULL);
  /* Each settling says that it did. */
  (void) g_set_printerr_handler (say_nothing);
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *name = g_strconcat ("/image-files/killed/", cases[i].name, NULL);

    g_test_add_data_func (name, &cases[i], test_killed);
  }
  g_test_add_func ("/image-files/a-vault-without-any", test_none);
  g_test_add_func ("/image-files/what-cannot-be-told-stays", test_damaged);
  g_test_add_func ("/image-files/without-its-disk-there-is-no-way-back", test_without_disk);
  g_test_add_func ("/image-files/what-is-of-no-image-of-the-vault-stays", test_strange);
  return g_test_run ();
}
