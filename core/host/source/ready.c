/* ready.c - ready.h
 *
 * What must stay true: a field that is not listed, missing or of another form is refused, so that the
 * file can't come to mean more than it does.
 */
#include "host/source/ready.h"

#include <string.h>

#include "base/json.h"
#include "base/problem.h"
#include "base/text.h"

#define PLAIN "READY_FOR_TAKEOVER"
#define IMAGE_PREFIX "sha256:"
#define HEX_LENGTH 64u
#define MAX_SHOWN 80u

static const char *const fields[] = { "format", "image", "port", NULL };

void
sp_ready_free (SpReady *ready)
{
  if (ready == NULL)
    return;
  g_free (ready->image);
  g_free (ready);
}

static gboolean
refuse (GError **error, const char *field, const char *why)
{
  g_autofree char *message = g_strdup_printf ("the ready file is not as it should be: %s%s%s",
                                              field ? field : "", field ? ": " : "", why);

  g_propagate_error (error, sp_problem_new_full (SP_PROBLEM_INTEGRITY, message, field, 0));
  return FALSE;
}

/* ---- JSON ----------------------------------------------------------------------------------------- */

static JsonObject *
parse_object (const char *text, gsize length, GError **error)
{
  g_autoptr (GError) local = NULL;
  JsonObject *object = sp_json_parse_object (text, length, fields, &local);
  g_autofree char *field = NULL;
  g_autofree char *why = NULL;

  if (object != NULL)
    return object;
  if (sp_problem_field (local) != NULL)
    field = sp_text_clean (sp_problem_field (local), MAX_SHOWN);
  why = sp_text_clean (local->message, MAX_SHOWN);
  (void) refuse (error, field, why);
  return NULL;
}

/* A whole number from @low to @high. */
static gboolean
take_number (JsonObject *object, const char *field, gint64 low, gint64 high, gint64 *ret_number,
             GError **error)
{
  g_autofree char *why = NULL;

  *ret_number = low - 1;
  if (sp_json_get_int (object, field, ret_number, NULL) && *ret_number >= low &&
      *ret_number <= high)
    return TRUE;
  why = low == high
            ? g_strdup_printf ("it must be %" G_GINT64_FORMAT, low)
            : g_strdup_printf ("it must be a number from %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT,
                               low, high);
  return refuse (error, field, why);
}

static gboolean
take_image (JsonObject *object, SpReady *ready, GError **error)
{
  const char *image = NULL, *hex;

  if (!sp_json_get_string (object, "image", &image, NULL) || image == NULL ||
      !g_str_has_prefix (image, IMAGE_PREFIX))
    return refuse (error, "image", "it must be \"sha256:\" and 64 hex digits");
  hex = image + strlen (IMAGE_PREFIX);
  if (strlen (hex) != HEX_LENGTH || strspn (hex, "0123456789abcdef") != HEX_LENGTH)
    return refuse (error, "image", "it must be \"sha256:\" and 64 hex digits in lower case");
  ready->image = g_strdup (hex);
  return TRUE;
}

static gboolean
take_fields (JsonObject *object, SpReady *ready, GError **error)
{
  gint64 number;

  if (!take_number (object, "format", 1, 1, &number, error) || !take_image (object, ready, error) ||
      !take_number (object, "port", 1, 65535, &number, error))
    return FALSE;
  ready->port = (guint16) number;
  return TRUE;
}

/* ---- both forms ----------------------------------------------------------------------------------- */

static gboolean
is_plain (const char *text, gsize length)
{
  gsize word = strlen (PLAIN);

  return length >= word && memcmp (text, PLAIN, word) == 0 &&
         (length == word || (length == word + 1 && text[word] == '\n'));
}

SpReady *
sp_ready_parse (const char *text, gsize length, GError **error)
{
  g_autoptr (SpReady) ready = g_new0 (SpReady, 1);
  g_autoptr (JsonObject) object = NULL;

  ready->form = is_plain (text, length) ? SP_READY_PLAIN : SP_READY_JSON;
  if (ready->form == SP_READY_PLAIN)
    return g_steal_pointer (&ready);
  object = parse_object (text, length, error);
  if (object == NULL || !take_fields (object, ready, error))
    return NULL;
  return g_steal_pointer (&ready);
}
