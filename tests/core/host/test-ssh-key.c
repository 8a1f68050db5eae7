/* test-ssh-key.c - cloud/ssh-key.h: what OpenSSH says of the keys */
#include "host/cloud/ssh-key.h"

#include <string.h>

#include "folder.h"

static char *
run (const char *const *argv)
{
  g_autoptr (GError) error = NULL;
  char *out = NULL;
  int status = -1;

  g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &out, NULL, &status,
                &error);
  g_assert_no_error (error);
  g_assert_cmpint (status, ==, 0);
  return g_strchomp (out);
}

static void
test_openssh_reads_it (Folder *folder, gconstpointer data)
{
  /* Comments of all lengths, as what is behind them is padded. */
  for (gsize length = 1; length <= 9; length++) {
    g_autofree char *comment = g_strnfill (length, 'c');
    g_autofree char *path = g_build_filename (folder->path, "key", NULL);
    const char *const argv[] = { "ssh-keygen", "-y", "-P", "", "-f", path, NULL };
    g_autoptr (SpSecret) private_half = NULL;
    g_autofree char *public_half = NULL;
    g_autofree char *found = NULL;
    g_autoptr (GError) error = NULL;

    g_assert_true (sp_ssh_key_new (comment, &private_half, &public_half, &error));
    g_assert_no_error (error);
    g_assert_true (sp_file_write_private (folder->fd, "key", SP_FILE_REPLACE,
                                          sp_secret_data (private_half),
                                          sp_secret_length (private_half), &error));
    found = run (argv);
    g_assert_cmpstr (found, ==, public_half);
  }
}

static void
test_no_two_are_the_same (void)
{
  g_autoptr (SpSecret) first = NULL, second = NULL;
  g_autofree char *one = NULL, *two = NULL;

  g_assert_true (sp_ssh_key_new ("x", &first, &one, NULL));
  g_assert_true (sp_ssh_key_new ("x", &second, &two, NULL));
  g_assert_cmpstr (one, !=, two);
}

static void
test_known_hosts (void)
{
  g_autofree char *usual = sp_ssh_known_host ("10.0.0.5", 22, "ssh-ed25519 AAAA host");
  g_autofree char *other = sp_ssh_known_host ("127.0.0.1", 2222, "ssh-ed25519 AAAA");

  g_assert_cmpstr (usual, ==, "10.0.0.5 ssh-ed25519 AAAA\n");
  g_assert_cmpstr (other, ==, "[127.0.0.1]:2222 ssh-ed25519 AAAA\n");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD_TEST ("/ssh-key/openssh-reads-it", test_openssh_reads_it);
  g_test_add_func ("/ssh-key/no-two-are-the-same", test_no_two_are_the_same);
  g_test_add_func ("/ssh-key/known-hosts-name-the-port", test_known_hosts);
  return g_test_run ();
}
