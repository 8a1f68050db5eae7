/* test-loader.c - finding, loading and describing plugins, with those of tests/bad
 *
 * $SP_TEST_PLUGINS is the folder where they were built.  Where a child is wanted that describes a
 * plugin, this program is started once more.
 */
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "base/problem.h"
#include "plugin/find.h"
#include "plugin/info.h"
#include "plugin/loader.h"

static const char *
built (void)
{
  return g_getenv ("SP_TEST_PLUGINS");
}

static char *
path_of (const char *file)
{
  return g_build_filename (built (), file, NULL);
}

static void
copy_file (const char *from, const char *to)
{
  g_autofree char *data = NULL;
  gsize length;

  g_assert_true (g_file_get_contents (from, &data, &length, NULL));
  g_assert_true (g_file_set_contents (to, data, (gssize) length, NULL));
  g_assert_cmpint (g_chmod (to, 0755), ==, 0);
}

/* ---- names and folders ------------------------------------------------------------------------------ */

static void
test_names (void)
{
  g_autofree char *kind = NULL;
  g_autofree char *name = NULL;
  SpKind number;

  g_assert_true (sp_plugin_split ("store-my-sqlite.so", &kind, &name));
  g_assert_cmpstr (kind, ==, "store");
  g_assert_cmpstr (name, ==, "my-sqlite");
  g_assert_false (sp_plugin_split ("store-.so", &kind, &name));
  g_assert_false (sp_plugin_split ("store-x.so.1", &kind, &name));
  g_assert_false (sp_plugin_split ("notify-Upper.so", &kind, &name));
  g_assert_false (sp_plugin_split ("libnotify-x.so", &kind, &name));
  g_assert_cmpstr (sp_kind_word (SP_KIND_NOTIFIER), ==, "notify");
  g_assert_true (sp_kind_from_word ("store", &number));
  g_assert_cmpint (number, ==, SP_KIND_STORE);
  g_assert_true (sp_kind_from_word ("vm", &number));
  g_assert_cmpint (number, ==, SP_KIND_VM);
  g_assert_false (sp_kind_from_word ("forward", &number));
}

static void
test_find_by_name (void)
{
  g_autofree char *expected = path_of ("notify-honest.so");
  g_autofree char *hint =
      g_strdup_printf ("there is no notify plugin 'honst' in %s: did you mean 'honest'?", built ());
  g_autoptr (GError) error = NULL;
  g_autofree char *path = sp_plugin_find (built (), "notify", "honest", &error);

  g_assert_no_error (error);
  g_assert_cmpstr (path, ==, expected);
  g_assert_null (sp_plugin_find (built (), "notify", "honst", &error));
  g_assert_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG);
  g_assert_cmpstr (error->message, ==, hint);
  g_clear_error (&error);
  g_assert_null (sp_plugin_find (built (), "notify", "Honest", &error));
  g_assert_cmpstr (
      error->message, ==,
      "'Honest' is no name of a plugin: lower case letters, digits and dashes, at most "
      "32");
}

static void
test_find_by_path (void)
{
  g_autofree char *good = path_of ("notify-honest.so");
  g_autofree char *refused =
      g_strdup_printf ("the file of a store plugin is named store-NAME.so, and %s is not", good);
  g_autoptr (GError) error = NULL;
  g_autofree char *path = sp_plugin_find ("/nowhere", "notify", good, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (path, ==, good);
  g_assert_null (sp_plugin_find ("/nowhere", "store", good, &error));
  g_assert_cmpstr (error->message, ==, refused);
}

static void
test_unsafe_folder (void)
{
  g_autofree char *dir = g_dir_make_tmp ("sp-plugins-XXXXXX", NULL);
  g_autofree char *from = path_of ("notify-honest.so");
  g_autofree char *file = g_build_filename (dir, "notify-honest.so", NULL);
  g_autofree char *loose =
      g_strdup_printf ("the plugin folder %s has mode 0777, so that others could "
                       "put their code there: run chmod go-w %s",
                       dir, dir);
  g_autofree char *loose_file =
      g_strdup_printf ("the plugin %s has mode 0666, so that others could "
                       "put their code there: run chmod go-w %s",
                       file, file);
  g_autoptr (GError) error = NULL;

  copy_file (from, file);
  g_assert_cmpint (g_chmod (dir, 0777), ==, 0);
  g_assert_null (sp_plugin_find (dir, "notify", "honest", &error));
  g_assert_cmpstr (error->message, ==, loose);
  g_clear_error (&error);
  g_assert_null (sp_plugin_load (file, &error));
  g_assert_cmpstr (error->message, ==, loose);
  g_clear_error (&error);
  g_assert_null (sp_plugin_files (dir, &error));
  g_clear_error (&error);
  g_assert_cmpint (g_chmod (dir, 0755), ==, 0);
  g_assert_cmpint (g_chmod (file, 0666), ==, 0);
  g_assert_null (sp_plugin_load (file, &error));
  g_assert_cmpstr (error->message, ==, loose_file);
  g_unlink (file);
  g_rmdir (dir);
}

static void
test_folder_of_another_user (void)
{
  g_autofree char *dir = g_dir_make_tmp ("sp-plugins-XXXXXX", NULL);
  g_autofree char *expected =
      g_strdup_printf ("the plugin folder %s belongs to user 12345: it must "
                       "belong to root or to user 0",
                       dir);
  g_autoptr (GError) error = NULL;

  if (chown (dir, 12345, (gid_t) -1) != 0) {
    g_test_skip ("only root can give a folder away");
  } else {
    g_assert_cmpint (sp_plugin_open_dir (dir, &error), ==, -1);
    g_assert_cmpstr (error->message, ==, expected);
  }
  g_rmdir (dir);
}

static void
test_default_folder (void)
{
  g_autofree char *chosen = NULL;

  g_setenv ("SECRET_PROXY_PLUGIN_DIR", "/a/../b", TRUE);
  chosen = sp_plugin_default_dir ();
  g_assert_cmpstr (chosen, ==, "/b");
  g_unsetenv ("SECRET_PROXY_PLUGIN_DIR");
}

/* ---- loading ---------------------------------------------------------------------------------------- */

static void
test_load (void)
{
  g_autofree char *path = path_of ("notify-honest.so");
  g_autoptr (GError) error = NULL;
  g_autoptr (SpPluginModule) module = sp_plugin_load (path, &error);
  g_autofree const char **calls = NULL;
  g_autofree char *all = NULL;

  g_assert_no_error (error);
  g_assert_cmpstr (module->plugin.name, ==, "honest");
  g_assert_cmpuint (module->n_options, ==, 2);
  g_assert_cmpstr (module->options[0].key, ==, "interval");
  calls = sp_plugin_module_calls (module);
  all = g_strjoinv (" ", (char **) calls);
  g_assert_cmpstr (all, ==, "open close post settle");
}

static void
test_load_older (void)
{
  g_autofree char *path = path_of ("notify-short-table.so");
  g_autoptr (GError) error = NULL;
  g_autoptr (SpPluginModule) module = sp_plugin_load (path, &error);

  g_assert_no_error (error);
  g_assert_nonnull (module->notifier.post);
  g_assert_null (module->notifier.settle);
  g_assert_null (module->notifier.render);
}

typedef struct {
  const char *file;
  const char *message;
} Refusal;

static const Refusal refusals[] = {
  { "notify-no-symbol.so", "it is no plugin: it does not export sp_plugin()" },
  { "notify-returns-nothing.so", "its sp_plugin() returns nothing" },
  { "notify-wrong-abi.so", "it is built for plugin ABI 9, and this core speaks 1: build it anew" },
  { "notify-wrong-ops-abi.so",
    "it is built for notify ABI 7, and this core speaks 1: build it anew" },
  { "notify-tiny.so", "its description has 16 bytes, and 48 are the least" },
  { "notify-unknown-kind.so", "its kind is 99, which this core does not know" },
  { "notify-wrong-kind.so",
    "it says that it is the store plugin 'wrong-kind', whose file is named store-wrong-kind.so" },
  { "notify-wrong-name.so",
    "it says that it is the notify plugin 'right-name', whose file is named notify-right-name.so" },
  { "notify-bad-name.so", "its name is not lower case letters, digits and dashes, at most 32" },
  { "notify-no-post.so", "it lacks the call post(), which every notify plugin needs" },
  { "vm-no-inspect.so", "it lacks the call inspect(), which every vm plugin needs" },
  { "notify-no-close.so", "it lacks the call close(), which every notify plugin needs" },
  { "notify-no-summary.so", "its version or summary is not one line of 1 to 200 bytes" },
  { "notify-bad-options.so", "option 'token': a secret can't have a default" },
};

static void
test_refusal (gconstpointer data)
{
  const Refusal *refusal = data;
  g_autofree char *path = path_of (refusal->file);
  g_autofree char *expected = g_strdup_printf ("plugin %s: %s", path, refusal->message);
  g_autoptr (GError) error = NULL;
  g_autoptr (GError) described = NULL;

  g_assert_null (sp_plugin_load (path, &error));
  g_assert_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG);
  g_assert_cmpstr (error->message, ==, expected);
  g_assert_null (sp_plugin_describe (path, &described));
  g_assert_cmpstr (described->message, ==, expected);
}

static void
test_a_text_file_is_no_plugin (void)
{
  g_autofree char *dir = g_dir_make_tmp ("sp-plugins-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (dir, "notify-text.so", NULL);
  g_autofree char *prefix = g_strdup_printf ("plugin %s: it can't be loaded: ", path);
  g_autoptr (GError) error = NULL;

  g_assert_true (g_file_set_contents (path, "hello\n", -1, NULL));
  g_assert_null (sp_plugin_load (path, &error));
  g_assert_true (g_str_has_prefix (error->message, prefix));
  g_assert_null (strstr (error->message, "/proc/"));
  g_unlink (path);
  g_rmdir (dir);
}

static void
test_no_such_file (void)
{
  g_autofree char *path = path_of ("notify-absent.so");
  g_autofree char *expected =
      g_strdup_printf ("cannot open the plugin %s: No such file or directory", path);
  g_autoptr (GError) error = NULL;

  g_assert_null (sp_plugin_load (path, &error));
  g_assert_cmpstr (error->message, ==, expected);
}

/* ---- describing ------------------------------------------------------------------------------------- */

static void
test_describe (void)
{
  g_autofree char *path = path_of ("notify-honest.so");
  g_autoptr (GError) error = NULL;
  g_autoptr (SpPluginInfo) info = sp_plugin_describe (path, &error);
  g_autofree char *json = NULL;

  g_assert_no_error (error);
  g_assert_cmpstr (info->path, ==, path);
  g_assert_cmpstr (info->kind, ==, "notify");
  g_assert_cmpstr (info->name, ==, "honest");
  g_assert_cmpstr (info->version, ==, "1.0");
  g_assert_cmpstr (info->summary, ==, "keeps every rule");
  g_assert_cmpuint (info->abi, ==, SP_PLUGIN_ABI);
  g_assert_cmpuint (info->n_options, ==, 2);
  g_assert_cmpstr (info->options[0].fallback, ==, "2s");
  g_assert_cmpint (info->options[0].max, ==, 60000);
  g_assert_null (info->options[1].fallback);
  json = sp_plugin_info_to_json (info);
  g_assert_true (g_str_has_prefix (json, "{\"name\":\"honest\",\"kind\":\"notify\","));
  g_assert_nonnull (
      strstr (json, "\"calls\":[\"open\",\"close\",\"post\",\"settle\"],\"options\":[{"));
}

static void
describe_fails (const char *file, const char *message)
{
  g_autofree char *path = path_of (file);
  g_autofree char *expected = g_strdup_printf ("plugin %s: %s", path, message);
  g_autoptr (GError) error = NULL;

  g_assert_null (sp_plugin_describe (path, &error));
  g_assert_cmpstr (error->message, ==, expected);
}

static void
test_describe_outlives_bad_loading (void)
{
  describe_fails ("notify-dies-on-load.so", "it crashed while it was loaded: Killed");
  describe_fails ("notify-hangs-on-load.so", "loading it took longer than 5 seconds");
}

static void
test_describe_keeps_its_result_apart (void)
{
  g_autofree char *path = path_of ("notify-prints-on-load.so");
  g_autoptr (GError) error = NULL;
  g_autoptr (SpPluginInfo) info = sp_plugin_describe (path, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (info->name, ==, "prints-on-load");
}

static void
test_list (void)
{
  g_autofree char *dir = g_dir_make_tmp ("sp-plugins-XXXXXX", NULL);
  static const char *const files[] = { "store-memory.so", "notify-no-post.so", "notify-honest.so" };
  g_autofree char *noise = g_build_filename (dir, "README", NULL);
  g_autoptr (GPtrArray) entries = NULL;
  g_autoptr (GError) error = NULL;
  const SpPluginEntry *entry;

  g_assert_true (g_file_set_contents (noise, "x", -1, NULL));
  for (gsize i = 0; i < G_N_ELEMENTS (files); i++) {
    g_autofree char *from = path_of (files[i]);
    g_autofree char *to = g_build_filename (dir, files[i], NULL);

    copy_file (from, to);
  }
  entries = sp_plugin_list (dir, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (entries->len, ==, 3);
  entry = g_ptr_array_index (entries, 0);
  g_assert_cmpstr (entry->info->name, ==, "honest");
  entry = g_ptr_array_index (entries, 1);
  g_assert_null (entry->info);
  g_assert_error (entry->error, SP_PROBLEM, SP_PROBLEM_CONFIG);
  entry = g_ptr_array_index (entries, 2);
  g_assert_cmpstr (entry->info->kind, ==, "store");
  for (gsize i = 0; i < G_N_ELEMENTS (files); i++) {
    g_autofree char *to = g_build_filename (dir, files[i], NULL);

    g_unlink (to);
  }
  g_unlink (noise);
  g_rmdir (dir);
}

static void
test_catalog (void)
{
  g_autoptr (SpPluginCatalog) catalog = sp_plugin_catalog_new (built ());
  g_autoptr (GError) error = NULL;
  const SpPluginInfo *info = sp_plugin_catalog_get (catalog, "notify", "honest", &error);
  const SpOption *options;
  gsize n_options;

  g_assert_no_error (error);
  g_assert_true (info == sp_plugin_catalog_get (catalog, "notify", "honest", &error));
  g_assert_true (
      sp_plugin_catalog_describe ("notify", "honest", &options, &n_options, catalog, &error));
  g_assert_cmpuint (n_options, ==, 2);
  g_assert_false (
      sp_plugin_catalog_describe ("forward", "http", &options, &n_options, catalog, &error));
  g_assert_error (error, SP_ERROR, SP_ERROR_UNSUPPORTED);
  g_assert_cmpstr (error->message, ==, "this release has no forward plugins");
}

/* Nobody can make the parent stumble with a report. */
static void
test_a_forged_description_is_refused (void)
{
  g_autoptr (GVariant) wrong_type = g_variant_ref_sink (g_variant_new ("(s)", "x"));
  g_autoptr (GVariant) wrong_kind =
      g_variant_ref_sink (g_variant_parse (NULL,
                                           "('/x', 'forward', 'x', '1', 's', @u 1, @u 1, @as [], "
                                           "@a(suumsmsxxs) [])",
                                           NULL, NULL, NULL));
  g_autoptr (GError) error = NULL;

  g_assert_null (sp_plugin_info_from_variant (wrong_type, &error));
  g_assert_cmpstr (error->message, ==, "its description makes no sense");
  g_clear_error (&error);
  g_assert_null (sp_plugin_info_from_variant (wrong_kind, &error));
  g_assert_cmpstr (error->message, ==, "its kind or name makes no sense");
}

int
main (int argc, char **argv)
{
  if (argc == 3 && strcmp (argv[1], "--describe") == 0)
    return sp_plugin_describe_main (argv[2], 3);
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/plugin/find/names", test_names);
  g_test_add_func ("/plugin/find/by-name", test_find_by_name);
  g_test_add_func ("/plugin/find/by-path", test_find_by_path);
  g_test_add_func ("/plugin/find/unsafe-folder", test_unsafe_folder);
  g_test_add_func ("/plugin/find/folder-of-another-user", test_folder_of_another_user);
  g_test_add_func ("/plugin/find/default-folder", test_default_folder);
  g_test_add_func ("/plugin/load/good", test_load);
  g_test_add_func ("/plugin/load/older-tables", test_load_older);
  for (gsize i = 0; i < G_N_ELEMENTS (refusals); i++) {
    g_autofree char *path = g_strdup_printf ("/plugin/refuse/%s", refusals[i].file);

    g_test_add_data_func (path, &refusals[i], test_refusal);
  }
  g_test_add_func ("/plugin/refuse/text-file", test_a_text_file_is_no_plugin);
  g_test_add_func ("/plugin/refuse/no-such-file", test_no_such_file);
  g_test_add_func ("/plugin/describe/good", test_describe);
  g_test_add_func ("/plugin/describe/outlives-bad-loading", test_describe_outlives_bad_loading);
  g_test_add_func ("/plugin/describe/keeps-its-result-apart", test_describe_keeps_its_result_apart);
  g_test_add_func ("/plugin/describe/forged", test_a_forged_description_is_refused);
  g_test_add_func ("/plugin/list", test_list);
  g_test_add_func ("/plugin/catalog", test_catalog);
  return g_test_run ();
}
