/* image-set.c - image-set.h: open, find, copy
 *
 * What must stay true: nothing is used of an image before all of its bytes were hashed and compared.
 */
#include "host/appliance/image-set.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/problem.h"
#include "base/random.h"
#include "host/appliance/image-set-private.h"

#define MAX_MANIFEST (64u * 1024u)
#define FORMAT 1
#define ID_LENGTH 64u
#define DIGEST_LENGTH 32u
#define PREFIX "sha256:"

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
  for (guint i = 0; i < SP_N_PARTS; i++) {
    g_free (sp_image_set_part (set, i)->path);
    g_free (sp_image_set_part (set, i)->sha256);
  }
  g_free (set->dir);
  g_free (set->id);
  g_free (set->version);
  g_free (set->made_of);
  g_free (set);
}

/* ---- opening ---------------------------------------------------------------------------------------- */

/* By GnuTLS, which knows the processor's own way: this is a part of every start. */
static char *
digest_of (GMappedFile *file)
{
  guint8 digest[DIGEST_LENGTH];

  if (gnutls_hash_fast (GNUTLS_DIG_SHA256, g_mapped_file_get_contents (file),
                        g_mapped_file_get_length (file), digest) != 0)
    return NULL;
  return sp_hex (digest, sizeof digest);
}

gboolean
sp_image_hash (const char *path, char **ret_sha256, guint64 *ret_size, GError **error)
{
  g_autoptr (GError) local = NULL;
  g_autoptr (GMappedFile) file = g_mapped_file_new (path, FALSE, &local);

  if (file == NULL) {
    g_set_error (error, SP_PROBLEM,
                 g_error_matches (local, G_FILE_ERROR, G_FILE_ERROR_NOENT) ? SP_PROBLEM_NOT_FOUND
                                                                           : SP_PROBLEM_CONFIG,
                 "cannot read %s of an image: %s", path, local->message);
    return FALSE;
  }
  *ret_size = g_mapped_file_get_length (file);
  *ret_sha256 = digest_of (file);
  if (*ret_sha256 == NULL)
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTERNAL, "cannot compute the SHA-256 of %s", path);
  return *ret_sha256 != NULL;
}

static gboolean
damaged (GError **error, const char *path, const char *why)
{
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY,
               "%s %s: build the image anew, or get it again", path, why);
  return FALSE;
}

static gboolean
check_part (SpImageSet *set, SpPart which, JsonObject *manifest, GError **error)
{
  SpImagePart *part = sp_image_set_part (set, which);
  JsonNode *node = json_object_get_member (manifest, sp_part_names[which]);
  JsonObject *object = node && JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
  const char *sha256 = NULL;
  gint64 size = -1;

  part->path = g_build_filename (set->dir, sp_part_names[which], NULL);
  if (object == NULL || !sp_json_get_string (object, "sha256", &sha256, NULL) || sha256 == NULL ||
      !sp_json_get_int (object, "size", &size, NULL))
    return damaged (error, part->path, "is not in the manifest");
  if (!sp_image_hash (part->path, &part->sha256, &part->size, error))
    return FALSE;
  if (part->size == (guint64) size && g_str_equal (part->sha256, sha256))
    return TRUE;
  return damaged (error, part->path, "is not what the manifest says");
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
    return damaged (error, SP_MANIFEST, "is of another release");
  set->version = g_strdup (version);
  set->made_of = g_strdup (release);
  for (guint i = 0; i < SP_N_PARTS; i++)
    if (!check_part (set, i, manifest, error))
      return FALSE;
  return TRUE;
}

SpImageSet *
sp_image_set_open (const char *dir, GError **error)
{
  g_autoptr (SpImageSet) set = g_new0 (SpImageSet, 1);
  g_autofree char *path = g_build_filename (dir, SP_MANIFEST, NULL);
  g_autofree char *text = NULL;
  g_autoptr (GError) local = NULL;
  gsize length = 0;

  set->dir = g_canonicalize_filename (dir, NULL);
  if (!g_file_get_contents (path, &text, &length, NULL)) {
    g_set_error (
        error, SP_PROBLEM, SP_PROBLEM_NOT_FOUND,
        "there is no image in %s: make one with 'secret-proxy image build', or get one from "
        "the host with 'image export'",
        dir);
    return NULL;
  }
  if (length > MAX_MANIFEST) {
    damaged (error, path, "is too long");
    return NULL;
  }
  set->id = g_compute_checksum_for_string (G_CHECKSUM_SHA256, text, (gssize) length);
  if (read_manifest (set, text, length, &local))
    return g_steal_pointer (&set);
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY, "the image in %s: %s", dir, local->message);
  return NULL;
}

/* ---- finding ---------------------------------------------------------------------------------------- */

static gboolean
is_id (const char *text)
{
  return strlen (text) == ID_LENGTH && strspn (text, "0123456789abcdef") == ID_LENGTH;
}

/* The name of the image in @images that was put there last; NULL: there is none. */
static char *
newest (const char *images)
{
  g_autoptr (GDir) dir = g_dir_open (images, 0, NULL);
  g_autofree char *best = NULL;
  const char *name;
  time_t latest = 0;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *path = g_build_filename (images, name, NULL);
    struct stat st;

    if (!is_id (name) || stat (path, &st) != 0 || (best != NULL && st.st_mtime < latest))
      continue;
    latest = st.st_mtime;
    g_free (best);
    best = g_strdup (name);
  }
  return g_steal_pointer (&best);
}

SpImageSet *
sp_image_set_find (const char *state, const char *id, GError **error)
{
  g_autofree char *images = g_build_filename (state, SP_IMAGES, NULL);
  g_autofree char *last = id == NULL ? newest (images) : NULL;
  const char *bare = id && g_str_has_prefix (id, PREFIX) ? id + strlen (PREFIX) : id ? id : last;
  g_autofree char *dir = NULL;
  g_autoptr (SpImageSet) set = NULL;

  if (bare == NULL || !is_id (bare)) {
    g_set_error (error, SP_PROBLEM, bare ? SP_PROBLEM_USAGE : SP_PROBLEM_NOT_FOUND,
                 bare ? "an image is named by the 64 hex digits of its id"
                      : "this host has no image: make one with 'secret-proxy image build'");
    return NULL;
  }
  dir = g_build_filename (images, bare, NULL);
  if (!g_file_test (dir, G_FILE_TEST_IS_DIR)) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_NOT_FOUND,
                 "image %.12s… is unknown to this host: it takes over only what it built itself "
                 "('image build') or imported ('image import')",
                 bare);
    return NULL;
  }
  set = sp_image_set_open (dir, error);
  if (set == NULL || g_str_equal (set->id, bare))
    return g_steal_pointer (&set);
  damaged (error, dir, "is another image than its name says");
  return NULL;
}

char **
sp_image_set_list (const char *state)
{
  g_autofree char *images = g_build_filename (state, SP_IMAGES, NULL);
  g_autoptr (GDir) dir = g_dir_open (images, 0, NULL);
  g_autoptr (GPtrArray) ids = g_ptr_array_new ();
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    if (is_id (name))
      g_ptr_array_add (ids, g_strdup (name));
  g_ptr_array_add (ids, NULL);
  return (char **) g_ptr_array_free (g_steal_pointer (&ids), FALSE);
}

/* ---- copying ---------------------------------------------------------------------------------------- */

static gboolean
flush_folder (const char *path, GError **error)
{
  int fd = open (path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  gboolean ok = fd >= 0 && fsync (fd) == 0;

  if (!ok)
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_STORE, "cannot flush %s: %s", path,
                 g_strerror (errno));
  if (fd >= 0)
    (void) close (fd);
  return ok;
}

static gboolean
copy_one (const char *from_dir, const char *to_dir, const char *name, GError **error)
{
  g_autofree char *from = g_build_filename (from_dir, name, NULL);
  g_autofree char *to = g_build_filename (to_dir, name, NULL);
  g_autoptr (GMappedFile) file = g_mapped_file_new (from, FALSE, error);

  return file != NULL &&
         g_file_set_contents_full (to, g_mapped_file_get_contents (file),
                                   (gssize) g_mapped_file_get_length (file),
                                   G_FILE_SET_CONTENTS_DURABLE, 0644, error) &&
         g_chmod (to, 0644) == 0;
}

static gboolean
copy_all (const SpImageSet *set, const char *to, GError **error)
{
  for (guint i = 0; i < SP_N_PARTS; i++)
    if (!copy_one (set->dir, to, sp_part_names[i], error))
      return FALSE;
  return copy_one (set->dir, to, SP_MANIFEST, error) && flush_folder (to, error);
}

static gboolean
make_folder (const char *path, GError **error)
{
  if (g_mkdir_with_parents (path, 0755) == 0 && g_chmod (path, 0755) == 0)
    return TRUE;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_STORE, "cannot make %s: %s", path, g_strerror (errno));
  return FALSE;
}

void
sp_image_set_discard (const char *dir)
{
  for (guint i = 0; i <= SP_N_PARTS; i++) {
    g_autofree char *path =
        g_build_filename (dir, i < SP_N_PARTS ? sp_part_names[i] : SP_MANIFEST, NULL);

    (void) g_unlink (path);
  }
  (void) g_rmdir (dir);
}

gboolean
sp_image_set_remove (const char *state, const char *id, GError **error)
{
  g_autofree char *path = g_build_filename (state, SP_IMAGES, id, NULL);
  g_autofree char *going = g_strconcat (path, ".old", NULL);

  sp_image_set_discard (going);
  if (g_rename (path, going) != 0) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_STORE, "cannot remove %s: %s", path,
                 g_strerror (errno));
    return FALSE;
  }
  sp_image_set_discard (going);
  return TRUE;
}

/* It was copied after it was hashed: what counts is what has arrived. */
static gboolean
check_copy (const char *dir, const SpImageSet *set, GError **error)
{
  g_autoptr (SpImageSet) copy = sp_image_set_open (dir, error);

  if (copy == NULL || g_str_equal (copy->id, set->id))
    return copy != NULL;
  return damaged (error, set->dir, "has changed while it was copied");
}

SpImageSet *
sp_image_set_import (const SpImageSet *set, const char *state, GError **error)
{
  g_autofree char *images = g_build_filename (state, SP_IMAGES, NULL);
  g_autofree char *final = g_build_filename (images, set->id, NULL);
  g_autofree char *draft = g_strconcat (final, ".new", NULL);

  if (g_file_test (final, G_FILE_TEST_IS_DIR))
    return sp_image_set_find (state, set->id, error);
  if (!make_folder (images, error))
    return NULL;
  sp_image_set_discard (draft);
  if (!make_folder (draft, error) || !copy_all (set, draft, error) ||
      !check_copy (draft, set, error)) {
    sp_image_set_discard (draft);
    return NULL;
  }
  if (g_rename (draft, final) != 0) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_STORE, "cannot make %s: %s", final,
                 g_strerror (errno));
    sp_image_set_discard (draft);
    return NULL;
  }
  return flush_folder (images, error) ? sp_image_set_find (state, set->id, error) : NULL;
}

gboolean
sp_image_set_export (const SpImageSet *set, const char *to, GError **error)
{
  g_autofree char *path = g_canonicalize_filename (to, NULL);

  if (g_mkdir (path, 0755) != 0 &&
      (errno != EEXIST || g_rmdir (path) != 0 || g_mkdir (path, 0755) != 0)) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFLICT,
                 "cannot make %s: %s; name a folder that is not there yet", path,
                 g_strerror (errno));
    return FALSE;
  }
  return copy_all (set, path, error);
}
