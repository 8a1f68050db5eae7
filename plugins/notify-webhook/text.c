/* text.c - the rendering behind text.h */
#include "text.h"

#include <string.h>

#define ELLIPSIS "\xe2\x80\xa6"
#define LABEL_MAX 40u
#define FIRST_LINE_MAX 200u

static gboolean
is_shown (gunichar c)
{
  GUnicodeType type = g_unichar_type (c);

  return type != G_UNICODE_CONTROL && type != G_UNICODE_FORMAT && type != G_UNICODE_SURROGATE &&
         type != G_UNICODE_LINE_SEPARATOR && type != G_UNICODE_PARAGRAPH_SEPARATOR;
}

char *
wh_text_clean (const char *text, gsize max)
{
  g_autofree char *valid = g_utf8_make_valid (text != NULL ? text : "", -1);
  GString *out = g_string_new (NULL);
  gsize n = 0;

  for (const char *at = valid; *at != '\0'; at = g_utf8_next_char (at)) {
    gunichar c = g_utf8_get_char (at);

    if (!is_shown (c))
      continue;
    if (++n > max) {
      g_string_truncate (out, (gsize) (g_utf8_prev_char (out->str + out->len) - out->str));
      g_string_append (out, ELLIPSIS);
      break;
    }
    g_string_append_unichar (out, c);
  }
  return g_string_free (out, FALSE);
}

static void
put_field (GString *out, const char *label, const char *value, gsize max)
{
  g_autofree char *shown_label = wh_text_clean (label, LABEL_MAX);
  g_autofree char *shown = wh_text_clean (value, max);

  g_string_append_printf (out, "%s%s: %s", out->len > 0 ? "\n" : "", shown_label, shown);
}

char *
wh_text_core (const SpNotice *notice)
{
  g_autoptr (GDateTime) time = g_date_time_new_from_unix_utc (notice->expires_at);
  g_autofree char *expires =
      notice->expires_at != 0 && time != NULL ? g_date_time_format (time, "%F %T UTC") : NULL;
  GString *out = g_string_new (NULL);

  for (gsize i = 0; i < notice->n_fields; i++)
    if (notice->fields[i].origin == SP_FIELD_CORE)
      put_field (out, notice->fields[i].label, notice->fields[i].value, WH_VALUE_MAX);
  if (expires != NULL)
    put_field (out, "Expires", expires, WH_VALUE_MAX);
  return g_string_free (out, FALSE);
}

char *
wh_text_claims (const SpNotice *notice)
{
  GString *out = g_string_new (NULL);

  for (gsize i = 0; i < notice->n_fields; i++)
    if (notice->fields[i].origin != SP_FIELD_CORE)
      put_field (out, notice->fields[i].label, notice->fields[i].value, WH_CLAIM_MAX);
  if (out->len > 0)
    g_string_prepend (out, "In the agent's own words (a claim, not checked):\n");
  return g_string_free (out, out->len == 0);
}

char *
wh_text_body (const SpNotice *notice)
{
  g_autofree char *core = wh_text_core (notice);
  g_autofree char *claims = wh_text_claims (notice);

  return claims != NULL ? g_strdup_printf ("%s\n\n%s", core, claims) : g_steal_pointer (&core);
}

char *
wh_text_cut_bytes (const char *text, gsize max)
{
  const char *end = text + max;

  if (strlen (text) <= max)
    return g_strdup (text);
  while (end > text && ((guchar) *end & 0xc0) == 0x80)
    end--;
  return g_strndup (text, (gsize) (end - text));
}

char *
wh_text_first_line (const char *body, gsize length)
{
  g_autofree char *line = NULL;
  gsize end = 0;

  while (end < length && body[end] != '\n' && body[end] != '\r' && body[end] != '\0')
    end++;
  line = g_strndup (body != NULL ? body : "", end);
  return wh_text_clean (line, FIRST_LINE_MAX);
}
