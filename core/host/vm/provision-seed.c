/* provision-seed.c - the seed of an agent's cloud image, and the temporary SSH key: provision-private.h
 *
 * The key is for setting up, as long as the machine is the agent's: `ssh-key` opens the account `proxy` on the
 * port of --ssh-port, `ssh-known-hosts` knows the machine.  All are worth nothing after a takeover, which makes
 * keys of its own, and go with the staging folder.
 */
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/problem.h"
#include "host/cloud/ssh-key.h"
#include "host/vm/provision-private.h"

#define KEY "ssh-key"
#define PUBLIC_KEY KEY ".pub"
#define KNOWN_HOSTS "ssh-known-hosts"
#define USER "proxy"

static const char *const files[] = { KEY, PUBLIC_KEY, KNOWN_HOSTS };

typedef struct {
  SpSecret *key, *host_key;
  char *public, *host_public;
} Keys;

static void
keys_clear (Keys *keys)
{
  g_clear_pointer (&keys->key, sp_secret_unref);
  g_clear_pointer (&keys->host_key, sp_secret_unref);
  g_free (keys->public);
  g_free (keys->host_public);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Keys, keys_clear)

static gboolean
write_text (int folder, const char *name, const char *text, GError **error)
{
  return sp_file_write_private (folder, name, SP_FILE_REPLACE, text, strlen (text), error);
}

static gboolean
write_keys (int folder, const Provision *provision, const Keys *keys, GError **error)
{
  g_autofree char *public = g_strconcat (keys->public, "\n", NULL);
  guint port = provision->options->ssh_port ? provision->options->ssh_port : 22;
  g_autofree char *known = sp_ssh_known_host (SP_PROVISION_LOOPBACK, port, keys->host_public);

  return sp_file_write_private (folder, KEY, SP_FILE_REPLACE, sp_secret_data (keys->key),
                                sp_secret_length (keys->key), error) &&
         write_text (folder, PUBLIC_KEY, public, error) &&
         write_text (folder, KNOWN_HOSTS, known, error);
}

static gboolean
keep_keys (const Provision *provision, const Keys *keys, GError **error)
{
  int folder = sp_file_open_folder (provision->staging, error);
  gboolean ok = folder >= 0 && write_keys (folder, provision, keys, error);

  if (folder >= 0)
    (void) close (folder);
  return ok;
}

static char *
message_of (const Provision *provision)
{
  if (provision->options->ssh_port == 0)
    return g_strdup_printf ("%s, with a temporary SSH key", provision->paths[SP_SOURCE_SEED]);
  return g_strdup_printf ("%s; temporary SSH key: ssh -i %s/" KEY
                          " -o UserKnownHostsFile=%s/" KNOWN_HOSTS " -p %u " USER
                          "@" SP_PROVISION_LOOPBACK,
                          provision->paths[SP_SOURCE_SEED], provision->staging, provision->staging,
                          provision->options->ssh_port);
}

gboolean
sp_provision_make_seed (Provision *provision, const char *mac, char **ret_message, GError **error)
{
  g_auto (Keys) keys = { 0 };
  const char *lines[] = { NULL, NULL };
  SpCloudSeed seed = { .instance_id = provision->id, .ssh_keys = lines, .mac = mac };

  if (!sp_ssh_key_new ("secret-proxy-setup", &keys.key, &keys.public, error) ||
      !sp_ssh_key_new ("vault", &keys.host_key, &keys.host_public, error) ||
      !keep_keys (provision, &keys, error))
    return FALSE;
  lines[0] = keys.public;
  seed.host_key = keys.host_key;
  seed.host_public = keys.host_public;
  if (!sp_cloud_seed_write (provision->cloud, &seed, provision->paths[SP_SOURCE_SEED], error))
    return FALSE;
  *ret_message = message_of (provision);
  return TRUE;
}

void
sp_provision_discard_seed (Provision *provision)
{
  (void) g_unlink (provision->paths[SP_SOURCE_SEED]);
  if (provision->container != NULL && provision->folder == NULL)
    (void) g_unlink (provision->container);
  for (gsize i = 0; i < G_N_ELEMENTS (files); i++) {
    g_autofree char *path = g_build_filename (provision->staging, files[i], NULL);

    (void) g_unlink (path);
  }
}
