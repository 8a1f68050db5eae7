/* bundle-build.c - bundle-build.h: what goes in is found here, the recipes (core/bundle) put it together */
#include "host/appliance/bundle-build.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/problem.h"
#include "host/appliance/elf-closure.h"
#include "host/appliance/image-set-private.h"
#include "host/appliance/tool.h"
#include "host/program.h"
#include "host/self.h"
#include "plugin/find.h"
#include "sp-build.h"

#define RECIPE "build-bundle"
#define OCI_RECIPE "build-oci"

void
sp_bundle_free (SpBundle *bundle)
{
  if (bundle == NULL)
    return;
  g_free (bundle->id);
  g_free (bundle->digest);
  g_free (bundle);
}

/* ---- what goes in ------------------------------------------------------------------------------------ */

/* A file of the recipes' folder: beside the programs in a build tree, else where it is installed. */
static char *
part (const char *name, GError **error)
{
  g_autofree char *daemon = sp_program_daemon (error);
  g_autofree char *dir = daemon ? g_path_get_dirname (daemon) : NULL;
  g_autofree char *beside = dir ? g_build_filename (dir, "bundle", name, NULL) : NULL;

  if (beside == NULL)
    return NULL;
  if (g_file_test (beside, G_FILE_TEST_IS_EXECUTABLE))
    return g_steal_pointer (&beside);
  return g_build_filename (SP_BUNDLE_PARTS_DIR, name, NULL);
}

/* Which libraries they need the usual ones of this machine say, of the same objects: a bundle's own would
 * look into /opt/secret-proxy first, where there may be another. */
static gboolean
add_program (GString *list, GPtrArray *files, const char *name, char *usual, GError **error)
{
  g_autofree char *path = usual ? part (name, error) : NULL;

  if (usual != NULL)
    g_ptr_array_add (files, usual);
  if (path == NULL)
    return FALSE;
  g_string_append_printf (list, "bin/%s %s\n", name, path);
  return TRUE;
}

static gboolean
may_be_brought (const char *file)
{
  g_autofree char *kind = NULL;
  g_autofree char *name = NULL;

  return sp_plugin_split (file, &kind, &name) && !g_str_equal (kind, sp_kind_word (SP_KIND_VM));
}

static gboolean
add_plugins (GString *list, GPtrArray *files, GError **error)
{
  g_autofree char *dir = sp_plugin_default_dir ();
  g_auto (GStrv) names = sp_plugin_files (dir, error);
  int fd = names ? sp_plugin_open_dir (dir, error) : -1;
  gboolean ok = fd >= 0;

  for (char **name = names; ok && *name != NULL; name++) {
    if (!may_be_brought (*name))
      continue;
    ok = sp_plugin_check_file (fd, dir, *name, error);
    if (!ok)
      break;
    g_string_append_printf (list, "plugins/%s %s/%s\n", *name, dir, *name);
    g_ptr_array_add (files, g_build_filename (dir, *name, NULL));
  }
  if (fd >= 0)
    (void) g_close (fd, NULL);
  return ok;
}

/* All of it, and what it needs: both as the recipe reads them. */
static gboolean
write_lists (const char *programs, const char *libraries, GError **error)
{
  g_autoptr (GPtrArray) files = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GString) list = g_string_new (NULL);
  g_autofree char *needed = NULL;

  if (!add_program (list, files, "secret-proxy", sp_self_path (error), error) ||
      !add_program (list, files, "secret-proxyd", sp_program_daemon (error), error) ||
      !add_plugins (list, files, error))
    return FALSE;
  g_ptr_array_add (files, sp_elf_tls_module ());
  g_ptr_array_add (files, NULL);
  needed = sp_elf_library_list ((const char *const *) files->pdata, error);
  return needed != NULL && g_file_set_contents (programs, list->str, -1, error) &&
         g_file_set_contents (libraries, needed, -1, error);
}

/* ---- the bundle -------------------------------------------------------------------------------------- */

static gboolean
run_recipe (const char *to, const char *work, GError **error)
{
  g_autofree char *recipe = part (RECIPE, error);
  g_autofree char *programs = g_build_filename (work, "programs", NULL);
  g_autofree char *libraries = g_build_filename (work, "libraries", NULL);
  const char *const argv[] = { recipe,        "--version", SP_VERSION, "--programs", programs,
                               "--libraries", libraries,   "--output", to,           NULL };

  return recipe != NULL && write_lists (programs, libraries, error) &&
         sp_tool_run (argv, "secret-proxy", error);
}

static gboolean
run_service_recipe (const char *to, GError **error)
{
  g_autofree char *recipe = part (RECIPE, error);
  const char *const argv[] = { recipe, "--container", "yes", "--output", to, NULL };

  return recipe != NULL && sp_tool_run (argv, "secret-proxy", error);
}

/* @work NULL: without the programs. */
static SpBundle *
build_in (const char *to, const char *work, GError **error)
{
  g_autofree char *manifest = g_build_filename (to, SP_MANIFEST, NULL);
  g_autoptr (SpBundle) bundle = g_new0 (SpBundle, 1);
  guint64 size;

  if (g_mkdir (to, 0755) != 0) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFLICT,
                 "cannot make %s: %s; name a folder that is not there yet", to, g_strerror (errno));
    return NULL;
  }
  if (!(work ? run_recipe (to, work, error) : run_service_recipe (to, error)) ||
      !sp_image_hash (manifest, &bundle->id, &size, error)) {
    g_prefix_error (error, "cannot build the bundle: ");
    return NULL;
  }
  return g_steal_pointer (&bundle);
}

static void
remove_tree (const char *path)
{
  const char *const argv[] = { "rm", "-rf", "--", path, NULL };
  g_autoptr (GError) error = NULL;

  if (!sp_tool_run (argv, "coreutils", &error))
    g_message ("%s stays behind: %s", path, error->message);
}

SpBundle *
sp_bundle_build (const char *to, GError **error)
{
  g_autofree char *path = g_canonicalize_filename (to, NULL);
  g_autofree char *work = g_dir_make_tmp ("secret-proxy-bundle-XXXXXX", error);
  SpBundle *bundle = work ? build_in (path, work, error) : NULL;

  if (work != NULL)
    remove_tree (work);
  return bundle;
}

SpBundle *
sp_bundle_build_service (const char *to, GError **error)
{
  g_autofree char *path = g_canonicalize_filename (to, NULL);

  return build_in (path, NULL, error);
}

/* ---- the OCI image ------------------------------------------------------------------------------------- */

static gboolean
pack (SpBundle *bundle, const char *folder, const char *work, const char *to, GError **error)
{
  g_autofree char *recipe = part (OCI_RECIPE, error);
  g_autofree char *digest = g_build_filename (work, "digest", NULL);
  g_autofree char *next = g_strconcat (to, ".new", NULL);
  const char *const argv[] = { recipe,     "--bundle", folder, "--id",     bundle->id, "--version",
                               SP_VERSION, "--work",   work,   "--output", next,       NULL };

  if (recipe == NULL || !sp_tool_run (argv, "secret-proxy", error) ||
      !g_file_get_contents (digest, &bundle->digest, NULL, error)) {
    (void) g_unlink (next);
    return FALSE;
  }
  if (g_rename (next, to) == 0)
    return TRUE;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTERNAL, "cannot write %s: %s", to,
               g_strerror (errno));
  (void) g_unlink (next);
  return FALSE;
}

SpBundle *
sp_bundle_build_oci (const char *to, GError **error)
{
  g_autofree char *path = g_canonicalize_filename (to, NULL);
  g_autofree char *work = NULL;
  g_autofree char *folder = NULL;
  g_autoptr (SpBundle) bundle = NULL;
  gboolean ok = FALSE;

  if (g_file_test (path, G_FILE_TEST_EXISTS)) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFLICT,
                 "%s is there: name a file that is not there yet", path);
    return NULL;
  }
  work = g_dir_make_tmp ("secret-proxy-oci-XXXXXX", error);
  if (work == NULL)
    return NULL;
  folder = g_build_filename (work, "bundle", NULL);
  bundle = build_in (folder, work, error);
  if (bundle != NULL) {
    ok = pack (bundle, folder, work, path, error);
    if (!ok)
      g_prefix_error (error, "cannot build the OCI image: ");
  }
  remove_tree (work);
  return ok ? g_steal_pointer (&bundle) : NULL;
}
