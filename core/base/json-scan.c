/* json-scan.c - the scanner in front of json-glib
 *
 * A plain loop over the text with a stack of fixed depth; it never recurses and never allocates in
 * proportion to nesting.  What it lets through is RFC 8259 without the corners in which two parsers
 * may differ.  The secret of an admin call is cut out here too, before a parser could copy it.
 */
#include "base/json.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/problem.h"

typedef struct {
  const char *text;
  gsize length;
  gsize at;
  guint depth;
  gboolean in_object[SP_JSON_MAX_DEPTH];
  GHashTable *keys[SP_JSON_MAX_DEPTH]; /* of the objects that are open */
  const char *wrong;
} Scan;

static gboolean
fail (Scan *scan, const char *wrong)
{
  scan->wrong = wrong;
  return FALSE;
}

static int
peek (Scan *scan)
{
  return scan->at < scan->length ? (guchar) scan->text[scan->at] : -1;
}

static void
skip_space (Scan *scan)
{
  int c;

  while ((c = peek (scan)) == ' ' || c == '\t' || c == '\n' || c == '\r')
    scan->at++;
}

/* ---- strings ------------------------------------------------------------------------------------ */

static gboolean
scan_hex4 (Scan *scan, guint *ret_value)
{
  guint value = 0;

  for (int i = 0; i < 4; i++) {
    int digit = scan->at < scan->length ? g_ascii_xdigit_value (scan->text[scan->at]) : -1;

    if (digit < 0)
      return fail (scan, "a \\u escape without four hex digits");
    value = value * 16 + (guint) digit;
    scan->at++;
  }
  *ret_value = value;
  return TRUE;
}

static gboolean
scan_unicode_escape (Scan *scan, GString *out)
{
  guint high, low;

  if (!scan_hex4 (scan, &high))
    return FALSE;
  if (high == 0)
    return fail (scan, "a NUL character");
  if (high >= 0xdc00 && high <= 0xdfff)
    return fail (scan, "a lone surrogate");
  if (high >= 0xd800 && high <= 0xdbff) {
    if (scan->at + 2 > scan->length || memcmp (scan->text + scan->at, "\\u", 2) != 0)
      return fail (scan, "a lone surrogate");
    scan->at += 2;
    if (!scan_hex4 (scan, &low))
      return FALSE;
    if (low < 0xdc00 || low > 0xdfff)
      return fail (scan, "a lone surrogate");
    high = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
  }
  if (out != NULL)
    g_string_append_unichar (out, high);
  return TRUE;
}

static gboolean
scan_escape (Scan *scan, GString *out)
{
  static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
  int c = peek (scan);
  const char *found = c > 0 ? strchr (from, c) : NULL;

  scan->at++;
  if (c == 'u')
    return scan_unicode_escape (scan, out);
  if (found == NULL)
    return fail (scan, "an unknown escape");
  if (out != NULL)
    g_string_append_c (out, to[found - from]);
  return TRUE;
}

/* At the opening quote; @out, if any, takes the decoded text. */
static gboolean
scan_string (Scan *scan, GString *out)
{
  scan->at++;
  for (;;) {
    int c = peek (scan);

    if (c < 0)
      return fail (scan, "an unfinished string");
    if (c < 0x20)
      return fail (scan, "a control character in a string");
    scan->at++;
    if (c == '"')
      return TRUE;
    if (c == '\\') {
      if (!scan_escape (scan, out))
        return FALSE;
    } else if (out != NULL) {
      g_string_append_c (out, (char) c);
    }
  }
}

/* ---- numbers and words ------------------------------------------------------------------------- */

static gsize
count_digits (Scan *scan)
{
  gsize n = 0;

  for (; scan->at < scan->length && g_ascii_isdigit (scan->text[scan->at]); n++)
    scan->at++;
  return n;
}

static gboolean
scan_exponent (Scan *scan)
{
  scan->at++;
  if (peek (scan) == '+' || peek (scan) == '-')
    scan->at++;
  return count_digits (scan) > 0 ? TRUE : fail (scan, "a number without digits");
}

static gboolean
number_in_range (Scan *scan, gsize start, gboolean integer)
{
  g_autofree char *number = NULL;

  if (scan->at - start > 64)
    return fail (scan, "a number that is too long");
  number = g_strndup (scan->text + start, scan->at - start);
  errno = 0;
  if (integer)
    (void) g_ascii_strtoll (number, NULL, 10);
  else if (!isfinite (g_ascii_strtod (number, NULL)))
    errno = ERANGE;
  else
    errno = 0;
  return errno == 0 ? TRUE : fail (scan, "a number beyond 64 bits");
}

static gboolean
scan_number (Scan *scan)
{
  gsize start = scan->at;
  gboolean integer = TRUE;
  gsize digits;
  char first;

  if (peek (scan) == '-')
    scan->at++;
  first = (char) peek (scan);
  digits = count_digits (scan);
  if (digits == 0 || (digits > 1 && first == '0'))
    return fail (scan, "a malformed number");
  if (peek (scan) == '.') {
    integer = FALSE;
    scan->at++;
    if (count_digits (scan) == 0)
      return fail (scan, "a malformed number");
  }
  if (peek (scan) == 'e' || peek (scan) == 'E') {
    integer = FALSE;
    if (!scan_exponent (scan))
      return FALSE;
  }
  return number_in_range (scan, start, integer);
}

static gboolean
scan_word (Scan *scan)
{
  static const char *const words[] = { "true", "false", "null" };

  for (gsize i = 0; i < G_N_ELEMENTS (words); i++) {
    gsize n = strlen (words[i]);

    if (scan->length - scan->at >= n && memcmp (scan->text + scan->at, words[i], n) == 0) {
      scan->at += n;
      return TRUE;
    }
  }
  return fail (scan, "something that is no value");
}

/* ---- structure ------------------------------------------------------------------------------------ */

static gboolean
open_level (Scan *scan, gboolean object)
{
  if (scan->depth == SP_JSON_MAX_DEPTH)
    return fail (scan, "nesting that is too deep");
  scan->in_object[scan->depth] = object;
  scan->keys[scan->depth] =
      object ? g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL) : NULL;
  scan->depth++;
  scan->at++;
  return TRUE;
}

static void
close_level (Scan *scan)
{
  scan->depth--;
  g_clear_pointer (&scan->keys[scan->depth], g_hash_table_unref);
  scan->at++;
}

/* A key and its colon. */
static gboolean
scan_key (Scan *scan)
{
  g_autoptr (GString) key = g_string_new (NULL);

  skip_space (scan);
  if (peek (scan) != '"')
    return fail (scan, "a member without a name");
  if (!scan_string (scan, key))
    return FALSE;
  if (!g_hash_table_add (scan->keys[scan->depth - 1],
                         g_string_free (g_steal_pointer (&key), FALSE)))
    return fail (scan, "the same name twice in one object");
  skip_space (scan);
  if (peek (scan) != ':')
    return fail (scan, "a member without a colon");
  scan->at++;
  return TRUE;
}

/* After a value: close what ends here.  *@ret_more: another value follows. */
static gboolean
scan_after_value (Scan *scan, gboolean *ret_more)
{
  *ret_more = FALSE;
  while (scan->depth > 0) {
    gboolean object = scan->in_object[scan->depth - 1];
    int c;

    skip_space (scan);
    c = peek (scan);
    if (c == (object ? '}' : ']')) {
      close_level (scan);
      continue;
    }
    if (c != ',')
      return fail (scan, "a list or object that does not end");
    scan->at++;
    *ret_more = TRUE;
    return object ? scan_key (scan) : TRUE;
  }
  return TRUE;
}

/* The start of a value.  *@ret_opened: it is a list or object that is not empty. */
static gboolean
scan_value (Scan *scan, gboolean *ret_opened)
{
  int c;

  *ret_opened = FALSE;
  skip_space (scan);
  c = peek (scan);
  if (c == '"')
    return scan_string (scan, NULL);
  if (c == '-' || (c >= '0' && c <= '9'))
    return scan_number (scan);
  if (c != '{' && c != '[')
    return scan_word (scan);
  if (!open_level (scan, c == '{'))
    return FALSE;
  skip_space (scan);
  if (peek (scan) == (c == '{' ? '}' : ']')) {
    close_level (scan);
    return TRUE;
  }
  *ret_opened = TRUE;
  return c == '{' ? scan_key (scan) : TRUE;
}

static gboolean
scan_all (Scan *scan)
{
  gboolean again = TRUE;

  while (again) {
    if (!scan_value (scan, &again))
      return FALSE;
    if (!again && !scan_after_value (scan, &again))
      return FALSE;
  }
  skip_space (scan);
  return scan->at == scan->length ? TRUE : fail (scan, "text after the end");
}

gboolean
sp_json_check (const char *text, gsize length, GError **error)
{
  Scan scan = { .text = text, .length = length };
  gboolean good;

  if (length > SP_JSON_MAX_LENGTH) {
    g_set_error (error, SP_ERROR, SP_ERROR_REFUSED, "JSON of more than %u bytes",
                 SP_JSON_MAX_LENGTH);
    return FALSE;
  }
  if (!g_utf8_validate_len (text, length, NULL)) {
    g_set_error_literal (error, SP_ERROR, SP_ERROR_REFUSED, "JSON that is not UTF-8");
    return FALSE;
  }
  good = scan_all (&scan);
  while (scan.depth > 0)
    g_clear_pointer (&scan.keys[--scan.depth], g_hash_table_unref);
  if (!good)
    g_set_error (error, SP_ERROR, SP_ERROR_REFUSED, "JSON with %s at offset %" G_GSIZE_FORMAT,
                 scan.wrong, scan.at);
  return good;
}

/* ---- taking the secret out -------------------------------------------------------------------------- */

/* Step over one value; the text is known to be good. */
static void
skip_value (Scan *scan)
{
  guint depth = 0;

  do {
    int c;

    skip_space (scan);
    c = peek (scan);
    if (c == '"') {
      (void) scan_string (scan, NULL);
    } else {
      depth += (c == '{' || c == '[');
      depth -= (c == '}' || c == ']');
      scan->at++;
    }
  } while (depth > 0 || (scan->at < scan->length && strchr (",}]", scan->text[scan->at]) == NULL &&
                         !g_ascii_isspace (scan->text[scan->at])));
}

/* Stand at the value of member @name of the object that begins here, if there is one. */
static gboolean
find_member (Scan *scan, const char *name)
{
  skip_space (scan);
  if (peek (scan) != '{')
    return FALSE;
  scan->at++;
  for (;;) {
    g_autoptr (GString) key = g_string_new (NULL);

    skip_space (scan);
    if (peek (scan) == ',')
      scan->at++;
    skip_space (scan);
    if (peek (scan) != '"' || !scan_string (scan, key))
      return FALSE;
    skip_space (scan);
    scan->at++; /* the colon */
    skip_space (scan);
    if (g_str_equal (key->str, name))
      return TRUE;
    skip_value (scan);
  }
}

gboolean
sp_json_take_secret (char *text, gsize length, const char *name, SpSecret **ret_secret,
                     GError **error)
{
  Scan scan = { .text = text, .length = length };
  gsize start;

  *ret_secret = NULL;
  if (!find_member (&scan, "params") || !find_member (&scan, name) || peek (&scan) != '"')
    return TRUE;
  start = scan.at + 1;
  if (!scan_string (&scan, NULL))
    return TRUE;
  *ret_secret = sp_secret_from_base64 (text + start, scan.at - 1 - start);
  memset (text + start, '*', scan.at - 1 - start);
  if (*ret_secret == NULL) {
    sp_problem_set_invalid (error, name, "%s must be base64", name);
    return FALSE;
  }
  return TRUE;
}
