/* image-cloud.c - `secret-proxy image build --cloud`, and how a cloud image is shown */
#include "cli/image-cloud.h"

#include "base/state.h"
#include "cli/output.h"
#include "host/appliance/draft.h"
#include "host/cloud/catalog.h"

static const SpColumn fields[] = {
  { "image", "image", SP_COLUMN_TEXT },
  { "kind", "kind", SP_COLUMN_TEXT },
  { "dir", "dir", SP_COLUMN_TEXT },
  { "version", "version", SP_COLUMN_TEXT },
  { "base", "base", SP_COLUMN_TEXT },
  { "from", "url", SP_COLUMN_TEXT },
  { "SHA-256", "sha256", SP_COLUMN_TEXT },
  { "SHA-512", "sha512", SP_COLUMN_TEXT },
  { "runtime", "runtime", SP_COLUMN_TEXT },
  { "bundle", "bundle", SP_COLUMN_TEXT },
  { "container", "container", SP_COLUMN_TEXT },
  { "size", "size", SP_COLUMN_TEXT },
};

void
sp_cli_print_cloud (const SpCli *cli, const SpCloudImage *image)
{
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  JsonObject *object = json_object_new ();
  g_autofree char *id = g_strconcat ("sha256:", image->id, NULL);
  g_autofree char *bundle = g_strconcat ("sha256:", image->bundle_id, NULL);

  json_node_take_object (node, object);
  json_object_set_string_member (object, "image", id);
  json_object_set_string_member (object, "kind", "cloud");
  json_object_set_string_member (object, "dir", image->dir);
  json_object_set_string_member (object, "version", image->version);
  json_object_set_string_member (object, "base", image->name);
  if (image->url != NULL)
    json_object_set_string_member (object, "url", image->url);
  json_object_set_string_member (object, "sha256", image->base.sha256);
  json_object_set_string_member (object, "sha512", image->sha512);
  json_object_set_string_member (object, "runtime", sp_cloud_runtime_names[image->runtime]);
  json_object_set_string_member (object, "bundle", bundle);
  if (image->container.sha256 != NULL)
    json_object_set_string_member (object, "container", image->container.sha256);
  json_object_set_int_member (
      object, "size", (gint64) (image->base.size + image->bundle.size + image->container.size));
  sp_print_fields (cli, node, fields, G_N_ELEMENTS (fields));
}

/* ---- build -------------------------------------------------------------------------------------------- */

static void
on_progress (guint64 done, guint64 total, gpointer data)
{
  if (total > 0)
    g_printerr ("secret-proxy: %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " MiB\n", done >> 20,
                total >> 20);
  else
    g_printerr ("secret-proxy: %" G_GUINT64_FORMAT " MiB\n", done >> 20);
}

/* Its id is not known before it is there. */
static SpCloudImage *
build_here (const SpCloudParts *parts, GError **error)
{
  g_autofree char *state = sp_state_dir ();
  g_autoptr (SpDraft) draft = sp_draft_new (state, error);
  g_autofree char *path = draft ? g_build_filename (draft->path, "image", NULL) : NULL;
  g_autoptr (SpCloudImage) built = path ? sp_cloud_image_make (parts, path, error) : NULL;

  return built ? sp_cloud_image_import (built, state, error) : NULL;
}

int
sp_cli_image_build_cloud (SpCli *cli, GError **error)
{
  const char *output = sp_cli_get (cli, "output");
  g_autoptr (SpCloudBase) base =
      sp_cloud_base_resolve (sp_cli_get (cli, "cloud"), sp_cli_get (cli, "sha512"), error);
  SpCloudParts parts = { .bundle = NULL, .templates = sp_cli_get (cli, "templates") };
  g_autoptr (SpCloudImage) image = NULL;

  if (base == NULL ||
      !sp_cloud_runtime_parse (sp_cli_get (cli, "runtime"), &parts.runtime, error) ||
      !sp_cloud_base_get (base, on_progress, NULL, error))
    return 1;
  sp_cloud_base_parts (base, &parts);
  image = output ? sp_cloud_image_make (&parts, output, error) : build_here (&parts, error);
  if (image == NULL)
    return 1;
  sp_cli_print_cloud (cli, image);
  return 0;
}
