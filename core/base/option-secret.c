/* option-secret.c - options that name a secret: where it lies, and reading it from there
 *
 * What must stay true: nothing that stands in place of a reference is ever quoted, since it may be
 * the secret itself; a file that others can read is refused, since then it is none.
 */
#include "base/option.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/problem.h"

#define MAX_SECRET (64u * 1024u)

#define fail(error, ...) g_set_error ((error), SP_PROBLEM, SP_PROBLEM_CONFIG, __VA_ARGS__)

gboolean
sp_secret_place (const char *text, SpSecretPlace *ret_place, const char **ret_where, GError **error)
{
  if (g_str_has_prefix (text, "file:")) {
    *ret_place = SP_SECRET_IN_FILE;
    *ret_where = text + strlen ("file:");
    if (**ret_where == '/')
      return TRUE;
    fail (error, "the path after 'file:' is not absolute");
    return FALSE;
  }
  if (g_str_has_prefix (text, "credential:")) {
    *ret_place = SP_SECRET_IN_CREDENTIAL;
    *ret_where = text + strlen ("credential:");
    if (sp_is_name (*ret_where))
      return TRUE;
    fail (error, "the name after 'credential:' is no name of a credential");
    return FALSE;
  }
  fail (error, "the value of a secret does not belong here: write file:/absolute/path or "
               "credential:NAME");
  return FALSE;
}

static char *
path_of_place (SpSecretPlace place, const char *where, GError **error)
{
  const char *dir = g_getenv ("CREDENTIALS_DIRECTORY");

  if (place == SP_SECRET_IN_FILE)
    return g_strdup (where);
  if (dir != NULL && *dir == '/')
    return g_build_filename (dir, where, NULL);
  fail (error,
        "there is no credential '%s': $CREDENTIALS_DIRECTORY is not set; run this from a systemd "
        "unit with LoadCredential=",
        where);
  return NULL;
}

static gboolean
check_file (int fd, const char *path, SpSecretPlace place, GError **error)
{
  /* systemd lets a service read its credentials through an access list, which shows as group bits. */
  mode_t closed = place == SP_SECRET_IN_CREDENTIAL ? 037 : 077;
  struct stat st;

  if (fstat (fd, &st) != 0 || !S_ISREG (st.st_mode)) {
    fail (error, "%s is no regular file", path);
    return FALSE;
  }
  if (st.st_uid != 0 && st.st_uid != geteuid ()) {
    fail (error, "%s belongs to user %u: it must belong to root or to user %u", path, st.st_uid,
          geteuid ());
    return FALSE;
  }
  if ((st.st_mode & closed) != 0) {
    fail (error, "%s has mode %04o, so that others can reach it: run chmod 0600 %s", path,
          (guint) st.st_mode & 07777, path);
    return FALSE;
  }
  return TRUE;
}

static SpSecret *
read_file (const char *path, SpSecretPlace place, GError **error)
{
  /* Not to be stopped by a FIFO. */
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  g_autoptr (SpSecret) secret = NULL;

  if (fd < 0) {
    fail (error, "cannot open %s: %s", path, g_strerror (errno));
    return NULL;
  }
  if (check_file (fd, path, place, error)) {
    secret = sp_secret_read_fd (fd, MAX_SECRET, error);
    if (secret == NULL)
      g_prefix_error (error, "%s: ", path);
  }
  (void) close (fd);
  return g_steal_pointer (&secret);
}

SpSecret *
sp_secret_fetch (const char *text, GError **error)
{
  g_autoptr (SpSecret) secret = NULL;
  g_autofree char *path = NULL;
  SpSecretPlace place;
  const char *where;
  gsize length;

  if (!sp_secret_place (text, &place, &where, error))
    return NULL;
  path = path_of_place (place, where, error);
  if (path == NULL)
    return NULL;
  secret = read_file (path, place, error);
  if (secret == NULL)
    return NULL;
  length = sp_secret_length (secret);
  if (length > 0 && sp_secret_data (secret)[length - 1] == '\n')
    sp_secret_truncate (secret, --length);
  if (length == 0) {
    fail (error, "%s is empty", path);
    return NULL;
  }
  return g_steal_pointer (&secret);
}
