/* random.c - random.h on gnutls_rnd() */
#include "base/random.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <string.h>

/* No 0/O, 1/I/L, 5/S, 2/Z, 8/B, U/V. */
static const char code_alphabet[] = "34679ACDEFGHJKMNPQRTWXY";

static void
fill (gpointer data, gsize length)
{
  if (gnutls_rnd (GNUTLS_RND_KEY, data, length) != 0)
    g_error ("the system has no randomness");
}

char *
sp_base64url (gconstpointer data, gsize length)
{
  char *text = g_base64_encode (data, length);
  gsize n = strcspn (text, "=");

  text[n] = 0;
  g_strdelimit (text, "+", '-');
  return g_strdelimit (text, "/", '_');
}

char *
sp_hex (gconstpointer data, gsize length)
{
  static const char digits[] = "0123456789abcdef";
  const guint8 *bytes = data;
  char *text = g_malloc (length * 2 + 1);

  for (gsize i = 0; i < length; i++) {
    text[2 * i] = digits[bytes[i] >> 4];
    text[2 * i + 1] = digits[bytes[i] & 15];
  }
  text[2 * length] = 0;
  return text;
}

char *
sp_random_id (gsize bytes)
{
  g_autofree guint8 *data = g_malloc (bytes);
  char *id = NULL;

  /* Not one that looks like an option on a command line. */
  do {
    g_free (id);
    fill (data, bytes);
    id = sp_base64url (data, bytes);
  } while (*id == '-');
  return id;
}

guint
sp_random_below (guint limit)
{
  /* Refuse the uneven rest at the top, so that no number is likelier than another. */
  const guint32 top = G_MAXUINT32 - G_MAXUINT32 % limit;
  guint32 value;

  do
    fill (&value, sizeof value);
  while (value >= top);
  return value % limit;
}

char *
sp_random_code (gsize length)
{
  char *code = g_malloc0 (length + 1);

  for (gsize i = 0; i < length; i++)
    code[i] = code_alphabet[sp_random_below (sizeof code_alphabet - 1)];
  return code;
}
