/* bundle-build.h - the bundle and the OCI image: the programs for machines that are no appliance
 *
 * A bundle is a folder that is to lie at /opt/secret-proxy: both programs, all plugins but those of kind
 * vm, their libraries with the loader, GIO's TLS module, a set of CA certificates, service files, `sums`
 * and `manifest`.  Its id is the SHA-256 of the manifest, which names the SHA-256 of the sums, so it stands
 * for every byte.  An OCI image has a bundle as its one layer.  The same packages give the same bytes.
 */
#pragma once

#include <gio/gio.h>

typedef struct {
  char *id;     /* of the bundle, hex */
  char *digest; /* of the image's manifest, hex; NULL: no image was made */
} SpBundle;

void sp_bundle_free (SpBundle *bundle);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpBundle, sp_bundle_free)

/* Into the new folder @to.  Blocks. */
SpBundle *sp_bundle_build (const char *to, GError **error);
/* Into the new folder @to: what a machine needs that has the programs in a container.  The same in every
 * release that does not change it.  Blocks. */
SpBundle *sp_bundle_build_service (const char *to, GError **error);
/* Into the new file @to: an image layout in a tar.  Blocks. */
SpBundle *sp_bundle_build_oci (const char *to, GError **error);
