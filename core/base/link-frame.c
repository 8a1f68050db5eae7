/* link-frame.c - link-frame.h */
#include "base/link-frame.h"

#include <string.h>

#include <secret-proxy/plugin.h>

#include "base/problem.h"
#include "base/secret.h"

/* ---- wiped buffers -------------------------------------------------------------------------- */

typedef struct {
  gsize length;
  guint8 data[];
} Wiped;

static void
wiped_free (gpointer data)
{
  Wiped *wiped = data;

  sp_wipe (wiped->data, wiped->length);
  g_free (wiped);
}

static GBytes *
wiped_new (gsize length, guint8 **ret_data)
{
  Wiped *wiped = g_malloc (sizeof *wiped + length + 1);

  wiped->length = length;
  *ret_data = wiped->data;
  return g_bytes_new_with_free_func (wiped->data, length, wiped_free, wiped);
}

GBytes *
sp_link_wiped_bytes (gconstpointer data, gsize length)
{
  guint8 *to;
  GBytes *bytes = wiped_new (length, &to);

  if (length > 0)
    memcpy (to, data, length);
  return bytes;
}

/* ---- reading ----------------------------------------------------------------------------------- */

static gsize
padded (gsize length)
{
  return (length + 7) & ~(gsize) 7;
}

void
sp_frame_read (SpFrame *ret_frame, const guint8 *data)
{
  guint32 words[6];

  memcpy (words, data, sizeof words);
  *ret_frame = (SpFrame){ GUINT32_FROM_LE (words[0]), GUINT32_FROM_LE (words[1]),
                          GUINT32_FROM_LE (words[2]), GUINT32_FROM_LE (words[3]),
                          GUINT32_FROM_LE (words[4]), GUINT32_FROM_LE (words[5]) };
}

gboolean
sp_frame_is_consistent (const SpFrame *frame)
{
  gsize blob = frame->blob > 0 ? frame->blob - 1 : 0;

  return SP_FRAME_HEADER + padded (frame->value) + blob == frame->length;
}

GVariant *
sp_frame_value (const SpFrame *frame, const guint8 *data, const char *type)
{
  g_autoptr (GBytes) bytes = sp_link_wiped_bytes (data + SP_FRAME_HEADER, frame->value);
  g_autoptr (GVariant) value =
      g_variant_ref_sink (g_variant_new_from_bytes (G_VARIANT_TYPE (type), bytes, FALSE));

  return g_variant_is_normal_form (value) ? g_steal_pointer (&value) : NULL;
}

GBytes *
sp_frame_blob (const SpFrame *frame, const guint8 *data)
{
  if (frame->blob == 0)
    return NULL;
  return sp_link_wiped_bytes (data + SP_FRAME_HEADER + padded (frame->value), frame->blob - 1);
}

/* ---- building ---------------------------------------------------------------------------------- */

GBytes *
sp_frame_build (SpFrameKind kind, guint32 id, guint32 method, GVariant *value, GBytes *blob)
{
  gsize value_length = value ? g_variant_get_size (value) : 0;
  gsize blob_length = blob ? g_bytes_get_size (blob) : 0;
  gsize room = padded (value_length);
  gsize length = SP_FRAME_HEADER + room + blob_length;
  const guint32 header[6] = { GUINT32_TO_LE ((guint32) length),
                              GUINT32_TO_LE ((guint32) kind),
                              GUINT32_TO_LE (id),
                              GUINT32_TO_LE (method),
                              GUINT32_TO_LE ((guint32) value_length),
                              GUINT32_TO_LE (blob ? (guint32) blob_length + 1 : 0) };
  guint8 *data;
  GBytes *frame = wiped_new (length, &data);

  memcpy (data, header, SP_FRAME_HEADER);
  data += SP_FRAME_HEADER;
  if (value_length > 0)
    g_variant_store (value, data);
  memset (data + value_length, 0, room - value_length);
  if (blob_length > 0)
    memcpy (data + room, g_bytes_get_data (blob, NULL), blob_length);
  return frame;
}

gboolean
sp_frame_fits (GVariant *value, GBytes *blob)
{
  gsize length = SP_FRAME_HEADER + 8 + (value ? g_variant_get_size (value) : 0) +
                 (blob ? g_bytes_get_size (blob) : 0);

  return length <= SP_LINK_MAX_FRAME;
}

/* ---- errors ------------------------------------------------------------------------------------- */

GVariant *
sp_frame_error_to_value (const GError *error)
{
  const char *field = sp_problem_field (error);
  gboolean plugin = error->domain == SP_ERROR;
  int code = plugin ? error->code : (int) sp_problem_code (error);
  g_autofree char *message = g_utf8_make_valid (error->message, -1);

  return g_variant_new (SP_FRAME_ERROR_TYPE, plugin ? 1 : 0, code, message, field ? field : "",
                        sp_problem_retry_after (error));
}

GError *
sp_frame_error_from_value (GVariant *value)
{
  guint32 domain, retry_after;
  gint32 code;
  const char *message, *field;

  g_variant_get (value, "(ui&s&su)", &domain, &code, &message, &field, &retry_after);
  if (domain == 1)
    return g_error_new_literal (SP_ERROR, CLAMP (code, 0, SP_ERROR_UNSUPPORTED), message);
  return sp_problem_new_full ((guint) CLAMP (code, 0, SP_N_PROBLEMS - 1), message,
                              *field ? field : NULL, retry_after);
}
