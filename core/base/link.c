/* link.c - calls, answers and deadlines of link.h
 *
 * What must stay true: nothing in a frame is used before it was checked; a peer that breaks the rules
 * is cut off, never humoured; every buffer is wiped before it is freed; a call ends exactly once.
 */
#include "base/link.h"

#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/link-buffer.h"
#include "base/link-frame.h"
#include "base/problem.h"
#include "base/secret.h"

#define READ_CHUNK 65536u
#define MAX_QUEUED (64u * 1024u * 1024u) /* of a peer that does not read */

typedef struct {
  SpLink *link;
  guint32 id;
  guint method;
  SpLinkDone done;
  gpointer data;
  GSource *timer;
  gboolean too_large;
} Waiting;

struct _SpLinkCall {
  SpLink *link;
  guint32 id;
  guint method;
};

struct _SpLink {
  grefcount refs;
  int fd;
  gboolean open;
  SpLinkSetup setup;
  GMainContext *context;
  GSource *reader;
  GSource *writer;
  SpLinkBuffer in;
  GQueue out;       /* GBytes, whole frames */
  gsize out_done;   /* of the first of them */
  gsize out_length; /* of all of them */
  guint32 next_id;
  GHashTable *waiting; /* id -> Waiting */
};

/* ---- life ------------------------------------------------------------------------------------- */

static void
waiting_free (gpointer data)
{
  Waiting *waiting = data;

  if (waiting->timer != NULL) {
    g_source_destroy (waiting->timer);
    g_source_unref (waiting->timer);
  }
  g_free (waiting);
}

SpLink *
sp_link_ref (SpLink *link)
{
  g_ref_count_inc (&link->refs);
  return link;
}

static void
source_clear (GSource **source)
{
  if (*source == NULL)
    return;
  g_source_destroy (*source);
  g_clear_pointer (source, g_source_unref);
}

static void
finish_waiting (SpLink *link, guint32 id, GVariant *reply, GBytes *blob, const GError *error)
{
  Waiting *waiting = g_hash_table_lookup (link->waiting, GUINT_TO_POINTER (id));
  SpLinkDone done;
  gpointer data;

  if (waiting == NULL)
    return;
  done = waiting->done;
  data = waiting->data;
  g_hash_table_remove (link->waiting, GUINT_TO_POINTER (id));
  if (done != NULL)
    done (reply, blob, error, data);
}

static void
fail_all (SpLink *link)
{
  g_autoptr (GError) error =
      g_error_new_literal (SP_PROBLEM, SP_PROBLEM_UNREACHABLE, "the other process is gone");
  g_autofree gpointer *ids = NULL;
  guint n = 0;

  ids = g_hash_table_get_keys_as_array (link->waiting, &n);
  for (guint i = 0; i < n; i++)
    finish_waiting (link, GPOINTER_TO_UINT (ids[i]), NULL, NULL, error);
}

static void
drop_buffers (SpLink *link)
{
  sp_link_buffer_clear (&link->in);
  g_queue_clear_full (&link->out, (GDestroyNotify) g_bytes_unref);
  link->out_done = link->out_length = 0;
}

void
sp_link_close (SpLink *link)
{
  if (!link->open)
    return;
  sp_link_ref (link);
  link->open = FALSE;
  source_clear (&link->reader);
  source_clear (&link->writer);
  (void) close (link->fd);
  drop_buffers (link);
  fail_all (link);
  sp_link_unref (link);
}

static void cut (SpLink *link, const char *format, ...) G_GNUC_PRINTF (2, 3);

static void
cut (SpLink *link, const char *format, ...)
{
  g_autoptr (GError) why = NULL;
  va_list args;

  if (!link->open)
    return;
  va_start (args, format);
  why = g_error_new_valist (SP_PROBLEM, SP_PROBLEM_UNREACHABLE, format, args);
  va_end (args);
  sp_link_ref (link);
  sp_link_close (link);
  if (link->setup.closed != NULL)
    link->setup.closed (link, why, link->setup.data);
  sp_link_unref (link);
}

void
sp_link_unref (SpLink *link)
{
  if (link == NULL || !g_ref_count_dec (&link->refs))
    return;
  if (link->open) {
    /* Closing takes and drops a reference of its own. */
    g_ref_count_init (&link->refs);
    link->setup.closed = NULL;
    link->open = FALSE;
    source_clear (&link->reader);
    source_clear (&link->writer);
    (void) close (link->fd);
    drop_buffers (link);
  }
  g_hash_table_unref (link->waiting);
  g_main_context_unref (link->context);
  g_free (link);
}

gboolean
sp_link_is_open (SpLink *link)
{
  return link->open;
}

/* ---- sending ---------------------------------------------------------------------------------- */

static gboolean on_writable (int fd, GIOCondition condition, gpointer data);

static void
watch_writable (SpLink *link)
{
  if (link->writer != NULL)
    return;
  link->writer = g_unix_fd_source_new (link->fd, G_IO_OUT);
  g_source_set_callback (link->writer, G_SOURCE_FUNC (on_writable), link, NULL);
  g_source_attach (link->writer, link->context);
}

/* The peer does not take what we write.  The reader will find the end of the stream, from the main
 * loop: a call must never end before it has returned. */
static void
give_up_writing (SpLink *link)
{
  (void) shutdown (link->fd, SHUT_RDWR);
  g_queue_clear_full (&link->out, (GDestroyNotify) g_bytes_unref);
  link->out_done = link->out_length = 0;
  source_clear (&link->writer);
}

/* Write what the socket takes now. */
static void
flush (SpLink *link)
{
  while (!g_queue_is_empty (&link->out)) {
    gsize size;
    const guint8 *data = g_bytes_get_data (g_queue_peek_head (&link->out), &size);
    gssize n = send (link->fd, data + link->out_done, size - link->out_done, MSG_NOSIGNAL);

    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0 && errno == EAGAIN) {
      watch_writable (link);
      return;
    }
    if (n < 0) {
      give_up_writing (link);
      return;
    }
    link->out_done += (gsize) n;
    link->out_length -= (gsize) n;
    if (link->out_done == size) {
      g_bytes_unref (g_queue_pop_head (&link->out));
      link->out_done = 0;
    }
  }
  source_clear (&link->writer);
}

static gboolean
on_writable (int fd, GIOCondition condition, gpointer data)
{
  SpLink *link = data;

  sp_link_ref (link);
  flush (link);
  sp_link_unref (link);
  return G_SOURCE_CONTINUE; /* destroyed by flush() when nothing is left */
}

static void
send_frame (SpLink *link, SpFrameKind kind, guint32 id, guint32 method, GVariant *value,
            GBytes *blob)
{
  GBytes *frame = sp_frame_build (kind, id, method, value, blob);

  link->out_length += g_bytes_get_size (frame);
  g_queue_push_tail (&link->out, frame);
  if (link->out_length > MAX_QUEUED)
    give_up_writing (link);
  else if (link->writer == NULL)
    flush (link);
}

static gboolean
on_timeout (gpointer data)
{
  Waiting *waiting = data;
  SpLink *link = sp_link_ref (waiting->link);
  g_autoptr (GError) error = g_error_new (SP_PROBLEM, SP_PROBLEM_TIMED_OUT, "%s: no answer in time",
                                          link->setup.call[waiting->method].name);

  finish_waiting (link, waiting->id, NULL, NULL, error);
  sp_link_unref (link);
  return G_SOURCE_REMOVE;
}

static gboolean
fail_later (gpointer data)
{
  Waiting *waiting = data;
  g_autoptr (GError) error =
      waiting->too_large
          ? g_error_new_literal (SP_PROBLEM, SP_PROBLEM_TOO_LARGE, "the call is too large")
          : g_error_new_literal (SP_PROBLEM, SP_PROBLEM_UNREACHABLE, "the other process is gone");

  if (waiting->done != NULL)
    waiting->done (NULL, NULL, error, waiting->data);
  return G_SOURCE_REMOVE;
}

static GSource *
attach_timer (SpLink *link, guint ms, GSourceFunc func, gpointer data, GDestroyNotify free_data)
{
  GSource *source = g_timeout_source_new (ms);

  g_source_set_callback (source, func, data, free_data);
  g_source_attach (source, link->context);
  return source;
}

void
sp_link_call (SpLink *link, guint method, GVariant *args, GBytes *blob, guint timeout_ms,
              SpLinkDone done, gpointer data)
{
  g_autoptr (GVariant) value = g_variant_ref_sink (args);
  Waiting *waiting = g_new0 (Waiting, 1);

  g_return_if_fail (method < link->setup.n_call);
  g_return_if_fail (g_variant_is_of_type (value, G_VARIANT_TYPE (link->setup.call[method].args)));
  waiting->link = link;
  waiting->method = method;
  waiting->done = done;
  waiting->data = data;
  waiting->too_large = !sp_frame_fits (value, blob);
  if (!link->open || waiting->too_large) {
    g_source_unref (attach_timer (link, 0, fail_later, waiting, waiting_free));
    return;
  }
  waiting->id = link->next_id++;
  if (timeout_ms > 0)
    waiting->timer = attach_timer (link, timeout_ms, on_timeout, waiting, NULL);
  g_hash_table_insert (link->waiting, GUINT_TO_POINTER (waiting->id), waiting);
  send_frame (link, SP_FRAME_CALL, waiting->id, method, value, blob);
}

/* ---- answering -------------------------------------------------------------------------------- */

static void
call_free (SpLinkCall *call)
{
  sp_link_unref (call->link);
  g_free (call);
}

void
sp_link_call_reply (SpLinkCall *call, GVariant *reply, GBytes *blob)
{
  g_autoptr (GVariant) value = g_variant_ref_sink (reply);
  const SpLinkMethod *method = &call->link->setup.serve[call->method];

  if (!g_variant_is_of_type (value, G_VARIANT_TYPE (method->reply)) ||
      !sp_frame_fits (value, blob)) {
    g_autoptr (GError) error =
        g_error_new (SP_PROBLEM, SP_PROBLEM_INTERNAL, "%s: the answer does not fit", method->name);
    sp_link_call_fail (call, error);
    return;
  }
  if (call->link->open)
    send_frame (call->link, SP_FRAME_REPLY, call->id, call->method, value, blob);
  call_free (call);
}

void
sp_link_call_fail (SpLinkCall *call, const GError *error)
{
  g_autoptr (GVariant) value = g_variant_ref_sink (sp_frame_error_to_value (error));

  if (call->link->open)
    send_frame (call->link, SP_FRAME_ERROR, call->id, call->method, value, NULL);
  call_free (call);
}

/* ---- receiving -------------------------------------------------------------------------------- */

static void
take_call (SpLink *link, const SpFrame *frame, GVariant *value, GBytes *blob)
{
  SpLinkCall *call = g_new0 (SpLinkCall, 1);

  call->link = sp_link_ref (link);
  call->id = frame->id;
  call->method = frame->method;
  link->setup.handlers[frame->method](call, value, blob, link->setup.data);
}

static void
take_frame (SpLink *link, const SpFrame *frame, GVariant *value, GBytes *blob)
{
  g_autoptr (GError) error = NULL;

  switch (frame->kind) {
  case SP_FRAME_CALL:
    take_call (link, frame, value, blob);
    break;
  case SP_FRAME_REPLY:
    finish_waiting (link, frame->id, value, blob, NULL);
    break;
  default:
    error = sp_frame_error_from_value (value);
    finish_waiting (link, frame->id, NULL, NULL, error);
  }
}

/* The type that the value of this frame must have; NULL: the frame makes no sense. */
static const char *
type_of_frame (SpLink *link, const SpFrame *frame)
{
  Waiting *waiting;

  if (frame->kind == SP_FRAME_CALL)
    return frame->method < link->setup.n_serve ? link->setup.serve[frame->method].args : NULL;
  if (frame->kind == SP_FRAME_ERROR)
    return SP_FRAME_ERROR_TYPE;
  if (frame->kind != SP_FRAME_REPLY || frame->method >= link->setup.n_call)
    return NULL;
  /* A late reply to a call that timed out is dropped, but must still be well formed. */
  waiting = g_hash_table_lookup (link->waiting, GUINT_TO_POINTER (frame->id));
  if (waiting != NULL && waiting->method != frame->method)
    return NULL;
  return link->setup.call[frame->method].reply;
}

static void
take_bytes (SpLink *link, const SpFrame *frame, const guint8 *data)
{
  const char *type = type_of_frame (link, frame);
  g_autoptr (GVariant) value = NULL;
  g_autoptr (GBytes) blob = NULL;

  if (type == NULL || !sp_frame_is_consistent (frame)) {
    cut (link, "the other process sent a frame that makes no sense");
    return;
  }
  value = sp_frame_value (frame, data, type);
  if (value == NULL) {
    cut (link, "the other process sent a value that is not of type %s", type);
    return;
  }
  blob = sp_frame_blob (frame, data);
  take_frame (link, frame, value, blob);
}

/* Take all whole frames out of the buffer. */
static void
take_frames (SpLink *link)
{
  gsize at = 0;

  while (link->open && link->in.length - at >= SP_FRAME_HEADER) {
    SpFrame frame;

    sp_frame_read (&frame, link->in.data + at);
    if (frame.length < SP_FRAME_HEADER || frame.length > SP_LINK_MAX_FRAME) {
      cut (link, "the other process sent a frame of %u bytes", frame.length);
      return;
    }
    if (link->in.length - at < frame.length)
      break;
    take_bytes (link, &frame, link->in.data + at);
    at += frame.length;
  }
  if (!link->open || at == 0)
    return;
  sp_link_buffer_consume (&link->in, at);
}

static gboolean
on_readable (int fd, GIOCondition condition, gpointer data)
{
  SpLink *link = data;
  gssize n;

  sp_link_ref (link);
  sp_link_buffer_room (&link->in, READ_CHUNK / 2);
  n = recv (link->fd, link->in.data + link->in.length, link->in.size - link->in.length, 0);
  if (n > 0) {
    link->in.length += (gsize) n;
    take_frames (link);
  } else if (n == 0) {
    cut (link, "the other process is gone");
  } else if (errno != EAGAIN && errno != EINTR) {
    cut (link, "cannot read from the other process: %s", g_strerror (errno));
  }
  sp_link_unref (link);
  return G_SOURCE_CONTINUE; /* destroyed where the link was closed */
}

SpLink *
sp_link_new (int fd, const SpLinkSetup *setup)
{
  SpLink *link = g_new0 (SpLink, 1);

  g_ref_count_init (&link->refs);
  link->fd = fd;
  link->open = TRUE;
  link->setup = *setup;
  link->next_id = 1;
  link->context = g_main_context_ref_thread_default ();
  link->waiting = g_hash_table_new_full (NULL, NULL, NULL, waiting_free);
  (void) g_unix_set_fd_nonblocking (fd, TRUE, NULL);
  link->reader = g_unix_fd_source_new (fd, G_IO_IN | G_IO_HUP | G_IO_ERR);
  g_source_set_callback (link->reader, G_SOURCE_FUNC (on_readable), link, NULL);
  /* Handlers never run the loop; without this GLib takes the source out of the poll and wakes itself
   * for every message. */
  g_source_set_can_recurse (link->reader, TRUE);
  g_source_attach (link->reader, link->context);
  return link;
}
