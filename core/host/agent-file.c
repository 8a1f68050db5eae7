/* agent-file.c - agent-file.h */
#include "host/agent-file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/problem.h"

#define MAX_FILE (64u * 1024u)

void
sp_agent_file_free (SpAgentFile *file)
{
  if (file == NULL)
    return;
  g_free (file->url);
  g_free (file->tls_pin);
  sp_secret_unref (file->token);
  g_free (file->owner_key);
  g_free (file);
}

char *
sp_agent_file_path (void)
{
  const char *given = g_getenv ("SECRET_PROXY_AGENT_FILE");

  return given && *given
             ? g_strdup (given)
             : g_build_filename (g_get_user_config_dir (), "secret-proxy", "agent.json", NULL);
}

/* ---- reading ------------------------------------------------------------------------------------------- */

/* A header's value: printable ASCII without spaces. */
static gboolean
is_token (const char *text)
{
  gsize length = strlen (text);

  for (gsize i = 0; i < length; i++)
    if (!g_ascii_isgraph (text[i]))
      return FALSE;
  return length > 0 && length <= 512;
}

static SpAgentFile *
file_from_object (JsonObject *object, GError **error)
{
  const char *url = NULL, *pin = NULL, *token = NULL, *owner_key = "";
  SpAgentFile *file;

  if (!sp_json_get_string (object, "url", &url, error) ||
      !sp_json_get_string (object, "tls_pin", &pin, error) ||
      !sp_json_get_string (object, "token", &token, error) ||
      !sp_json_get_string (object, "owner_key", &owner_key, error))
    return NULL;
  if (url == NULL || pin == NULL || token == NULL || !is_token (token)) {
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_CONFIG,
                         "it must have \"url\", \"tls_pin\" and \"token\"");
    return NULL;
  }
  if (!g_str_has_prefix (url, "https://")) {
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_CONFIG, "its \"url\" is not https");
    return NULL;
  }
  file = g_new0 (SpAgentFile, 1);
  file->url = g_strdup (url);
  for (gsize n = strlen (url); n > 0 && url[n - 1] == '/'; n--)
    file->url[n - 1] = 0;
  file->tls_pin = g_strdup (pin);
  file->token = sp_secret_new_from (token, strlen (token));
  file->owner_key = g_strdup (owner_key);
  return file;
}

static SpAgentFile *
parse (SpSecret *content, GError **error)
{
  static const char *const members[] = { "url", "tls_pin", "token", "owner_key", NULL };
  g_autoptr (JsonObject) object = sp_json_parse_object ((const char *) sp_secret_data (content),
                                                        sp_secret_length (content), members, error);

  return object ? file_from_object (object, error) : NULL;
}

SpAgentFile *
sp_agent_file_read (const char *path, GError **error)
{
  g_autofree char *usual = sp_agent_file_path ();
  g_autoptr (GError) local = NULL;
  g_autoptr (SpSecret) content = NULL;
  SpAgentFile *file;

  if (path == NULL)
    path = usual;
  content = sp_file_read_private (AT_FDCWD, path, MAX_FILE, &local);
  if (g_error_matches (local, SP_PROBLEM, SP_PROBLEM_NOT_FOUND)) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG,
                 "there is no %s: get one with 'secret-proxy agent add NAME --write FILE', or name "
                 "it in $SECRET_PROXY_AGENT_FILE",
                 path);
    return NULL;
  }
  if (content == NULL) {
    g_propagate_error (error, g_steal_pointer (&local));
    return NULL;
  }
  file = parse (content, &local);
  if (file == NULL)
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG, "%s: %s", path, local->message);
  return file;
}

/* ---- writing ----------------------------------------------------------------------------------------------- */

static int
open_parent (const char *path, GError **error)
{
  g_autofree char *parent = g_path_get_dirname (path);
  int fd = open (parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  if (fd >= 0 && faccessat (fd, ".", W_OK | X_OK, AT_EACCESS) == 0)
    return fd;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_USAGE, "cannot write in %s: %s", parent,
               g_strerror (errno));
  if (fd >= 0)
    (void) close (fd);
  return -1;
}

gboolean
sp_agent_file_may_write (const char *path, GError **error)
{
  int fd = open_parent (path, error);

  if (fd < 0)
    return FALSE;
  (void) close (fd);
  if (!g_file_test (path, G_FILE_TEST_IS_DIR))
    return TRUE;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_USAGE, "%s is a folder", path);
  return FALSE;
}

SpSecret *
sp_agent_file_text (const SpAgentFile *file)
{
  g_autoptr (GString) head = g_string_new ("{\"url\":");
  g_autoptr (GString) tail = g_string_new ("\",\"owner_key\":");
  gsize n = sp_secret_length (file->token);
  SpSecret *text;

  sp_json_append_string (head, file->url, -1);
  g_string_append (head, ",\"tls_pin\":");
  sp_json_append_string (head, file->tls_pin, -1);
  g_string_append (head, ",\"token\":\"");
  sp_json_append_string (tail, file->owner_key, -1);
  g_string_append (tail, "}\n");
  text = sp_secret_new (head->len + n + tail->len);
  memcpy (sp_secret_data (text), head->str, head->len);
  memcpy (sp_secret_data (text) + head->len, sp_secret_data (file->token), n);
  memcpy (sp_secret_data (text) + head->len + n, tail->str, tail->len);
  return text;
}

gboolean
sp_agent_file_write (const SpAgentFile *file, const char *path, GError **error)
{
  g_autofree char *name = g_path_get_basename (path);
  g_autoptr (SpSecret) text = sp_agent_file_text (file);
  int folder = open_parent (path, error);
  gboolean done;

  if (folder < 0)
    return FALSE;
  done = sp_file_write_private (folder, name, SP_FILE_REPLACE, sp_secret_data (text),
                                sp_secret_length (text), error);
  (void) close (folder);
  return done;
}
