/* test-unlock.c - what the vault hears of a notifier that runs on the host: host/resident/unlock.h */
#include "host/resident/unlock.h"

#include <string.h>

#include "folder.h"
#include "plugin/info.h"

#define SECRET "a secret of 26 characters!"
#define URL "http://127.0.0.1:9/"

/* What is told of the one notifier of a config that has @more in its section. */
static JsonObject *
told (Folder *folder, SpSecret *marks_key, const char *secret, const char *more, char **ret_all)
{
  g_autofree char *path = g_build_filename (folder->path, "secret", NULL);
  g_autofree char *text = g_strdup_printf (
      "[vault default]\nnotify = hook\n[approver alice]\nhook = a\n"
      "[notify hook]\nplugin = webhook\nwhere = host\nurl = " URL "\nsecret = file:%s\n%s",
      path, more);
  g_autoptr (SpPluginCatalog) catalog = sp_plugin_catalog_new (g_getenv ("SP_TEST_PLUGINS"));
  g_autoptr (SpHostKeys) keys = sp_host_keys_open (folder->fd, NULL, NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (SpConfig) config = NULL;
  g_autoptr (SpRpcMessage) message = NULL;
  SpUnlock unlock = { .keys = keys, .marks_key = marks_key };
  JsonObject *params;

  sp_file_write_private (folder->fd, "secret", SP_FILE_REPLACE, secret, strlen (secret), &error);
  g_assert_no_error (error);
  config =
      sp_config_parse ("test", text, strlen (text), sp_plugin_catalog_describe, catalog, &error);
  g_assert_no_error (error);
  unlock.config = config;
  unlock.vault = sp_config_vault (config, NULL, NULL);
  unlock.plugin_dir = g_getenv ("SP_TEST_PLUGINS");
  message = sp_configure_message (&unlock, FALSE, &error);
  g_assert_no_error (error);
  /* No entry: a GVariant a{say} without one is empty. */
  g_assert_cmpuint (sp_secret_length (message->secret), ==, 0);
  *ret_all = json_to_string (message->params, FALSE);
  params = json_node_get_object (message->params);
  return json_object_ref (
      json_array_get_object_element (json_object_get_array_member (params, "notifiers"), 0));
}

static char *
mark_of (Folder *folder, SpSecret *marks_key, const char *secret, const char *more, const char *key)
{
  g_autofree char *all = NULL;
  g_autoptr (JsonObject) object = told (folder, marks_key, secret, more, &all);

  return g_strdup (json_object_get_string_member_with_default (
      json_object_get_object_member (object, "marks"), key, NULL));
}

/* Neither what it is opened with, nor anything by which a short one of them could be guessed. */
static void
test_nothing_to_guess (Folder *folder, gconstpointer data)
{
  g_autoptr (SpSecret) key = sp_secret_new_random (32), other = sp_secret_new_random (32);
  g_autofree char *all = NULL;
  g_autoptr (JsonObject) object = told (folder, key, SECRET, "", &all);
  g_autofree char *secret = mark_of (folder, key, SECRET, "", "secret");
  g_autofree char *again = mark_of (folder, key, SECRET, "", "secret");
  g_autofree char *elsewhere = mark_of (folder, other, SECRET, "", "secret");
  g_autofree char *digest = g_compute_checksum_for_string (G_CHECKSUM_SHA256, SECRET, -1);
  g_autofree char *url = g_compute_checksum_for_string (G_CHECKSUM_SHA256, URL, -1);

  g_assert_cmpuint (json_object_get_size (json_object_get_object_member (object, "options")), ==,
                    0);
  for (const char *const *part =
           (const char *const[]){ SECRET, URL, digest, url, folder->path, NULL };
       *part != NULL; part++)
    g_assert_null (strstr (all, *part));
  g_assert_cmpstr (secret, ==, again);
  g_assert_cmpstr (secret, !=, elsewhere);
}

static void
test_what_changes_shows (Folder *folder, gconstpointer data)
{
  g_autoptr (SpSecret) key = sp_secret_new_random (32);
  g_autofree char *before = mark_of (folder, key, SECRET, "", "secret");
  g_autofree char *after = mark_of (folder, key, SECRET "!", "", "secret");
  g_autofree char *nobody = mark_of (folder, key, SECRET, "run-as = nobody\n", "run-as");
  g_autofree char *daemon = mark_of (folder, key, SECRET, "run-as = daemon\n", "run-as");
  g_autofree char *none = mark_of (folder, key, SECRET, "", "run-as");

  g_assert_cmpstr (before, !=, after);
  g_assert_nonnull (nobody);
  g_assert_cmpstr (nobody, !=, daemon);
  g_assert_null (none);
}

int
main (int argc, char **argv)
{
  /* The child that describes a plugin is this program, too. */
  if (argc == 3 && strcmp (argv[1], "--describe") == 0)
    return sp_plugin_describe_main (argv[2], 3);
  g_test_init (&argc, &argv, NULL);
  ADD_TEST ("/unlock/on-the-host/nothing-to-guess", test_nothing_to_guess);
  ADD_TEST ("/unlock/on-the-host/what-changes-shows", test_what_changes_shows);
  return g_test_run ();
}
