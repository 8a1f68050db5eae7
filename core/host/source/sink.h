/* sink.h - where the copy of a disk goes: bounded, hashed, with holes
 *
 * Both ways into an agent VM write into one of these, so that the bounds are held in one place.
 */
#pragma once

#include "host/source/source.h"

typedef struct _SpSourceSink SpSourceSink;

typedef struct {
  int out; /* an empty file */
  guint64 max_bytes;
  gint64 deadline;           /* of g_get_monotonic_time() */
  SpSourceProgress progress; /* NULL: nobody wants to know */
  gpointer data;
} SpSourceSinkSetup;

SpSourceSink *sp_source_sink_new (const SpSourceSinkSetup *setup, GError **error);
void sp_source_sink_free (SpSourceSink *sink);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpSourceSink, sp_source_sink_free)

/* What is known before the first byte: the size, and how much of it is no hole.  SP_PROBLEM_TOO_LARGE,
 * or SP_PROBLEM_STORE where it does not fit here. */
gboolean
sp_source_sink_expect (SpSourceSink *sink, guint64 total, guint64 allocated, GError **error);

/* The next bytes, or zeros.  Runs of zeros become holes. */
gboolean
sp_source_sink_bytes (SpSourceSink *sink, const guint8 *bytes, gsize length, GError **error);
gboolean sp_source_sink_hole (SpSourceSink *sink, guint64 length, GError **error);

/* It is all there: give it its length, see that it is on the disk, and tell the SHA-256 in hex. */
char *sp_source_sink_end (SpSourceSink *sink, GError **error);
