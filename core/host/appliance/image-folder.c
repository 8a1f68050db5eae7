/* image-folder.c - image-folder.h
 *
 * What must stay true: under STATE/images/ID lies a whole image or nothing, at every moment.
 */
#include "host/appliance/image-folder.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/problem.h"
#include "base/random.h"
#include "host/appliance/draft.h"

#define MAX_MANIFEST (64u * 1024u)
#define ID_LENGTH 64u
#define DIGEST_LENGTH 32u
#define PREFIX "sha256:"

typedef struct {
  const char *word; /* "kind" in the manifest */
  const char *how;  /* to get one */
  const char *const *files;
  const char *more, *member; /* a file that some have: where the manifest has that member */
} Kind;

static const char *const appliance_files[] = { "kernel", "initrd", "root", SP_MANIFEST, NULL };
static const char *const cloud_files[] = { "base.qcow2",     "bundle.tar", "user-data", "meta-data",
                                           "network-config", SP_MANIFEST,  NULL };

static const Kind kinds[SP_N_IMAGE_KINDS] = {
  [SP_IMAGE_APPLIANCE] = { NULL, "secret-proxy image build", appliance_files, NULL, NULL },
  [SP_IMAGE_CLOUD] = { "cloud", "secret-proxy image build --cloud", cloud_files, "container.tar",
                       "container" },
};

void
sp_image_part_clear (SpImagePart *part)
{
  g_clear_pointer (&part->path, g_free);
  g_clear_pointer (&part->sha256, g_free);
}

gboolean
sp_image_damaged (GError **error, const char *path, const char *why)
{
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY,
               "%s %s: build the image anew, or get it again", path, why);
  return FALSE;
}

/* ---- hashes ------------------------------------------------------------------------------------------ */

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

gboolean
sp_image_part_check (SpImagePart *part, const char *dir, const char *name, JsonObject *object,
                     GError **error)
{
  const char *sha256 = NULL;
  gint64 size = -1;

  part->path = g_build_filename (dir, name, NULL);
  if (object == NULL || !sp_json_get_string (object, "sha256", &sha256, NULL) || sha256 == NULL ||
      !sp_json_get_int (object, "size", &size, NULL))
    return sp_image_damaged (error, part->path, "is not in the manifest");
  if (!sp_image_hash (part->path, &part->sha256, &part->size, error))
    return FALSE;
  if (part->size == (guint64) size && g_str_equal (part->sha256, sha256))
    return TRUE;
  return sp_image_damaged (error, part->path, "is not what the manifest says");
}

/* ---- the manifest -------------------------------------------------------------------------------------- */

char *
sp_image_manifest_read (const char *dir, gsize *ret_length, char **ret_id, GError **error)
{
  g_autofree char *path = g_build_filename (dir, SP_MANIFEST, NULL);
  g_autofree char *text = NULL;

  if (!g_file_get_contents (path, &text, ret_length, NULL)) {
    g_set_error (
        error, SP_PROBLEM, SP_PROBLEM_NOT_FOUND,
        "there is no image in %s: make one with 'secret-proxy image build', or get one from "
        "the host with 'image export'",
        dir);
    return NULL;
  }
  if (*ret_length > MAX_MANIFEST) {
    sp_image_damaged (error, path, "is too long");
    return NULL;
  }
  *ret_id = g_compute_checksum_for_string (G_CHECKSUM_SHA256, text, (gssize) *ret_length);
  return g_steal_pointer (&text);
}

JsonObject *
sp_image_folder_look (const char *dir, char **ret_id, GError **error)
{
  gsize length = 0;
  g_autofree char *id = NULL;
  g_autofree char *text = sp_image_manifest_read (dir, &length, &id, error);
  g_autoptr (GError) local = NULL;
  g_autoptr (JsonNode) node = text ? sp_json_parse (text, length, 0, &local) : NULL;

  if (text == NULL)
    return NULL;
  if (node != NULL && JSON_NODE_HOLDS_OBJECT (node)) {
    if (ret_id != NULL)
      *ret_id = g_steal_pointer (&id);
    return json_node_dup_object (node);
  }
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY, "the image in %s: its manifest: %s", dir,
               local ? local->message : "it is no object");
  return NULL;
}

gboolean
sp_image_folder_kind (const char *dir, SpImageKind *ret_kind, GError **error)
{
  g_autoptr (JsonObject) manifest = sp_image_folder_look (dir, NULL, error);
  g_autoptr (GError) local = NULL;
  const char *word = NULL;

  if (manifest == NULL)
    return FALSE;
  if (!sp_json_get_string (manifest, "kind", &word, &local)) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY, "the image in %s: its manifest: %s", dir,
                 local->message);
    return FALSE;
  }
  for (guint i = 0; i < SP_N_IMAGE_KINDS; i++)
    if (g_strcmp0 (word, kinds[i].word) == 0) {
      *ret_kind = i;
      return TRUE;
    }
  return sp_image_damaged (error, dir, "is of a kind that this release does not know");
}

gboolean
sp_image_kind_has (SpImageKind kind, const char *name)
{
  return g_strv_contains (kinds[kind].files, name) || g_strcmp0 (kinds[kind].more, name) == 0;
}

/* ---- finding ------------------------------------------------------------------------------------------- */

static gboolean
is_id (const char *text)
{
  return strlen (text) == ID_LENGTH && strspn (text, "0123456789abcdef") == ID_LENGTH;
}

static gboolean
is_of_kind (const char *dir, SpImageKind kind)
{
  SpImageKind found;

  return sp_image_folder_kind (dir, &found, NULL) && found == kind;
}

/* The name of the image in @images that was put there last; NULL: there is none.  One that can't be told is
 * passed over. */
static char *
newest (const char *images, SpImageKind kind)
{
  g_autoptr (GDir) dir = g_dir_open (images, 0, NULL);
  g_autofree char *best = NULL;
  const char *name;
  time_t latest = 0;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *path = g_build_filename (images, name, NULL);
    struct stat st;

    if (!is_id (name) || stat (path, &st) != 0 || (best != NULL && st.st_mtime < latest) ||
        !is_of_kind (path, kind))
      continue;
    latest = st.st_mtime;
    g_free (best);
    best = g_strdup (name);
  }
  return g_steal_pointer (&best);
}

char *
sp_image_folder_find (const char *state, const char *id, SpImageKind kind, GError **error)
{
  g_autofree char *images = g_build_filename (state, SP_IMAGES, NULL);
  g_autofree char *last = id == NULL ? newest (images, kind) : NULL;
  const char *bare = id && g_str_has_prefix (id, PREFIX) ? id + strlen (PREFIX) : id ? id : last;
  g_autofree char *dir = NULL;

  if (bare == NULL) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_NOT_FOUND,
                 "this host has no image: make one with '%s'", kinds[kind].how);
    return NULL;
  }
  if (!is_id (bare)) {
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_USAGE,
                         "an image is named by the 64 hex digits of its id");
    return NULL;
  }
  dir = g_build_filename (images, bare, NULL);
  if (g_file_test (dir, G_FILE_TEST_IS_DIR))
    return g_steal_pointer (&dir);
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_NOT_FOUND,
               "image %.12s… is unknown to this host: it takes over only what it built itself "
               "('image build') or imported ('image import')",
               bare);
  return NULL;
}

char *
sp_image_folder_version (const char *state, const char *id)
{
  g_autofree char *dir = g_build_filename (state, SP_IMAGES, id, NULL);
  g_autoptr (JsonObject) manifest = sp_image_folder_look (dir, NULL, NULL);
  const char *version = NULL;

  if (manifest != NULL)
    (void) sp_json_get_string (manifest, "version", &version, NULL);
  return g_strdup (version);
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

/* ---- copying ------------------------------------------------------------------------------------------- */

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
has_more (const char *dir, SpImageKind kind)
{
  const char *member = kinds[kind].member;
  g_autoptr (JsonObject) manifest = member ? sp_image_folder_look (dir, NULL, NULL) : NULL;

  return manifest != NULL && json_object_has_member (manifest, member);
}

static gboolean
copy_all (const char *from, SpImageKind kind, const char *to, GError **error)
{
  for (const char *const *name = kinds[kind].files; *name != NULL; name++)
    if (!copy_one (from, to, *name, error))
      return FALSE;
  if (has_more (from, kind) && !copy_one (from, to, kinds[kind].more, error))
    return FALSE;
  return flush_folder (to, error);
}

static gboolean
make_folder (const char *path, GError **error)
{
  if (g_mkdir_with_parents (path, 0755) == 0 && g_chmod (path, 0755) == 0)
    return TRUE;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_STORE, "cannot make %s: %s", path, g_strerror (errno));
  return FALSE;
}

static void
discard_one (const char *dir, const char *name)
{
  g_autofree char *path = g_build_filename (dir, name, NULL);

  (void) g_unlink (path);
}

void
sp_image_set_discard (const char *dir)
{
  for (guint i = 0; i < SP_N_IMAGE_KINDS; i++) {
    for (const char *const *name = kinds[i].files; *name != NULL; name++)
      discard_one (dir, *name);
    if (kinds[i].more != NULL)
      discard_one (dir, kinds[i].more);
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
check_copy (const char *dir, const char *id, SpImageOpen open_image, GError **error)
{
  g_autofree char *arrived = open_image (dir, error);

  if (arrived == NULL || g_str_equal (arrived, id))
    return arrived != NULL;
  return sp_image_damaged (error, dir, "has changed while it was copied");
}

/* One that is damaged is exchanged with it, and goes with the draft: a vault may need it, so that nobody could remove
 * it first.  Else another process has brought the same one meanwhile. */
static gboolean
give_place (const char *copy, const char *final, gboolean is_damaged, GError **error)
{
  if (g_rename (copy, final) == 0 ||
      ((errno == EEXIST || errno == ENOTEMPTY) &&
       (!is_damaged || renameat2 (AT_FDCWD, copy, AT_FDCWD, final, RENAME_EXCHANGE) == 0)))
    return TRUE;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_STORE, "cannot make %s: %s", final,
               g_strerror (errno));
  return FALSE;
}

char *
sp_image_folder_import (const char *dir, const char *id, SpImageKind kind, SpImageOpen open_image,
                        const char *state, GError **error)
{
  g_autofree char *images = g_build_filename (state, SP_IMAGES, NULL);
  g_autofree char *final = g_build_filename (images, id, NULL);
  gboolean is_there = g_file_test (final, G_FILE_TEST_IS_DIR);
  g_autoptr (SpDraft) draft = NULL;
  g_autofree char *copy = NULL;

  if (is_there && check_copy (final, id, open_image, NULL))
    return g_steal_pointer (&final);
  draft = sp_draft_new (state, error);
  copy = draft ? g_build_filename (draft->path, "image", NULL) : NULL;
  if (copy == NULL || !make_folder (copy, error) || !copy_all (dir, kind, copy, error) ||
      !check_copy (copy, id, open_image, error) || !give_place (copy, final, is_there, error))
    return NULL;
  return flush_folder (images, error) ? g_steal_pointer (&final) : NULL;
}

gboolean
sp_image_folder_export (const char *dir, SpImageKind kind, const char *to, GError **error)
{
  g_autofree char *path = g_canonicalize_filename (to, NULL);

  if (g_mkdir (path, 0755) != 0 &&
      (errno != EEXIST || g_rmdir (path) != 0 || g_mkdir (path, 0755) != 0)) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFLICT,
                 "cannot make %s: %s; name a folder that is not there yet", path,
                 g_strerror (errno));
    return FALSE;
  }
  return copy_all (dir, kind, path, error);
}
