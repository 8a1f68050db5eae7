/* http-peer.h - whom a connection counts for
 *
 * A peer is one IPv4 address, one IPv6 /64 (whoever has one address there has them all), or this
 * machine.
 */
#pragma once

#include <gio/gio.h>

typedef struct {
  guint8 bytes[16];
} SpHttpPeer;

/* @address: NULL, or what the connection's other end has; what is no IP address counts as this
 * machine. */
void sp_http_peer_init (SpHttpPeer *peer, GSocketAddress *address);
gboolean sp_http_peer_equal (const SpHttpPeer *a, const SpHttpPeer *b);
gboolean sp_http_peer_is_local (const SpHttpPeer *peer);
