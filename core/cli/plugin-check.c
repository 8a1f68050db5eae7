/* plugin-check.c - `secret-proxy plugin check`: the conformance suite as TAP
 *
 * The suite is plugin/check; here are the values it runs with, from the config file, and how its points
 * are printed.  Text of a plugin ends up on a terminal, so it is shown escaped.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/config.h"
#include "base/option.h"
#include "cli/output.h"
#include "plugin/check/check.h"
#include "plugin/info.h"

/* ---- what to run it with -------------------------------------------------------------------------------- */

typedef struct {
  SpPluginCatalog *catalog;
  const SpPluginInfo *info; /* of the plugin under test */
} Described;

static gboolean
is_it (const SpPluginInfo *info, const char *kind, const char *plugin)
{
  g_autofree char *path =
      strchr (plugin, '/') != NULL ? g_canonicalize_filename (plugin, NULL) : NULL;

  return strcmp (kind, info->kind) == 0 &&
         strcmp (path != NULL ? path : plugin, path != NULL ? info->path : info->name) == 0;
}

/* An SpConfigDescribe: the plugin under test need not lie in the folder of plugins. */
static gboolean
describe (const char *kind, const char *plugin, const SpOption **ret_options, gsize *ret_n_options,
          gpointer data, GError **error)
{
  const Described *described = data;

  if (!is_it (described->info, kind, plugin))
    return sp_plugin_catalog_describe (kind, plugin, ret_options, ret_n_options, described->catalog,
                                       error);
  *ret_options = described->info->options;
  *ret_n_options = described->info->n_options;
  return TRUE;
}

static const SpConfigInstance *
find_instance (const SpConfig *config, const SpPluginInfo *info, GError **error)
{
  for (const SpConfigInstance *const *it = sp_config_instances (config); *it != NULL; it++)
    if (is_it (info, (*it)->kind, (*it)->plugin))
      return *it;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_NOT_FOUND,
               "the config file has no section for this plugin: add [%s NAME] with 'plugin = %s'",
               info->kind, info->path);
  return NULL;
}

static GVariant *
fetch_secrets (const SpConfigInstance *instance, GError **error)
{
  g_auto (GVariantBuilder) secrets = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("a{say}"));
  const char *key, *place;
  GVariantIter iter;

  g_variant_iter_init (&iter, instance->secrets);
  while (g_variant_iter_next (&iter, "{&s&s}", &key, &place)) {
    g_autoptr (SpSecret) secret = sp_secret_fetch (place, error);
    g_autoptr (GBytes) bytes = secret != NULL ? sp_secret_to_bytes (secret) : NULL;

    if (secret == NULL) {
      g_prefix_error (error, "%s: ", key);
      return NULL;
    }
    g_variant_builder_add (&secrets, "{s@ay}", key,
                           g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING, bytes, TRUE));
  }
  return g_variant_ref_sink (g_variant_builder_end (&secrets));
}

static gboolean
take_config (SpCli *cli, SpCheckSetup *setup, GError **error)
{
  g_autoptr (SpPluginCatalog) catalog = sp_plugin_catalog_new (sp_cli_get (cli, "plugin-dir"));
  g_autoptr (SpPluginInfo) info = sp_plugin_describe (setup->path, error);
  const Described described = { .catalog = catalog, .info = info };
  g_autoptr (SpConfig) config = NULL;
  const SpConfigInstance *instance;

  if (info == NULL)
    return FALSE;
  config = sp_config_read (sp_cli_get (cli, "config"), describe, (gpointer) &described, error);
  instance = config != NULL ? find_instance (config, info, error) : NULL;
  setup->secrets = instance != NULL ? fetch_secrets (instance, error) : NULL;
  if (setup->secrets == NULL)
    return FALSE;
  setup->options = g_variant_ref (instance->options);
  setup->people = sp_config_people (config, instance->name);
  setup->given = TRUE;
  return TRUE;
}

/* Ids that most services would take for those of people. */
static void
make_up (SpCheckSetup *setup)
{
  static const char *const people[] = { "100001", "100002", NULL };

  setup->options = g_variant_ref_sink (g_variant_new ("a{ss}", NULL));
  setup->secrets = g_variant_ref_sink (g_variant_new ("a{say}", NULL));
  setup->people = g_variant_ref_sink (g_variant_new_strv (people, -1));
}

/* ---- printing ------------------------------------------------------------------------------------------- */

typedef struct {
  JsonArray *points; /* NULL: TAP */
  guint n;
} Printer;

static void
print_lines (const char *text)
{
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);

  for (char **line = lines; *line != NULL; line++) {
    g_autofree char *escaped = sp_escape_text (*line);

    (void) printf ("# %s\n", escaped);
  }
}

static void
print_point (const SpCheckPoint *point, gpointer data)
{
  Printer *printer = data;
  g_autofree char *reason = NULL;

  printer->n++;
  if (point->verdict == SP_CHECK_SKIPPED)
    reason = sp_escape_text (point->text);
  (void) printf ("%sok %u - %s: %s%s%s\n", point->verdict == SP_CHECK_FAILED ? "not " : "",
                 printer->n, point->name, point->what, reason != NULL ? " # SKIP " : "",
                 reason != NULL ? reason : "");
  if (point->verdict == SP_CHECK_FAILED) {
    print_lines (point->text);
    (void) printf ("# mend: %s\n", point->mend);
  }
  (void) fflush (stdout);
}

static void
add_point (const SpCheckPoint *point, gpointer data)
{
  static const char *const verdicts[] = {
    [SP_CHECK_PASSED] = "passed", [SP_CHECK_FAILED] = "failed", [SP_CHECK_SKIPPED] = "skipped"
  };
  Printer *printer = data;
  JsonObject *object = json_object_new ();

  json_object_set_string_member (object, "name", point->name);
  json_object_set_string_member (object, "what", point->what);
  json_object_set_string_member (object, "verdict", verdicts[point->verdict]);
  if (point->text != NULL)
    json_object_set_string_member (object, "message", point->text);
  if (point->verdict == SP_CHECK_FAILED)
    json_object_set_string_member (object, "mend", point->mend);
  json_array_add_object_element (printer->points, object);
}

static gboolean
run_json (const SpCheckSetup *setup, gboolean *ret_ok, GError **error)
{
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  JsonObject *object = json_object_new ();
  Printer printer = { .points = json_array_new () };

  json_node_take_object (node, object);
  json_object_set_array_member (object, "points", printer.points);
  if (!sp_plugin_check (setup, add_point, &printer, ret_ok, error))
    return FALSE;
  json_object_set_boolean_member (object, "ok", *ret_ok);
  sp_print_json (node);
  return TRUE;
}

static gboolean
run_tap (const SpCheckSetup *setup, gboolean *ret_ok, GError **error)
{
  Printer printer = { .n = 0 };

  (void) printf ("TAP version 13\n");
  if (!sp_plugin_check (setup, print_point, &printer, ret_ok, error)) {
    (void) printf ("Bail out! this machine does not let it be judged\n");
    return FALSE;
  }
  (void) printf ("1..%u\n", printer.n);
  return TRUE;
}

/* A wrong path says nothing about a plugin, so it is no verdict. */
static gboolean
is_there (const char *path, GError **error)
{
  struct stat st;

  errno = 0;
  if (stat (path, &st) == 0 && !S_ISDIR (st.st_mode))
    return TRUE;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_NOT_FOUND, "%s: %s: name the plugin's KIND-NAME.so",
               path, errno == 0 ? "this is a folder" : g_strerror (errno));
  return FALSE;
}

int
sp_cli_plugin_check (SpCli *cli, GError **error)
{
  SpCheckSetup setup = { .path = cli->args[0], .live = sp_cli_has (cli, "live") };
  gboolean ok = FALSE;

  if (!is_there (setup.path, error))
    return 1;
  if (!sp_cli_has (cli, "config"))
    make_up (&setup);
  else if (!take_config (cli, &setup, error))
    return 1;
  if (sp_cli_has (cli, "json"))
    (void) run_json (&setup, &ok, error);
  else
    (void) run_tap (&setup, &ok, error);
  g_variant_unref (setup.options);
  g_variant_unref (setup.secrets);
  g_variant_unref (setup.people);
  return ok ? 0 : 1;
}
