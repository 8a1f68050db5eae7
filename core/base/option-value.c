/* option-value.c - from the text of an option to its value, by type
 *
 * One row a type.  A text that does not fit is quoted in the error, shortened and without control
 * characters, save for the types where it may hold a secret: secrets themselves, and addresses.
 */
#include "base/option.h"

#include <errno.h>
#include <string.h>

#include "base/problem.h"

#define MAX_QUOTE 60

#define fail(error, ...) g_set_error ((error), SP_PROBLEM, SP_PROBLEM_CONFIG, __VA_ARGS__)

void
sp_option_value_free (SpOptionValue *value)
{
  if (value == NULL)
    return;
  g_free (value->text);
  g_strfreev (value->list);
  g_free (value);
}

static char *
quote (const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  gboolean cut = g_utf8_strlen (valid, -1) > MAX_QUOTE;
  g_autofree char *head = cut ? g_utf8_substring (valid, 0, MAX_QUOTE) : g_strdup (valid);

  for (char *p = head; *p != '\0'; p++)
    if (g_ascii_iscntrl (*p))
      *p = '?';
  return g_strdup_printf ("'%s%s'", head, cut ? "..." : "");
}

/* ---- numbers ------------------------------------------------------------------------------------ */

typedef struct {
  const char *word;
  gint64 factor;
} Unit;

/* Largest first: the one that divides a number is the one to print it with. */
static const Unit durations[] = {
  { "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 }
};
static const Unit sizes[] = { { "T", G_GINT64_CONSTANT (1) << 40 },
                              { "G", 1 << 30 },
                              { "M", 1 << 20 },
                              { "K", 1 << 10 },
                              { "", 1 } };

static gboolean
parse_units (const char *text, const Unit *units, gsize n_units, gint64 *ret_number)
{
  char *end = NULL;
  guint64 number;

  if (!g_ascii_isdigit (text[0]))
    return FALSE;
  errno = 0;
  number = g_ascii_strtoull (text, &end, 10);
  for (gsize i = 0; errno == 0 && i < n_units; i++)
    if (strcmp (end, units[i].word) == 0 && number <= (guint64) (G_MAXINT64 / units[i].factor)) {
      *ret_number = (gint64) number * units[i].factor;
      return TRUE;
    }
  return FALSE;
}

static char *
format_units (gint64 number, const Unit *units, gsize n_units)
{
  for (gsize i = 0; i < n_units; i++)
    if (number % units[i].factor == 0 && (number != 0 || i + 1 == n_units))
      return g_strdup_printf ("%" G_GINT64_FORMAT "%s", number / units[i].factor, units[i].word);
  return g_strdup_printf ("%" G_GINT64_FORMAT, number);
}

static char *
format_number (guint32 type, gint64 number)
{
  if (type == SP_OPTION_DURATION)
    return format_units (number, durations, G_N_ELEMENTS (durations));
  if (type == SP_OPTION_SIZE)
    return format_units (number, sizes, G_N_ELEMENTS (sizes));
  return g_strdup_printf ("%" G_GINT64_FORMAT, number);
}

gboolean
sp_parse_duration (const char *text, gint64 *ret_ms, GError **error)
{
  g_autofree char *quoted = NULL;

  if (parse_units (text, durations, G_N_ELEMENTS (durations), ret_ms))
    return TRUE;
  quoted = quote (text);
  fail (error, "%s is no duration such as 500ms, 90s, 15m, 2h or 1d", quoted);
  return FALSE;
}

gboolean
sp_parse_size (const char *text, gint64 *ret_bytes, GError **error)
{
  g_autofree char *quoted = NULL;

  if (parse_units (text, sizes, G_N_ELEMENTS (sizes), ret_bytes))
    return TRUE;
  quoted = quote (text);
  fail (error, "%s is no size such as 4096, 64K, 128M or 2G", quoted);
  return FALSE;
}

gboolean
sp_parse_bool (const char *text, gboolean *ret_value, GError **error)
{
  g_autofree char *quoted = NULL;

  *ret_value = strcmp (text, "yes") == 0;
  if (*ret_value || strcmp (text, "no") == 0)
    return TRUE;
  quoted = quote (text);
  fail (error, "%s is neither yes nor no", quoted);
  return FALSE;
}

/* ---- addresses ---------------------------------------------------------------------------------- */

static gboolean
is_loopback (const char *host)
{
  g_autoptr (GInetAddress) address = g_inet_address_new_from_string (host);

  if (address != NULL)
    return g_inet_address_get_is_loopback (address);
  return g_ascii_strcasecmp (host, "localhost") == 0;
}

static gboolean
has_blank (const char *text)
{
  for (; *text != '\0'; text++)
    if ((guchar) *text <= ' ' || *text == 0x7f)
      return TRUE;
  return FALSE;
}

gboolean
sp_check_url (const char *text, GError **error)
{
  g_autoptr (GUri) uri = has_blank (text) ? NULL : g_uri_parse (text, G_URI_FLAGS_NONE, NULL);
  const char *host = uri != NULL ? g_uri_get_host (uri) : NULL;

  if (host == NULL || *host == '\0') {
    fail (error, "this is no address such as https://host/path");
    return FALSE;
  }
  if (g_uri_get_userinfo (uri) != NULL) {
    fail (error, "an address must not hold a user name or password: remove all up to the '@'");
    return FALSE;
  }
  if (g_uri_get_fragment (uri) != NULL) {
    fail (error, "an address must not hold a '#'");
    return FALSE;
  }
  if (strcmp (g_uri_get_scheme (uri), "https") == 0 ||
      (strcmp (g_uri_get_scheme (uri), "http") == 0 && is_loopback (host)))
    return TRUE;
  fail (error, "an address must start with https:// (http:// only where the host is this machine)");
  return FALSE;
}

/* ---- one parser a type -------------------------------------------------------------------------- */

typedef gboolean (*Parser) (const SpOption *option, const char *text, gint64 *ret_number,
                            GError **error);

static gboolean
take_string (const SpOption *option, const char *text, gint64 *ret_number, GError **error)
{
  return TRUE;
}

static gboolean
take_bool (const SpOption *option, const char *text, gint64 *ret_number, GError **error)
{
  gboolean value;

  if (!sp_parse_bool (text, &value, error))
    return FALSE;
  *ret_number = value;
  return TRUE;
}

static gboolean
take_int (const SpOption *option, const char *text, gint64 *ret_number, GError **error)
{
  g_autofree char *quoted = NULL;

  if (g_ascii_string_to_signed (text, 10, G_MININT64, G_MAXINT64, ret_number, NULL))
    return TRUE;
  quoted = quote (text);
  fail (error, "%s is no whole number", quoted);
  return FALSE;
}

static gboolean
take_duration (const SpOption *option, const char *text, gint64 *ret_number, GError **error)
{
  return sp_parse_duration (text, ret_number, error);
}

static gboolean
take_size (const SpOption *option, const char *text, gint64 *ret_number, GError **error)
{
  return sp_parse_size (text, ret_number, error);
}

static gboolean
take_path (const SpOption *option, const char *text, gint64 *ret_number, GError **error)
{
  g_autofree char *quoted = NULL;

  if (text[0] == '/')
    return TRUE;
  quoted = quote (text);
  fail (error, "%s is no absolute path", quoted);
  return FALSE;
}

static gboolean
take_url (const SpOption *option, const char *text, gint64 *ret_number, GError **error)
{
  return sp_check_url (text, error);
}

static gboolean
take_choice (const SpOption *option, const char *text, gint64 *ret_number, GError **error)
{
  g_auto (GStrv) choices = g_strsplit (option->choices, "|", -1);
  g_autofree char *quoted = NULL;
  g_autofree char *all = NULL;
  g_autofree char *hint = NULL;

  if (g_strv_contains ((const char *const *) choices, text))
    return TRUE;
  quoted = quote (text);
  all = g_strjoinv (", ", choices);
  hint = sp_did_you_mean (text, (const char *const *) choices);
  fail (error, "%s is none of %s%s", quoted, all, hint);
  return FALSE;
}

static gboolean
take_secret (const SpOption *option, const char *text, gint64 *ret_number, GError **error)
{
  SpSecretPlace place;
  const char *where;

  return sp_secret_place (text, &place, &where, error);
}

static const Parser parsers[] = {
  [SP_OPTION_STRING] = take_string, [SP_OPTION_BOOL] = take_bool,
  [SP_OPTION_INT] = take_int,       [SP_OPTION_DURATION] = take_duration,
  [SP_OPTION_SIZE] = take_size,     [SP_OPTION_PATH] = take_path,
  [SP_OPTION_URL] = take_url,       [SP_OPTION_CHOICE] = take_choice,
  [SP_OPTION_SECRET] = take_secret,
};

static gboolean
check_limits (const SpOption *option, const char *text, gint64 number, GError **error)
{
  g_autofree char *quoted = NULL;
  g_autofree char *min = NULL;
  g_autofree char *max = NULL;

  if ((option->min == 0 && option->max == 0) || (number >= option->min && number <= option->max))
    return TRUE;
  quoted = quote (text);
  min = format_number (option->type, option->min);
  max = format_number (option->type, option->max);
  fail (error, "%s is out of range: %s to %s", quoted, min, max);
  return FALSE;
}

static gboolean
parse_element (const SpOption *option, const char *text, gint64 *ret_number, GError **error)
{
  *ret_number = 0;
  return parsers[option->type](option, text, ret_number, error) &&
         check_limits (option, text, *ret_number, error);
}

static char **
split_list (const char *text, GError **error)
{
  g_auto (GStrv) list = g_strsplit (text, ",", -1);

  for (char **element = list; *element != NULL; element++)
    if (*g_strstrip (*element) == '\0') {
      fail (error, "the list has an empty element: separate elements by one comma");
      return NULL;
    }
  return g_steal_pointer (&list);
}

SpOptionValue *
sp_option_parse (const SpOption *option, const char *text, GError **error)
{
  g_autoptr (SpOptionValue) value = g_new0 (SpOptionValue, 1);

  g_return_val_if_fail (option->type < G_N_ELEMENTS (parsers) && parsers[option->type], NULL);
  value->type = option->type;
  value->text = g_strstrip (g_strdup (text));
  if (option->flags & SP_OPTION_LIST)
    value->list = split_list (value->text, error);
  else
    value->list = g_strdupv ((char *[]){ value->text, NULL });
  for (gsize i = 0; value->list != NULL && value->list[i] != NULL; i++) {
    gint64 number;

    if (!parse_element (option, value->list[i], &number, error))
      return NULL;
    if (i == 0)
      value->number = number;
  }
  return value->list != NULL ? g_steal_pointer (&value) : NULL;
}
