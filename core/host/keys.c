/* keys.c - make, check and read the keys of a vault: keys.h */
#include "host/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/problem.h"
#include "base/sign.h"
#include "host/tls.h"

#define MASTER_LENGTH 32u
#define MAX_FILE (64u * 1024u)

static SpSecret *
secret_of_line (const char *text)
{
  g_autofree char *line = g_strconcat (text, "\n", NULL);

  return sp_secret_new_from (line, strlen (line));
}

static SpSecret *
make_master (GError **error)
{
  return sp_secret_new_random (MASTER_LENGTH);
}

static SpSecret *
make_time (GError **error)
{
  g_autofree char *now = sp_time_format (g_get_real_time ());

  return secret_of_line (now);
}

static SpSecret *
make_id (GError **error)
{
  g_autofree char *id = g_uuid_string_random ();

  return secret_of_line (id);
}

typedef struct {
  const char *name;
  SpSecret *(*make) (GError **error);
} File;

/* In the order in which they are made. */
enum { MASTER, VAULT_KEY, HOST_KEY, TLS, TAKEN_AT, VAULT_ID, N_FILES };

static const File files[N_FILES] = {
  [MASTER] = { "master.key", make_master },      [VAULT_KEY] = { "vault.key", sp_sign_generate },
  [HOST_KEY] = { "host.key", sp_sign_generate }, [TLS] = { "tls.pem", sp_tls_generate },
  [TAKEN_AT] = { "taken-at", make_time },        [VAULT_ID] = { "vault-id", make_id },
};

static gboolean
exists (int folder, const char *name)
{
  struct stat st;

  return fstatat (folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static gboolean
make_file (int folder, const File *file, GError **error)
{
  g_autoptr (SpSecret) content = file->make (error);

  return content != NULL &&
         sp_file_write_private (folder, file->name, SP_FILE_NEW, sp_secret_data (content),
                                sp_secret_length (content), error);
}

static gboolean
make_missing (int folder, gboolean own_master, GError **error)
{
  if (exists (folder, files[VAULT_ID].name))
    return TRUE;
  for (guint i = own_master ? MASTER : MASTER + 1; i < N_FILES; i++)
    if (!exists (folder, files[i].name) && !make_file (folder, &files[i], error)) {
      g_prefix_error (error, "cannot make the vault's keys: ");
      return FALSE;
    }
  return TRUE;
}

static SpSecret *
read_file (int folder, guint which, GError **error)
{
  g_autoptr (GError) local = NULL;
  SpSecret *secret = sp_file_read_private (folder, files[which].name, MAX_FILE, &local);

  if (secret != NULL)
    return secret;
  if (g_error_matches (local, SP_PROBLEM, SP_PROBLEM_NOT_FOUND))
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY,
                 "%s is missing although this vault has been in use: put it back from a backup",
                 files[which].name);
  else
    g_propagate_error (error, g_steal_pointer (&local));
  return NULL;
}

/* One line of text without its newline. */
static char *
read_line (int folder, guint which, GError **error)
{
  g_autoptr (SpSecret) secret = read_file (folder, which, error);
  g_autofree char *text = NULL;

  if (secret == NULL)
    return NULL;
  text = g_strndup ((const char *) sp_secret_data (secret), sp_secret_length (secret));
  g_strchomp (text);
  if (*text != 0 && g_str_is_ascii (text) && strpbrk (text, "\n\r\"\\") == NULL)
    return g_steal_pointer (&text);
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY, "%s is damaged", files[which].name);
  return NULL;
}

static SpSecret *
read_master (int folder, const char *master_key, GError **error)
{
  g_autoptr (SpSecret) master = NULL;

  if (master_key == NULL)
    master = read_file (folder, MASTER, error);
  else if (g_str_has_prefix (master_key, "file:"))
    master = sp_file_read_private (AT_FDCWD, master_key + strlen ("file:"), MAX_FILE, error);
  else
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG,
                 "master-key = %.*s: is not supported yet, use file:PATH",
                 (int) strcspn (master_key, ":"), master_key);
  if (master == NULL || sp_secret_length (master) == MASTER_LENGTH)
    return g_steal_pointer (&master);
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY,
               "the master key has %" G_GSIZE_FORMAT " bytes instead of %u",
               sp_secret_length (master), MASTER_LENGTH);
  return NULL;
}

static gboolean
read_all (SpHostKeys *keys, int folder, const char *master_key, GError **error)
{
  return (keys->vault_id = read_line (folder, VAULT_ID, error)) != NULL &&
         (keys->taken_at = read_line (folder, TAKEN_AT, error)) != NULL &&
         (keys->master = read_master (folder, master_key, error)) != NULL &&
         (keys->vault_key = read_file (folder, VAULT_KEY, error)) != NULL &&
         (keys->host_key = read_file (folder, HOST_KEY, error)) != NULL &&
         (keys->tls = read_file (folder, TLS, error)) != NULL;
}

typedef char *(*Derive) (SpSecret *secret, GError **error);

static gboolean
derive (guint which, Derive func, SpSecret *from, char **to, GError **error)
{
  g_autoptr (GError) local = NULL;

  *to = func (from, &local);
  if (*to == NULL)
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY, "%s is damaged: %s", files[which].name,
                 local->message);
  return *to != NULL;
}

SpHostKeys *
sp_host_keys_open (int folder, const char *master_key, GError **error)
{
  return make_missing (folder, master_key == NULL, error)
             ? sp_host_keys_read (folder, master_key, error)
             : NULL;
}

SpHostKeys *
sp_host_keys_read (int folder, const char *master_key, GError **error)
{
  g_autoptr (SpHostKeys) keys = g_new0 (SpHostKeys, 1);

  if (!exists (folder, files[VAULT_ID].name)) {
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_NOT_FOUND,
                         "this vault has no keys: it was not made yet");
    return NULL;
  }
  if (!read_all (keys, folder, master_key, error) ||
      !derive (VAULT_KEY, sp_sign_public, keys->vault_key, &keys->vault_public, error) ||
      !derive (HOST_KEY, sp_sign_public, keys->host_key, &keys->host_public, error) ||
      !derive (TLS, sp_tls_pin_pem, keys->tls, &keys->tls_pin, error))
    return NULL;
  if (!g_uuid_string_is_valid (keys->vault_id)) {
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY, "vault-id is no UUID");
    return NULL;
  }
  return g_steal_pointer (&keys);
}

void
sp_host_keys_remove (int folder)
{
  for (guint i = N_FILES; i-- > 0;)
    (void) unlinkat (folder, files[i].name, 0);
}

void
sp_host_keys_free (SpHostKeys *keys)
{
  if (keys == NULL)
    return;
  g_free (keys->vault_id);
  g_free (keys->taken_at);
  sp_secret_unref (keys->master);
  sp_secret_unref (keys->vault_key);
  sp_secret_unref (keys->host_key);
  sp_secret_unref (keys->tls);
  g_free (keys->vault_public);
  g_free (keys->host_public);
  g_free (keys->tls_pin);
  g_free (keys);
}
