/* plugin-new.c - `secret-proxy plugin new`: a whole project for a plugin outside of this tree
 *
 * The files are templates/, put into this program.  What must stay true: nothing that is there is changed;
 * the project builds without a warning, and passes its tests and `plugin check`, as it is.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/option.h"
#include "cli/output.h"
#include "cli/templates.h"
#include "plugin/find.h"

#define RESOURCES "/org/secret-proxy/templates/"

/* In both columns @KIND@ and @NAME@ stand for those of the plugin. */
static const struct {
  const char *template;
  const char *file;
} files[] = {
  { "@KIND@.c.in", "@KIND@-@NAME@.c" }, { "test-@KIND@.c.in", "test-@NAME@.c" },
  { "meson.build.in", "meson.build" },  { "README-@KIND@.md.in", "README.md" },
  { "gitignore.in", ".gitignore" },
};

typedef struct {
  const char *kind, *name;
  char *folder;
  int fd;
} Project;

static char *
fill_in (const Project *project, const char *text)
{
  g_autoptr (GString) out = g_string_new (text);

  g_string_replace (out, "@KIND@", project->kind, 0);
  g_string_replace (out, "@NAME@", project->name, 0);
  return g_string_free (g_steal_pointer (&out), FALSE);
}

/* ---- the folder ------------------------------------------------------------------------------------- */

static gboolean
is_empty (const char *path)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);

  return dir != NULL && g_dir_read_name (dir) == NULL;
}

static gboolean
open_folder (Project *project, GError **error)
{
  if (mkdir (project->folder, 0777) != 0 && errno != EEXIST) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTERNAL, "cannot make %s: %s", project->folder,
                 g_strerror (errno));
    return FALSE;
  }
  if (!is_empty (project->folder)) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFLICT,
                 "%s is there and is no empty folder: choose another one with --dir",
                 project->folder);
    return FALSE;
  }
  project->fd = open (project->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (project->fd >= 0)
    return TRUE;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTERNAL, "cannot open %s: %s", project->folder,
               g_strerror (errno));
  return FALSE;
}

static gboolean
write_file (const Project *project, const char *name, const char *text, GError **error)
{
  int fd = openat (project->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  FILE *file = fd >= 0 ? fdopen (fd, "w") : NULL;
  gboolean ok = file != NULL && fputs (text, file) >= 0;

  if (file != NULL)
    ok = fclose (file) == 0 && ok;
  if (!ok)
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTERNAL, "cannot write %s/%s: %s", project->folder,
                 name, g_strerror (errno));
  return ok;
}

static gboolean
write_project (const Project *project, JsonArray *names, GError **error)
{
  GResource *resource;

  sp_templates_register_resource ();
  resource = sp_templates_get_resource ();
  for (gsize i = 0; i < G_N_ELEMENTS (files); i++) {
    g_autofree char *template = fill_in (project, files[i].template);
    g_autofree char *path = g_strconcat (RESOURCES, template, NULL);
    g_autofree char *name = fill_in (project, files[i].file);
    g_autoptr (GBytes) bytes = g_resource_lookup_data (resource, path, 0, error);
    g_autofree char *text = NULL;

    if (bytes == NULL)
      return FALSE;
    /* The compiler puts a NUL behind each. */
    text = fill_in (project, g_bytes_get_data (bytes, NULL));
    if (!write_file (project, name, text, error))
      return FALSE;
    json_array_add_string_element (names, name);
  }
  return TRUE;
}

/* ---- the verb ---------------------------------------------------------------------------------------- */

static gboolean
check_names (const char *kind, const char *name, GError **error)
{
  static const char *const kinds[] = { "notify", "store", "vm", NULL };
  SpKind known;

  if (!sp_kind_from_word (kind, &known)) {
    g_autofree char *hint = sp_did_you_mean (kind, kinds);

    g_set_error (error, SP_PROBLEM, SP_PROBLEM_USAGE,
                 "'%s' is no kind of plugin; they are notify, store and vm%s", kind, hint);
    return FALSE;
  }
  if (sp_plugin_is_name (name))
    return TRUE;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_USAGE,
               "'%s' is no name of a plugin: lower case letters, digits and dashes, at most 32",
               name);
  return FALSE;
}

static void
tell (const SpCli *cli, const Project *project, JsonArray *names)
{
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  JsonObject *object = json_object_new ();

  json_node_take_object (node, object);
  json_object_set_string_member (object, "folder", project->folder);
  json_object_set_array_member (object, "files", json_array_ref (names));
  sp_print_sentence (
      cli, node,
      "wrote the plugin %s-%s into %s; next: cd there, meson setup build, meson test "
      "-C build",
      project->kind, project->name, project->folder);
}

int
sp_cli_plugin_new (SpCli *cli, GError **error)
{
  Project project = { .kind = cli->args[0], .name = cli->args[1], .fd = -1 };
  g_autofree char *usual = g_strdup_printf ("%s-%s", project.kind, project.name);
  g_autoptr (JsonArray) names = json_array_new ();
  const char *dir = sp_cli_get (cli, "dir");
  g_autofree char *folder = g_canonicalize_filename (dir != NULL ? dir : usual, NULL);
  gboolean ok;

  project.folder = folder;
  ok = check_names (project.kind, project.name, error) && open_folder (&project, error) &&
       write_project (&project, names, error);
  if (project.fd >= 0)
    (void) close (project.fd);
  if (ok)
    tell (cli, &project, names);
  return ok ? 0 : 1;
}
