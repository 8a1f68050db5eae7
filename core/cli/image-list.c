/* image-list.c - `secret-proxy image list` and `image rm`: the images of this host, and who needs them */
#include <string.h>
#include <sys/stat.h>

#include "base/state.h"
#include "base/clock.h"
#include "cli/output.h"
#include "cli/prompt.h"
#include "host/appliance/image-set.h"
#include "host/cloud/cloud-image.h"
#include "host/vm/image-use.h"

static const SpColumn columns[] = {
  { "image", "image", SP_COLUMN_TEXT },     { "kind", "kind", SP_COLUMN_TEXT },
  { "version", "version", SP_COLUMN_TEXT }, { "made of", "release", SP_COLUMN_TEXT },
  { "made", "made_at", SP_COLUMN_TIME },    { "used by", "used_by", SP_COLUMN_LIST },
  { "why not", "why", SP_COLUMN_TEXT },
};

static void
set_time (JsonObject *object, const char *state, const char *id)
{
  g_autofree char *path = g_build_filename (state, SP_IMAGES, id, NULL);
  g_autofree char *text = NULL;
  struct stat st;

  if (stat (path, &st) != 0)
    return;
  text = sp_time_format ((gint64) st.st_mtime * G_USEC_PER_SEC);
  json_object_set_string_member (object, "made_at", text);
}

static JsonArray *
array_of (const GPtrArray *words)
{
  JsonArray *array = json_array_new ();

  for (guint i = 0; words != NULL && i < words->len; i++)
    json_array_add_string_element (array, g_ptr_array_index (words, i));
  return array;
}

static void
set_words (JsonObject *object, const char *kind, const char *version, const char *made_of)
{
  json_object_set_string_member (object, "kind", kind);
  json_object_set_string_member (object, "version", version);
  json_object_set_string_member (object, "release", made_of);
}

static void
set_cloud (JsonObject *object, const SpCloudImage *image)
{
  gboolean contained = image->runtime == SP_CLOUD_IN_CONTAINER;
  g_autofree char *made_of = g_strconcat (image->name, contained ? ", with a container" : "", NULL);

  set_words (object, "cloud", image->version, made_of);
}

/* Hashed whole, as before each use. */
static void
describe (JsonObject *object, const char *state, const char *id, GError **error)
{
  g_autofree char *dir = g_build_filename (state, SP_IMAGES, id, NULL);
  g_autoptr (SpCloudImage) cloud = NULL;
  g_autoptr (SpImageSet) set = NULL;
  SpImageKind kind;

  if (!sp_image_folder_kind (dir, &kind, error))
    return;
  if (kind == SP_IMAGE_CLOUD)
    cloud = sp_cloud_image_find (state, id, error);
  else
    set = sp_image_set_find (state, id, error);
  if (cloud != NULL)
    set_cloud (object, cloud);
  else if (set != NULL)
    set_words (object, "appliance", set->version, set->made_of);
}

static JsonObject *
object_of (const char *state, const char *id, const GPtrArray *words)
{
  g_autoptr (GError) error = NULL;
  JsonObject *object = json_object_new ();

  json_object_set_string_member (object, "image", id);
  describe (object, state, id, &error);
  set_time (object, state, id);
  json_object_set_array_member (object, "used_by", array_of (words));
  if (error != NULL)
    json_object_set_string_member (object, "why", error->message);
  return object;
}

static gint
by_time (gconstpointer a, gconstpointer b)
{
  const JsonObject *const *left = a, *const *right = b;

  return strcmp (json_object_get_string_member_with_default ((JsonObject *) *right, "made_at", ""),
                 json_object_get_string_member_with_default ((JsonObject *) *left, "made_at", ""));
}

int
sp_cli_image_list (SpCli *cli, GError **error)
{
  g_autofree char *state = sp_state_dir ();
  g_autofree char *hidden = NULL;
  g_autoptr (GHashTable) uses = sp_image_uses (state, &hidden);
  g_auto (GStrv) ids = sp_image_set_list (state);
  g_autoptr (GPtrArray) objects = g_ptr_array_new ();
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  JsonObject *object = json_object_new ();
  JsonArray *items = json_array_new ();

  for (char **id = ids; *id != NULL; id++)
    g_ptr_array_add (objects, object_of (state, *id, g_hash_table_lookup (uses, *id)));
  g_ptr_array_sort (objects, by_time);
  for (guint i = 0; i < objects->len; i++)
    json_array_add_object_element (items, g_ptr_array_index (objects, i));
  json_object_set_array_member (object, "items", items);
  json_object_set_null_member (object, "next");
  json_node_take_object (node, object);
  if (hidden != NULL)
    g_printerr ("secret-proxy: %s could not be looked into, so it is not known what it uses\n",
                hidden);
  sp_print_items (cli, node, columns, G_N_ELEMENTS (columns));
  return 0;
}

/* ---- rm ------------------------------------------------------------------------------------------------ */

static gboolean
is_free (const char *state, const char *id, GError **error)
{
  g_autofree char *hidden = NULL;
  g_autoptr (GHashTable) uses = sp_image_uses (state, &hidden);
  const GPtrArray *words = g_hash_table_lookup (uses, id);

  if (words != NULL)
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFLICT, "image %.12s… is used by vault %s", id,
                 (const char *) g_ptr_array_index (words, 0));
  else if (hidden != NULL)
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_DENIED,
                 "%s can't be looked into, and may use image %.12s…", hidden, id);
  return words == NULL && hidden == NULL;
}

/* A damaged one may be removed, too. */
static char *
find_id (const char *state, const char *given, GError **error)
{
  const char *bare = g_str_has_prefix (given, "sha256:") ? given + strlen ("sha256:") : given;
  g_auto (GStrv) ids = sp_image_set_list (state);

  if (g_strv_contains ((const char *const *) ids, bare))
    return g_strdup (bare);
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_NOT_FOUND,
               "there is no image %.12s… on this host; 'image list' shows the whole ids", bare);
  return NULL;
}

int
sp_cli_image_rm (SpCli *cli, GError **error)
{
  g_autofree char *state = sp_state_dir ();
  g_autofree char *id = find_id (state, cli->args[0], error);
  g_autoptr (JsonNode) node = NULL;
  JsonObject *object;

  if (id == NULL || !is_free (state, id, error) ||
      !sp_confirm (cli, error,
                   "remove image %s? The same bytes can be built again only from the same packages",
                   id) ||
      !sp_image_set_remove (state, id, error))
    return 1;
  node = json_node_new (JSON_NODE_OBJECT);
  object = json_object_new ();
  json_object_set_string_member (object, "image", id);
  json_node_take_object (node, object);
  sp_print_sentence (cli, node, "image %.12s… is gone", id);
  return 0;
}
