/* cloud-image.h - an image of the second kind: a vendor's disk with cloud-init, and the bundle for it
 *
 * A folder with `base.qcow2` (the vendor's bytes, as they were downloaded), `bundle.tar` (the programs, see
 * appliance/bundle-build.h), the templates of the seed (`user-data`, `meta-data`, `network-config`; see
 * seed.h) and `manifest`:
 *
 *      {"base":{"name","sha256","sha512","size","url"},"bundle":{"id","sha256","size"},"format":1,
 *       "kind":"cloud","templates":{NAME:{"sha256","size"},…},"version"}
 *
 * "url" is null where it came from a file.  The id is the SHA-256 of the manifest, so it stands for every
 * byte that the first boot of such a machine is made of.  It is kept, found, exported and removed as an
 * appliance is (appliance/image-folder.h).
 *
 * With the runtime `container` the programs are in an OCI image: the folder has `container.tar` too, the manifest
 * "runtime":"container" and "container":{"sha256","size"}, and the bundle is the service alone.  The archive is
 * a disk of the machine's, at its first boot and at all others, and never copied into it.
 */
#pragma once

#include "host/appliance/image-folder.h"

#define SP_CLOUD_BASE "base.qcow2"
#define SP_CLOUD_BUNDLE "bundle.tar"
#define SP_CLOUD_CONTAINER "container.tar"
/* The serial number of that disk. */
#define SP_CLOUD_CONTAINER_SERIAL "container"

/* What the daemon runs as. */
typedef enum { SP_CLOUD_SERVICE, SP_CLOUD_IN_CONTAINER, SP_CLOUD_N_RUNTIMES } SpCloudRuntime;
extern const char *const sp_cloud_runtime_names[SP_CLOUD_N_RUNTIMES];
/* @name NULL: the first.  SP_PROBLEM_USAGE says which there are. */
gboolean sp_cloud_runtime_parse (const char *name, SpCloudRuntime *ret_runtime, GError **error);

typedef enum {
  SP_CLOUD_META_DATA,
  SP_CLOUD_NETWORK_CONFIG,
  SP_CLOUD_USER_DATA,
  SP_CLOUD_N_TEMPLATES
} SpCloudTemplate;
extern const char *const sp_cloud_template_names[SP_CLOUD_N_TEMPLATES];

typedef struct {
  char *dir;
  char *id; /* hex */
  char *version;
  char *name, *url; /* of the base; url NULL: a file */
  char *sha512;     /* of the base, hex */
  char *bundle_id;  /* hex: of the bundle's manifest */
  SpCloudRuntime runtime;
  SpImagePart base, bundle;
  SpImagePart container; /* all 0, where it is not the runtime */
  SpImagePart templates[SP_CLOUD_N_TEMPLATES];
} SpCloudImage;

void sp_cloud_image_free (SpCloudImage *image);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpCloudImage, sp_cloud_image_free)

/* As those of SpImageSet: every byte is hashed and compared. */
SpCloudImage *sp_cloud_image_open (const char *dir, GError **error);
SpCloudImage *sp_cloud_image_find (const char *state, const char *id, GError **error);
/* As its manifest says; nothing else is read or checked. */
gboolean sp_cloud_image_runtime (const char *dir, SpCloudRuntime *ret_runtime, GError **error);
/* The archive of the image @id below @state; its manifest and the archive are hashed, and nothing else of it.
 * SP_PROBLEM_INTEGRITY: either is another; SP_PROBLEM_CONFLICT: it has none. */
gboolean sp_cloud_image_container (const char *state, const char *id, SpImagePart *ret_container,
                                   GError **error);
/* Whether the image @id below @state is of the same templates; only its manifest is read. */
gboolean sp_cloud_image_has_templates (const char *state, const char *id, const SpCloudImage *of);
/* The id of the newest one below @state whose base has the name @name ("debian"); NULL: none has. */
char *sp_cloud_image_named (const char *state, const char *name);
/* The same, for @runtime only; @name NULL, SP_CLOUD_N_RUNTIMES: whatever it has. */
char *sp_cloud_image_newest (const char *state, const char *name, SpCloudRuntime runtime);
SpCloudImage *sp_cloud_image_import (const SpCloudImage *image, const char *state, GError **error);
gboolean sp_cloud_image_export (const SpCloudImage *image, const char *to, GError **error);

typedef struct {
  const char *base;   /* a qcow2 that needs no other file; it is copied */
  const char *name;   /* of the base, for people */
  const char *url;    /* where it came from; NULL: a file */
  const char *sha512; /* hex: the base must have it; NULL: whatever it has */
  SpCloudRuntime runtime;
  const char *bundle;    /* a folder, as the runtime needs it; NULL: it is built (bundle-build.h) */
  const char *container; /* the OCI archive, where it is the runtime; NULL: it is built */
  const char *templates; /* a folder; what is not there is the built-in one; NULL: all are */
} SpCloudParts;

/* Into the new folder @to.  SP_PROBLEM_INTEGRITY: the base has another checksum, or is no disk that stands
 * alone.  Blocks. */
SpCloudImage *sp_cloud_image_make (const SpCloudParts *parts, const char *to, GError **error);

/* What the machine boots from: a whole copy of the base at @path (new, 0600), grown to @size bytes, which
 * may not be less than it has.  Blocks. */
gboolean sp_cloud_image_make_system (const SpCloudImage *image, const char *path, guint64 size,
                                     GError **error);

/* The commands that do it, for those who want to see them; free with g_strfreev(). */
char **sp_cloud_copy_command (const char *base, const char *path);
char **sp_cloud_grow_command (const char *path, guint64 size);

/* The text of the built-in template for @runtime. */
GBytes *sp_cloud_template_default (SpCloudTemplate which, SpCloudRuntime runtime);
/* The one in @folder, UTF-8 of at most 64 KiB; where there is none, or @folder is NULL: the built-in one. */
GBytes *sp_cloud_template_read (const char *folder, SpCloudTemplate which, SpCloudRuntime runtime,
                                GError **error);
