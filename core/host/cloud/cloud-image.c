/* cloud-image.c - cloud-image.h: open, find, copy
 *
 * What must stay true: nothing is used of an image before all of its bytes were hashed and compared.
 */
#include "host/cloud/cloud-image.h"

#include <string.h>
#include <sys/stat.h>

#include "base/json.h"
#include "base/problem.h"

#define FORMAT 1
#define KIND "cloud"

const char *const sp_cloud_template_names[SP_CLOUD_N_TEMPLATES] = {
  [SP_CLOUD_META_DATA] = "meta-data",
  [SP_CLOUD_NETWORK_CONFIG] = "network-config",
  [SP_CLOUD_USER_DATA] = "user-data",
};

const char *const sp_cloud_runtime_names[SP_CLOUD_N_RUNTIMES] = {
  [SP_CLOUD_SERVICE] = "service",
  [SP_CLOUD_IN_CONTAINER] = "container",
};

gboolean
sp_cloud_runtime_parse (const char *name, SpCloudRuntime *ret_runtime, GError **error)
{
  *ret_runtime = SP_CLOUD_SERVICE;
  for (guint i = 0; i < SP_CLOUD_N_RUNTIMES; i++)
    if (name == NULL || g_str_equal (name, sp_cloud_runtime_names[i])) {
      *ret_runtime = i;
      return TRUE;
    }
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_USAGE,
               "there is no runtime '%s': choose service or container", name);
  return FALSE;
}

void
sp_cloud_image_free (SpCloudImage *image)
{
  if (image == NULL)
    return;
  sp_image_part_clear (&image->base);
  sp_image_part_clear (&image->bundle);
  sp_image_part_clear (&image->container);
  for (guint i = 0; i < SP_CLOUD_N_TEMPLATES; i++)
    sp_image_part_clear (&image->templates[i]);
  g_free (image->dir);
  g_free (image->id);
  g_free (image->version);
  g_free (image->name);
  g_free (image->url);
  g_free (image->sha512);
  g_free (image->bundle_id);
  g_free (image);
}

/* ---- opening ------------------------------------------------------------------------------------------- */

static JsonObject *
child_of (JsonObject *object, const char *name)
{
  JsonNode *node = object ? json_object_get_member (object, name) : NULL;

  return node && JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
}

/* A string that must be there. */
static gboolean
take (JsonObject *object, const char *name, char **ret_value, GError **error)
{
  const char *value = NULL;

  if (object == NULL || !sp_json_get_string (object, name, &value, NULL) || value == NULL) {
    sp_problem_set_invalid (error, name, "its manifest has no '%s'", name);
    return FALSE;
  }
  *ret_value = g_strdup (value);
  return TRUE;
}

static gboolean
take_words (SpCloudImage *image, JsonObject *manifest, GError **error)
{
  JsonObject *base = child_of (manifest, "base");
  const char *url = NULL;

  if (!take (base, "name", &image->name, error) || !take (base, "sha512", &image->sha512, error) ||
      !take (child_of (manifest, "bundle"), "id", &image->bundle_id, error) ||
      !take (manifest, "version", &image->version, error))
    return FALSE;
  if (json_object_has_member (base, "url") && !json_object_get_null_member (base, "url") &&
      !sp_json_get_string (base, "url", &url, error))
    return FALSE;
  image->url = g_strdup (url);
  return TRUE;
}

/* Images of the first runtime do not say which they have, as there was no other once. */
static gboolean
take_runtime (SpCloudRuntime *ret_runtime, JsonObject *manifest, GError **error)
{
  const char *name = NULL;

  if (json_object_has_member (manifest, "runtime") &&
      !sp_json_get_string (manifest, "runtime", &name, error))
    return FALSE;
  if (!sp_cloud_runtime_parse (name, ret_runtime, NULL))
    return sp_image_damaged (error, SP_MANIFEST, "has a runtime that this release does not know");
  if ((*ret_runtime == SP_CLOUD_IN_CONTAINER) == json_object_has_member (manifest, "container"))
    return TRUE;
  return sp_image_damaged (error, SP_MANIFEST, "does not fit its runtime");
}

static gboolean
check_parts (SpCloudImage *image, JsonObject *manifest, GError **error)
{
  JsonObject *templates = child_of (manifest, "templates");

  for (guint i = 0; i < SP_CLOUD_N_TEMPLATES; i++)
    if (!sp_image_part_check (&image->templates[i], image->dir, sp_cloud_template_names[i],
                              child_of (templates, sp_cloud_template_names[i]), error))
      return FALSE;
  if (image->runtime == SP_CLOUD_IN_CONTAINER &&
      !sp_image_part_check (&image->container, image->dir, SP_CLOUD_CONTAINER,
                            child_of (manifest, "container"), error))
    return FALSE;
  return sp_image_part_check (&image->bundle, image->dir, SP_CLOUD_BUNDLE,
                              child_of (manifest, "bundle"), error) &&
         sp_image_part_check (&image->base, image->dir, SP_CLOUD_BASE, child_of (manifest, "base"),
                              error);
}

static gboolean
read_manifest (SpCloudImage *image, const char *text, gsize length, GError **error)
{
  static const char *const allowed[] = { "base",    "bundle",    "container", "format", "kind",
                                         "runtime", "templates", "version",   NULL };
  g_autoptr (JsonObject) manifest = sp_json_parse_object (text, length, allowed, error);
  gint64 format = 0;

  if (manifest == NULL || !sp_json_get_int (manifest, "format", &format, error))
    return FALSE;
  if (format != FORMAT)
    return sp_image_damaged (error, SP_MANIFEST, "is of another release");
  return take_words (image, manifest, error) && take_runtime (&image->runtime, manifest, error) &&
         check_parts (image, manifest, error);
}

static gboolean
check_kind (const char *dir, GError **error)
{
  SpImageKind kind;

  if (!sp_image_folder_kind (dir, &kind, error))
    return FALSE;
  if (kind == SP_IMAGE_CLOUD)
    return TRUE;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFLICT,
               "the image in %s is an appliance: a cloud image is needed here", dir);
  return FALSE;
}

SpCloudImage *
sp_cloud_image_open (const char *dir, GError **error)
{
  g_autoptr (SpCloudImage) image = g_new0 (SpCloudImage, 1);
  g_autofree char *text = NULL;
  g_autoptr (GError) local = NULL;
  gsize length = 0;

  image->dir = g_canonicalize_filename (dir, NULL);
  text = sp_image_manifest_read (dir, &length, &image->id, error);
  if (text == NULL || !check_kind (dir, error))
    return NULL;
  if (read_manifest (image, text, length, &local))
    return g_steal_pointer (&image);
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY, "the image in %s: %s", dir, local->message);
  return NULL;
}

SpCloudImage *
sp_cloud_image_find (const char *state, const char *id, GError **error)
{
  g_autofree char *dir = sp_image_folder_find (state, id, SP_IMAGE_CLOUD, error);
  g_autoptr (SpCloudImage) image = dir ? sp_cloud_image_open (dir, error) : NULL;
  g_autofree char *name = image ? g_path_get_basename (dir) : NULL;

  if (image == NULL || g_str_equal (image->id, name))
    return g_steal_pointer (&image);
  sp_image_damaged (error, dir, "is another image than its name says");
  return NULL;
}

gboolean
sp_cloud_image_runtime (const char *dir, SpCloudRuntime *ret_runtime, GError **error)
{
  g_autoptr (JsonObject) manifest = sp_image_folder_look (dir, NULL, error);

  return manifest != NULL && take_runtime (ret_runtime, manifest, error);
}

/* The manifest for which the id stands, and nothing else: whatever it says of other files is true of them, or they
 * are damaged. */
static JsonObject *
known_manifest (const char *dir, const char *id, GError **error)
{
  g_autofree char *found = NULL;
  g_autoptr (JsonObject) manifest = sp_image_folder_look (dir, &found, error);

  if (manifest == NULL || g_str_equal (found, id))
    return g_steal_pointer (&manifest);
  (void) sp_image_damaged (error, dir, "is another image than its name says");
  return NULL;
}

static gboolean
check_container (const char *dir, const char *id, SpImagePart *container, GError **error)
{
  g_autoptr (JsonObject) manifest = known_manifest (dir, id, error);
  JsonObject *object = child_of (manifest, "container");

  if (manifest == NULL)
    return FALSE;
  if (object != NULL)
    return sp_image_part_check (container, dir, SP_CLOUD_CONTAINER, object, error);
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFLICT, "image %.12s… has no container", id);
  return FALSE;
}

gboolean
sp_cloud_image_has_templates (const char *state, const char *id, const SpCloudImage *of)
{
  g_autofree char *dir = sp_image_folder_find (state, id, SP_IMAGE_CLOUD, NULL);
  g_autoptr (JsonObject) manifest = dir ? known_manifest (dir, id, NULL) : NULL;
  JsonObject *templates = child_of (manifest, "templates");

  for (guint i = 0; i < SP_CLOUD_N_TEMPLATES; i++) {
    JsonObject *one = child_of (templates, sp_cloud_template_names[i]);
    const char *sha256 = NULL;

    if (one == NULL || !sp_json_get_string (one, "sha256", &sha256, NULL) ||
        g_strcmp0 (sha256, of->templates[i].sha256) != 0)
      return FALSE;
  }
  return TRUE;
}

gboolean
sp_cloud_image_container (const char *state, const char *id, SpImagePart *ret_container,
                          GError **error)
{
  g_autofree char *dir = sp_image_folder_find (state, id, SP_IMAGE_CLOUD, error);

  return dir != NULL && check_container (dir, id, ret_container, error);
}

/* As the manifest in @dir says; nothing is checked. */
static gboolean
is_such (const char *dir, const char *name, SpCloudRuntime runtime)
{
  g_autoptr (JsonObject) manifest = sp_image_folder_look (dir, NULL, NULL);
  JsonObject *base = child_of (manifest, "base");
  const char *found = NULL;
  SpCloudRuntime has;

  return base != NULL && sp_json_get_string (base, "name", &found, NULL) &&
         (name == NULL || g_strcmp0 (found, name) == 0) && take_runtime (&has, manifest, NULL) &&
         (runtime == SP_CLOUD_N_RUNTIMES || runtime == has);
}

char *
sp_cloud_image_newest (const char *state, const char *name, SpCloudRuntime runtime)
{
  g_auto (GStrv) ids = sp_image_set_list (state);
  g_autofree char *best = NULL;
  time_t latest = 0;

  for (char **id = ids; *id != NULL; id++) {
    g_autofree char *dir = g_build_filename (state, SP_IMAGES, *id, NULL);
    struct stat st;

    if (!is_such (dir, name, runtime) || stat (dir, &st) != 0 ||
        (best != NULL && st.st_mtime < latest))
      continue;
    latest = st.st_mtime;
    g_free (best);
    best = g_strdup (*id);
  }
  return g_steal_pointer (&best);
}

char *
sp_cloud_image_named (const char *state, const char *name)
{
  return sp_cloud_image_newest (state, name, SP_CLOUD_N_RUNTIMES);
}

/* ---- copying ------------------------------------------------------------------------------------------- */

static char *
open_for_id (const char *dir, GError **error)
{
  g_autoptr (SpCloudImage) image = sp_cloud_image_open (dir, error);

  return image ? g_strdup (image->id) : NULL;
}

SpCloudImage *
sp_cloud_image_import (const SpCloudImage *image, const char *state, GError **error)
{
  g_autofree char *dir =
      sp_image_folder_import (image->dir, image->id, SP_IMAGE_CLOUD, open_for_id, state, error);

  return dir ? sp_cloud_image_find (state, image->id, error) : NULL;
}

gboolean
sp_cloud_image_export (const SpCloudImage *image, const char *to, GError **error)
{
  return sp_image_folder_export (image->dir, SP_IMAGE_CLOUD, to, error);
}
