/* tunnel.h - one end of a byte stream that is carried in messages of an admin channel
 *
 * A notifier with `where = host` has its process on the other side of the admin channel.  The link to it
 * is a socket on each side, and between them a tunnel: what is read here is handed to send(), and
 * arrives over there in sp_tunnel_take().  docs/admin-channel.md has the messages.
 *
 * What must stay true: at most SP_TUNNEL_WINDOW bytes, as messages count, are on their way in each direction, so neither side
 * can fill the other's memory, and no tunnel can fill the channel; the bytes may hold anything, so they
 * are in locked memory and are wiped.
 */
#pragma once

#include "base/secret.h"

#define SP_TUNNEL_WINDOW (256u * 1024u)
#define SP_TUNNEL_CHUNK (48u * 1024u) /* in one message */
/* A message counts for no less: a peer that sends single bytes must not make thousands of them. */
#define SP_TUNNEL_LEAST 1024u

typedef struct _SpTunnel SpTunnel;

typedef struct {
  /* Bytes for the far end. */
  void (*send) (SpSecret *bytes, gpointer data);
  /* The far end may send so many more. */
  void (*allow) (guint bytes, gpointer data);
  /* The socket has ended; all that was read from it was sent.  Not called for sp_tunnel_free(). */
  void (*ended) (gpointer data);
} SpTunnelEvents;

/* Takes @fd, a stream socket.  Works on the thread-default GMainContext; may be freed in any event. */
SpTunnel *sp_tunnel_new (int fd, const SpTunnelEvents *events, gpointer data);
void sp_tunnel_free (SpTunnel *tunnel);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpTunnel, sp_tunnel_free)

/* From the far end.  FALSE: it has sent, or allowed, more than it may: it is broken, end the tunnel. */
gboolean sp_tunnel_take (SpTunnel *tunnel, SpSecret *bytes);
gboolean sp_tunnel_allowed (SpTunnel *tunnel, gint64 bytes);
