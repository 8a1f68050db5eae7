/* http-channel.c - sources and streams of http-channel.h
 *
 * The reader stays attached from one request to the next; it goes when bytes come that nobody asked for
 * yet, so that they wait in the socket.  The writer exists only while the socket is full.
 *
 * The socket is shut down at once but closed with its last reference, because GIO's TLS shakes hands
 * on a thread of its own, which may still look at the descriptor.
 */
#include "daemon/http-channel.h"

#include <errno.h>
#include <glib-unix.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/secret.h"

#define TLS_HANDSHAKE 0x16
#define RECORD_HEADER 5u
#define RECORD_MAX 16384u

struct _SpHttpChannel {
  GMainContext *context;
  GSocketConnection *socket;
  int fd;
  GTlsCertificate *certificate;
  GIOStream *stream; /* the socket, or TLS on it; NULL before the first byte */
  gboolean tls;
  gboolean shaking;
  GCancellable *cancellable; /* of the handshake */

  SpHttpChannelReady ready, gone;
  gpointer data;
  gboolean readable; /* reading is worth a try */
  gboolean wanted;   /* somebody waits for bytes */
  GSource *reader;
  GSource *writer;
  GSource *watch; /* on the descriptor itself: first byte, client gone, draining */
};

static void
source_clear (GSource **source)
{
  if (*source == NULL)
    return;
  g_source_destroy (*source);
  g_clear_pointer (source, g_source_unref);
}

static gboolean
on_fd (int fd, GIOCondition condition, gpointer data)
{
  SpHttpChannel *channel = data;

  channel->ready (channel->data);
  return G_SOURCE_CONTINUE;
}

static gboolean
on_gone (int fd, GIOCondition condition, gpointer data)
{
  SpHttpChannel *channel = data;

  channel->gone (channel->data);
  return G_SOURCE_CONTINUE;
}

static void
watch_fd (SpHttpChannel *channel, int condition, GUnixFDSourceFunc func)
{
  source_clear (&channel->watch);
  channel->watch =
      g_unix_fd_source_new (channel->fd, (GIOCondition) (condition | G_IO_HUP | G_IO_ERR));
  g_source_set_callback (channel->watch, G_SOURCE_FUNC (func), channel, NULL);
  g_source_attach (channel->watch, channel->context);
}

SpHttpChannel *
sp_http_channel_new (GSocketConnection *socket, GTlsCertificate *certificate,
                     SpHttpChannelReady ready, gpointer data)
{
  SpHttpChannel *channel = g_new0 (SpHttpChannel, 1);

  channel->context = g_main_context_ref_thread_default ();
  channel->socket = g_object_ref (socket);
  channel->fd = g_socket_get_fd (g_socket_connection_get_socket (socket));
  channel->certificate = certificate ? g_object_ref (certificate) : NULL;
  channel->cancellable = g_cancellable_new ();
  channel->ready = ready;
  channel->data = data;
  watch_fd (channel, G_IO_IN, on_fd);
  return channel;
}

static void
channel_release (SpHttpChannel *channel)
{
  g_clear_object (&channel->stream);
  g_clear_object (&channel->socket);
  g_clear_object (&channel->certificate);
  g_clear_object (&channel->cancellable);
  g_main_context_unref (channel->context);
  g_free (channel);
}

void
sp_http_channel_free (SpHttpChannel *channel)
{
  source_clear (&channel->reader);
  source_clear (&channel->writer);
  source_clear (&channel->watch);
  channel->ready = NULL;
  (void) shutdown (channel->fd, SHUT_RDWR);
  g_cancellable_cancel (channel->cancellable);
  if (!channel->shaking)
    channel_release (channel); /* else on_handshake() does it */
}

gboolean
sp_http_channel_is_tls (const SpHttpChannel *channel)
{
  return channel->tls;
}

/* ---- opening ------------------------------------------------------------------------------------ */

static void
on_handshake (GObject *source, GAsyncResult *result, gpointer data)
{
  SpHttpChannel *channel = data;
  GTlsConnection *tls = G_TLS_CONNECTION (source);
  gboolean done = g_tls_connection_handshake_finish (tls, result, NULL);

  channel->shaking = FALSE;
  if (channel->ready == NULL) {
    channel_release (channel);
    return;
  }
  if (!done || g_tls_connection_get_protocol_version (tls) < G_TLS_PROTOCOL_VERSION_TLS_1_2)
    g_clear_object (&channel->stream);
  channel->ready (channel->data);
}

static SpHttpIo
start_tls (SpHttpChannel *channel)
{
  channel->tls = TRUE;
  channel->stream =
      g_tls_server_connection_new (G_IO_STREAM (channel->socket), channel->certificate, NULL);
  if (channel->stream == NULL)
    return SP_HTTP_IO_END;
  /* Each message has its length, so an end without notice cuts none short unseen. */
  g_tls_connection_set_require_close_notify (G_TLS_CONNECTION (channel->stream), FALSE);
  channel->shaking = TRUE;
  g_tls_connection_handshake_async (G_TLS_CONNECTION (channel->stream), G_PRIORITY_DEFAULT,
                                    channel->cancellable, on_handshake, channel);
  return SP_HTTP_IO_WAIT;
}

/* Be told of input only when so many bytes are there. */
static void
wait_for (SpHttpChannel *channel, gsize bytes)
{
  const int value = (int) bytes;

  (void) setsockopt (channel->fd, SOL_SOCKET, SO_RCVLOWAT, &value, sizeof value);
}

/* No more will come: waiting for it would be a busy loop, as the end counts as input. */
static gboolean
is_ended (const SpHttpChannel *channel)
{
  struct pollfd end = { .fd = channel->fd, .events = POLLRDHUP };

  return poll (&end, 1, 0) > 0;
}

/* A handshake occupies a thread of the TLS library, so it begins only when the client's first record
 * (RFC 8446 section 5.1: type, version, length) is there as a whole: half a hello costs nothing. */
static SpHttpIo
take_hello (SpHttpChannel *channel, const guint8 *data, gsize n)
{
  gsize length = n < RECORD_HEADER ? 0 : (gsize) data[3] << 8 | data[4];

  gboolean whole = length > 0 && n >= RECORD_HEADER + length;

  if (length > RECORD_MAX || (!whole && is_ended (channel)))
    return SP_HTTP_IO_END;
  if (!whole) {
    wait_for (channel, n < RECORD_HEADER ? RECORD_HEADER : RECORD_HEADER + MAX (length, 1));
    return SP_HTTP_IO_WAIT;
  }
  wait_for (channel, 1);
  source_clear (&channel->watch);
  channel->readable = TRUE;
  return start_tls (channel);
}

static SpHttpIo
take_first_bytes (SpHttpChannel *channel)
{
  guint8 data[RECORD_HEADER + RECORD_MAX];
  gssize n = recv (channel->fd, data, sizeof data, MSG_PEEK | MSG_DONTWAIT);

  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return SP_HTTP_IO_WAIT;
  if (n > 0 && data[0] == TLS_HANDSHAKE && channel->certificate != NULL)
    return take_hello (channel, data, (gsize) n);
  source_clear (&channel->watch);
  if (n <= 0)
    return SP_HTTP_IO_END;
  channel->readable = TRUE;
  channel->stream = G_IO_STREAM (g_object_ref (channel->socket));
  return SP_HTTP_IO_DONE;
}

SpHttpIo
sp_http_channel_open (SpHttpChannel *channel)
{
  if (channel->shaking)
    return SP_HTTP_IO_WAIT;
  if (channel->tls)
    return channel->stream ? SP_HTTP_IO_DONE : SP_HTTP_IO_END;
  return take_first_bytes (channel);
}

/* ---- reading ------------------------------------------------------------------------------------ */

static void
take_readable (SpHttpChannel *channel)
{
  channel->readable = TRUE;
  if (channel->wanted)
    channel->ready (channel->data);
  else
    source_clear (&channel->reader);
}

static gboolean
on_socket_readable (int fd, GIOCondition condition, gpointer data)
{
  take_readable (data);
  return G_SOURCE_CONTINUE;
}

static gboolean
on_tls_readable (GObject *stream, gpointer data)
{
  take_readable (data);
  return G_SOURCE_CONTINUE;
}

/* A stream's source is two sources in one; without TLS the descriptor's own does. */
static void
attach_reader (SpHttpChannel *channel)
{
  GInputStream *stream = g_io_stream_get_input_stream (channel->stream);

  if (channel->tls) {
    channel->reader =
        g_pollable_input_stream_create_source (G_POLLABLE_INPUT_STREAM (stream), NULL);
    g_source_set_callback (channel->reader, G_SOURCE_FUNC (on_tls_readable), channel, NULL);
  } else {
    channel->reader = g_unix_fd_source_new (channel->fd, G_IO_IN | G_IO_HUP | G_IO_ERR);
    g_source_set_callback (channel->reader, G_SOURCE_FUNC (on_socket_readable), channel, NULL);
  }
  /* GLib takes other sources out of the poll set while they are dispatched, and wakes the loop up for
   * it each time; nothing here runs the loop from within. */
  g_source_set_can_recurse (channel->reader, TRUE);
  g_source_attach (channel->reader, channel->context);
}

static SpHttpIo
wait_readable (SpHttpChannel *channel)
{
  channel->wanted = TRUE;
  if (channel->reader == NULL)
    attach_reader (channel);
  return SP_HTTP_IO_WAIT;
}

SpHttpIo
sp_http_channel_read (SpHttpChannel *channel, gpointer to, gsize room, gsize *ret_length)
{
  GInputStream *stream = g_io_stream_get_input_stream (channel->stream);
  g_autoptr (GError) error = NULL;
  gssize n;

  if (!channel->readable)
    return wait_readable (channel);
  channel->wanted = FALSE;
  n = g_pollable_input_stream_read_nonblocking (G_POLLABLE_INPUT_STREAM (stream), to, room, NULL,
                                                &error);
  if (n < 0 && g_error_matches (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK)) {
    channel->readable = FALSE;
    return wait_readable (channel);
  }
  if (n <= 0)
    return SP_HTTP_IO_END;
  /* TLS may hold more than the socket shows, so only it can say that there is nothing. */
  channel->readable = channel->tls || (gsize) n == room;
  *ret_length = (gsize) n;
  return SP_HTTP_IO_DONE;
}

/* ---- writing ------------------------------------------------------------------------------------ */

static gboolean
on_writable (GObject *stream, gpointer data)
{
  SpHttpChannel *channel = data;

  source_clear (&channel->writer);
  channel->ready (channel->data);
  return G_SOURCE_CONTINUE;
}

static void
wait_writable (SpHttpChannel *channel)
{
  GOutputStream *stream = g_io_stream_get_output_stream (channel->stream);

  if (channel->writer != NULL)
    return;
  channel->writer =
      g_pollable_output_stream_create_source (G_POLLABLE_OUTPUT_STREAM (stream), NULL);
  g_source_set_callback (channel->writer, G_SOURCE_FUNC (on_writable), channel, NULL);
  g_source_attach (channel->writer, channel->context);
}

SpHttpIo
sp_http_channel_write (SpHttpChannel *channel, GOutputVector *parts, gsize n, gsize *ret_length)
{
  GOutputStream *stream = g_io_stream_get_output_stream (channel->stream);

  switch (g_pollable_output_stream_writev_nonblocking (G_POLLABLE_OUTPUT_STREAM (stream), parts, n,
                                                       ret_length, NULL, NULL)) {
  case G_POLLABLE_RETURN_OK:
    return SP_HTTP_IO_DONE;
  case G_POLLABLE_RETURN_WOULD_BLOCK:
    wait_writable (channel);
    return SP_HTTP_IO_WAIT;
  default:
    return SP_HTTP_IO_END;
  }
}

/* ---- the end ------------------------------------------------------------------------------------ */

void
sp_http_channel_watch_client (SpHttpChannel *channel, gboolean watch, SpHttpChannelReady gone)
{
  channel->gone = gone;
  if (watch)
    watch_fd (channel, POLLRDHUP, on_gone);
  else
    source_clear (&channel->watch);
}

void
sp_http_channel_finish (SpHttpChannel *channel)
{
  source_clear (&channel->reader);
  source_clear (&channel->writer);
  (void) shutdown (channel->fd, SHUT_WR);
  watch_fd (channel, G_IO_IN, on_fd);
}

SpHttpIo
sp_http_channel_drain (SpHttpChannel *channel, gsize *ret_length)
{
  char scrap[4096];
  gssize n = recv (channel->fd, scrap, sizeof scrap, MSG_DONTWAIT);

  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return SP_HTTP_IO_WAIT;
  if (n <= 0)
    return SP_HTTP_IO_END;
  sp_wipe (scrap, (gsize) n);
  *ret_length = (gsize) n;
  return SP_HTTP_IO_DONE;
}
