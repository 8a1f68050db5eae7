/* rpc-message.c - one line of JSON-RPC, read and written: the pure half of rpc.h
 *
 * What must stay true: a line is checked by the bounded reader before it is parsed, and a secret is cut
 * out of it before that; it is put in only after the JSON writer is done.
 */
#include <string.h>

#include "base/json.h"
#include "base/problem.h"
#include "base/rpc.h"

#define SECRET_MEMBER "secret_base64"
/* Stands for the secret while the JSON writer works.  Inside a string its quotes would be escaped, so
 * this text can only be the member itself. */
#define PLACEHOLDER "\"" SECRET_MEMBER "\":\"@\""

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
