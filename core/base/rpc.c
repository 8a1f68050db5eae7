/* rpc.c - lines in, lines out: rpc.h
 *
 * What must stay true: a line is checked by the bounded reader before it is parsed; a secret is in no
 * buffer that is not wiped; a peer that sends too much is cut off from memory, not from service: what
 * is over-long is skipped up to its newline.
 */
#include "base/rpc.h"

#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/problem.h"

#define SECRET_MEMBER "secret_base64"
/* Stands for the secret while the JSON writer works.  Inside a string its quotes would be escaped, so
 * this text can only be the member itself. */
#define PLACEHOLDER "\"" SECRET_MEMBER "\":\"@\""
#define MAX_QUEUED (16u * 1024u * 1024u)

struct _SpRpc {
  grefcount refs;
  int fd;
  gboolean open;
  SpRpcFunc func;
  SpRpcClosed closed;
  gpointer data;
  GMainContext *context;
  GSource *reader, *writer;
  SpSecret *in;
  gsize in_length;
  gboolean skipping; /* the rest of a line that was too long */
  GQueue out;        /* SpSecret */
  gsize out_done, out_length;
};

SpRpcMessage *
sp_rpc_message_new (const char *id, const char *method)
{
  SpRpcMessage *message = g_new0 (SpRpcMessage, 1);

  message->id = g_strdup (id);
  message->method = g_strdup (method);
  if (method != NULL) {
    message->params = json_node_new (JSON_NODE_OBJECT);
    json_node_take_object (message->params, json_object_new ());
  }
  return message;
}

void
sp_rpc_message_free (SpRpcMessage *message)
{
  if (message == NULL)
    return;
  g_free (message->id);
  g_free (message->method);
  g_clear_pointer (&message->params, json_node_unref);
  g_clear_pointer (&message->secret, sp_secret_unref);
  g_clear_pointer (&message->result, json_node_unref);
  g_clear_error (&message->error);
  g_free (message);
}

/* ---- reading one line ------------------------------------------------------------------------------ */

static GError *
error_from_object (JsonObject *object)
{
  SpProblemCode code = SP_PROBLEM_INTERNAL;
  const char *message = "an error without a message", *slug = NULL, *field = NULL;
  JsonNode *data = json_object_get_member (object, "data");
  gint64 retry_after = 0;

  (void) sp_json_get_string (object, "message", &message, NULL);
  if (data != NULL && JSON_NODE_HOLDS_OBJECT (data)) {
    (void) sp_json_get_string (json_node_get_object (data), "type", &slug, NULL);
    (void) sp_json_get_string (json_node_get_object (data), "field", &field, NULL);
    (void) sp_json_get_int (json_node_get_object (data), "retry_after", &retry_after, NULL);
  }
  if (slug != NULL)
    (void) sp_problem_from_slug (slug, &code);
  return sp_problem_new_full (code, message, field, (guint) CLAMP (retry_after, 0, G_MAXINT));
}

static gboolean
fill_request (SpRpcMessage *message, JsonObject *object, GError **error)
{
  JsonNode *params = json_object_get_member (object, "params");

  if (params != NULL && !JSON_NODE_HOLDS_OBJECT (params)) {
    sp_problem_set_invalid (error, "params", "params must be an object");
    return FALSE;
  }
  if (params != NULL) {
    g_clear_pointer (&message->params, json_node_unref);
    message->params = json_node_copy (params);
    json_object_remove_member (json_node_get_object (message->params), SECRET_MEMBER);
  }
  return TRUE;
}

static gboolean
fill_response (SpRpcMessage *message, JsonObject *object, GError **error)
{
  JsonNode *failure = json_object_get_member (object, "error");
  JsonNode *result = json_object_get_member (object, "result");

  if (failure != NULL && JSON_NODE_HOLDS_OBJECT (failure))
    message->error = error_from_object (json_node_get_object (failure));
  else if (result != NULL && message->id != NULL)
    message->result = json_node_copy (result);
  else
    sp_problem_set_invalid (error, NULL, "neither a request nor a response");
  return message->error != NULL || message->result != NULL;
}

static SpRpcMessage *
message_from_object (JsonObject *object, GError **error)
{
  const char *version = NULL, *id = NULL, *method = NULL;
  g_autoptr (SpRpcMessage) message = NULL;

  if (!sp_json_get_string (object, "jsonrpc", &version, error) ||
      !sp_json_get_string (object, "id", &id, error) ||
      !sp_json_get_string (object, "method", &method, error))
    return NULL;
  if (g_strcmp0 (version, "2.0") != 0) {
    sp_problem_set_invalid (error, "jsonrpc", "this is no JSON-RPC 2.0");
    return NULL;
  }
  message = sp_rpc_message_new (id, method);
  if (method != NULL ? !fill_request (message, object, error)
                     : !fill_response (message, object, error))
    return NULL;
  return g_steal_pointer (&message);
}

/* json-glib's immutable trees can't be changed, and the secret's member is taken out: so parsed trees
 * are copied member by member. */
SpRpcMessage *
sp_rpc_read (char *line, gsize length, GError **error)
{
  g_autoptr (SpSecret) secret = NULL;
  g_autoptr (JsonNode) root = NULL;
  g_autoptr (SpRpcMessage) message = NULL;

  if (!sp_json_check (line, length, error) ||
      !sp_json_take_secret (line, length, SECRET_MEMBER, &secret, error))
    return NULL;
  root = sp_json_parse (line, length, 0, error);
  if (root == NULL)
    return NULL;
  if (!JSON_NODE_HOLDS_OBJECT (root)) {
    sp_problem_set_invalid (error, NULL, "this is no JSON-RPC 2.0");
    return NULL;
  }
  message = message_from_object (json_node_get_object (root), error);
  if (message != NULL && message->method != NULL)
    message->secret = g_steal_pointer (&secret);
  return g_steal_pointer (&message);
}

/* ---- writing one line ------------------------------------------------------------------------------- */

static JsonObject *
object_from_error (const GError *error)
{
  SpProblemCode code = sp_problem_code (error);
  g_autofree char *text = g_utf8_make_valid (error->message, -1);
  JsonObject *object = json_object_new (), *data = json_object_new ();

  json_object_set_string_member (data, "type", sp_problem_slug (code));
  if (sp_problem_field (error) != NULL)
    json_object_set_string_member (data, "field", sp_problem_field (error));
  if (sp_problem_retry_after (error) != 0)
    json_object_set_int_member (data, "retry_after", sp_problem_retry_after (error));
  json_object_set_int_member (object, "code", -32000 - (gint64) code);
  json_object_set_string_member (object, "message", text);
  json_object_set_object_member (object, "data", data);
  return object;
}

static char *
text_of_message (const SpRpcMessage *message)
{
  g_autoptr (JsonNode) root = json_node_new (JSON_NODE_OBJECT);
  JsonObject *object = json_object_new ();

  json_node_take_object (root, object);
  json_object_set_string_member (object, "jsonrpc", "2.0");
  if (message->id != NULL)
    json_object_set_string_member (object, "id", message->id);
  if (message->method != NULL) {
    JsonNode *params = json_node_copy (message->params);

    if (message->secret != NULL)
      json_object_set_string_member (json_node_get_object (params), SECRET_MEMBER, "@");
    json_object_set_string_member (object, "method", message->method);
    json_object_set_member (object, "params", params);
  } else if (message->error != NULL) {
    json_object_set_object_member (object, "error", object_from_error (message->error));
  } else {
    json_object_set_member (object, "result", json_node_copy (message->result));
  }
  return sp_json_text (root);
}

static SpSecret *
join (const char *head, gsize head_length, SpSecret *middle, const char *tail)
{
  gsize middle_length = middle ? sp_secret_length (middle) : 0, tail_length = strlen (tail);
  SpSecret *line = sp_secret_new (head_length + middle_length + tail_length + 1);
  guint8 *to = sp_secret_data (line);

  memcpy (to, head, head_length);
  if (middle_length > 0)
    memcpy (to + head_length, sp_secret_data (middle), middle_length);
  memcpy (to + head_length + middle_length, tail, tail_length);
  to[head_length + middle_length + tail_length] = '\n';
  return line;
}

SpSecret *
sp_rpc_write (const SpRpcMessage *message, GError **error)
{
  g_autofree char *text = text_of_message (message);
  g_autoptr (SpSecret) base64 = NULL;
  g_autoptr (SpSecret) line = NULL;
  const char *at = NULL;

  if (message->secret != NULL && message->method != NULL) {
    base64 =
        sp_secret_to_base64 (sp_secret_data (message->secret), sp_secret_length (message->secret));
    at = g_strrstr (text, PLACEHOLDER); /* the last: it was added last */
  }
  if (at != NULL)
    at += strlen (PLACEHOLDER) - 2; /* at the @ */
  line = at != NULL ? join (text, (gsize) (at - text), base64, at + 1)
                    : join (text, strlen (text), NULL, "");
  if (sp_secret_length (line) > SP_RPC_MAX_LINE) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_TOO_LARGE,
                 "a message of %" G_GSIZE_FORMAT " bytes; %u is the most", sp_secret_length (line),
                 SP_RPC_MAX_LINE);
    return NULL;
  }
  return g_steal_pointer (&line);
}

/* ---- the stream --------------------------------------------------------------------------------------- */

static void
source_clear (GSource **source)
{
  if (*source == NULL)
    return;
  g_source_destroy (*source);
  g_clear_pointer (source, g_source_unref);
}

SpRpc *
sp_rpc_ref (SpRpc *rpc)
{
  g_ref_count_inc (&rpc->refs);
  return rpc;
}

static void
shut (SpRpc *rpc)
{
  rpc->open = FALSE;
  source_clear (&rpc->reader);
  source_clear (&rpc->writer);
  (void) close (rpc->fd);
  g_clear_pointer (&rpc->in, sp_secret_unref);
  g_queue_clear_full (&rpc->out, (GDestroyNotify) sp_secret_unref);
}

void
sp_rpc_close (SpRpc *rpc)
{
  if (rpc->open)
    shut (rpc);
}

void
sp_rpc_unref (SpRpc *rpc)
{
  if (rpc == NULL || !g_ref_count_dec (&rpc->refs))
    return;
  sp_rpc_close (rpc);
  g_main_context_unref (rpc->context);
  g_free (rpc);
}

gboolean
sp_rpc_is_open (SpRpc *rpc)
{
  return rpc->open;
}

gboolean
sp_rpc_has_unsent (SpRpc *rpc)
{
  return !g_queue_is_empty (&rpc->out);
}

static void
ended (SpRpc *rpc)
{
  if (!rpc->open)
    return;
  shut (rpc);
  if (rpc->closed != NULL)
    rpc->closed (rpc, rpc->data);
}

static gboolean on_writable (int fd, GIOCondition condition, gpointer data);

static void
flush (SpRpc *rpc)
{
  while (rpc->open && !g_queue_is_empty (&rpc->out)) {
    SpSecret *line = g_queue_peek_head (&rpc->out);
    gssize n = write (rpc->fd, sp_secret_data (line) + rpc->out_done,
                      sp_secret_length (line) - rpc->out_done);

    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0 && errno != EAGAIN) {
      ended (rpc);
      return;
    }
    if (n < 0) {
      if (rpc->writer == NULL) {
        rpc->writer = g_unix_fd_source_new (rpc->fd, G_IO_OUT);
        g_source_set_callback (rpc->writer, G_SOURCE_FUNC (on_writable), rpc, NULL);
        g_source_attach (rpc->writer, rpc->context);
      }
      return;
    }
    rpc->out_done += (gsize) n;
    rpc->out_length -= (gsize) n;
    if (rpc->out_done == sp_secret_length (line)) {
      sp_secret_unref (g_queue_pop_head (&rpc->out));
      rpc->out_done = 0;
    }
  }
  source_clear (&rpc->writer);
}

static gboolean
on_writable (int fd, GIOCondition condition, gpointer data)
{
  SpRpc *rpc = sp_rpc_ref (data);

  flush (rpc);
  sp_rpc_unref (rpc);
  return G_SOURCE_CONTINUE;
}

static void
queue_line (SpRpc *rpc, SpSecret *line)
{
  rpc->out_length += sp_secret_length (line);
  g_queue_push_tail (&rpc->out, line);
  /* A peer that does not read must not fill our memory. */
  if (rpc->out_length > MAX_QUEUED)
    ended (rpc);
  else if (rpc->writer == NULL)
    flush (rpc);
}

void
sp_rpc_break_line (SpRpc *rpc)
{
  if (rpc->open)
    queue_line (rpc, sp_secret_new_from ("\n", 1));
}

void
sp_rpc_send (SpRpc *rpc, const SpRpcMessage *message)
{
  g_autoptr (GError) error = NULL;
  SpSecret *line;

  if (!rpc->open)
    return;
  line = sp_rpc_write (message, &error);
  if (line != NULL)
    queue_line (rpc, line);
  else if (message->method == NULL)
    sp_rpc_fail (rpc, message->id, error);
  else
    g_warning ("rpc: cannot send %s: %s", message->method, error->message);
}

void
sp_rpc_reply (SpRpc *rpc, const char *id, JsonNode *result)
{
  g_autoptr (SpRpcMessage) message = sp_rpc_message_new (id, NULL);

  if (result == NULL) {
    result = json_node_new (JSON_NODE_OBJECT);
    json_node_take_object (result, json_object_new ());
  }
  message->result = result;
  sp_rpc_send (rpc, message);
}

void
sp_rpc_fail (SpRpc *rpc, const char *id, const GError *error)
{
  g_autoptr (SpRpcMessage) message = sp_rpc_message_new (id, NULL);

  message->error = g_error_copy (error);
  sp_rpc_send (rpc, message);
}

/* Answer what has an id and is a request; drop everything else. */
static void
refuse_line (SpRpc *rpc, const char *line, gsize length, const GError *error)
{
  g_autoptr (JsonNode) root = sp_json_parse (line, length, 0, NULL);
  const char *id = NULL;

  if (root != NULL && JSON_NODE_HOLDS_OBJECT (root) &&
      json_object_has_member (json_node_get_object (root), "method"))
    (void) sp_json_get_string (json_node_get_object (root), "id", &id, NULL);
  if (id != NULL)
    sp_rpc_fail (rpc, id, error);
  else
    g_debug ("rpc: a line was dropped: %s", error->message);
}

static void
take_line (SpRpc *rpc, char *line, gsize length)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (SpRpcMessage) message = NULL;

  if (length == 0)
    return;
  message = sp_rpc_read (line, length, &error);
  if (message != NULL)
    rpc->func (rpc, message, rpc->data);
  else
    refuse_line (rpc, line, length, error);
}

static void
take_lines (SpRpc *rpc)
{
  char *data = (char *) sp_secret_data (rpc->in);
  gsize start = 0;
  char *end;

  while (rpc->open && (end = memchr (data + start, '\n', rpc->in_length - start)) != NULL) {
    gsize length = (gsize) (end - data) - start;

    if (!rpc->skipping)
      take_line (rpc, data + start, length);
    rpc->skipping = FALSE;
    start += length + 1;
  }
  if (!rpc->open)
    return;
  memmove (data, data + start, rpc->in_length - start);
  sp_wipe (data + rpc->in_length - start, start);
  rpc->in_length -= start;
  if (rpc->in_length == SP_RPC_MAX_LINE) {
    rpc->skipping = TRUE;
    sp_wipe (data, rpc->in_length);
    rpc->in_length = 0;
  }
}

static gboolean
on_readable (int fd, GIOCondition condition, gpointer user_data)
{
  SpRpc *rpc = sp_rpc_ref (user_data);
  gssize n =
      read (rpc->fd, sp_secret_data (rpc->in) + rpc->in_length, SP_RPC_MAX_LINE - rpc->in_length);

  if (n > 0) {
    rpc->in_length += (gsize) n;
    take_lines (rpc);
  } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
    ended (rpc);
  }
  sp_rpc_unref (rpc);
  return G_SOURCE_CONTINUE;
}

SpRpc *
sp_rpc_new (int fd, SpRpcFunc func, SpRpcClosed closed, gpointer data)
{
  SpRpc *rpc = g_new0 (SpRpc, 1);

  g_ref_count_init (&rpc->refs);
  rpc->fd = fd;
  rpc->open = TRUE;
  rpc->func = func;
  rpc->closed = closed;
  rpc->data = data;
  rpc->in = sp_secret_new (SP_RPC_MAX_LINE);
  rpc->context = g_main_context_ref_thread_default ();
  (void) g_unix_set_fd_nonblocking (fd, TRUE, NULL);
  rpc->reader = g_unix_fd_source_new (fd, G_IO_IN | G_IO_HUP | G_IO_ERR);
  g_source_set_callback (rpc->reader, G_SOURCE_FUNC (on_readable), rpc, NULL);
  g_source_attach (rpc->reader, rpc->context);
  return rpc;
}
