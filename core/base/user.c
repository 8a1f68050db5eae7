/* user.c - user.h with getpwuid(3), setresuid(2) */
#include "base/user.h"

#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/problem.h"

#define FIRST_UID 61184u
#define N_UIDS (65519u - FIRST_UID + 1u)
#define MAX_GROUPS 1024

static gboolean
has_name (guint number)
{
  return getpwuid (number) != NULL || getgrgid (number) != NULL;
}

uid_t
sp_user_for (const char *purpose)
{
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA256);
  guint8 digest[32];
  gsize length = sizeof digest;
  guint32 start;

  if (geteuid () != 0)
    return geteuid ();
  g_checksum_update (sum, (const guchar *) purpose, (gssize) strlen (purpose));
  g_checksum_get_digest (sum, digest, &length);
  memcpy (&start, digest, sizeof start);
  for (guint i = 0; i < N_UIDS; i++) {
    guint number = FIRST_UID + (start + i) % N_UIDS;

    if (!has_name (number))
      return number;
  }
  return FIRST_UID;
}

static gboolean
become (const SpUser *user)
{
  if (geteuid () == 0 && user->uid != 0 &&
      (setgroups (user->n_groups, user->groups) != 0 ||
       setresgid (user->gid, user->gid, user->gid) != 0 ||
       setresuid (user->uid, user->uid, user->uid) != 0))
    return FALSE;
  return prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

gboolean
sp_user_become (uid_t uid)
{
  const SpUser user = { .uid = uid, .gid = uid };

  return become (&user);
}

/* ---- users with a name ------------------------------------------------------------------------------ */

static const struct passwd *
look_up (const char *name, GError **error)
{
  const struct passwd *entry = getpwnam (name);

  if (entry == NULL)
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG, "there is no user '%s' on this machine",
                 name);
  else if (entry->pw_uid == 0)
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG, "'%s' is root, which no plugin runs as",
                 name);
  else
    return entry;
  return NULL;
}

gboolean
sp_user_exists (const char *name, GError **error)
{
  return look_up (name, error) != NULL;
}

gboolean
sp_user_find (const char *name, SpUser *ret_user, GError **error)
{
  const struct passwd *entry = look_up (name, error);
  int n = MAX_GROUPS;

  if (entry == NULL)
    return FALSE;
  if (geteuid () != 0 && entry->pw_uid != geteuid ()) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG,
                 "only root can run a plugin as the user '%s'", name);
    return FALSE;
  }
  *ret_user = (SpUser){ .uid = entry->pw_uid, .gid = entry->pw_gid };
  ret_user->groups = g_new0 (gid_t, MAX_GROUPS);
  if (getgrouplist (name, entry->pw_gid, ret_user->groups, &n) >= 0) {
    ret_user->n_groups = (gsize) n;
    return TRUE;
  }
  sp_user_clear (ret_user);
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG, "the user '%s' is in more than %d groups",
               name, MAX_GROUPS);
  return FALSE;
}

void
sp_user_clear (SpUser *user)
{
  g_clear_pointer (&user->groups, g_free);
  user->n_groups = 0;
}

gboolean
sp_user_become_named (const SpUser *user)
{
  return become (user);
}
