/* rpc.h - JSON-RPC 2.0, one message a line, between host and keeper and on admin.sock
 *
 * Used on a byte stream: a socketpair, a Unix socket, a virtio-serial port.  A line is at most 256
 * KiB; what is longer, or is no JSON-RPC, is answered with an error where it has an id, and dropped
 * otherwise: on a serial port the first line after a restart may be the rest of an old one.
 *
 * A secret rides in params.secret_base64.  It is cut out of the line before the JSON parser sees it,
 * and put in after the JSON writer is done; lines are wiped.
 */
#pragma once

#include <json-glib/json-glib.h>

#include "base/secret.h"

#define SP_RPC_MAX_LINE (256u * 1024u)

typedef struct _SpRpc SpRpc;

typedef struct {
  char *id;         /* NULL: a notification */
  char *method;     /* NULL: a response */
  JsonNode *params; /* of a request: an object, never NULL */
  SpSecret *secret; /* of a request: what params.secret_base64 held, or NULL */
  JsonNode *result; /* of a response */
  GError *error;    /* of a response that failed: SP_PROBLEM */
} SpRpcMessage;

SpRpcMessage *sp_rpc_message_new (const char *id, const char *method);
void sp_rpc_message_free (SpRpcMessage *message);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpRpcMessage, sp_rpc_message_free)

/* @message is the callee's. */
typedef void (*SpRpcFunc) (SpRpc *rpc, SpRpcMessage *message, gpointer data);
/* The stream ended.  Not called for sp_rpc_close(). */
typedef void (*SpRpcClosed) (SpRpc *rpc, gpointer data);

/* Takes @fd.  Works on the thread-default GMainContext of the moment.  Where @fd is a character device
 * (a virtio-serial port) an end of file means that nobody is at the other end yet: what is to be sent
 * waits. */
SpRpc *sp_rpc_new (int fd, SpRpcFunc func, SpRpcClosed closed, gpointer data);
SpRpc *sp_rpc_ref (SpRpc *rpc);
void sp_rpc_unref (SpRpc *rpc);
void sp_rpc_close (SpRpc *rpc);
gboolean sp_rpc_is_open (SpRpc *rpc);
/* The other side has not taken all of it yet. */
gboolean sp_rpc_has_unsent (SpRpc *rpc);
/* Nobody is at the other end of the port, as far as is known. */
gboolean sp_rpc_is_alone (SpRpc *rpc);
/* Call @alone whenever the other end of the port is left; it must not close @rpc. */
void sp_rpc_on_alone (SpRpc *rpc, SpRpcClosed alone);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpRpc, sp_rpc_unref)

/* Queue @message; not consumed.  Without effect where the stream has ended. */
void sp_rpc_send (SpRpc *rpc, const SpRpcMessage *message);
/* End the line that a former writer on this stream may have left half-written: the other side drops it
 * instead of what comes next. */
void sp_rpc_break_line (SpRpc *rpc);
/* Answer the request @id.  @result is consumed; NULL: {}. */
void sp_rpc_reply (SpRpc *rpc, const char *id, JsonNode *result);
void sp_rpc_fail (SpRpc *rpc, const char *id, const GError *error);

/* The pure halves, for tests.  sp_rpc_read(): @line without its newline; it is overwritten where the
 * secret stood.  sp_rpc_write(): with the newline. */
SpRpcMessage *sp_rpc_read (char *line, gsize length, GError **error);
SpSecret *sp_rpc_write (const SpRpcMessage *message, GError **error);
