/* image-set.c - image-set.h: open, find, copy
 *
 * What must stay true: nothing is used of an image before all of its bytes were hashed and compared.
 */
#include "host/appliance/image-set.h"

#include <string.h>

#include "base/json.h"
#include "base/problem.h"
#include "host/appliance/image-set-private.h"

#define FORMAT 1

const char *const sp_part_names[SP_N_PARTS] = {
  [SP_PART_KERNEL] = "kernel", [SP_PART_INITRD] = "initrd", [SP_PART_ROOT] = "root"
};

SpImagePart *
sp_image_set_part (SpImageSet *set, SpPart part)
{
  SpImagePart *const parts[SP_N_PARTS] = { &set->kernel, &set->initrd, &set->root };

  return parts[part];
}

void
sp_image_set_free (SpImageSet *set)
{
  if (set == NULL)
    return;
  for (guint i = 0; i < SP_N_PARTS; i++)
    sp_image_part_clear (sp_image_set_part (set, i));
  g_free (set->dir);
  g_free (set->id);
  g_free (set->version);
  g_free (set->made_of);
  g_free (set);
}

/* ---- opening ---------------------------------------------------------------------------------------- */

static gboolean
check_part (SpImageSet *set, SpPart which, JsonObject *manifest, GError **error)
{
  JsonNode *node = json_object_get_member (manifest, sp_part_names[which]);
  JsonObject *object = node && JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;

  return sp_image_part_check (sp_image_set_part (set, which), set->dir, sp_part_names[which],
                              object, error);
}

static gboolean
read_manifest (SpImageSet *set, const char *text, gsize length, GError **error)
{
  static const char *const allowed[] = { "format",  "initrd", "kernel",  "packages",
                                         "release", "root",   "version", NULL };
  g_autoptr (JsonObject) manifest = sp_json_parse_object (text, length, allowed, error);
  const char *version = NULL, *release = NULL;
  gint64 format = 0;

  if (manifest == NULL || !sp_json_get_int (manifest, "format", &format, error) ||
      !sp_json_get_string (manifest, "version", &version, error) ||
      !sp_json_get_string (manifest, "release", &release, error))
    return FALSE;
  if (format != FORMAT || version == NULL || release == NULL)
    return sp_image_damaged (error, SP_MANIFEST, "is of another release");
  set->version = g_strdup (version);
  set->made_of = g_strdup (release);
  for (guint i = 0; i < SP_N_PARTS; i++)
    if (!check_part (set, i, manifest, error))
      return FALSE;
  return TRUE;
}

/* The other kind in the place of this one is a mistake of somebody's, and no damage. */
static gboolean
check_kind (const char *dir, GError **error)
{
  SpImageKind kind;

  if (!sp_image_folder_kind (dir, &kind, error))
    return FALSE;
  if (kind == SP_IMAGE_APPLIANCE)
    return TRUE;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFLICT,
               "the image in %s is a cloud image: an appliance is needed here", dir);
  return FALSE;
}

SpImageSet *
sp_image_set_open (const char *dir, GError **error)
{
  g_autoptr (SpImageSet) set = g_new0 (SpImageSet, 1);
  g_autofree char *text = NULL;
  g_autoptr (GError) local = NULL;
  gsize length = 0;

  set->dir = g_canonicalize_filename (dir, NULL);
  text = sp_image_manifest_read (dir, &length, &set->id, error);
  if (text == NULL || !check_kind (dir, error))
    return NULL;
  if (read_manifest (set, text, length, &local))
    return g_steal_pointer (&set);
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY, "the image in %s: %s", dir, local->message);
  return NULL;
}

SpImageSet *
sp_image_set_find (const char *state, const char *id, GError **error)
{
  g_autofree char *dir = sp_image_folder_find (state, id, SP_IMAGE_APPLIANCE, error);
  g_autoptr (SpImageSet) set = dir ? sp_image_set_open (dir, error) : NULL;
  g_autofree char *name = set ? g_path_get_basename (dir) : NULL;

  if (set == NULL || g_str_equal (set->id, name))
    return g_steal_pointer (&set);
  sp_image_damaged (error, dir, "is another image than its name says");
  return NULL;
}

/* ---- copying ---------------------------------------------------------------------------------------- */

static char *
open_for_id (const char *dir, GError **error)
{
  g_autoptr (SpImageSet) set = sp_image_set_open (dir, error);

  return set ? g_strdup (set->id) : NULL;
}

SpImageSet *
sp_image_set_import (const SpImageSet *set, const char *state, GError **error)
{
  g_autofree char *dir =
      sp_image_folder_import (set->dir, set->id, SP_IMAGE_APPLIANCE, open_for_id, state, error);

  return dir ? sp_image_set_find (state, set->id, error) : NULL;
}

gboolean
sp_image_set_export (const SpImageSet *set, const char *to, GError **error)
{
  return sp_image_folder_export (set->dir, SP_IMAGE_APPLIANCE, to, error);
}
