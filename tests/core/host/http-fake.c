/* http-fake.c - http-fake.h on a thread of its own, with blocking sockets */
#include "http-fake.h"

#include <string.h>

#define MAX_HEAD 8192u
#define TAG "\"one\""
#define OTHER_TAG "\"two\""

struct _HttpFake {
  GBytes *file;
  GTlsCertificate *certificate;
  GSocketListener *listener;
  GThread *thread;
  GCancellable *cancellable;
  char *url;
  GMutex lock;
  HttpFault fault;
  guint requests;
  char *range, *if_range;
};

typedef struct {
  HttpFake *fake;
  GInputStream *in;
  GOutputStream *out;
  HttpFault fault;
  char *path;
  guint64 from; /* of Range, 0: none; only where If-Range allows */
} Request;

static void say (Request *request, const char *format, ...) G_GNUC_PRINTF (2, 3);

static void
say (Request *request, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  (void) g_output_stream_write_all (request->out, text, strlen (text), NULL, NULL, NULL);
}

/* ---- answers ------------------------------------------------------------------------------------------- */

static void
send_bytes (Request *request, guint64 from, gsize length)
{
  const char *data = g_bytes_get_data (request->fake->file, NULL);

  (void) g_output_stream_write_all (request->out, data + from, length, NULL, NULL, NULL);
}

static void
send_head (Request *request, guint64 from, const char *tag)
{
  gsize size = g_bytes_get_size (request->fake->file);

  if (from > 0)
    say (request,
         "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes %" G_GUINT64_FORMAT
         "-%" G_GSIZE_FORMAT "/%" G_GSIZE_FORMAT "\r\n",
         from, size - 1, size);
  else
    say (request, "HTTP/1.1 200 OK\r\n");
  if (tag != NULL)
    say (request, "ETag: %s\r\n", tag);
  say (request, "Content-Length: %" G_GUINT64_FORMAT "\r\nConnection: close\r\n\r\n", size - from);
}

static void
give (Request *request, guint64 from, const char *tag, guint part)
{
  gsize left = g_bytes_get_size (request->fake->file) - from;

  send_head (request, from, tag);
  send_bytes (request, from, left / part);
}

static void
answer_good (Request *request)
{
  give (request, request->from, TAG, 1);
}

static void
answer_whole (Request *request)
{
  give (request, 0, NULL, 1);
}

static void
answer_cut (Request *request)
{
  give (request, request->from, TAG, 2);
}

static void
answer_changed (Request *request)
{
  give (request, 0, OTHER_TAG, 1);
}

static void
answer_wrong_part (Request *request)
{
  give (request, request->from > 0 ? request->from + 1 : 0, TAG, 1);
}

static void
lead (Request *request, const char *location)
{
  say (request,
       "HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
       location);
}

static void
answer_redirect (Request *request)
{
  if (g_str_equal (request->path, "/there"))
    answer_good (request);
  else
    lead (request, "/there");
}

static void
answer_loop (Request *request)
{
  lead (request, request->fake->url);
}

static void
answer_to_http (Request *request)
{
  lead (request, "http://127.0.0.1:1/file");
}

/* Until the client has gone. */
static void
answer_silent (Request *request)
{
  char byte;

  send_head (request, 0, TAG);
  while (g_input_stream_read (request->in, &byte, 1, request->fake->cancellable, NULL) > 0)
    continue;
}

static void
answer_drip (Request *request)
{
  g_autoptr (GError) error = NULL;

  send_head (request, 0, TAG);
  while (error == NULL && !g_cancellable_is_cancelled (request->fake->cancellable)) {
    GPollFD fd;

    (void) g_output_stream_write_all (request->out, "x", 1, NULL, NULL, &error);
    if (g_cancellable_make_pollfd (request->fake->cancellable, &fd)) {
      (void) g_poll (&fd, 1, 100);
      g_cancellable_release_fd (request->fake->cancellable);
    }
  }
}

static void
answer_missing (Request *request)
{
  say (request, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
}

static void (*const answers[]) (Request *) = {
  [HTTP_GOOD] = answer_good,         [HTTP_NO_RANGES] = answer_whole,
  [HTTP_CUT] = answer_cut,           [HTTP_CHANGED] = answer_changed,
  [HTTP_REDIRECT] = answer_redirect, [HTTP_LOOP] = answer_loop,
  [HTTP_TO_HTTP] = answer_to_http,   [HTTP_SILENT] = answer_silent,
  [HTTP_DRIP] = answer_drip,         [HTTP_WRONG_PART] = answer_wrong_part,
  [HTTP_MISSING] = answer_missing,
};

/* ---- requests ------------------------------------------------------------------------------------------ */

static char *
read_head (GInputStream *in)
{
  g_autoptr (GString) head = g_string_new (NULL);
  char byte;

  while (head->len < MAX_HEAD && !g_str_has_suffix (head->str, "\r\n\r\n") &&
         g_input_stream_read (in, &byte, 1, NULL, NULL) == 1)
    g_string_append_c (head, byte);
  return g_string_free (g_steal_pointer (&head), FALSE);
}

static char *
header (char **lines, const char *name)
{
  gsize length = strlen (name);

  for (char **line = lines; *line != NULL; line++)
    if (g_ascii_strncasecmp (*line, name, length) == 0)
      return g_strstrip (g_strdup (*line + length));
  return g_strdup ("");
}

static void
take_head (Request *request, const char *head)
{
  HttpFake *fake = request->fake;
  g_auto (GStrv) lines = g_strsplit (head, "\r\n", -1);
  g_auto (GStrv) words = g_strsplit (lines[0] ? lines[0] : "", " ", 3);

  request->path = g_strdup (words[0] && words[1] ? words[1] : "");
  g_mutex_lock (&fake->lock);
  g_free (fake->range);
  g_free (fake->if_range);
  fake->requests++;
  fake->range = header (lines, "Range:");
  fake->if_range = header (lines, "If-Range:");
  request->fault = fake->fault;
  if (g_str_has_prefix (fake->range, "bytes=") && g_str_equal (fake->if_range, TAG))
    request->from = g_ascii_strtoull (fake->range + strlen ("bytes="), NULL, 10);
  g_mutex_unlock (&fake->lock);
}

static void
serve (HttpFake *fake, GSocketConnection *connection)
{
  g_autoptr (GIOStream) stream =
      fake->certificate
          ? g_tls_server_connection_new (G_IO_STREAM (connection), fake->certificate, NULL)
          : g_object_ref (G_IO_STREAM (connection));
  Request request = { .fake = fake, .out = g_io_stream_get_output_stream (stream) };
  g_autofree char *head = read_head (g_io_stream_get_input_stream (stream));

  request.in = g_io_stream_get_input_stream (stream);
  take_head (&request, head);
  answers[request.fault](&request);
  (void) g_io_stream_close (stream, NULL, NULL);
  g_free (request.path);
}

static gpointer
run (gpointer data)
{
  HttpFake *fake = data;
  GSocketConnection *connection;

  while ((connection = g_socket_listener_accept (fake->listener, NULL, fake->cancellable, NULL)) !=
         NULL) {
    serve (fake, connection);
    g_object_unref (connection);
  }
  return NULL;
}

/* ---- the server ------------------------------------------------------------------------------------------ */

HttpFake *
http_fake_new (GBytes *file, GTlsCertificate *certificate)
{
  HttpFake *fake = g_new0 (HttpFake, 1);
  g_autoptr (GInetAddress) loopback = g_inet_address_new_loopback (G_SOCKET_FAMILY_IPV4);
  g_autoptr (GSocketAddress) address = g_inet_socket_address_new (loopback, 0);
  g_autoptr (GSocketAddress) effective = NULL;
  g_autoptr (GError) error = NULL;

  g_mutex_init (&fake->lock);
  fake->file = g_bytes_ref (file);
  fake->certificate = certificate;
  fake->cancellable = g_cancellable_new ();
  fake->listener = g_socket_listener_new ();
  g_assert_true (g_socket_listener_add_address (fake->listener, address, G_SOCKET_TYPE_STREAM,
                                                G_SOCKET_PROTOCOL_TCP, NULL, &effective, &error));
  g_assert_no_error (error);
  fake->url = g_strdup_printf ("%s://127.0.0.1:%u/file", certificate ? "https" : "http",
                               g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (effective)));
  fake->thread = g_thread_new ("http-fake", run, fake);
  return fake;
}

void
http_fake_free (HttpFake *fake)
{
  g_cancellable_cancel (fake->cancellable);
  g_thread_join (fake->thread);
  g_socket_listener_close (fake->listener);
  g_object_unref (fake->listener);
  g_object_unref (fake->cancellable);
  g_bytes_unref (fake->file);
  g_mutex_clear (&fake->lock);
  g_free (fake->url);
  g_free (fake->range);
  g_free (fake->if_range);
  g_free (fake);
}

void
http_fake_set (HttpFake *fake, HttpFault fault)
{
  g_mutex_lock (&fake->lock);
  fake->fault = fault;
  g_mutex_unlock (&fake->lock);
}

const char *
http_fake_url (const HttpFake *fake)
{
  return fake->url;
}

guint
http_fake_requests (HttpFake *fake)
{
  guint requests;

  g_mutex_lock (&fake->lock);
  requests = fake->requests;
  g_mutex_unlock (&fake->lock);
  return requests;
}

char *
http_fake_range (HttpFake *fake)
{
  char *range;

  g_mutex_lock (&fake->lock);
  range = g_strdup (fake->range ? fake->range : "");
  g_mutex_unlock (&fake->lock);
  return range;
}
