/* image.c - `secret-proxy image build|measure|import|export`: the images of this host; the bundle */
#include <stdio.h>
#include <string.h>

#include "base/state.h"
#include "cli/image-cloud.h"
#include "cli/output.h"
#include "host/appliance/bundle-build.h"
#include "host/appliance/draft.h"
#include "host/appliance/image-set.h"

static const SpColumn fields[] = {
  { "image", "image", SP_COLUMN_TEXT },
  { "kind", "kind", SP_COLUMN_TEXT },
  { "dir", "dir", SP_COLUMN_TEXT },
  { "version", "version", SP_COLUMN_TEXT },
  { "kernel release", "release", SP_COLUMN_TEXT },
  { "kernel", "kernel", SP_COLUMN_TEXT },
  { "initrd", "initrd", SP_COLUMN_TEXT },
  { "root", "root", SP_COLUMN_TEXT },
  { "size", "size", SP_COLUMN_TEXT },
};

static void
print_image (const SpCli *cli, const SpImageSet *set)
{
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  JsonObject *object = json_object_new ();
  g_autofree char *id = g_strconcat ("sha256:", set->id, NULL);

  json_node_take_object (node, object);
  json_object_set_string_member (object, "image", id);
  json_object_set_string_member (object, "kind", "appliance");
  json_object_set_string_member (object, "dir", set->dir);
  json_object_set_string_member (object, "version", set->version);
  json_object_set_string_member (object, "release", set->made_of);
  json_object_set_string_member (object, "kernel", set->kernel.sha256);
  json_object_set_string_member (object, "initrd", set->initrd.sha256);
  json_object_set_string_member (object, "root", set->root.sha256);
  json_object_set_int_member (object, "size",
                              (gint64) (set->kernel.size + set->initrd.size + set->root.size));
  sp_print_fields (cli, node, fields, G_N_ELEMENTS (fields));
}

/* Its id is not known before it is there. */
static SpImageSet *
build_here (const char *kernel, GError **error)
{
  g_autofree char *state = sp_state_dir ();
  g_autoptr (SpDraft) draft = sp_draft_new (state, error);
  g_autofree char *path = draft ? g_build_filename (draft->path, "image", NULL) : NULL;
  g_autoptr (SpImageSet) built = path ? sp_image_set_build (path, kernel, error) : NULL;

  return built ? sp_image_set_import (built, state, error) : NULL;
}

static const SpColumn bundle_fields[] = {
  { "bundle", "bundle", SP_COLUMN_TEXT },
  { "digest", "digest", SP_COLUMN_TEXT },
  { "written", "written", SP_COLUMN_TEXT },
};

static void
add_digest (JsonObject *object, const char *name, const char *hex)
{
  g_autofree char *text = g_strconcat ("sha256:", hex, NULL);

  json_object_set_string_member (object, name, text);
}

static int
build_bundle (SpCli *cli, const char *dir, const char *file, GError **error)
{
  g_autoptr (SpBundle) bundle =
      dir ? sp_bundle_build (dir, error) : sp_bundle_build_oci (file, error);
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  JsonObject *object = json_object_new ();

  json_node_take_object (node, object);
  if (bundle == NULL)
    return 1;
  add_digest (object, "bundle", bundle->id);
  if (bundle->digest != NULL)
    add_digest (object, "digest", bundle->digest);
  json_object_set_string_member (object, "written", dir ? dir : file);
  sp_print_fields (cli, node, bundle_fields, G_N_ELEMENTS (bundle_fields));
  return 0;
}

/* TRUE where at most one of the things that can be built is asked for. */
static gboolean
check_choice (const SpCli *cli, GError **error)
{
  gboolean cloud = sp_cli_has (cli, "cloud");
  gboolean appliance = sp_cli_has (cli, "kernel") || (sp_cli_has (cli, "output") && !cloud);

  if (!cloud && (sp_cli_has (cli, "sha512") || sp_cli_has (cli, "templates") ||
                 sp_cli_has (cli, "runtime"))) {
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_USAGE,
                         "--sha512, --templates and --runtime are of a cloud image (--cloud)");
    return FALSE;
  }
  if (sp_cli_has (cli, "bundle") + sp_cli_has (cli, "oci") + cloud + appliance <= 1)
    return TRUE;
  g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_USAGE,
                       "image build makes one thing: an appliance (--kernel), a cloud image "
                       "(--cloud), a bundle (--bundle) or an OCI image (--oci)");
  return FALSE;
}

static int
build_appliance (SpCli *cli, GError **error)
{
  const char *output = sp_cli_get (cli, "output"), *kernel = sp_cli_get (cli, "kernel");
  g_autoptr (SpImageSet) set =
      output ? sp_image_set_build (output, kernel, error) : build_here (kernel, error);

  if (set == NULL)
    return 1;
  print_image (cli, set);
  return 0;
}

int
sp_cli_image_build (SpCli *cli, GError **error)
{
  const char *dir = sp_cli_get (cli, "bundle"), *file = sp_cli_get (cli, "oci");

  if (!check_choice (cli, error))
    return 1;
  if (sp_cli_has (cli, "cloud"))
    return sp_cli_image_build_cloud (cli, error);
  return dir || file ? build_bundle (cli, dir, file, error) : build_appliance (cli, error);
}

/* ---- both kinds ------------------------------------------------------------------------------------------- */

/* One image of either kind. */
typedef struct {
  SpImageSet *set;
  SpCloudImage *cloud;
} Image;

static void
image_clear (Image *image)
{
  sp_image_set_free (image->set);
  sp_cloud_image_free (image->cloud);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Image, image_clear)

static gboolean
is_there (const Image *image)
{
  return image->set != NULL || image->cloud != NULL;
}

static gboolean
open_folder (Image *image, const char *dir, GError **error)
{
  SpImageKind kind;

  if (!sp_image_folder_kind (dir, &kind, error))
    return FALSE;
  if (kind == SP_IMAGE_CLOUD)
    image->cloud = sp_cloud_image_open (dir, error);
  else
    image->set = sp_image_set_open (dir, error);
  return is_there (image);
}

/* @name: a folder, or an id; NULL: the newest appliance of this host. */
static gboolean
find (Image *image, const char *name, GError **error)
{
  g_autofree char *state = sp_state_dir ();
  g_autofree char *dir = NULL;
  SpImageKind kind;

  if (name != NULL && (strchr (name, '/') != NULL || g_file_test (name, G_FILE_TEST_IS_DIR)))
    return open_folder (image, name, error);
  dir = sp_image_folder_find (state, name, SP_IMAGE_APPLIANCE, error);
  if (dir == NULL || !sp_image_folder_kind (dir, &kind, error))
    return FALSE;
  if (kind == SP_IMAGE_CLOUD)
    image->cloud = sp_cloud_image_find (state, name, error);
  else
    image->set = sp_image_set_find (state, name, error);
  return is_there (image);
}

static void
print (const SpCli *cli, const Image *image)
{
  if (image->cloud != NULL)
    sp_cli_print_cloud (cli, image->cloud);
  else
    print_image (cli, image->set);
}

int
sp_cli_image_measure (SpCli *cli, GError **error)
{
  g_auto (Image) image = { 0 };

  if (!find (&image, cli->n_args > 0 ? cli->args[0] : NULL, error))
    return 1;
  print (cli, &image);
  return 0;
}

int
sp_cli_image_import (SpCli *cli, GError **error)
{
  g_autofree char *state = sp_state_dir ();
  g_auto (Image) image = { 0 }, kept = { 0 };

  if (!open_folder (&image, cli->args[0], error))
    return 1;
  if (image.cloud != NULL)
    kept.cloud = sp_cloud_image_import (image.cloud, state, error);
  else
    kept.set = sp_image_set_import (image.set, state, error);
  if (!is_there (&kept))
    return 1;
  print (cli, &kept);
  return 0;
}

int
sp_cli_image_export (SpCli *cli, GError **error)
{
  const char *to = cli->args[0];
  g_auto (Image) image = { 0 }, copy = { 0 };

  if (!find (&image, sp_cli_get (cli, "image"), error) ||
      !(image.cloud ? sp_cloud_image_export (image.cloud, to, error)
                    : sp_image_set_export (image.set, to, error)) ||
      !open_folder (&copy, to, error))
    return 1;
  print (cli, &copy);
  return 0;
}
