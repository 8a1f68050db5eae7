/* user.c - user.h with getpwuid(3), setresuid(2) */
#include "base/user.h"

#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define FIRST_UID 61184u
#define N_UIDS (65519u - FIRST_UID + 1u)

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

gboolean
sp_user_become (uid_t uid)
{
  if (geteuid () == 0 && uid != 0 &&
      (setgroups (0, NULL) != 0 || setresgid (uid, uid, uid) != 0 ||
       setresuid (uid, uid, uid) != 0))
    return FALSE;
  return prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}
