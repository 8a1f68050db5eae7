/* image-build.c - image-set.h: run the recipe, write the manifest
 *
 * The recipe (core/guest/build-image) puts the files together; which libraries the daemon needs, and what
 * came out of it, is found out here.
 */
#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/problem.h"
#include "base/secret.h"
#include "host/appliance/elf-closure.h"
#include "host/appliance/image-set-private.h"
#include "host/program.h"
#include "host/self.h"
#include "host/appliance/tool.h"
#include "sp-build.h"

#define RECIPE "build-image"
#define PACKAGES "packages"
#define BOOT "/boot"
#define KERNEL_PREFIX "vmlinuz-"
#define MODULES "/lib/modules"

/* ---- the manifest ------------------------------------------------------------------------------------ */

static JsonObject *
packages_of (const char *text)
{
  JsonObject *object = json_object_new ();
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);

  for (char **line = lines; *line != NULL; line++) {
    char *space = strchr (*line, ' ');

    if (space == NULL)
      continue;
    *space = 0;
    json_object_set_string_member (object, *line, space + 1);
  }
  return object;
}

static gboolean
add_part (JsonObject *manifest, const char *dir, const char *name, GError **error)
{
  g_autofree char *path = g_build_filename (dir, name, NULL);
  g_autofree char *sha256 = NULL;
  JsonObject *part;
  guint64 size = 0;

  if (!sp_image_hash (path, &sha256, &size, error))
    return FALSE;
  part = json_object_new ();
  json_object_set_string_member (part, "sha256", sha256);
  json_object_set_int_member (part, "size", (gint64) size);
  json_object_set_object_member (manifest, name, part);
  return TRUE;
}

/* Members in the order of their names; the recipe has sorted the packages. */
gboolean
sp_manifest_write (const char *dir, const char *release, GError **error)
{
  g_autofree char *list = g_build_filename (dir, PACKAGES, NULL);
  g_autofree char *path = g_build_filename (dir, SP_MANIFEST, NULL);
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  JsonObject *manifest = json_object_new ();
  g_autofree char *packages = NULL;
  g_autofree char *text = NULL;

  json_node_take_object (node, manifest);
  if (!g_file_get_contents (list, &packages, NULL, error))
    return FALSE;
  json_object_set_int_member (manifest, "format", 1);
  if (!add_part (manifest, dir, "initrd", error) || !add_part (manifest, dir, "kernel", error))
    return FALSE;
  json_object_set_object_member (manifest, "packages", packages_of (packages));
  json_object_set_string_member (manifest, "release", release);
  if (!add_part (manifest, dir, "root", error))
    return FALSE;
  json_object_set_string_member (manifest, "version", SP_VERSION);
  text = sp_json_text (node);
  if (!g_file_set_contents_full (path, text, -1, G_FILE_SET_CONTENTS_DURABLE, 0644, error))
    return FALSE;
  (void) g_chmod (path, 0644);
  return g_unlink (list) == 0;
}

/* ---- what the recipe is given -------------------------------------------------------------------------- */

/* The newest kernel of the cloud flavour that has its modules here; else the newest of all. */
static char *
find_kernel (void)
{
  g_autoptr (GDir) dir = g_dir_open (BOOT, 0, NULL);
  g_autofree char *best = NULL;
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *modules = NULL;
    gboolean cloud, best_cloud;

    if (!g_str_has_prefix (name, KERNEL_PREFIX))
      continue;
    modules = g_build_filename (MODULES, name + strlen (KERNEL_PREFIX), NULL);
    if (!g_file_test (modules, G_FILE_TEST_IS_DIR))
      continue;
    cloud = strstr (name, "cloud") != NULL;
    best_cloud = best != NULL && strstr (best, "cloud") != NULL;
    if (best != NULL && (cloud < best_cloud || (cloud == best_cloud && strcmp (name, best) < 0)))
      continue;
    g_free (best);
    best = g_strdup (name);
  }
  return best ? g_build_filename (BOOT, best, NULL) : NULL;
}

static char *
recipe_path (GError **error)
{
  g_autofree char *daemon = sp_program_daemon (error);
  g_autofree char *dir = daemon ? g_path_get_dirname (daemon) : NULL;
  g_autofree char *beside = dir ? g_build_filename (dir, "guest", RECIPE, NULL) : NULL;

  if (beside == NULL)
    return NULL;
  if (g_file_test (beside, G_FILE_TEST_IS_EXECUTABLE))
    return g_steal_pointer (&beside);
  return g_build_filename (SP_GUEST_DIR, RECIPE, NULL);
}

/* With GIO's TLS module, which the daemon loads by itself. */
static char *
library_list (const char *daemon, GError **error)
{
  g_autofree char *module = sp_elf_tls_module ();
  const char *const files[] = { daemon, module, NULL };

  return sp_elf_library_list (files, error);
}

/* ---- the whole ----------------------------------------------------------------------------------------- */

static gboolean
run_recipe (const char *to, const char *kernel, const char *release, GError **error)
{
  g_autofree char *recipe = recipe_path (error);
  g_autofree char *daemon = recipe ? sp_program_daemon (error) : NULL;
  g_autofree char *list = daemon ? library_list (daemon, error) : NULL;
  g_autofree char *file = g_build_filename (to, "libraries", NULL);
  const char *const argv[] = { recipe, "--kernel",    kernel, "--release", release, "--daemon",
                               daemon, "--libraries", file,   "--output",  to,      NULL };
  gboolean ok;

  if (list == NULL || !g_file_set_contents (file, list, -1, error))
    return FALSE;
  ok = sp_tool_run (argv, "secret-proxy", error);
  (void) g_unlink (file);
  return ok;
}

SpImageSet *
sp_image_set_build (const char *to, const char *kernel, GError **error)
{
  g_autofree char *found = kernel ? g_canonicalize_filename (kernel, NULL) : find_kernel ();
  g_autofree char *path = g_canonicalize_filename (to, NULL);
  g_autofree char *name = found ? g_path_get_basename (found) : NULL;

  if (name == NULL || !g_str_has_prefix (name, KERNEL_PREFIX)) {
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_CONFIG,
                         "there is no kernel " BOOT "/" KERNEL_PREFIX "… with modules in " MODULES
                         ": install linux-image-cloud-amd64, or name one with --kernel");
    return NULL;
  }
  if (g_mkdir (path, 0755) != 0 || g_chmod (path, 0755) != 0) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFLICT,
                 "cannot make %s: %s; name a folder that is not there yet", path,
                 g_strerror (errno));
    return NULL;
  }
  if (!run_recipe (path, found, name + strlen (KERNEL_PREFIX), error) ||
      !sp_manifest_write (path, name + strlen (KERNEL_PREFIX), error)) {
    g_prefix_error (error, "cannot build the image: ");
    return NULL;
  }
  return sp_image_set_open (path, error);
}
