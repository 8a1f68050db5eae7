/* http-server.c - the accept loop and the caps of http-server.h
 *
 * What must stay true: running out of descriptors or memory pauses the loop instead of spinning it.
 */
#include "daemon/http-server.h"

#include <errno.h>
#include <glib-unix.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPT_AT_ONCE 32u /* before those that are connected get their turn */
#define PAUSE_MS 100u

struct _SpHttpServer {
  GMainContext *context;
  int fd;
  GSource *source; /* the listening socket, or the pause */
  GTlsCertificate *certificate;
  GHashTable *conns; /* a set of SpHttpConn, each with a reference */
  const SpHttpCaps *caps;
  SpHttpConnSetup setup;
};

const SpHttpCaps sp_http_caps = { .all = 256, .peer = 64, .local = 128 };

static void watch_listener (SpHttpServer *server);

static void
on_closed (SpHttpConn *conn, gpointer data)
{
  SpHttpServer *server = data;

  g_hash_table_remove (server->conns, conn);
}

static guint
count_peer (SpHttpServer *server, const SpHttpPeer *peer)
{
  GHashTableIter iter;
  gpointer conn;
  guint n = 0;

  g_hash_table_iter_init (&iter, server->conns);
  while (g_hash_table_iter_next (&iter, &conn, NULL))
    if (sp_http_peer_equal (sp_http_conn_peer (conn), peer))
      n++;
  return n;
}

static gboolean
has_room (SpHttpServer *server, GSocketConnection *connection)
{
  g_autoptr (GSocketAddress) address = g_socket_connection_get_remote_address (connection, NULL);
  SpHttpPeer peer;

  if (g_hash_table_size (server->conns) >= server->caps->all)
    return FALSE;
  sp_http_peer_init (&peer, address);
  return count_peer (server, &peer) <
         (sp_http_peer_is_local (&peer) ? server->caps->local : server->caps->peer);
}

static void
take_connection (SpHttpServer *server, int fd)
{
  g_autoptr (GSocket) socket = g_socket_new_from_fd (fd, NULL);
  g_autoptr (GSocketConnection) connection = NULL;

  if (socket == NULL) {
    (void) close (fd);
    return;
  }
  connection = g_socket_connection_factory_create_connection (socket);
  if (!has_room (server, connection))
    return; /* closed with its last reference */
  (void) g_socket_set_option (socket, IPPROTO_TCP, TCP_NODELAY, 1, NULL);
  g_hash_table_add (server->conns,
                    sp_http_conn_new (connection, server->certificate, &server->setup));
}

static void
set_source (SpHttpServer *server, GSource *source)
{
  if (server->source != NULL) {
    g_source_destroy (server->source);
    g_source_unref (server->source);
  }
  server->source = source;
  if (source != NULL)
    g_source_attach (source, server->context);
}

static gboolean
on_pause_over (gpointer data)
{
  watch_listener (data);
  return G_SOURCE_REMOVE;
}

static void
pause_accepting (SpHttpServer *server)
{
  GSource *source = g_timeout_source_new (PAUSE_MS);

  g_source_set_callback (source, on_pause_over, server, NULL);
  set_source (server, source);
}

/* Errors of the one connection, which is gone then. */
static gboolean
is_passing (int error)
{
  return error == EINTR || error == ECONNABORTED || error == EPROTO;
}

static gboolean
on_incoming (int fd, GIOCondition condition, gpointer data)
{
  SpHttpServer *server = data;

  for (guint i = 0; i < ACCEPT_AT_ONCE; i++) {
    int taken = accept4 (fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (taken >= 0)
      take_connection (server, taken);
    else if (errno == EAGAIN)
      break;
    else if (!is_passing (errno)) {
      pause_accepting (server);
      break;
    }
  }
  return G_SOURCE_CONTINUE;
}

static void
watch_listener (SpHttpServer *server)
{
  GSource *source = g_unix_fd_source_new (server->fd, G_IO_IN);

  g_source_set_callback (source, G_SOURCE_FUNC (on_incoming), server, NULL);
  set_source (server, source);
}

SpHttpServer *
sp_http_server_new (int fd, const SpHttpHandler *handler, gpointer data,
                    const SpHttpDeadlines *deadlines, const SpHttpCaps *caps, GError **error)
{
  SpHttpServer *server;

  if (!g_unix_set_fd_nonblocking (fd, TRUE, error)) {
    g_prefix_error (error, "cannot use the listening socket: ");
    return NULL;
  }
  server = g_new0 (SpHttpServer, 1);
  server->context = g_main_context_ref_thread_default ();
  server->fd = fd;
  server->caps = caps;
  server->setup = (SpHttpConnSetup){ handler, data, deadlines, on_closed, server };
  server->conns = g_hash_table_new_full (NULL, NULL, (GDestroyNotify) sp_http_conn_unref, NULL);
  watch_listener (server);
  return server;
}

void
sp_http_server_free (SpHttpServer *server)
{
  g_autoptr (GList) conns = g_hash_table_get_keys (server->conns);

  set_source (server, NULL);
  for (GList *conn = conns; conn != NULL; conn = conn->next)
    sp_http_conn_close (conn->data);
  g_hash_table_unref (server->conns);
  g_clear_object (&server->certificate);
  (void) close (server->fd);
  g_main_context_unref (server->context);
  g_free (server);
}

void
sp_http_server_set_certificate (SpHttpServer *server, GTlsCertificate *certificate)
{
  g_set_object (&server->certificate, certificate);
}

guint
sp_http_server_count (SpHttpServer *server)
{
  return g_hash_table_size (server->conns);
}
