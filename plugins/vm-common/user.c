/* user.c - user.h with getpwuid(3) */
#include "user.h"

#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#define FIRST_UID 61184u
#define N_UIDS (65519u - FIRST_UID + 1u)

uid_t
sp_qemu_user (const char *purpose)
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
    uid_t number = FIRST_UID + (start + i) % N_UIDS;

    if (getpwuid (number) == NULL && getgrgid (number) == NULL)
      return number;
  }
  return FIRST_UID;
}
