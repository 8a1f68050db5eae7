/* routes-redeem.c - JSON (RFC 8259 section 7) into memory of a known size
 *
 * One walk over the value counts, a second one writes; both go through put(), so they agree.
 */
#include "daemon/routes-redeem.h"

#include <string.h>

typedef struct {
  guint8 *to; /* NULL: only count */
  gsize length;
} Sink;

static void
put (Sink *sink, gconstpointer data, gsize length)
{
  if (sink->to != NULL)
    memcpy (sink->to + sink->length, data, length);
  sink->length += length;
}

static void
put_text (Sink *sink, const char *text)
{
  put (sink, text, strlen (text));
}

static void
put_escape (Sink *sink, guint8 c)
{
  static const char hex[] = "0123456789abcdef";
  static const char short_forms[] = {
    ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r', ['"'] = '"', ['\\'] = '\\'
  };
  char text[6] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] };
  gboolean is_short = c < sizeof short_forms && short_forms[c] != 0;

  if (is_short)
    text[1] = short_forms[c];
  put (sink, text, is_short ? 2 : sizeof text);
}

static void
put_string (Sink *sink, const guint8 *data, gsize length)
{
  gsize done = 0;

  put_text (sink, "\"");
  for (gsize i = 0; i < length; i++) {
    if (data[i] >= 0x20 && data[i] != 0x7f && data[i] != '"' && data[i] != '\\')
      continue;
    put (sink, data + done, i - done);
    put_escape (sink, data[i]);
    done = i + 1;
  }
  put (sink, data + done, length - done);
  put_text (sink, "\"");
}

static void
put_body (Sink *sink, const char *secret, guint version, const guint8 *value, gsize length,
          const char *encoding)
{
  char number[16];

  (void) g_snprintf (number, sizeof number, "%u", version);
  put_text (sink, "{\"secret\":");
  put_string (sink, (const guint8 *) secret, strlen (secret));
  put_text (sink, ",\"version\":");
  put_text (sink, number);
  put_text (sink, ",\"value\":");
  put_string (sink, value, length);
  put_text (sink, ",\"encoding\":\"");
  put_text (sink, encoding);
  put_text (sink, "\"}");
}

SpSecret *
sp_route_redeem_body (const char *secret, guint version, gconstpointer value, gsize length)
{
  gboolean text = g_utf8_validate_len (value, length, NULL);
  const char *encoding = text ? "utf-8" : "base64";
  g_autoptr (SpSecret) encoded = text ? NULL : sp_secret_to_base64 (value, length);
  const guint8 *data = text ? value : sp_secret_data (encoded);
  gsize size = text ? length : sp_secret_length (encoded);
  SpSecret *body;
  Sink sink = { NULL, 0 };

  put_body (&sink, secret, version, data, size, encoding);
  body = sp_secret_new (sink.length);
  sink = (Sink){ sp_secret_data (body), 0 };
  put_body (&sink, secret, version, data, size, encoding);
  return body;
}
