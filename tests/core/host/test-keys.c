/* test-keys.c - the keys of a vault: host/keys.h, host/tls.h */
#include "host/keys.h"

#include <string.h>
#include <sys/stat.h>

#include "base/problem.h"
#include "folder.h"
#include "host/tls.h"

static const char *const names[] = { "master.key", "vault.key", "host.key",
                                     "tls.pem",    "taken-at",  "vault-id" };

static void
test_first_run (Folder *folder, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (SpHostKeys) keys = sp_host_keys_open (folder->fd, NULL, &error);
  struct stat st;

  g_assert_no_error (error);
  g_assert_cmpuint (sp_secret_length (keys->master), ==, 32);
  g_assert_true (g_uuid_string_is_valid (keys->vault_id));
  g_assert_true (g_str_has_prefix (keys->tls_pin, "sha256//"));
  g_assert_cmpstr (keys->vault_public, !=, keys->host_public);
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++) {
    g_assert_cmpint (fstatat (folder->fd, names[i], &st, 0), ==, 0);
    g_assert_cmpuint (st.st_mode & 07777, ==, 0600);
  }
}

static void
test_second_run (Folder *folder, gconstpointer data)
{
  g_autoptr (SpHostKeys) first = sp_host_keys_open (folder->fd, NULL, NULL);
  g_autoptr (SpHostKeys) second = sp_host_keys_open (folder->fd, NULL, NULL);

  g_assert_cmpstr (first->vault_id, ==, second->vault_id);
  g_assert_cmpstr (first->taken_at, ==, second->taken_at);
  g_assert_cmpstr (first->tls_pin, ==, second->tls_pin);
  g_assert_cmpstr (first->host_public, ==, second->host_public);
  g_assert_cmpmem (sp_secret_data (first->master), 32, sp_secret_data (second->master), 32);
}

/* As after a power cut in the middle of the first run. */
static void
test_interrupted (Folder *folder, gconstpointer data)
{
  g_autoptr (SpHostKeys) first = sp_host_keys_open (folder->fd, NULL, NULL);
  g_autoptr (SpHostKeys) second = NULL;

  (void) unlinkat (folder->fd, "vault-id", 0);
  (void) unlinkat (folder->fd, "tls.pem", 0);
  second = sp_host_keys_open (folder->fd, NULL, NULL);
  g_assert_cmpmem (sp_secret_data (first->master), 32, sp_secret_data (second->master), 32);
  g_assert_cmpstr (first->tls_pin, !=, second->tls_pin);
}

static void
test_missing (Folder *folder, gconstpointer data)
{
  g_autoptr (SpHostKeys) first = sp_host_keys_open (folder->fd, NULL, NULL);

  g_assert_nonnull (first);
  for (gsize i = 0; i + 1 < G_N_ELEMENTS (names); i++) {
    g_autoptr (GError) error = NULL;

    g_assert_cmpint (renameat (folder->fd, names[i], folder->fd, "aside"), ==, 0);
    g_assert_null (sp_host_keys_open (folder->fd, NULL, &error));
    g_assert_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY);
    g_assert_nonnull (strstr (error->message, names[i]));
    g_assert_cmpint (renameat (folder->fd, "aside", folder->fd, names[i]), ==, 0);
  }
}

static void
test_loose (Folder *folder, gconstpointer data)
{
  g_autoptr (SpHostKeys) first = sp_host_keys_open (folder->fd, NULL, NULL);
  g_autoptr (GError) error = NULL;

  g_assert_nonnull (first);
  g_assert_cmpint (fchmodat (folder->fd, "host.key", 0604, 0), ==, 0);
  g_assert_null (sp_host_keys_open (folder->fd, NULL, &error));
  g_assert_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG);
}

static void
test_damaged (Folder *folder, gconstpointer data)
{
  g_autoptr (SpHostKeys) first = sp_host_keys_open (folder->fd, NULL, NULL);

  g_assert_nonnull (first);
  for (gsize i = 0; i < 4; i++) {
    g_autoptr (GError) error = NULL;

    g_assert_cmpint (renameat (folder->fd, names[i], folder->fd, "aside"), ==, 0);
    g_assert_true (sp_file_write_private (folder->fd, names[i], SP_FILE_NEW, "?", 1, NULL));
    g_assert_null (sp_host_keys_open (folder->fd, NULL, &error));
    g_assert_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY);
    g_assert_cmpint (renameat (folder->fd, "aside", folder->fd, names[i]), ==, 0);
  }
}

static void
test_own_master (Folder *folder, gconstpointer data)
{
  g_autofree char *path = g_build_filename (folder->path, "elsewhere", NULL);
  g_autofree char *where = g_strconcat ("file:", path, NULL);
  g_autoptr (SpSecret) master = sp_secret_new_random (32);
  g_autoptr (SpHostKeys) keys = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_true (sp_file_write_private (folder->fd, "elsewhere", SP_FILE_NEW,
                                        sp_secret_data (master), 32, NULL));
  keys = sp_host_keys_open (folder->fd, where, &error);
  g_assert_no_error (error);
  g_assert_cmpmem (sp_secret_data (keys->master), 32, sp_secret_data (master), 32);
  g_assert_cmpint (faccessat (folder->fd, "master.key", F_OK, 0), ==, -1);
  g_assert_null (sp_host_keys_open (folder->fd, "exec:cat", &error));
  g_assert_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG);
}

static void
test_pin_equal (void)
{
  const char *pin = "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

  g_assert_true (sp_tls_pin_equal (pin, pin));
  g_assert_false (sp_tls_pin_equal (pin, "sha256//BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="));
  g_assert_false (sp_tls_pin_equal (pin, NULL));
  g_assert_false (sp_tls_pin_equal (NULL, NULL));
  g_assert_false (sp_tls_pin_equal ("", ""));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD_TEST ("/keys/first-run-makes-all-closed-to-others", test_first_run);
  ADD_TEST ("/keys/second-run-keeps-all", test_second_run);
  ADD_TEST ("/keys/interrupted-first-run-is-completed", test_interrupted);
  ADD_TEST ("/keys/missing-later-is-never-made-anew", test_missing);
  ADD_TEST ("/keys/looser-mode-is-refused", test_loose);
  ADD_TEST ("/keys/damaged-is-an-integrity-error", test_damaged);
  ADD_TEST ("/keys/master-key-may-lie-elsewhere", test_own_master);
  g_test_add_func ("/tls/only-whole-pins-are-equal", test_pin_equal);
  return g_test_run ();
}
