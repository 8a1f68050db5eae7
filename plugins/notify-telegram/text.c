/* text.c - the rendering behind text.h
 *
 * Everything that is shown goes through put(), which cleans, escapes, counts and cuts; tags go around
 * it and are never cut.  So no value can open a tag, hide a later field or make Telegram refuse the
 * message as too long or unparsable.  What the core says comes first; what an agent says comes last,
 * in a quotation that is marked as the agent's own words.
 */
#include "text.h"

#include <string.h>

#define ELLIPSIS "\xe2\x80\xa6"
#define NO_LIMIT G_MAXSIZE

typedef struct {
  GString *out;
  TgTextFormat format;
  gsize left; /* units */
} Builder;

static const char *const outcome_marks[] = {
  [SP_OUTCOME_APPROVED] = "\xe2\x9c\x85 ",    [SP_OUTCOME_DENIED] = "\xe2\x9d\x8c ",
  [SP_OUTCOME_EXPIRED] = "\xe2\x8c\x9b ",     [SP_OUTCOME_CANCELLED] = "\xe2\x86\xa9 ",
  [SP_OUTCOME_REVOKED] = "\xf0\x9f\x9a\xab ",
};

/* Letters by their class that draw nothing. */
static const gunichar fillers[] = {
  0x034f, 0x115f, 0x1160, 0x17b4, 0x17b5, 0x2800, 0x3164, 0xffa0
};

static gboolean
is_space (gunichar c)
{
  GUnicodeType type = g_unichar_type (c);

  return g_unichar_isspace (c) || type == G_UNICODE_LINE_SEPARATOR ||
         type == G_UNICODE_PARAGRAPH_SEPARATOR;
}

static gboolean
is_invisible (gunichar c)
{
  GUnicodeType type = g_unichar_type (c);

  for (gsize i = 0; i < G_N_ELEMENTS (fillers); i++)
    if (c == fillers[i])
      return TRUE;
  return type == G_UNICODE_CONTROL || type == G_UNICODE_FORMAT || type == G_UNICODE_SURROGATE;
}

static gsize
units_of (gunichar c)
{
  return c > 0xffff ? 2 : 1;
}

gsize
tg_text_units (const char *text)
{
  gsize units = 0;

  for (const char *at = text; *at != '\0'; at = g_utf8_next_char (at))
    units += units_of (g_utf8_get_char (at));
  return units;
}

/* Cuts @text, of more than @max characters, to @max with the ellipsis. */
static void
cut (GString *text, gsize max)
{
  const char *end = g_utf8_offset_to_pointer (text->str, (glong) (max > 0 ? max - 1 : 0));

  g_string_truncate (text, (gsize) (end - text->str));
  if (max > 0)
    g_string_append (text, ELLIPSIS);
}

char *
tg_text_clean (const char *text, gsize max)
{
  g_autofree char *valid = g_utf8_make_valid (text != NULL ? text : "", -1);
  g_autoptr (GString) out = g_string_new (NULL);
  gboolean gap = FALSE;

  for (const char *at = valid; *at != '\0'; at = g_utf8_next_char (at)) {
    gunichar c = g_utf8_get_char (at);

    if (is_space (c)) {
      gap = out->len > 0;
      continue;
    }
    if (is_invisible (c))
      continue;
    if (gap)
      g_string_append_c (out, ' ');
    gap = FALSE;
    g_string_append_unichar (out, c);
  }
  if ((gsize) g_utf8_strlen (out->str, (gssize) out->len) > max)
    cut (out, max);
  return g_string_free (g_steal_pointer (&out), FALSE);
}

char *
tg_text_lines (const char *text, gsize max_units)
{
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  g_autoptr (GString) out = g_string_new (NULL);
  gsize left = max_units;

  for (char **at = lines; *at != NULL; at++) {
    g_autofree char *clean = tg_text_clean (*at, NO_LIMIT);
    gsize units = tg_text_units (clean) + 1;

    /* The last unit is for the ellipsis. */
    if (units >= left) {
      g_string_append (out, ELLIPSIS);
      break;
    }
    left -= units;
    g_string_append_printf (out, "%s%s", at > lines ? "\n" : "", clean);
  }
  return g_string_free (g_steal_pointer (&out), FALSE);
}

static void
put_escaped (Builder *b, gunichar c)
{
  if (b->format == TG_TEXT_HTML && c == '<')
    g_string_append (b->out, "&lt;");
  else if (b->format == TG_TEXT_HTML && c == '>')
    g_string_append (b->out, "&gt;");
  else if (b->format == TG_TEXT_HTML && c == '&')
    g_string_append (b->out, "&amp;");
  else
    g_string_append_unichar (b->out, c);
}

/* Characters of our own or already cleaned, as far as there is room. */
static void
put_raw (Builder *b, const char *text)
{
  for (const char *at = text; *at != '\0'; at = g_utf8_next_char (at)) {
    gunichar c = g_utf8_get_char (at);

    if (units_of (c) > b->left)
      return;
    b->left -= units_of (c);
    put_escaped (b, c);
  }
}

static void
put (Builder *b, const char *text, gsize max)
{
  g_autofree char *clean = tg_text_clean (text, max);

  put_raw (b, clean);
}

static void
put_tag (Builder *b, const char *tag)
{
  if (b->format == TG_TEXT_HTML)
    g_string_append (b->out, tag);
}

static void
put_field (Builder *b, const char *label, const char *value, gsize max)
{
  put_raw (b, "\n");
  put (b, label, TG_VALUE_MAX);
  put_raw (b, ": ");
  put_tag (b, "<code>");
  put (b, value, max);
  put_tag (b, "</code>");
}

static void
put_outcome (Builder *b, const SpOutcome *outcome)
{
  const char *mark =
      outcome->kind < G_N_ELEMENTS (outcome_marks) ? outcome_marks[outcome->kind] : "";

  put_tag (b, "<b>");
  put_raw (b, mark != NULL ? mark : "");
  put (b, outcome->text, TG_VALUE_MAX);
  put_tag (b, "</b>");
  put_raw (b, "\n\n");
}

static void
put_expiry (Builder *b, gint64 expires_at)
{
  g_autoptr (GDateTime) time = g_date_time_new_from_unix_utc (expires_at);
  g_autofree char *text = time != NULL ? g_date_time_format (time, "%F %T UTC") : NULL;

  if (expires_at != 0 && text != NULL)
    put_field (b, "Expires", text, NO_LIMIT);
}

static void
put_claims (Builder *b, const SpNotice *notice)
{
  gboolean any = FALSE;

  for (gsize i = 0; i < notice->n_fields; i++) {
    const SpField *field = &notice->fields[i];

    if (field->origin == SP_FIELD_CORE)
      continue;
    if (!any) {
      put_raw (b, "\n\nIn the agent's own words (a claim, not checked):\n");
      put_tag (b, "<blockquote>");
    }
    /* The newline that a field begins with would be a blank line in the quotation. */
    if (any)
      put_raw (b, "\n");
    any = TRUE;
    put (b, field->label, TG_VALUE_MAX);
    put_raw (b, ": ");
    put_tag (b, "<code>");
    put (b, field->value, TG_CLAIM_MAX);
    put_tag (b, "</code>");
  }
  if (any)
    put_tag (b, "</blockquote>");
}

char *
tg_text_render (const SpNotice *notice, const SpOutcome *outcome, TgTextFormat format)
{
  Builder b = { .out = g_string_new (NULL), .format = format, .left = TG_TEXT_MAX_UNITS };

  if (outcome != NULL)
    put_outcome (&b, outcome);
  put_tag (&b, "<b>");
  put (&b, notice->title, TG_VALUE_MAX);
  put_tag (&b, "</b>");
  for (gsize i = 0; i < notice->n_fields; i++)
    if (notice->fields[i].origin == SP_FIELD_CORE)
      put_field (&b, notice->fields[i].label, notice->fields[i].value, TG_VALUE_MAX);
  put_expiry (&b, notice->expires_at);
  put_claims (&b, notice);
  return g_string_free (b.out, FALSE);
}
