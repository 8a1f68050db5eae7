/* seed.h - the second disk of a cloud image's first boot: what cloud-init (NoCloud) is told, and the bundle
 *
 * A CD image labelled `cidata`, at the machine as a disk with the serial number `seed`.  On it are the image's
 * templates, filled in, and its `bundle.tar`.  A template has words between at-signs in the places of values:
 * @instance-id@, @hostname@, @ssh-keys@ (a list), @host-keys@ (an object of cloud-init's module ssh), @mac@,
 * @dhcp@, @addresses@, @routes@, @dns@.  Each becomes JSON, which is YAML as well, so that no value can end
 * what it stands in; a word that is not of these is an error.
 */
#pragma once

#include "base/secret.h"
#include "host/cloud/cloud-image.h"

#define SP_CLOUD_SEED_SERIAL "seed"

typedef struct {
  const char *instance_id;     /* cloud-init takes a machine with another one for a new one */
  const char *hostname;        /* NULL: vault */
  const char *const *ssh_keys; /* lines of authorized_keys, for the one account; NULL-terminated */
  SpSecret *host_key;          /* the machine's own, Ed25519, as ssh-keygen writes it */
  const char *host_public;     /* the line of its public half */
  const char *mac;             /* of the one network card: 52:54:00:12:34:56 */
  const char *address;         /* 10.0.0.5/24; NULL: DHCP, and the others are not used */
  const char *gateway, *dns;   /* numeric; NULL: none */
} SpCloudSeed;

/* Write it to @path, 0600, in the place of what is there.  It holds the machine's private host key.
 * SP_PROBLEM_CONFIG: a template that can't be filled in.  Blocks. */
gboolean sp_cloud_seed_write (const SpCloudImage *image, const SpCloudSeed *seed, const char *path,
                              GError **error);

/* The text of one file of it; wipe it where it is the user-data.  @template: of any image. */
char *sp_cloud_seed_fill (const SpCloudSeed *seed, const char *name, const char *template,
                          GError **error);
/* Whether every word of it is known; SP_PROBLEM_CONFIG: one stands for nothing. */
gboolean sp_cloud_seed_check (const char *name, const char *template, GError **error);
/* The command that writes it of the files in @dir; free with g_strfreev(). */
char **sp_cloud_seed_command (const char *dir, const char *path);
