/* secret.c - secret.h on anonymous mappings, one for each secret
 *
 * A mapping of its own makes mlock() and MADV_DONTDUMP exact: both work on whole pages, and locks on
 * a shared page do not count.  Secrets are few and live shortly, so a page each is cheap.
 */
#include "base/secret.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct _SpSecret {
  gatomicrefcount refs;
  guint8 *data;
  gsize length;
  gsize mapped;
};

void
sp_wipe (gpointer data, gsize length)
{
  if (length > 0)
    explicit_bzero (data, length);
}

gboolean
sp_secret_equal (gconstpointer a, gconstpointer b, gsize length)
{
  return gnutls_memcmp (a, b, length) == 0;
}

SpSecret *
sp_secret_new (gsize length)
{
  SpSecret *secret = g_new0 (SpSecret, 1);
  gsize page = (gsize) sysconf (_SC_PAGESIZE);

  g_atomic_ref_count_init (&secret->refs);
  secret->length = length;
  secret->mapped = (MAX (length, 1) + page - 1) / page * page;
  secret->data =
      mmap (NULL, secret->mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (secret->data == MAP_FAILED)
    g_error ("no memory for a secret of %" G_GSIZE_FORMAT " bytes", length);
  /* Without CAP_IPC_LOCK the limit on locked memory may be small; the daemon reports the limit at
   * start, a secret that exceeds it is still wiped and left out of dumps. */
  (void) mlock (secret->data, secret->mapped);
  (void) madvise (secret->data, secret->mapped, MADV_DONTDUMP);
  (void) madvise (secret->data, secret->mapped, MADV_WIPEONFORK);
  return secret;
}

SpSecret *
sp_secret_new_from (gconstpointer data, gsize length)
{
  SpSecret *secret = sp_secret_new (length);

  if (length > 0)
    memcpy (secret->data, data, length);
  return secret;
}

SpSecret *
sp_secret_new_random (gsize length)
{
  SpSecret *secret = sp_secret_new (length);

  if (gnutls_rnd (GNUTLS_RND_KEY, secret->data, length) != 0)
    g_error ("the system has no randomness");
  return secret;
}

SpSecret *
sp_secret_ref (SpSecret *secret)
{
  g_atomic_ref_count_inc (&secret->refs);
  return secret;
}

void
sp_secret_unref (SpSecret *secret)
{
  if (secret == NULL || !g_atomic_ref_count_dec (&secret->refs))
    return;
  sp_wipe (secret->data, secret->mapped);
  (void) munmap (secret->data, secret->mapped);
  g_free (secret);
}

guint8 *
sp_secret_data (SpSecret *secret)
{
  return secret->data;
}

gsize
sp_secret_length (const SpSecret *secret)
{
  return secret->length;
}

void
sp_secret_truncate (SpSecret *secret, gsize length)
{
  g_return_if_fail (length <= secret->length);
  sp_wipe (secret->data + length, secret->length - length);
  secret->length = length;
}

GBytes *
sp_secret_to_bytes (SpSecret *secret)
{
  return g_bytes_new_with_free_func (secret->data, secret->length, (GDestroyNotify) sp_secret_unref,
                                     sp_secret_ref (secret));
}

SpSecret *
sp_secret_to_base64 (gconstpointer data, gsize length)
{
  /* g_base64_encode_step() writes straight into the locked memory. */
  SpSecret *secret = sp_secret_new ((length / 3 + 1) * 4 + 4);
  int state = 0, save = 0;
  gsize n;

  n = g_base64_encode_step (data, length, FALSE, (char *) secret->data, &state, &save);
  n += g_base64_encode_close (FALSE, (char *) secret->data + n, &state, &save);
  sp_secret_truncate (secret, n);
  return secret;
}

static gboolean
is_strict_base64 (const char *text, gsize length)
{
  gsize end = length;

  if (length % 4 != 0)
    return FALSE;
  while (end > 0 && length - end < 2 && text[end - 1] == '=')
    end--;
  for (gsize i = 0; i < end; i++)
    if (!g_ascii_isalnum (text[i]) && text[i] != '+' && text[i] != '/')
      return FALSE;
  return TRUE;
}

SpSecret *
sp_secret_from_base64 (const char *text, gsize length)
{
  g_autoptr (SpSecret) secret = NULL;
  int state = 0;
  guint save = 0;
  gsize n;

  if (!is_strict_base64 (text, length))
    return NULL;
  secret = sp_secret_new (length / 4 * 3 + 3);
  n = g_base64_decode_step (text, length, secret->data, &state, &save);
  sp_secret_truncate (secret, n);
  return g_steal_pointer (&secret);
}

SpSecret *
sp_secret_read_fd (int fd, gsize max, GError **error)
{
  g_autoptr (SpSecret) secret = sp_secret_new (max + 1);
  gsize got = 0;

  while (got <= max) {
    gssize n = read (fd, secret->data + got, max + 1 - got);

    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0) {
      g_set_error (error, G_IO_ERROR, (gint) g_io_error_from_errno (errno), "cannot read: %s",
                   g_strerror (errno));
      return NULL;
    }
    if (n == 0) {
      sp_secret_truncate (secret, got);
      return g_steal_pointer (&secret);
    }
    got += (gsize) n;
  }
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_MESSAGE_TOO_LARGE,
               "longer than %" G_GSIZE_FORMAT " bytes", max);
  return NULL;
}
