/* http-channel.h - the bytes under a connection: a socket, with TLS or without, never blocking
 *
 * The first byte that the client sends decides: 0x16 starts a TLS handshake (RFC 8446 section 5.1), and
 * no HTTP request.  TLS is GIO's, 1.2 at least.
 */
#pragma once

#include <gio/gio.h>

typedef struct _SpHttpChannel SpHttpChannel;

typedef enum {
  SP_HTTP_IO_DONE,
  SP_HTTP_IO_WAIT, /* not now: ready() will be called when it is worth another try */
  SP_HTTP_IO_END,  /* the other end is gone, or broke the rules: only close is left */
} SpHttpIo;

/* What was waited for may be possible now; also called without need. */
typedef void (*SpHttpChannelReady) (gpointer data);

/* @certificate: NULL: no TLS. */
SpHttpChannel *sp_http_channel_new (GSocketConnection *socket, GTlsCertificate *certificate,
                                    SpHttpChannelReady ready, gpointer data);
/* Shuts the socket down at once; ready() is not called any more. */
void sp_http_channel_free (SpHttpChannel *channel);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpHttpChannel, sp_http_channel_free)

/* Find out what the client speaks, and shake hands; call again until it is done. */
SpHttpIo sp_http_channel_open (SpHttpChannel *channel);
/* TRUE from the first byte of a handshake on. */
gboolean sp_http_channel_is_tls (const SpHttpChannel *channel);

/* Read at most @room bytes; at least one where it is done. */
SpHttpIo sp_http_channel_read (SpHttpChannel *channel, gpointer to, gsize room, gsize *ret_length);
/* Write what the socket takes of @parts; after WAIT come back with the same bytes. */
SpHttpIo
sp_http_channel_write (SpHttpChannel *channel, GOutputVector *parts, gsize n, gsize *ret_length);

/* Call @gone when the other end has gone, or has shut down its sending side, until @watch is FALSE. */
void sp_http_channel_watch_client (SpHttpChannel *channel, gboolean watch, SpHttpChannelReady gone);

/* Nothing more is sent.  What comes is thrown away with sp_http_channel_drain(), which works below
 * TLS. */
void sp_http_channel_finish (SpHttpChannel *channel);
SpHttpIo sp_http_channel_drain (SpHttpChannel *channel, gsize *ret_length);
