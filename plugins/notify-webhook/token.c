/* token.c - the tokens of token.h
 *
 * The MAC is HMAC-SHA256 over "sp1." and the four parts as they stand, cut to 128 bits, since three tokens
 * must fit into a message of 4 KB.  Parts are percent-encoded, the dot too, so that they can't run into
 * one another.
 */
#include "token.h"

#include <string.h>

#include "sign.h"

#define PREFIX "sp1."
#define N_PARTS 5u /* after the prefix */
#define MAC_LENGTH 32u
#define MAX_LENGTH 1024u

void
wh_token_clear (WhToken *token)
{
  g_clear_pointer (&token->notice, g_free);
  g_clear_pointer (&token->choice, g_free);
  g_clear_pointer (&token->person, g_free);
  token->expires_at = 0;
}

static void
put_part (GString *out, const char *part)
{
  g_autofree char *escaped = g_uri_escape_string (part, NULL, FALSE);

  for (const char *at = escaped; *at != '\0'; at++)
    if (*at == '.')
      g_string_append (out, "%2E");
    else
      g_string_append_c (out, *at);
  g_string_append_c (out, '.');
}

char *
wh_token_make (GBytes *key, const WhToken *token)
{
  GString *out = g_string_new (PREFIX);
  g_autofree char *mac = NULL;

  put_part (out, token->notice);
  put_part (out, token->choice);
  put_part (out, token->person);
  g_string_append_printf (out, "%" G_GINT64_FORMAT ".", token->expires_at);
  mac = wh_mac (key, out->str, NULL, 0);
  g_string_append_len (out, mac, MAC_LENGTH);
  return g_string_free (out, FALSE);
}

static gboolean
is_ours (GBytes *key, const char *text)
{
  gsize signed_length = (gsize) (strrchr (text, '.') - text) + 1;
  g_autofree char *start = g_strndup (text, signed_length);
  g_autofree char *mac = wh_mac (key, start, NULL, 0);

  mac[MAC_LENGTH] = '\0';
  return wh_same (mac, text + signed_length);
}

WhTokenResult
wh_token_read (GBytes *key, const char *text, WhToken *ret_token)
{
  g_auto (GStrv) parts = NULL;

  if (!g_str_has_prefix (text, PREFIX))
    return WH_TOKEN_NONE;
  if (strlen (text) > MAX_LENGTH || !is_ours (key, text))
    return WH_TOKEN_FORGED;
  parts = g_strsplit (text + strlen (PREFIX), ".", -1);
  if (g_strv_length (parts) != N_PARTS)
    return WH_TOKEN_FORGED;
  ret_token->notice = g_uri_unescape_string (parts[0], NULL);
  ret_token->choice = g_uri_unescape_string (parts[1], NULL);
  ret_token->person = g_uri_unescape_string (parts[2], NULL);
  ret_token->expires_at = g_ascii_strtoll (parts[3], NULL, 10);
  if (ret_token->notice != NULL && ret_token->choice != NULL && ret_token->person != NULL)
    return WH_TOKEN_GOOD;
  wh_token_clear (ret_token);
  return WH_TOKEN_FORGED;
}
