/* catalog.h - where the base of a cloud image comes from: a name, a file or an address
 *
 * A checksum that is not known is never made up.  A name has a pinned address, and its vendor's file of
 * checksums, which is read over HTTPS; an address needs the checksum from whoever gives it; a file needs
 * none, as it is here already, but is compared where there is one.
 */
#pragma once

#include "host/cloud/cloud-image.h"
#include "host/cloud/fetch.h"

typedef struct {
  char *name;   /* for people: "debian", or of the file */
  char *url;    /* NULL: a file */
  char *sums;   /* the vendor's file of checksums; NULL: not needed */
  char *sha512; /* hex; NULL: not known before sp_cloud_base_get() */
  char *path;   /* of the file; NULL: not here before sp_cloud_base_get() */
} SpCloudBase;

void sp_cloud_base_free (SpCloudBase *base);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpCloudBase, sp_cloud_base_free)

/* What @what stands for; nothing is fetched.  @sha512: as it was given, NULL: it was not.
 * SP_PROBLEM_USAGE: it is none of the three, or the checksum is missing or is none. */
SpCloudBase *sp_cloud_base_resolve (const char *what, const char *sha512, GError **error);
/* Get it, from the cache where it is there; then `path` and `sha512` are known, and the file has it (a
 * file of which no checksum is known: `sha512` stays NULL).  Blocks. */
gboolean
sp_cloud_base_get (SpCloudBase *base, SpFetchProgress progress, gpointer data, GError **error);
/* Base, name, address and checksum of @parts; @base must outlive it. */
void sp_cloud_base_parts (const SpCloudBase *base, SpCloudParts *parts);

/* The SHA-512 of the file @name in @text: lines of sha512sum, or the digest alone.  NULL: it is not there. */
char *sp_cloud_sums_find (const char *text, const char *name);
