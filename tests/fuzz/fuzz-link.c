/* fuzz-link.c - one frame after the other, as a peer may send them: header, value, blob, error */
#include <stddef.h>
#include <stdint.h>

#include "base/link-frame.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
read_frame (const SpFrame *frame, const guint8 *data)
{
  static const char *const types[] = { SP_FRAME_ERROR_TYPE, "(us)", "()", "a{say}", "a(sxay)" };
  g_autoptr (GBytes) blob = sp_frame_blob (frame, data);

  g_assert_true ((blob == NULL) == (frame->blob == 0));
  for (gsize i = 0; i < G_N_ELEMENTS (types); i++) {
    g_autoptr (GVariant) value = sp_frame_value (frame, data, types[i]);
    g_autoptr (GError) error = NULL;
    g_autofree char *text = NULL;

    if (value == NULL)
      continue;
    text = g_variant_print (value, TRUE);
    g_assert_nonnull (text);
    if (i == 0) {
      error = sp_frame_error_from_value (value);
      g_assert_nonnull (error);
    }
  }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  SpFrame frame;

  for (; size >= SP_FRAME_HEADER; data += frame.length, size -= frame.length) {
    sp_frame_read (&frame, data);
    if (frame.length < SP_FRAME_HEADER || frame.length > size || !sp_frame_is_consistent (&frame))
      break;
    read_frame (&frame, data);
  }
  return 0;
}
