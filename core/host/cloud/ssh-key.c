/* ssh-key.c - ssh-key.h: OpenSSH's PROTOCOL.key, of which the part without encryption is a few strings
 *
 * What must stay true: every buffer that has held the private half is an SpSecret, or is wiped.
 */
#include "host/cloud/ssh-key.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <string.h>

#include "base/problem.h"

#define TYPE "ssh-ed25519"
#define MAGIC "openssh-key-v1" /* with its NUL */
#define HALF 32u
#define BLOCK 8u
#define MAX_COMMENT 256u
#define LINE 70u
#define BEGIN "-----BEGIN OPENSSH PRIVATE KEY-----\n"
#define END "-----END OPENSSH PRIVATE KEY-----\n"
/* All of it with a comment of that length has less than this. */
#define ROOM 1024u

typedef struct {
  guint8 *data; /* ROOM bytes of locked memory */
  gsize length;
} Blob;

/* ---- strings of SSH's ---------------------------------------------------------------------------------- */

static void
put (Blob *blob, gconstpointer data, gsize length)
{
  g_return_if_fail (length <= ROOM - blob->length);
  if (length > 0)
    memcpy (blob->data + blob->length, data, length);
  blob->length += length;
}

static void
put_number (Blob *blob, gsize number)
{
  guint32 big = GUINT32_TO_BE ((guint32) number);

  put (blob, &big, sizeof big);
}

static void
put_string (Blob *blob, gconstpointer data, gsize length)
{
  put_number (blob, length);
  put (blob, data, length);
}

static void
put_public (Blob *blob, const guint8 *half)
{
  put_string (blob, TYPE, strlen (TYPE));
  put_string (blob, half, HALF);
}

/* ---- the two halves ------------------------------------------------------------------------------------ */

/* Both halves behind one another, as the file has them. */
static SpSecret *
generate (GError **error)
{
  gnutls_privkey_t key = NULL;
  gnutls_datum_t x = { 0 }, k = { 0 };
  SpSecret *pair = NULL;
  int code = gnutls_privkey_init (&key);

  if (code == 0)
    code = gnutls_privkey_generate (key, GNUTLS_PK_EDDSA_ED25519, 0, 0);
  if (code == 0)
    code = gnutls_privkey_export_ecc_raw2 (key, NULL, &x, NULL, &k, 0);
  if (code == 0 && x.size == HALF && k.size == HALF) {
    pair = sp_secret_new (2 * HALF);
    memcpy (sp_secret_data (pair), k.data, HALF);
    memcpy (sp_secret_data (pair) + HALF, x.data, HALF);
  } else {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTERNAL, "cannot make an SSH key: %s",
                 gnutls_strerror (code));
  }
  if (k.data != NULL)
    sp_wipe (k.data, k.size);
  gnutls_free (k.data);
  gnutls_free (x.data);
  gnutls_privkey_deinit (key);
  return pair;
}

/* What would be encrypted if there were a passphrase: two equal numbers, the pair, padding. */
static void
put_private (Blob *blob, const guint8 *pair, const char *comment)
{
  guint32 check = g_random_int ();
  gsize begin = blob->length;

  put (blob, &check, sizeof check);
  put (blob, &check, sizeof check);
  put_public (blob, pair + HALF);
  put_string (blob, pair, 2 * HALF);
  put_string (blob, comment, strlen (comment));
  for (guint8 next = 1; (blob->length - begin) % BLOCK != 0; next++)
    put (blob, &next, 1);
}

static SpSecret *
encode_private (const guint8 *pair, const char *comment)
{
  g_autoptr (SpSecret) outer = sp_secret_new (ROOM), inner = sp_secret_new (ROOM);
  Blob all = { sp_secret_data (outer), 0 }, part = { sp_secret_data (inner), 0 };

  put (&all, MAGIC, sizeof MAGIC);
  put_string (&all, "none", 4);
  put_string (&all, "none", 4);
  put_string (&all, "", 0);
  put_number (&all, 1);
  put_public (&part, pair + HALF);
  put_string (&all, part.data, part.length);
  part.length = 0;
  put_private (&part, pair, comment);
  put_string (&all, part.data, part.length);
  return sp_secret_to_base64 (all.data, all.length);
}

/* Base64 in lines, between two others. */
static SpSecret *
armour (SpSecret *base64)
{
  gsize length = sp_secret_length (base64), at = 0;
  SpSecret *file = sp_secret_new (length + length / LINE + 1 + strlen (BEGIN) + strlen (END));
  guint8 *to = sp_secret_data (file);

  to = (guint8 *) memcpy (to, BEGIN, strlen (BEGIN)) + strlen (BEGIN);
  for (; at < length; at += LINE) {
    gsize part = MIN (LINE, length - at);

    to = (guint8 *) memcpy (to, sp_secret_data (base64) + at, part) + part;
    *to++ = '\n';
  }
  to = (guint8 *) memcpy (to, END, strlen (END)) + strlen (END);
  sp_secret_truncate (file, (gsize) (to - sp_secret_data (file)));
  return file;
}

static char *
encode_public (const guint8 *half, const char *comment)
{
  guint8 buffer[ROOM];
  Blob blob = { buffer, 0 };
  g_autofree char *base64 = NULL;

  put_public (&blob, half);
  base64 = g_base64_encode (buffer, blob.length);
  return g_strdup_printf ("%s %s %s", TYPE, base64, comment);
}

gboolean
sp_ssh_key_new (const char *comment, SpSecret **ret_private, char **ret_public, GError **error)
{
  g_autoptr (SpSecret) pair = NULL;
  g_autoptr (SpSecret) base64 = NULL;

  g_return_val_if_fail (strlen (comment) <= MAX_COMMENT, FALSE);
  pair = generate (error);
  if (pair == NULL)
    return FALSE;
  base64 = encode_private (sp_secret_data (pair), comment);
  *ret_private = armour (base64);
  *ret_public = encode_public (sp_secret_data (pair) + HALF, comment);
  return TRUE;
}

char *
sp_ssh_known_host (const char *address, guint port, const char *public_line)
{
  g_auto (GStrv) parts = g_strsplit (public_line, " ", 3);

  g_return_val_if_fail (g_strv_length (parts) >= 2, NULL);
  if (port == 22)
    return g_strdup_printf ("%s %s %s\n", address, parts[0], parts[1]);
  return g_strdup_printf ("[%s]:%u %s %s\n", address, port, parts[0], parts[1]);
}
