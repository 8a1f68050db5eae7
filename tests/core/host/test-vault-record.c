/* test-vault-record.c - the files that say what a vault is and how far it was made: host/vm/vault-record.h,
 * host/takeover/journal.h, and keys that are read and removed */
#include "host/vm/vault-record.h"

#include <string.h>
#include <sys/stat.h>

#include "base/problem.h"
#include "folder.h"
#include "host/resident/admin-socket.h"
#include "host/keys.h"
#include "host/takeover/journal.h"
#include "host/vm/settle.h"

static void
write_text (const Folder *folder, const char *name, const char *text)
{
  g_autoptr (GError) error = NULL;

  sp_file_write_private (folder->fd, name, SP_FILE_REPLACE, text, strlen (text), &error);
  g_assert_no_error (error);
}

/* ---- the record ---------------------------------------------------------------------------------------- */

static void
test_record (Folder *folder, gconstpointer data)
{
  g_autoptr (SpVaultRecord) written = sp_vault_record_new ("ab12", "exact", "agent-1");
  g_autoptr (SpVaultRecord) read = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_true (sp_vault_record_write (written, folder->fd, &error));
  read = sp_vault_record_read (folder->fd, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (read->image, ==, "ab12");
  g_assert_cmpstr (read->machine, ==, written->machine);
  g_assert_cmpstr (read->data, ==, written->data);
  g_assert_cmpstr (read->source, ==, "agent-1");
  g_assert_cmpstr (read->trust, ==, "exact");
}

static void
test_record_without_a_source (Folder *folder, gconstpointer data)
{
  g_autoptr (SpVaultRecord) written = sp_vault_record_new ("ab12", "exact", NULL);
  g_autoptr (SpVaultRecord) read = NULL;

  g_assert_true (sp_vault_record_write (written, folder->fd, NULL));
  read = sp_vault_record_read (folder->fd, NULL);
  g_assert_nonnull (read);
  g_assert_null (read->source);
}

static void
test_record_of_a_cloud_image (Folder *folder, gconstpointer data)
{
  g_autoptr (SpVaultRecord) record = sp_vault_record_new ("ab12", "rebuilt", NULL);
  g_autoptr (SpVaultRecord) read = NULL;

  record->base = g_strdup ("b0");
  record->bundle = g_strdup ("b1");
  record->container = TRUE;
  g_assert_true (sp_vault_record_write (record, folder->fd, NULL));
  read = sp_vault_record_read (folder->fd, NULL);
  g_assert_nonnull (read);
  g_assert_cmpstr (read->base, ==, "b0");
  g_assert_cmpstr (read->bundle, ==, "b1");
  g_assert_true (read->container);
  g_assert_cmpstr (read->trust, ==, "rebuilt");
}

static void
test_no_record (Folder *folder, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (sp_vault_record_read (folder->fd, &error));
  g_assert_error (error, SP_PROBLEM, SP_PROBLEM_NOT_FOUND);
}

static void
test_damaged_record (Folder *folder, gconstpointer data)
{
  static const char *const texts[] = {
    "",
    "{",
    "[]",
    "{\"format\":1}",
    "{\"data\":\"d\",\"format\":2,\"image\":\"i\",\"machine\":"
    "\"12345678-1234-4234-8234-123456789012\",\"source\":null,\"trust\":\"exact\"}",
    "{\"data\":\"d\",\"format\":1,\"image\":\"i\",\"machine\":\"../x\",\"source\":null,"
    "\"trust\":\"exact\"}",
    "{\"data\":\"d\",\"format\":1,\"image\":\"i\",\"machine\":"
    "\"12345678-1234-4234-8234-123456789012\",\"source\":null,\"trust\":\"exact\",\"more\":1}",
    "{\"data\":\"d\",\"format\":1,\"image\":\"i\",\"machine\":"
    "\"12345678-1234-4234-8234-123456789012\",\"source\":null,\"trust\":\"exact\",\"index\":-1}",
    "{\"data\":\"d\",\"format\":1,\"image\":\"i\",\"machine\":"
    "\"12345678-1234-4234-8234-123456789012\",\"source\":null,\"trust\":\"rebuilt\",\"base\":"
    "\"b\"}",
    "{\"data\":\"d\",\"format\":1,\"image\":\"i\",\"machine\":"
    "\"12345678-1234-4234-8234-123456789012\",\"source\":null,\"trust\":\"exact\",\"container\":"
    "true}",
    "{\"data\":\"d\",\"format\":1,\"image\":\"i\",\"machine\":"
    "\"12345678-1234-4234-8234-123456789012\",\"source\":null,\"trust\":\"exact\","
    "\"on_trial\":true}",
    "{\"data\":\"d\",\"format\":1,\"image\":\"i\",\"machine\":"
    "\"12345678-1234-4234-8234-123456789012\",\"source\":null,\"trust\":\"exact\","
    "\"restoring\":1}",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++) {
    g_autoptr (GError) error = NULL;

    write_text (folder, "vault.json", texts[i]);
    g_assert_null (sp_vault_record_read (folder->fd, &error));
    g_assert_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY);
  }
}

static SpVaultRecord *
written_and_read (const SpVaultRecord *record, const Folder *folder)
{
  g_autoptr (GError) error = NULL;
  SpVaultRecord *read;

  g_assert_true (sp_vault_record_write (record, folder->fd, &error));
  read = sp_vault_record_read (folder->fd, &error);
  g_assert_no_error (error);
  return read;
}

static void
assert_images (const SpVaultRecord *record, const char *image, const char *previous, guint index)
{
  g_assert_cmpstr (record->image, ==, image);
  g_assert_cmpstr (record->previous, ==, previous);
  g_assert_cmpuint (record->index, ==, index);
}

/* From a to b, which is kept; to c, which is not. */
static void
test_moves (Folder *folder, gconstpointer data)
{
  g_autoptr (SpVaultRecord) record = sp_vault_record_new ("a", "exact", NULL);
  g_autoptr (SpVaultRecord) on_trial = NULL, kept = NULL, second = NULL, back = NULL;

  sp_vault_record_try (record, "b");
  on_trial = written_and_read (record, folder);
  assert_images (on_trial, "b", "a", 1);
  g_assert_true (on_trial->on_trial);
  sp_vault_record_keep (on_trial, "0.10.0");
  kept = written_and_read (on_trial, folder);
  assert_images (kept, "b", "a", 1);
  g_assert_false (kept->on_trial);
  g_assert_cmpstr (kept->newest, ==, "0.10.0");
  sp_vault_record_try (kept, "c");
  second = written_and_read (kept, folder);
  assert_images (second, "c", "b", 2);
  sp_vault_record_go_back (second);
  back = written_and_read (second, folder);
  assert_images (back, "b", "a", 3);
  g_assert_false (back->on_trial);
  sp_vault_record_keep (back, "0.9.0");
  g_assert_cmpstr (back->newest, ==, "0.10.0");
}

/* What a killed move leaves: a record on trial without anybody's lock. */
static void
test_settled (Folder *folder, gconstpointer data)
{
  g_autoptr (SpVaultRecord) record = sp_vault_record_new ("a", "exact", NULL);
  g_autoptr (SpVaultRecord) untouched = NULL, settled = NULL;
  g_autoptr (GError) error = NULL;
  int lock;

  sp_vault_record_try (record, "b");
  g_assert_true (sp_vault_record_write (record, folder->fd, NULL));
  lock = sp_takeover_lock (folder->fd, NULL);
  g_assert_true (sp_vault_settle (folder->path, &error));
  (void) close (lock);
  untouched = sp_vault_record_read (folder->fd, NULL);
  assert_images (untouched, "b", "a", 1);
  lock = sp_admin_lock (folder->fd, NULL);
  g_assert_true (sp_vault_settle (folder->path, &error));
  (void) close (lock);
  g_assert_true (sp_vault_settle (folder->path, &error));
  g_assert_no_error (error);
  settled = sp_vault_record_read (folder->fd, NULL);
  assert_images (settled, "a", NULL, 2);
  g_assert_false (settled->on_trial);
}

/* ---- the journal --------------------------------------------------------------------------------------- */

static void
test_journal (Folder *folder, gconstpointer data)
{
  SpTakeoverJournal written = { g_strdup ("agent"), g_strdup ("ab"), 3737, 9 }, read = { 0 };
  g_autoptr (GError) error = NULL;

  g_assert_false (sp_takeover_journal_exists (folder->fd));
  g_assert_true (sp_takeover_journal_write (&written, folder->fd, &error));
  g_assert_true (sp_takeover_journal_exists (folder->fd));
  g_assert_true (sp_takeover_journal_read (&read, folder->fd, &error));
  g_assert_no_error (error);
  g_assert_cmpstr (read.source, ==, "agent");
  g_assert_cmpstr (read.image, ==, "ab");
  g_assert_cmpuint (read.port, ==, 3737);
  g_assert_cmpuint (read.step, ==, 9);
  sp_takeover_journal_remove (folder->fd);
  g_assert_false (sp_takeover_journal_exists (folder->fd));
  sp_takeover_journal_clear (&written);
  sp_takeover_journal_clear (&read);
}

static void
test_damaged_journal (Folder *folder, gconstpointer data)
{
  static const char *const texts[] = {
    "",
    "{\"format\":1,\"image\":null,\"port\":1,\"source\":\"a\",\"step\":0}",
    "{\"format\":1,\"image\":null,\"port\":1,\"source\":\"a\",\"step\":14}",
    "{\"format\":1,\"image\":null,\"port\":99999,\"source\":\"a\",\"step\":3}",
    "{\"format\":2,\"image\":null,\"port\":1,\"source\":\"a\",\"step\":3}",
    "{\"format\":1,\"image\":null,\"port\":1,\"step\":3}",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++) {
    SpTakeoverJournal read = { 0 };
    g_autoptr (GError) error = NULL;

    write_text (folder, "takeover.json", texts[i]);
    g_assert_false (sp_takeover_journal_read (&read, folder->fd, &error));
    g_assert_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY);
    sp_takeover_journal_clear (&read);
  }
}

static void
test_one_at_a_time (Folder *folder, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  int first = sp_takeover_lock (folder->fd, &error);

  g_assert_cmpint (first, >=, 0);
  g_assert_cmpint (sp_takeover_lock (folder->fd, &error), ==, -1);
  g_assert_error (error, SP_PROBLEM, SP_PROBLEM_CONFLICT);
  (void) close (first);
  first = sp_takeover_lock (folder->fd, NULL);
  g_assert_cmpint (first, >=, 0);
  (void) close (first);
}

/* A link in it leads nowhere: what it points at stays. */
static void
test_folder_is_removed (Folder *folder, gconstpointer data)
{
  g_autofree char *outside = g_strconcat (folder->path, "-outside", NULL);
  g_autofree char *inside = g_build_filename (folder->path, "sub", NULL);
  g_autofree char *file = g_build_filename (outside, "file", NULL);
  g_autofree char *link = g_build_filename (folder->path, "link", NULL);
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (g_mkdir (outside, 0700), ==, 0);
  g_assert_true (g_file_set_contents (file, "x", 1, NULL));
  g_assert_cmpint (symlink (outside, link), ==, 0);
  g_assert_cmpint (g_mkdir (inside, 0700), ==, 0);
  write_text (folder, "master.key", "k");
  write_text (folder, "takeover.json", "{}");
  g_assert_false (sp_takeover_folder_is_empty (folder->fd));
  g_assert_true (sp_takeover_folder_clear (folder->fd, &error));
  g_assert_no_error (error);
  g_assert_true (sp_takeover_journal_exists (folder->fd));
  sp_takeover_journal_remove (folder->fd);
  g_assert_true (sp_takeover_folder_is_empty (folder->fd));
  g_assert_true (g_file_test (file, G_FILE_TEST_EXISTS));
  (void) g_unlink (file);
  (void) g_rmdir (outside);
}

/* ---- keys, and who holds the lock ------------------------------------------------------------------------ */

static void
test_keys_are_read_or_removed (Folder *folder, gconstpointer data)
{
  g_autoptr (SpHostKeys) made = NULL;
  g_autoptr (SpHostKeys) read = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_null (sp_host_keys_read (folder->fd, NULL, &error));
  g_assert_error (error, SP_PROBLEM, SP_PROBLEM_NOT_FOUND);
  g_assert_true (sp_takeover_folder_is_empty (folder->fd));
  made = sp_host_keys_open (folder->fd, NULL, NULL);
  read = sp_host_keys_read (folder->fd, NULL, NULL);
  g_assert_cmpstr (made->vault_id, ==, read->vault_id);
  sp_host_keys_remove (folder->fd);
  g_assert_true (sp_takeover_folder_is_empty (folder->fd));
}

static void
test_holder_of_the_lock (Folder *folder, gconstpointer data)
{
  int lock;

  g_assert_cmpint (sp_admin_lock_holder (folder->fd), ==, 0);
  lock = sp_admin_lock (folder->fd, NULL);
  g_assert_cmpint (lock, >=, 0);
  g_assert_cmpint (sp_admin_lock_holder (folder->fd), ==, getpid ());
  (void) close (lock);
  /* The number is still in the file; nobody holds it. */
  g_assert_cmpint (sp_admin_lock_holder (folder->fd), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD_TEST ("/vault-record/round-trip", test_record);
  ADD_TEST ("/vault-record/without-a-source", test_record_without_a_source);
  ADD_TEST ("/vault-record/of-a-cloud-image", test_record_of_a_cloud_image);
  ADD_TEST ("/vault-record/a-folder-without-one-is-no-vault", test_no_record);
  ADD_TEST ("/vault-record/a-damaged-one-is-refused", test_damaged_record);
  ADD_TEST ("/vault-record/moves-to-another-image-and-back", test_moves);
  ADD_TEST ("/vault-record/an-interrupted-move-is-taken-back", test_settled);
  ADD_TEST ("/takeover-journal/round-trip", test_journal);
  ADD_TEST ("/takeover-journal/a-damaged-one-is-refused", test_damaged_journal);
  ADD_TEST ("/takeover-journal/one-at-a-time", test_one_at_a_time);
  ADD_TEST ("/takeover-journal/folder-is-removed-but-nothing-beside-it", test_folder_is_removed);
  ADD_TEST ("/keys/read-never-makes-and-remove-leaves-none", test_keys_are_read_or_removed);
  ADD_TEST ("/admin-lock/holder-is-who-holds-it-now", test_holder_of_the_lock);
  return g_test_run ();
}
