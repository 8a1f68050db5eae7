/* http-peer.c - addresses as http-peer.h counts them
 *
 * IPv4 is kept as ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2), however it came; the rest of a /64 is
 * zero; this machine is ::1.
 */
#include "daemon/http-peer.h"

#include <string.h>

static const guint8 local[16] = { [15] = 1 };
static const guint8 mapped[12] = { [10] = 0xff, [11] = 0xff };

static void
take_v4 (SpHttpPeer *peer, const guint8 *bytes)
{
  memcpy (peer->bytes, mapped, sizeof mapped);
  memcpy (peer->bytes + sizeof mapped, bytes, 4);
}

void
sp_http_peer_init (SpHttpPeer *peer, GSocketAddress *address)
{
  GInetAddress *inet = G_IS_INET_SOCKET_ADDRESS (address)
                           ? g_inet_socket_address_get_address (G_INET_SOCKET_ADDRESS (address))
                           : NULL;
  const guint8 *bytes = inet ? g_inet_address_to_bytes (inet) : NULL;
  gboolean v4 = inet && g_inet_address_get_family (inet) == G_SOCKET_FAMILY_IPV4;

  memset (peer, 0, sizeof *peer);
  if (inet != NULL && !v4 && memcmp (bytes, mapped, sizeof mapped) == 0) {
    v4 = TRUE;
    bytes += sizeof mapped;
  }
  if (inet == NULL || g_inet_address_get_is_loopback (inet) || (v4 && bytes[0] == 127))
    memcpy (peer->bytes, local, sizeof local);
  else if (v4)
    take_v4 (peer, bytes);
  else
    memcpy (peer->bytes, bytes, 8);
}

gboolean
sp_http_peer_equal (const SpHttpPeer *a, const SpHttpPeer *b)
{
  return memcmp (a->bytes, b->bytes, sizeof a->bytes) == 0;
}

gboolean
sp_http_peer_is_local (const SpHttpPeer *peer)
{
  return memcmp (peer->bytes, local, sizeof local) == 0;
}
