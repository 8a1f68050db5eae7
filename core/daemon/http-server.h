/* http-server.h - accepts agents' connections, as many as it can afford
 *
 * What is beyond a cap is accepted and closed at once: left alone it would fill the queue of the
 * kernel and lock out the rest.
 */
#pragma once

#include "daemon/http-conn.h"

typedef struct {
  guint all;
  guint peer;  /* from one peer */
  guint local; /* from this machine, which forwards for others */
} SpHttpCaps;

extern const SpHttpCaps sp_http_caps;

typedef struct _SpHttpServer SpHttpServer;

/* Takes @fd, a listening TCP socket.  The rest must outlive the server.  Works on the thread-default
 * GMainContext of the moment. */
SpHttpServer *
sp_http_server_new (int fd, const SpHttpHandler *handler, gpointer data,
                    const SpHttpDeadlines *deadlines, const SpHttpCaps *caps, GError **error);
/* Cuts off every connection. */
void sp_http_server_free (SpHttpServer *server);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpHttpServer, sp_http_server_free)

/* For connections to come.  NULL: no TLS. */
void sp_http_server_set_certificate (SpHttpServer *server, GTlsCertificate *certificate);

guint sp_http_server_count (SpHttpServer *server);
