/* tunnel.c - tunnel.h: a pump between a socket and messages */
#include "base/tunnel.h"

#include <errno.h>
#include <glib-unix.h>
#include <sys/socket.h>
#include <unistd.h>

/* Allowances are given in halves of the window: few messages, and the sender never starves. */
#define ALLOW_AT (SP_TUNNEL_WINDOW / 2)

struct _SpTunnel {
  grefcount refs; /* events may free it while it works */
  int fd;         /* -1: ended */
  SpTunnelEvents events;
  gpointer data;
  GMainContext *context;
  GSource *reader, *writer;
  guint may_send;          /* as messages count */
  GQueue in;               /* SpSecret, for the socket */
  gsize in_done;           /* bytes of the first of them */
  guint waiting, consumed; /* as messages count */
};

static guint
cost_of (gsize length)
{
  return (guint) MAX (length, SP_TUNNEL_LEAST);
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
watch (SpTunnel *tunnel, GSource **source, GIOCondition condition, GUnixFDSourceFunc func)
{
  if (*source != NULL)
    return;
  *source = g_unix_fd_source_new (tunnel->fd, condition);
  g_source_set_callback (*source, G_SOURCE_FUNC (func), tunnel, NULL);
  g_source_attach (*source, tunnel->context);
}

static void
shut (SpTunnel *tunnel)
{
  source_clear (&tunnel->reader);
  source_clear (&tunnel->writer);
  if (tunnel->fd >= 0)
    (void) close (tunnel->fd);
  tunnel->fd = -1;
  g_queue_clear_full (&tunnel->in, (GDestroyNotify) sp_secret_unref);
}

static void
tunnel_unref (SpTunnel *tunnel)
{
  if (!g_ref_count_dec (&tunnel->refs))
    return;
  shut (tunnel);
  g_main_context_unref (tunnel->context);
  g_free (tunnel);
}

static SpTunnel *
tunnel_ref (SpTunnel *tunnel)
{
  g_ref_count_inc (&tunnel->refs);
  return tunnel;
}

static void
ended (SpTunnel *tunnel)
{
  if (tunnel->fd < 0)
    return;
  shut (tunnel);
  tunnel->events.ended (tunnel->data);
}

/* ---- from the socket -------------------------------------------------------------------------------- */

static gboolean
on_readable (int fd, GIOCondition condition, gpointer data)
{
  SpTunnel *tunnel = tunnel_ref (data);
  g_autoptr (SpSecret) bytes = sp_secret_new (MIN (SP_TUNNEL_CHUNK, tunnel->may_send));
  gssize n = read (fd, sp_secret_data (bytes), sp_secret_length (bytes));

  if (n > 0) {
    tunnel->may_send -= cost_of ((gsize) n);
    sp_secret_truncate (bytes, (gsize) n);
    /* Without an allowance nothing is read, so the writer at the socket has to wait. */
    if (tunnel->may_send < SP_TUNNEL_LEAST)
      source_clear (&tunnel->reader);
    tunnel->events.send (bytes, tunnel->data);
  } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
    ended (tunnel);
  }
  tunnel_unref (tunnel);
  return G_SOURCE_CONTINUE;
}

gboolean
sp_tunnel_allowed (SpTunnel *tunnel, gint64 bytes)
{
  if (bytes < 0 || bytes > SP_TUNNEL_WINDOW - tunnel->may_send)
    return FALSE;
  tunnel->may_send += (guint) bytes;
  if (tunnel->fd >= 0 && tunnel->may_send >= SP_TUNNEL_LEAST)
    watch (tunnel, &tunnel->reader, G_IO_IN | G_IO_HUP | G_IO_ERR, on_readable);
  return TRUE;
}

/* ---- to the socket ---------------------------------------------------------------------------------- */

static gboolean on_writable (int fd, GIOCondition condition, gpointer data);

static void
consume (SpTunnel *tunnel, gsize n)
{
  SpSecret *first = g_queue_peek_head (&tunnel->in);

  tunnel->in_done += n;
  if (tunnel->in_done < sp_secret_length (first))
    return;
  tunnel->waiting -= cost_of (sp_secret_length (first));
  tunnel->consumed += cost_of (sp_secret_length (first));
  sp_secret_unref (g_queue_pop_head (&tunnel->in));
  tunnel->in_done = 0;
}

static void
flush (SpTunnel *tunnel)
{
  while (tunnel->fd >= 0 && !g_queue_is_empty (&tunnel->in)) {
    SpSecret *first = g_queue_peek_head (&tunnel->in);
    gssize n = send (tunnel->fd, sp_secret_data (first) + tunnel->in_done,
                     sp_secret_length (first) - tunnel->in_done, MSG_NOSIGNAL);

    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0 && errno == EAGAIN)
      break;
    if (n < 0) {
      ended (tunnel);
      return;
    }
    consume (tunnel, (gsize) n);
  }
  if (tunnel->fd >= 0 && !g_queue_is_empty (&tunnel->in))
    watch (tunnel, &tunnel->writer, G_IO_OUT, on_writable);
  else
    source_clear (&tunnel->writer);
}

static void
allow (SpTunnel *tunnel)
{
  guint bytes = tunnel->consumed;

  if (tunnel->fd < 0 || bytes < ALLOW_AT)
    return;
  tunnel->consumed = 0;
  tunnel->events.allow (bytes, tunnel->data);
}

static gboolean
on_writable (int fd, GIOCondition condition, gpointer data)
{
  SpTunnel *tunnel = tunnel_ref (data);

  flush (tunnel);
  allow (tunnel);
  tunnel_unref (tunnel);
  return G_SOURCE_CONTINUE;
}

gboolean
sp_tunnel_take (SpTunnel *tunnel, SpSecret *bytes)
{
  gsize length = sp_secret_length (bytes);

  if (length == 0 || length > SP_TUNNEL_WINDOW ||
      cost_of (length) > SP_TUNNEL_WINDOW - tunnel->waiting - tunnel->consumed)
    return FALSE;
  if (tunnel->fd < 0)
    return TRUE;
  (void) tunnel_ref (tunnel);
  g_queue_push_tail (&tunnel->in, sp_secret_ref (bytes));
  tunnel->waiting += cost_of (length);
  flush (tunnel);
  allow (tunnel);
  tunnel_unref (tunnel);
  return TRUE;
}

/* ---- life ------------------------------------------------------------------------------------------- */

SpTunnel *
sp_tunnel_new (int fd, const SpTunnelEvents *events, gpointer data)
{
  SpTunnel *tunnel = g_new0 (SpTunnel, 1);

  g_ref_count_init (&tunnel->refs);
  tunnel->fd = fd;
  tunnel->events = *events;
  tunnel->data = data;
  tunnel->context = g_main_context_ref_thread_default ();
  g_queue_init (&tunnel->in);
  (void) g_unix_set_fd_nonblocking (fd, TRUE, NULL);
  (void) sp_tunnel_allowed (tunnel, SP_TUNNEL_WINDOW);
  return tunnel;
}

void
sp_tunnel_free (SpTunnel *tunnel)
{
  if (tunnel == NULL)
    return;
  shut (tunnel);
  tunnel_unref (tunnel);
}
