/* link.c - framing, calls and deadlines of link.h
 *
 * A frame is a header of six little-endian words and two byte strings:
 *
 *      length of all | kind | call id | method | length of the value | length of the blob
 *      value (serialised GVariant, padded to 8)  blob
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

#include <secret-proxy/plugin.h>

#include "base/problem.h"
#include "base/secret.h"

#define HEADER 24u
#define READ_CHUNK 65536u
#define ERROR_TYPE "(uissu)" /* domain, code, message, field, retry after */

enum { KIND_CALL = 1, KIND_REPLY = 2, KIND_ERROR = 3 };

typedef struct {
  guint32 length, kind, id, method, value, blob;
} Header;

typedef struct {
  SpLink *link;
  guint32 id;
  guint method;
  SpLinkDone done;
  gpointer data;
  GSource *timer;
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
  guint8 *in; /* what came and is not a whole frame yet */
  gsize in_length, in_size;
  GQueue out;       /* GBytes, whole frames */
  gsize out_done;   /* of the first of them */
  gsize out_length; /* of all of them */
  guint32 next_id;
  GHashTable *waiting; /* id -> Waiting */
};

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
  if (link->in != NULL)
    sp_wipe (link->in, link->in_size);
  g_clear_pointer (&link->in, g_free);
  link->in_length = link->in_size = 0;
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

/* Write what the socket takes now.  FALSE: the link was cut. */
static gboolean
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
      return TRUE;
    }
    if (n < 0) {
      cut (link, "cannot write to the other process: %s", g_strerror (errno));
      return FALSE;
    }
    link->out_done += (gsize) n;
    link->out_length -= (gsize) n;
    if (link->out_done == size) {
      g_bytes_unref (g_queue_pop_head (&link->out));
      link->out_done = 0;
    }
  }
  source_clear (&link->writer);
  return TRUE;
}

static gboolean
on_writable (int fd, GIOCondition condition, gpointer data)
{
  SpLink *link = data;

  sp_link_ref (link);
  (void) flush (link);
  sp_link_unref (link);
  return G_SOURCE_CONTINUE; /* destroyed by flush() when nothing is left */
}

static void
send_frame (SpLink *link, guint32 kind, guint32 id, guint32 method, GVariant *value, GBytes *blob)
{
  gsize value_length = value ? g_variant_get_size (value) : 0;
  gsize blob_length = blob ? g_bytes_get_size (blob) : 0;
  gsize padded = (value_length + 7) & ~(gsize) 7;
  gsize length = HEADER + padded + blob_length;
  guint8 *data;
  g_autoptr (GBytes) frame = NULL;
  /* A blob that is absent and one that is empty are different things: hence one more. */
  const guint32 header[6] = { GUINT32_TO_LE ((guint32) length),
                              GUINT32_TO_LE (kind),
                              GUINT32_TO_LE (id),
                              GUINT32_TO_LE (method),
                              GUINT32_TO_LE ((guint32) value_length),
                              GUINT32_TO_LE (blob ? (guint32) blob_length + 1 : 0) };

  frame = wiped_new (length, &data);
  memcpy (data, header, HEADER);
  if (value_length > 0)
    g_variant_store (value, data + HEADER);
  memset (data + HEADER + value_length, 0, padded - value_length);
  if (blob_length > 0)
    memcpy (data + HEADER + padded, g_bytes_get_data (blob, NULL), blob_length);
  link->out_length += length;
  g_queue_push_tail (&link->out, g_steal_pointer (&frame));
  if (link->writer == NULL)
    (void) flush (link);
}

/* Our own side must not build what the other side would cut us off for. */
static gboolean
fits (GVariant *value, GBytes *blob)
{
  gsize length =
      HEADER + 8 + (value ? g_variant_get_size (value) : 0) + (blob ? g_bytes_get_size (blob) : 0);

  return length <= SP_LINK_MAX_FRAME;
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
      g_error_new_literal (SP_PROBLEM, SP_PROBLEM_UNREACHABLE, "the other process is gone");

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
  if (!link->open || !fits (value, blob)) {
    g_source_unref (attach_timer (link, 0, fail_later, waiting, waiting_free));
    return;
  }
  waiting->id = link->next_id++;
  if (timeout_ms > 0)
    waiting->timer = attach_timer (link, timeout_ms, on_timeout, waiting, NULL);
  g_hash_table_insert (link->waiting, GUINT_TO_POINTER (waiting->id), waiting);
  send_frame (link, KIND_CALL, waiting->id, method, value, blob);
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

  if (!g_variant_is_of_type (value, G_VARIANT_TYPE (method->reply)) || !fits (value, blob)) {
    g_autoptr (GError) error =
        g_error_new (SP_PROBLEM, SP_PROBLEM_INTERNAL, "%s: the answer does not fit", method->name);
    sp_link_call_fail (call, error);
    return;
  }
  if (call->link->open)
    send_frame (call->link, KIND_REPLY, call->id, call->method, value, blob);
  call_free (call);
}

void
sp_link_call_fail (SpLinkCall *call, const GError *error)
{
  const char *field = sp_problem_field (error);
  gboolean plugin = error->domain == SP_ERROR;
  int code = plugin ? error->code : (int) sp_problem_code (error);
  g_autofree char *message = g_utf8_make_valid (error->message, -1);
  g_autoptr (GVariant) value =
      g_variant_ref_sink (g_variant_new (ERROR_TYPE, plugin ? 1 : 0, code, message,
                                         field ? field : "", sp_problem_retry_after (error)));

  if (call->link->open)
    send_frame (call->link, KIND_ERROR, call->id, call->method, value, NULL);
  call_free (call);
}

/* ---- receiving -------------------------------------------------------------------------------- */

static GError *
error_from_value (GVariant *value)
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

static void
take_call (SpLink *link, const Header *header, GVariant *value, GBytes *blob)
{
  SpLinkCall *call = g_new0 (SpLinkCall, 1);

  call->link = sp_link_ref (link);
  call->id = header->id;
  call->method = header->method;
  link->setup.handlers[header->method](call, value, blob, link->setup.data);
}

static void
take_frame (SpLink *link, const Header *header, GVariant *value, GBytes *blob)
{
  g_autoptr (GError) error = NULL;

  switch (header->kind) {
  case KIND_CALL:
    take_call (link, header, value, blob);
    break;
  case KIND_REPLY:
    finish_waiting (link, header->id, value, blob, NULL);
    break;
  default:
    error = error_from_value (value);
    finish_waiting (link, header->id, NULL, NULL, error);
  }
}

/* The type that the value of this frame must have; NULL: the frame makes no sense. */
static const char *
type_of_frame (SpLink *link, const Header *header)
{
  Waiting *waiting;

  if (header->kind == KIND_CALL)
    return header->method < link->setup.n_serve ? link->setup.serve[header->method].args : NULL;
  if (header->kind == KIND_ERROR)
    return ERROR_TYPE;
  if (header->kind != KIND_REPLY || header->method >= link->setup.n_call)
    return NULL;
  /* A late reply to a call that timed out is dropped, but must still be well formed. */
  waiting = g_hash_table_lookup (link->waiting, GUINT_TO_POINTER (header->id));
  if (waiting != NULL && waiting->method != header->method)
    return NULL;
  return link->setup.call[header->method].reply;
}

static gboolean
lengths_agree (const Header *header)
{
  gsize padded = ((gsize) header->value + 7) & ~(gsize) 7;
  gsize blob = header->blob > 0 ? header->blob - 1 : 0;

  return HEADER + padded + blob == header->length;
}

static void
take_bytes (SpLink *link, const Header *header, const guint8 *data)
{
  const char *type = type_of_frame (link, header);
  gsize padded = ((gsize) header->value + 7) & ~(gsize) 7;
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GBytes) blob = NULL;
  g_autoptr (GVariant) value = NULL;

  if (type == NULL || !lengths_agree (header)) {
    cut (link, "the other process sent a frame that makes no sense");
    return;
  }
  bytes = sp_link_wiped_bytes (data + HEADER, header->value);
  value = g_variant_ref_sink (g_variant_new_from_bytes (G_VARIANT_TYPE (type), bytes, FALSE));
  if (!g_variant_is_normal_form (value)) {
    cut (link, "the other process sent a value that is not of type %s", type);
    return;
  }
  if (header->blob > 0)
    blob = sp_link_wiped_bytes (data + HEADER + padded, header->blob - 1);
  take_frame (link, header, value, blob);
}

static void
read_header (Header *header, const guint8 *data)
{
  guint32 words[6];

  memcpy (words, data, sizeof words);
  *header = (Header){ GUINT32_FROM_LE (words[0]), GUINT32_FROM_LE (words[1]),
                      GUINT32_FROM_LE (words[2]), GUINT32_FROM_LE (words[3]),
                      GUINT32_FROM_LE (words[4]), GUINT32_FROM_LE (words[5]) };
}

/* Take all whole frames out of the buffer. */
static void
take_frames (SpLink *link)
{
  gsize at = 0;

  while (link->open && link->in_length - at >= HEADER) {
    Header header;

    read_header (&header, link->in + at);
    if (header.length < HEADER || header.length > SP_LINK_MAX_FRAME) {
      cut (link, "the other process sent a frame of %u bytes", header.length);
      return;
    }
    if (link->in_length - at < header.length)
      break;
    take_bytes (link, &header, link->in + at);
    at += header.length;
  }
  if (!link->open || at == 0)
    return;
  memmove (link->in, link->in + at, link->in_length - at);
  sp_wipe (link->in + link->in_length - at, at);
  link->in_length -= at;
}

static void
make_room (SpLink *link)
{
  gsize size = MAX (link->in_size * 2, READ_CHUNK);
  guint8 *bigger;

  if (link->in_size - link->in_length >= READ_CHUNK / 2)
    return;
  bigger = g_malloc (size);
  if (link->in_length > 0)
    memcpy (bigger, link->in, link->in_length);
  if (link->in != NULL)
    sp_wipe (link->in, link->in_size);
  g_free (link->in);
  link->in = bigger;
  link->in_size = size;
}

static gboolean
on_readable (int fd, GIOCondition condition, gpointer data)
{
  SpLink *link = data;
  gssize n;

  sp_link_ref (link);
  make_room (link);
  n = recv (link->fd, link->in + link->in_length, link->in_size - link->in_length, 0);
  if (n > 0) {
    link->in_length += (gsize) n;
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
  g_source_attach (link->reader, link->context);
  return link;
}
