/* seed.c - seed.h: fill in the templates, have the CD written
 *
 * The files lie in a folder of their own (0700) beside the CD only while it is written, since the user-data
 * holds a private key.
 */
#include "host/cloud/seed.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/problem.h"
#include "host/appliance/tool.h"

#define LABEL "cidata"
#define HOSTNAME "vault"
#define WORD "abcdefghijklmnopqrstuvwxyz-"

/* ---- values ------------------------------------------------------------------------------------------- */

static void
put_string (GString *out, const char *text)
{
  sp_json_append_string (out, text ? text : "", -1);
}

static void
put_list (GString *out, const char *const *items)
{
  g_string_append_c (out, '[');
  for (gsize i = 0; items != NULL && items[i] != NULL; i++) {
    if (i > 0)
      g_string_append (out, ", ");
    put_string (out, items[i]);
  }
  g_string_append_c (out, ']');
}

static void
put_one_or_none (GString *out, const char *item)
{
  const char *const items[] = { item, NULL };

  put_list (out, items);
}

static void
put_instance_id (GString *out, const SpCloudSeed *seed)
{
  put_string (out, seed->instance_id);
}

static void
put_hostname (GString *out, const SpCloudSeed *seed)
{
  put_string (out, seed->hostname ? seed->hostname : HOSTNAME);
}

static void
put_ssh_keys (GString *out, const SpCloudSeed *seed)
{
  put_list (out, seed->ssh_keys);
}

static void
put_host_keys (GString *out, const SpCloudSeed *seed)
{
  g_string_append (out, "{\"ed25519_private\": ");
  sp_json_append_string (out, (const char *) sp_secret_data (seed->host_key),
                         (gssize) sp_secret_length (seed->host_key));
  g_string_append (out, ", \"ed25519_public\": ");
  put_string (out, seed->host_public);
  g_string_append_c (out, '}');
}

static void
put_mac (GString *out, const SpCloudSeed *seed)
{
  put_string (out, seed->mac);
}

static void
put_dhcp (GString *out, const SpCloudSeed *seed)
{
  g_string_append (out, seed->address ? "false" : "true");
}

static void
put_addresses (GString *out, const SpCloudSeed *seed)
{
  put_one_or_none (out, seed->address);
}

static void
put_routes (GString *out, const SpCloudSeed *seed)
{
  if (seed->address == NULL || seed->gateway == NULL) {
    g_string_append (out, "[]");
    return;
  }
  g_string_append (out, "[{\"to\": \"0.0.0.0/0\", \"via\": ");
  put_string (out, seed->gateway);
  g_string_append (out, "}]");
}

static void
put_dns (GString *out, const SpCloudSeed *seed)
{
  put_one_or_none (out, seed->address ? seed->dns : NULL);
}

static const struct {
  const char *word;
  void (*put) (GString *out, const SpCloudSeed *seed);
} words[] = {
  { "addresses", put_addresses },
  { "dhcp", put_dhcp },
  { "dns", put_dns },
  { "host-keys", put_host_keys },
  { "hostname", put_hostname },
  { "instance-id", put_instance_id },
  { "mac", put_mac },
  { "routes", put_routes },
  { "ssh-keys", put_ssh_keys },
};

/* Its place in the table; -1: it stands for nothing. */
static gssize
find_word (const char *word, gsize length)
{
  for (gsize i = 0; i < G_N_ELEMENTS (words); i++)
    if (strlen (words[i].word) == length && memcmp (words[i].word, word, length) == 0)
      return (gssize) i;
  return -1;
}

/* ---- templates ------------------------------------------------------------------------------------------ */

/* A GString that grows leaves its old bytes behind: this one has room from the start. */
static GString *
roomy (const SpCloudSeed *seed, const char *template)
{
  gsize length = strlen (template) + 4096;

  for (gsize i = 0; seed->ssh_keys != NULL && seed->ssh_keys[i] != NULL; i++)
    length += 2 * strlen (seed->ssh_keys[i]);
  if (seed->host_key != NULL)
    length += 4 * sp_secret_length (seed->host_key);
  return g_string_sized_new (length);
}

static gboolean
refuse_word (const char *name, const char *word, gsize length, GError **error)
{
  g_autoptr (GString) known = g_string_new (NULL);

  for (gsize i = 0; i < G_N_ELEMENTS (words); i++)
    g_string_append_printf (known, "%s@%s@", i > 0 ? ", " : "", words[i].word);
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG,
               "the template %s has @%.*s@, which stands for nothing; known are %s", name,
               (int) MIN (length, 40), word, known->str);
  return FALSE;
}

/* @out NULL: only look whether it can be filled in. */
static gboolean
walk (GString *out, const SpCloudSeed *seed, const char *name, const char *template, GError **error)
{
  const char *at = template;

  while (*at != '\0') {
    gsize plain = strcspn (at, "@"), length = at[plain] == '@' ? strspn (at + plain + 1, WORD) : 0;
    const char *word = at + plain + 1;
    gssize found;

    /* An at-sign by itself is one. */
    if (length == 0 || word[length] != '@') {
      plain += at[plain] == '@';
      if (out != NULL)
        g_string_append_len (out, at, (gssize) plain);
      at += plain;
      continue;
    }
    found = find_word (word, length);
    if (found < 0)
      return refuse_word (name, word, length, error);
    if (out != NULL) {
      g_string_append_len (out, at, (gssize) plain);
      words[found].put (out, seed);
    }
    at = word + length + 1;
  }
  return TRUE;
}

gboolean
sp_cloud_seed_check (const char *name, const char *template, GError **error)
{
  return walk (NULL, NULL, name, template, error);
}

char *
sp_cloud_seed_fill (const SpCloudSeed *seed, const char *name, const char *template, GError **error)
{
  GString *out = roomy (seed, template);

  if (walk (out, seed, name, template, error))
    return g_string_free (out, FALSE);
  sp_wipe (out->str, out->len);
  g_string_free (out, TRUE);
  return NULL;
}

/* ---- the files ------------------------------------------------------------------------------------------ */

static gboolean
put_file (const SpCloudImage *image, const SpCloudSeed *seed, int folder, SpCloudTemplate which,
          GError **error)
{
  const char *name = sp_cloud_template_names[which];
  g_autofree char *template = NULL;
  char *text;
  gboolean ok;

  if (!g_file_get_contents (image->templates[which].path, &template, NULL, error))
    return FALSE;
  text = sp_cloud_seed_fill (seed, name, template, error);
  if (text == NULL)
    return FALSE;
  ok = sp_file_write_private (folder, name, SP_FILE_NEW, text, strlen (text), error);
  sp_wipe (text, strlen (text));
  g_free (text);
  return ok;
}

/* The bundle by a link that is followed: it need not be copied twice. */
static gboolean
put_files (const SpCloudImage *image, const SpCloudSeed *seed, const char *dir, GError **error)
{
  int folder = sp_file_open_folder (dir, error);
  gboolean ok = folder >= 0;

  for (guint i = 0; ok && i < SP_CLOUD_N_TEMPLATES; i++)
    ok = put_file (image, seed, folder, i, error);
  if (ok && symlinkat (image->bundle.path, folder, SP_CLOUD_BUNDLE) != 0) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_STORE, "cannot write to %s: %s", dir,
                 g_strerror (errno));
    ok = FALSE;
  }
  if (folder >= 0)
    (void) close (folder);
  return ok;
}

static void
discard (const char *dir)
{
  g_autofree char *bundle = g_build_filename (dir, SP_CLOUD_BUNDLE, NULL);

  for (guint i = 0; i < SP_CLOUD_N_TEMPLATES; i++) {
    g_autofree char *path = g_build_filename (dir, sp_cloud_template_names[i], NULL);

    (void) g_unlink (path);
  }
  (void) g_unlink (bundle);
  (void) g_rmdir (dir);
}

/* ---- the CD --------------------------------------------------------------------------------------------- */

/* It is there, and private, before the tool opens it. */
static gboolean
make_private (const char *path, GError **error)
{
  int fd;

  (void) g_unlink (path);
  fd = open (path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_STORE, "cannot make %s: %s", path,
                 g_strerror (errno));
    return FALSE;
  }
  (void) close (fd);
  return TRUE;
}

char **
sp_cloud_seed_command (const char *dir, const char *path)
{
  const char *const argv[] = { "genisoimage", "-quiet", "-output",       path, "-volid", LABEL,
                               "-joliet",     "-rock",  "-follow-links", dir,  NULL };

  return g_strdupv ((char **) argv);
}

static gboolean
write_cd (const char *dir, const char *path, GError **error)
{
  g_auto (GStrv) argv = sp_cloud_seed_command (dir, path);

  return make_private (path, error) &&
         sp_tool_run ((const char *const *) argv, "genisoimage", error);
}

gboolean
sp_cloud_seed_write (const SpCloudImage *image, const SpCloudSeed *seed, const char *path,
                     GError **error)
{
  g_autofree char *dir = g_strconcat (path, ".files", NULL);
  g_autofree char *next = g_strconcat (path, ".new", NULL);
  gboolean ok;

  /* What a run that was killed has left. */
  discard (dir);
  ok = put_files (image, seed, dir, error) && write_cd (dir, next, error);
  discard (dir);
  if (ok && g_rename (next, path) == 0)
    return TRUE;
  if (ok)
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_STORE, "cannot write %s: %s", path,
                 g_strerror (errno));
  (void) g_unlink (next);
  g_prefix_error (error, "cannot make the seed: ");
  return FALSE;
}
