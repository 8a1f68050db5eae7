/* link-frame.h - the bytes of one message of a link
 *
 * A frame is a header of six little-endian words and two byte strings:
 *
 *      length of all | kind | call id | method | length of the value | length of the blob, plus one
 *      value (serialised GVariant, padded to 8)  blob
 *
 * A last word of 0 means that there is no blob, which is something else than an empty one.
 */
#pragma once

#include "base/link.h"

#define SP_FRAME_HEADER 24u

typedef enum {
  SP_FRAME_CALL = 1,
  SP_FRAME_REPLY = 2,
  SP_FRAME_ERROR = 3,
} SpFrameKind;

typedef struct {
  guint32 length, kind, id, method, value, blob;
} SpFrame;

/* @data: at least SP_FRAME_HEADER bytes. */
void sp_frame_read (SpFrame *ret_frame, const guint8 *data);
/* The lengths fit one another. */
gboolean sp_frame_is_consistent (const SpFrame *frame);
/* Copies of the parts of a whole, consistent frame; wiped when they are freed.  The value is checked:
 * NULL where it is not of type @type in normal form.  The blob is NULL where there is none. */
GVariant *sp_frame_value (const SpFrame *frame, const guint8 *data, const char *type);
GBytes *sp_frame_blob (const SpFrame *frame, const guint8 *data);

/* The whole frame, in memory that is wiped.  @value, @blob: may be NULL. */
GBytes *
sp_frame_build (SpFrameKind kind, guint32 id, guint32 method, GVariant *value, GBytes *blob);
/* Our own side must not build what the other side would cut us off for. */
gboolean sp_frame_fits (GVariant *value, GBytes *blob);

/* Errors as values, for SP_FRAME_ERROR. */
#define SP_FRAME_ERROR_TYPE "(uissu)" /* domain, code, message, field, retry after */
GVariant *sp_frame_error_to_value (const GError *error); /* floating */
GError *sp_frame_error_from_value (GVariant *value);
