/* plugin.c - `secret-proxy plugin show`
 *
 * Plugins are loaded by a child process only, since loading one runs its code: plugin/info.h.
 */
#include <stdio.h>
#include <string.h>

#include "base/option.h"
#include "cli/output.h"
#include "plugin/find.h"
#include "plugin/info.h"

/* The file's name says of what kind it is. */
static char *
find_path (const char *dir, const char *path, GError **error)
{
  g_autofree char *file = g_path_get_basename (path);
  g_autofree char *kind = NULL;
  g_autofree char *name = NULL;

  if (sp_plugin_split (file, &kind, &name))
    return sp_plugin_find (dir, kind, path, error);
  g_set_error (
      error, SP_PROBLEM, SP_PROBLEM_CONFIG,
      "%s is no plugin's file: it would be named KIND-NAME.so, with one of the kinds notify, "
      "store and vm",
      path);
  return NULL;
}

/* "notify-file", or "file" where only one kind has a plugin of that name, or a path. */
static char *
find (const char *dir, const char *name, GError **error)
{
  g_autofree char *kind = NULL;
  g_autofree char *bare = NULL;
  g_autofree char *file = g_strconcat (name, ".so", NULL);
  g_auto (GStrv) files = NULL;

  if (strchr (name, '/') != NULL)
    return find_path (dir, name, error);
  if (sp_plugin_split (file, &kind, &bare))
    return sp_plugin_find (dir, kind, bare, error);
  files = sp_plugin_files (dir, error);
  for (char **it = files; it != NULL && *it != NULL; it++) {
    g_autofree char *its_kind = NULL;
    g_autofree char *its_name = NULL;

    if (sp_plugin_split (*it, &its_kind, &its_name) && g_str_equal (its_name, name))
      return sp_plugin_find (dir, its_kind, its_name, error);
  }
  if (files != NULL) {
    g_autofree char *hint = sp_did_you_mean (file, (const char *const *) files);

    g_set_error (error, SP_PROBLEM, SP_PROBLEM_NOT_FOUND, "there is no plugin %s in %s%s", name,
                 dir, hint);
  }
  return NULL;
}

static void
print_info (const SpPluginInfo *info)
{
  g_autofree char *calls = g_strjoinv (" ", info->calls);
  g_autofree char *options = sp_options_to_text (info->options, info->n_options);
  g_autofree char *summary = sp_escape_text (info->summary ? info->summary : "");

  (void) printf ("%s-%s %s: %s\n%s\ncalls: %s\n", info->kind, info->name,
                 info->version ? info->version : "", summary, info->path, calls);
  if (info->n_options > 0)
    (void) printf ("options:\n%s", options);
}

int
sp_cli_plugin_show (SpCli *cli, GError **error)
{
  g_autofree char *dir = sp_cli_has (cli, "plugin-dir") ? g_strdup (sp_cli_get (cli, "plugin-dir"))
                                                        : sp_plugin_default_dir ();
  g_autofree char *path = find (dir, cli->args[0], error);
  g_autoptr (SpPluginInfo) info = path ? sp_plugin_describe (path, error) : NULL;

  if (info == NULL)
    return 1;
  if (sp_cli_has (cli, "json")) {
    g_autofree char *text = sp_plugin_info_to_json (info);

    (void) printf ("%s\n", text);
  } else if (sp_cli_has (cli, "markdown")) {
    g_autofree char *text = sp_plugin_info_to_markdown (info);

    (void) printf ("%s", text);
  } else {
    print_info (info);
  }
  return 0;
}
