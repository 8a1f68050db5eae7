/* sign.c - the signatures of sign.h
 *
 * What must stay true: a MAC is compared in constant time, and before anything that it covers is looked at;
 * the form of a header is exact, so that there is one reading of it.
 */
#include "sign.h"

#include <string.h>

#define HEX_LENGTH 64u
#define TIME_DIGITS 11u

char *
wh_mac (GBytes *key, const char *start, gconstpointer rest, gsize length)
{
  GHmac *hmac =
      g_hmac_new (G_CHECKSUM_SHA256, g_bytes_get_data (key, NULL), g_bytes_get_size (key));
  char *hex;

  g_hmac_update (hmac, (const guchar *) start, -1);
  if (length > 0)
    g_hmac_update (hmac, rest, (gssize) length);
  hex = g_strdup (g_hmac_get_string (hmac));
  g_hmac_unref (hmac);
  return hex;
}

gboolean
wh_same (const char *a, const char *b)
{
  gsize length = strlen (a);
  guint difference = 0;

  if (strlen (b) != length)
    return FALSE;
  for (gsize i = 0; i < length; i++)
    difference |= (guint) ((guchar) a[i] ^ (guchar) b[i]);
  return difference == 0;
}

/* ---- requests ----------------------------------------------------------------------------------------- */

static char *
header_of (gint64 now, const char *mac)
{
  return g_strdup_printf ("t=%" G_GINT64_FORMAT ",v1=%s", now, mac);
}

char *
wh_sign_body (GBytes *key, gint64 now, gconstpointer body, gsize length)
{
  g_autofree char *start = g_strdup_printf ("%" G_GINT64_FORMAT ".", now);
  g_autofree char *mac = wh_mac (key, start, body, length);

  return header_of (now, mac);
}

char *
wh_sign_fetch (GBytes *key, gint64 now, const char *target)
{
  g_autofree char *start = g_strdup_printf ("%" G_GINT64_FORMAT ".GET %s", now, target);
  g_autofree char *mac = wh_mac (key, start, NULL, 0);

  return header_of (now, mac);
}

/* ---- answers ------------------------------------------------------------------------------------------- */

/* @header as "t=DIGITS,v1=HEX"; @ret_mac points into it. */
static gboolean
read_header (const char *header, gint64 *ret_time, const char **ret_mac)
{
  gsize digits;

  if (header == NULL || !g_str_has_prefix (header, "t="))
    return FALSE;
  digits = strspn (header + 2, "0123456789");
  *ret_mac = header + 2 + digits + strlen (",v1=");
  *ret_time = g_ascii_strtoll (header + 2, NULL, 10);
  return digits > 0 && digits <= TIME_DIGITS && g_str_has_prefix (header + 2 + digits, ",v1=") &&
         strlen (*ret_mac) == HEX_LENGTH && strspn (*ret_mac, "0123456789abcdef") == HEX_LENGTH;
}

WhSigned
wh_check_answer (GBytes *key, const char *header, gconstpointer body, gsize length, gint64 now,
                 gint64 *ret_age)
{
  g_autofree char *start = NULL;
  g_autofree char *mac = NULL;
  const char *given;
  gint64 time;

  if (!read_header (header, &time, &given))
    return WH_UNSIGNED;
  start = g_strdup_printf ("%" G_GINT64_FORMAT ".answer.", time);
  mac = wh_mac (key, start, body, length);
  if (!wh_same (mac, given))
    return WH_WRONG;
  *ret_age = now - time;
  return ABS (*ret_age) <= WH_FRESH_S ? WH_SIGNED : WH_STALE;
}

/* ---- deliveries ----------------------------------------------------------------------------------------- */

/* A UUID of version 8, whose bits are the maker's own (RFC 9562, 5.8). */
char *
wh_delivery (GBytes *key, const char *event, const char *id)
{
  g_autofree char *start = g_strdup_printf ("delivery.%s.", event);
  g_autofree char *mac = wh_mac (key, start, id, strlen (id));

  mac[12] = '8';
  mac[16] = "89ab"[g_ascii_xdigit_value (mac[16]) & 3];
  return g_strdup_printf ("%.8s-%.4s-%.4s-%.4s-%.12s", mac, mac + 8, mac + 12, mac + 16, mac + 20);
}
