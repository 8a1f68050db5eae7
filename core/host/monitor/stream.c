/* stream.c - the stream to the monitor, as the child sees it: bounded in bytes and time
 *
 * select(2), as poll(2) refuses to look at more descriptors than the process may open, which is none.
 *
 * What must stay true: the buffer never holds a line of more than SP_MONITOR_MAX_LINE, nor is more than
 * SP_MONITOR_MAX_BYTES ever read; when the parent is gone, so is the stream.
 */
#include <errno.h>
#include <string.h>
#include <sys/select.h>
#include <unistd.h>

#include "host/monitor/private.h"

#define CHUNK 16384u

SpMonitorStream *
sp_monitor_stream_new (void)
{
  SpMonitorStream *stream = g_new0 (SpMonitorStream, 1);

  stream->buffer = g_string_new (NULL);
  stream->said = g_string_new (NULL);
  return stream;
}

void
sp_monitor_stream_free (SpMonitorStream *stream)
{
  if (stream == NULL)
    return;
  g_string_free (stream->buffer, TRUE);
  g_string_free (stream->said, TRUE);
  g_free (stream);
}

void
sp_monitor_stream_within (SpMonitorStream *stream, guint ms)
{
  stream->deadline = g_get_monotonic_time () + (gint64) ms * 1000;
}

SpMonitorResult
sp_monitor_stream_bad (SpMonitorStream *stream, const char *wrong)
{
  stream->wrong = wrong;
  return SP_MONITOR_BAD;
}

/* ---- waiting ----------------------------------------------------------------------------------------- */

/* Until @fd can be read, or written to.  The parent speaks only when it was answered, so what can be
 * read from it here is its end. */
static SpMonitorResult
wait_for (SpMonitorStream *stream, int fd, gboolean writing)
{
  for (;;) {
    gint64 left = MAX (stream->deadline - g_get_monotonic_time (), 0);
    struct timeval time = { left / G_USEC_PER_SEC, left % G_USEC_PER_SEC };
    fd_set readable, writable;
    int n;

    FD_ZERO (&readable);
    FD_ZERO (&writable);
    FD_SET (SP_MONITOR_CONTROL_FD, &readable);
    FD_SET (fd, writing ? &writable : &readable);
    n = select (SP_MONITOR_OUT_FD + 1, &readable, &writable, NULL, &time);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0 || FD_ISSET (SP_MONITOR_CONTROL_FD, &readable))
      return SP_MONITOR_CLOSED;
    return n == 0 ? SP_MONITOR_SILENT : SP_MONITOR_ANSWERED;
  }
}

/* ---- reading ------------------------------------------------------------------------------------------- */

/* After @length new bytes at the end. */
static SpMonitorResult
check_lines (SpMonitorStream *stream, gsize length)
{
  const char *data = stream->buffer->str, *end = data + stream->buffer->len;
  const char *first = memchr (end - length, '\n', length);
  const char *last = memrchr (end - length, '\n', length);

  if ((gsize) ((first ? first : end) - data) - stream->line > SP_MONITOR_MAX_LINE)
    return sp_monitor_stream_bad (
        stream, "a line of more than " G_STRINGIFY (SP_MONITOR_MAX_LINE) " bytes");
  if (last != NULL)
    stream->line = (gsize) (last + 1 - data);
  return SP_MONITOR_ANSWERED;
}

SpMonitorResult
sp_monitor_stream_fill (SpMonitorStream *stream)
{
  char chunk[CHUNK];

  for (;;) {
    SpMonitorResult result = wait_for (stream, SP_MONITOR_IN_FD, FALSE);
    gssize n;

    if (result != SP_MONITOR_ANSWERED)
      return result;
    n = read (SP_MONITOR_IN_FD, chunk, sizeof chunk);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
      continue;
    if (n <= 0)
      return SP_MONITOR_CLOSED;
    stream->total += (gsize) n;
    if (stream->total > SP_MONITOR_MAX_BYTES)
      return sp_monitor_stream_bad (
          stream, "more than " G_STRINGIFY (SP_MONITOR_MAX_BYTES) " bytes in all");
    g_string_append_len (stream->buffer, chunk, n);
    return check_lines (stream, (gsize) n);
  }
}

void
sp_monitor_stream_used (SpMonitorStream *stream, gsize length)
{
  g_string_erase (stream->buffer, 0, (gssize) length);
  stream->line -= MIN (stream->line, length);
}

/* ---- writing -------------------------------------------------------------------------------------------- */

SpMonitorResult
sp_monitor_stream_write (SpMonitorStream *stream, const char *text, gsize length)
{
  while (length > 0) {
    SpMonitorResult result = wait_for (stream, SP_MONITOR_OUT_FD, TRUE);
    gssize n;

    if (result != SP_MONITOR_ANSWERED)
      return result;
    n = write (SP_MONITOR_OUT_FD, text, length);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
      continue;
    if (n < 0)
      return SP_MONITOR_CLOSED;
    text += n;
    length -= (gsize) n;
  }
  return SP_MONITOR_ANSWERED;
}

/* ---- the verdict ------------------------------------------------------------------------------------------ */

SpMonitorResult
sp_monitor_stream_judge (SpMonitorStream *stream, SpMonitorVerb verb, const char *argument,
                         const char *text)
{
  if (sp_monitor_is_success (verb, argument, text))
    return SP_MONITOR_ANSWERED;
  g_string_assign (stream->said, text);
  return SP_MONITOR_REFUSED;
}
