/* http-conn.h - one agent's connection: bytes in, one request at a time, bytes out
 *
 *      first byte -> (TLS handshake) -> head -> body -> served -> written -> head ...
 *                                                                        -> lingering -> closed
 *
 * Every state has a deadline but "served", which is the handler's.  Nothing blocks.  While a request is
 * served nothing more is read, so a client that sends ahead fills its own socket and no memory here.
 * After anything that leaves the framing in doubt the answer is the last one of the connection.
 *
 * Everything happens on the GMainContext that was the thread's default when the connection was made.
 */
#pragma once

#include "daemon/http-head.h"
#include "daemon/http-peer.h"
#include "daemon/http-response.h"

typedef struct _SpHttpConn SpHttpConn;

typedef struct {
  SpHttpHead head;
  SpHttpSlice body; /* of serve() only */
  gboolean tls;
  gconstpointer route; /* head() may keep something of its own here, for serve() */
} SpHttpRequest;

typedef struct {
  /* The head has come.  FALSE: it was answered with sp_http_conn_fail(), the body does not matter. */
  gboolean (*head) (SpHttpConn *conn, SpHttpRequest *request, gpointer data);
  /* Head and body have come: answer with sp_http_conn_respond() or _fail(), now or later.  What
   * @request points at is valid until this returns. */
  void (*serve) (SpHttpConn *conn, const SpHttpRequest *request, gpointer data);
} SpHttpHandler;

/* Milliseconds. */
typedef struct {
  guint head;      /* the first whole head of a connection; any head once it has begun */
  guint body;      /* a whole body */
  guint idle;      /* between requests */
  guint write;     /* a whole answer */
  guint handshake; /* TLS */
  guint linger;    /* for the client to read the last answer */
} SpHttpDeadlines;

extern const SpHttpDeadlines sp_http_deadlines;

typedef struct {
  const SpHttpHandler *handler;
  gpointer data; /* for the handler */
  const SpHttpDeadlines *deadlines;
  void (*closed) (SpHttpConn *conn, gpointer data); /* once */
  gpointer closed_data;
} SpHttpConnSetup;

/* @certificate: NULL: no TLS.  @setup must outlive the connection's last reference.  Works from the
 * next turn of the main context on. */
SpHttpConn *sp_http_conn_new (GSocketConnection *socket, GTlsCertificate *certificate,
                              const SpHttpConnSetup *setup);
SpHttpConn *sp_http_conn_ref (SpHttpConn *conn);
void sp_http_conn_unref (SpHttpConn *conn);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpHttpConn, sp_http_conn_unref)

/* Cut it off. */
void sp_http_conn_close (SpHttpConn *conn);

/* Answer the request that is being served; without effect where the client has gone meanwhile. */
void sp_http_conn_respond (SpHttpConn *conn, const SpHttpResponse *response);
/* The same with a problem; @allow: see SpHttpResponse. */
void sp_http_conn_fail (SpHttpConn *conn, const GError *error, const char *allow);

/* The answer may take long: drop the connection if the client goes before.  A client that only shuts
 * down its sending side counts as gone. */
void sp_http_conn_watch_client (SpHttpConn *conn);

const SpHttpPeer *sp_http_conn_peer (SpHttpConn *conn);
