/* image-folder.h - what every kind of image has in common: a folder of fixed files, named by its manifest
 *
 * Two kinds: the appliance (image-set.h), and the cloud image (cloud/cloud-image.h).  The id of an image is
 * the SHA-256 of its manifest, which names the SHA-256 of every other file.  The host keeps them side by
 * side in STATE/images/ID; they are no secret, and QEMU reads them as a user without rights: 0755 and 0644.
 */
#pragma once

#include <json-glib/json-glib.h>

#define SP_IMAGES "images"
#define SP_MANIFEST "manifest"

/* As the member "kind" of a manifest says; the appliance has none. */
typedef enum { SP_IMAGE_APPLIANCE, SP_IMAGE_CLOUD, SP_N_IMAGE_KINDS } SpImageKind;

typedef struct {
  char *path;
  char *sha256; /* hex */
  guint64 size;
} SpImagePart;

void sp_image_part_clear (SpImagePart *part);

/* The manifest of the image in @dir as it is there, at most 64 KiB.  SP_PROBLEM_NOT_FOUND says how to get an
 * image. */
char *sp_image_manifest_read (const char *dir, gsize *ret_length, char **ret_id, GError **error);
/* The object in it, as it is there: nothing is checked.  @ret_id: of the same bytes; NULL: not wanted. */
JsonObject *sp_image_folder_look (const char *dir, char **ret_id, GError **error);
/* Read only as far as is needed to tell: nothing is checked. */
gboolean sp_image_folder_kind (const char *dir, SpImageKind *ret_kind, GError **error);

/* Whether an image of that kind has a file of that name. */
gboolean sp_image_kind_has (SpImageKind kind, const char *name);

/* The SHA-256, in hex, and the size of the file @path. */
gboolean sp_image_hash (const char *path, char **ret_sha256, guint64 *ret_size, GError **error);
/* Hash @name in @dir and compare it with "sha256" and "size" of @object, which may be NULL.
 * SP_PROBLEM_INTEGRITY with the path. */
gboolean sp_image_part_check (SpImagePart *part, const char *dir, const char *name,
                              JsonObject *object, GError **error);
/* Sets SP_PROBLEM_INTEGRITY; returns FALSE. */
gboolean sp_image_damaged (GError **error, const char *path, const char *why);

/* The folder of the image @id below @state; NULL: of the newest of @kind.  SP_PROBLEM_NOT_FOUND says how to
 * get one.  Nothing is checked but the name and the kind. */
char *sp_image_folder_find (const char *state, const char *id, SpImageKind kind, GError **error);
/* What the manifest of the image @id below @state says of its version, unchecked; NULL: there is none. */
char *sp_image_folder_version (const char *state, const char *id);
/* The ids of all images below @state, of whatever kind. */
char **sp_image_set_list (const char *state);

/* Opens an image, checks every byte; NULL or its id. */
typedef char *(*SpImageOpen) (const char *dir, GError **error);
/* Copy @dir, an image of @kind with the id @id, to STATE/images/ID, whole or not at all; what has arrived is
 * checked by @open.  One that lies there whole stays; one that is damaged is replaced.  The path of the copy. */
char *sp_image_folder_import (const char *dir, const char *id, SpImageKind kind, SpImageOpen open,
                              const char *state, GError **error);
/* Copy into the folder @to, which must not be there or be empty. */
gboolean sp_image_folder_export (const char *dir, SpImageKind kind, const char *to, GError **error);
/* Remove the files of an image from @dir, and @dir; what is not there is removed. */
void sp_image_set_discard (const char *dir);
/* The image @id of this host, which nobody uses: gone under its name at once. */
gboolean sp_image_set_remove (const char *state, const char *id, GError **error);
