/* answer-socket.h - answers that come later, from any program of the user that this one runs as
 *
 * A Unix socket, 0600; root and the running user may connect.  One line of JSON each way, then it is
 * closed: {"notice","choice","person"}, and {"result": WORD, "text"?} or {"error": SENTENCE}.
 */
#pragma once

#include "message.h"

typedef struct _NxSocket NxSocket;

/* On the thread-default GMainContext.  What lies at @path is replaced where it is a socket at which
 * nobody listens. */
NxSocket *nx_socket_open (SpHost *host, const char *path, GError **error);
/* Also removes it. */
void nx_socket_close (NxSocket *socket);
