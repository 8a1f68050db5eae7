/* text.c - text.h by Unicode's own classes */
#include "base/text.h"

static gboolean
is_hidden (gunichar c)
{
  switch (g_unichar_type (c)) {
  case G_UNICODE_CONTROL:
  case G_UNICODE_FORMAT: /* bidirectional marks, zero-width joiners, tags */
  case G_UNICODE_UNASSIGNED:
  case G_UNICODE_PRIVATE_USE:
  case G_UNICODE_SURROGATE:
    return TRUE;
  default:
    /* Letters that show nothing: Hangul fillers, Braille blank, joiners, variation selectors. */
    return c == 0x115f || c == 0x1160 || c == 0x3164 || c == 0xffa0 || c == 0x2800 || c == 0x34f ||
           c == 0x17b4 || c == 0x17b5 || (c >= 0x180b && c <= 0x180f) ||
           (c >= 0xe0100 && c <= 0xe01ef) || (c >= 0xfe00 && c <= 0xfe0f);
  }
}

char *
sp_text_clean (const char *text, gsize max_chars)
{
  GString *out = g_string_new (NULL);
  gboolean space = FALSE;
  gsize n = 0, cut_at = 0; /* where the ellipsis would go */

  for (const char *p = text; *p != 0; p = g_utf8_next_char (p)) {
    gunichar c = g_utf8_get_char (p);

    if (g_unichar_isspace (c) || c == 0x2028 || c == 0x2029) {
      space = out->len > 0;
      continue;
    }
    if (is_hidden (c))
      continue;
    if (n + (space ? 2 : 1) > max_chars) {
      g_string_append (g_string_truncate (out, cut_at), "…");
      break;
    }
    if (space) {
      g_string_append_c (out, ' ');
      n++;
    }
    g_string_append_unichar (out, c);
    space = FALSE;
    if (++n < max_chars)
      cut_at = out->len;
  }
  return g_string_free (out, FALSE);
}
