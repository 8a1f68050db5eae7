/* test-vault-copy.c - what a vault was before an update, kept and put back: host/vm/vault-copy.h */
#include "host/vm/vault-copy.h"

#include <string.h>
#include <sys/stat.h>

#include "base/problem.h"
#include "folder.h"
#include "host/vm/room.h"
#include "host/vm/vault-record.h"

#define SIZE (8 * 1024 * 1024)
#define ANCHOR_OLD "{\"head\":\"aa\",\"seq\":7}\n"
#define ANCHOR_NEW "{\"head\":\"bb\",\"seq\":12}\n"

static void
write_text (const Folder *folder, const char *name, const char *text)
{
  g_autoptr (GError) error = NULL;

  sp_file_write_private (folder->fd, name, SP_FILE_REPLACE, text, strlen (text), &error);
  g_assert_no_error (error);
}

static char *
read_text (const Folder *folder, const char *name)
{
  g_autoptr (SpSecret) text = sp_file_read_private (folder->fd, name, SIZE, NULL);

  return text ? g_strndup ((const char *) sp_secret_data (text), sp_secret_length (text)) : NULL;
}

static void
assert_text (const Folder *folder, const char *name, const char *expected)
{
  g_autofree char *text = read_text (folder, name);

  g_assert_cmpstr (text, ==, expected);
}

/* A hole, some bytes, a hole. */
static void
write_volume (const Folder *folder, const char *text)
{
  int fd = openat (folder->fd, SP_VAULT_DATA, O_WRONLY | O_CREAT, 0600);

  g_assert_cmpint (ftruncate (fd, SIZE), ==, 0);
  g_assert_cmpint (pwrite (fd, text, strlen (text), SIZE / 2), ==, (gssize) strlen (text));
  (void) close (fd);
}

static void
assert_volume (const Folder *folder, const char *name, const char *expected)
{
  int fd = openat (folder->fd, name, O_RDONLY);
  char text[16] = { 0 };
  struct stat st;

  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (fstat (fd, &st), ==, 0);
  g_assert_cmpint (st.st_size, ==, SIZE);
  g_assert_cmpint (st.st_blocks * 512, <, SIZE / 2);
  g_assert_cmpint (st.st_mode & 0777, ==, 0600);
  g_assert_cmpint (pread (fd, text, strlen (expected), SIZE / 2), >, 0);
  g_assert_cmpstr (text, ==, expected);
  (void) close (fd);
}

/* Image "a" with a copy; then "b" has written. */
static void
make_and_go_on (Folder *folder)
{
  g_autoptr (SpVaultRecord) record = sp_vault_record_new ("a", "exact", NULL);
  g_autoptr (GError) error = NULL;
  g_autofree char *message = NULL;

  g_assert_true (sp_vault_record_write (record, folder->fd, NULL));
  write_volume (folder, "old");
  write_text (folder, "anchor", ANCHOR_OLD);
  g_assert_true (sp_vault_copy_make (folder->fd, &message, &error));
  g_assert_no_error (error);
  g_assert_false (sp_vault_copy_is_of (folder->fd, "a"));
  g_assert_true (sp_vault_copy_adopt (folder->fd, &error));
  write_volume (folder, "new");
  write_text (folder, "anchor", ANCHOR_NEW);
}

static void
test_kept (Folder *folder, gconstpointer data)
{
  make_and_go_on (folder);
  g_assert_true (sp_vault_copy_is_of (folder->fd, "a"));
  g_assert_false (sp_vault_copy_is_of (folder->fd, "b"));
  g_assert_false (sp_vault_copy_is_of (folder->fd, NULL));
  g_assert_cmpuint (sp_vault_copy_age (folder->fd), ==, 5);
  assert_volume (folder, "before/data.raw", "old");
  sp_vault_copy_finish (folder->fd);
  g_assert_false (sp_vault_copy_is_of (folder->fd, "a"));
}

static void
test_put_back (Folder *folder, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  make_and_go_on (folder);
  /* Twice: it was interrupted after all of it, and before anybody knew. */
  for (guint i = 0; i < 2; i++) {
    g_assert_true (sp_vault_copy_restore (folder->fd, &error));
    g_assert_no_error (error);
    assert_volume (folder, SP_VAULT_DATA, "old");
    assert_volume (folder, SP_VAULT_AFTER, "new");
    assert_text (folder, "anchor", ANCHOR_OLD);
  }
  sp_vault_copy_finish (folder->fd);
  g_assert_cmpint (faccessat (folder->fd, SP_VAULT_AFTER, F_OK, 0), !=, 0);
  g_assert_cmpint (faccessat (folder->fd, "before", F_OK, 0), !=, 0);
  assert_volume (folder, SP_VAULT_DATA, "old");
}

/* Between the two renames; and after them, before the anchor. */
static void
test_interrupted (Folder *folder, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  make_and_go_on (folder);
  g_assert_cmpint (renameat (folder->fd, SP_VAULT_DATA, folder->fd, SP_VAULT_AFTER), ==, 0);
  g_assert_true (sp_vault_copy_restore (folder->fd, &error));
  assert_volume (folder, SP_VAULT_DATA, "old");
  write_text (folder, "anchor", ANCHOR_NEW);
  g_assert_true (sp_vault_copy_restore (folder->fd, &error));
  assert_volume (folder, SP_VAULT_DATA, "old");
  assert_volume (folder, SP_VAULT_AFTER, "new");
  assert_text (folder, "anchor", ANCHOR_OLD);
  sp_vault_copy_finish (folder->fd);
}

/* The image on trial had opened the store: what was before that is the way back now. */
static void
test_taken_back_late (Folder *folder, gconstpointer data)
{
  g_autoptr (SpVaultRecord) record = sp_vault_record_new ("b", "exact", NULL);
  g_autofree char *message = NULL;

  make_and_go_on (folder);
  g_assert_true (sp_vault_record_write (record, folder->fd, NULL));
  g_assert_true (sp_vault_copy_make (folder->fd, &message, NULL));
  write_text (folder, "anchor", "{\"head\":\"cc\",\"seq\":14}\n");
  sp_vault_copy_undo (folder->fd);
  g_assert_true (sp_vault_copy_is_of (folder->fd, "b"));
  g_assert_cmpuint (sp_vault_copy_age (folder->fd), ==, 2);
  g_assert_cmpint (faccessat (folder->fd, "before.new", F_OK, 0), !=, 0);
  sp_vault_copy_finish (folder->fd);
}

/* A draft that was not adopted, of a move that has written nothing, leaves the older copy as it is. */
static void
test_discarded (Folder *folder, gconstpointer data)
{
  g_autoptr (SpVaultRecord) record = sp_vault_record_new ("b", "exact", NULL);
  g_autofree char *message = NULL;

  make_and_go_on (folder);
  g_assert_true (sp_vault_record_write (record, folder->fd, NULL));
  g_assert_true (sp_vault_copy_make (folder->fd, &message, NULL));
  sp_vault_copy_undo (folder->fd);
  g_assert_true (sp_vault_copy_is_of (folder->fd, "a"));
  g_assert_cmpint (faccessat (folder->fd, "before.new", F_OK, 0), !=, 0);
  sp_vault_copy_finish (folder->fd);
}

/* A vault that was never unlocked. */
static void
test_without_anchor (Folder *folder, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  make_and_go_on (folder);
  g_assert_cmpint (unlinkat (folder->fd, "before/anchor", 0), ==, 0);
  g_assert_true (sp_vault_copy_restore (folder->fd, &error));
  g_assert_cmpint (faccessat (folder->fd, "anchor", F_OK, 0), !=, 0);
  sp_vault_copy_finish (folder->fd);
}

static void
test_no_volume (Folder *folder, gconstpointer data)
{
  g_autoptr (SpVaultRecord) record = sp_vault_record_new ("a", "exact", NULL);
  g_autoptr (GError) error = NULL;
  g_autofree char *message = NULL;

  g_assert_true (sp_vault_record_write (record, folder->fd, NULL));
  g_assert_false (sp_vault_copy_make (folder->fd, &message, &error));
  g_assert_error (error, SP_PROBLEM, SP_PROBLEM_STORE);
  g_assert_cmpint (faccessat (folder->fd, "before.new", F_OK, 0), !=, 0);
}

static void
test_room (Folder *folder, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (sp_room_check (folder->fd, 0, "nothing", "", &error));
  g_assert_no_error (error);
  g_assert_false (
      sp_room_check (folder->fd, G_MAXUINT64 / 2, "all of it", ", or do without", &error));
  g_assert_error (error, SP_PROBLEM, SP_PROBLEM_STORE);
  g_assert_nonnull (strstr (error->message, "no room for all of it"));
  g_assert_true (g_str_has_suffix (error->message, ", or do without"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD_TEST ("/vault-copy/kept", test_kept);
  ADD_TEST ("/vault-copy/put-back-as-often-as-it-takes", test_put_back);
  ADD_TEST ("/vault-copy/interrupted", test_interrupted);
  ADD_TEST ("/vault-copy/discarded", test_discarded);
  ADD_TEST ("/vault-copy/taken-back-after-something-was-written", test_taken_back_late);
  ADD_TEST ("/vault-copy/without-an-anchor", test_without_anchor);
  ADD_TEST ("/vault-copy/without-a-data-volume", test_no_volume);
  ADD_TEST ("/room/too-much-is-refused-with-advice", test_room);
  return g_test_run ();
}
