/* agent-client.c - agent-client.h on libsoup
 *
 * What must stay true: the token is sent only after the server has shown the pinned key.  The session
 * has an empty set of certificate authorities, so every certificate is unknown to it, and the decision
 * is always ours.
 */
#include "cli/agent-client.h"

#include <libsoup/soup.h>
#include <string.h>

#include "base/json.h"
#include "base/problem.h"
#include "host/tls.h"

/* A value of 64 KiB as base64, or with each byte escaped, and what stands around it. */
#define MAX_BODY (512u * 1024u)
#define TIMEOUT_S 30u

struct _SpAgentClient {
  const SpAgentFile *file;
  SoupSession *session;
  gboolean wrong_pin; /* of the call in flight */
};

SpAgentClient *
sp_agent_client_new (const SpAgentFile *file)
{
  SpAgentClient *client = g_new0 (SpAgentClient, 1);

  client->file = file;
  client->session = soup_session_new ();
  soup_session_set_proxy_resolver (client->session, NULL);
  soup_session_set_tls_database (client->session, NULL);
  soup_session_remove_feature_by_type (client->session, SOUP_TYPE_CONTENT_DECODER);
  soup_session_set_user_agent (client->session, "secret-proxy");
  return client;
}

void
sp_agent_client_free (SpAgentClient *client)
{
  if (client == NULL)
    return;
  g_object_unref (client->session);
  g_free (client);
}

static gboolean
on_certificate (SoupMessage *message, GTlsCertificate *certificate, GTlsCertificateFlags errors,
                gpointer data)
{
  SpAgentClient *client = data;
  g_autoptr (GByteArray) der = NULL;
  g_autofree char *pin = NULL;

  g_object_get (certificate, "certificate", &der, NULL);
  pin = der ? sp_tls_pin_der (der->data, der->len) : NULL;
  client->wrong_pin = !sp_tls_pin_equal (pin, client->file->tls_pin);
  return !client->wrong_pin;
}

/* ---- one message -------------------------------------------------------------------------------------- */

static void
set_token (SpAgentClient *client, SoupMessageHeaders *headers)
{
  SpSecret *token = client->file->token;
  gsize length = sp_secret_length (token);
  char *value = g_malloc0 (length + sizeof "Bearer ");

  memcpy (value, "Bearer ", strlen ("Bearer "));
  memcpy (value + strlen ("Bearer "), sp_secret_data (token), length);
  soup_message_headers_replace (headers, "Authorization", value);
  sp_wipe (value, length + strlen ("Bearer "));
  g_free (value);
}

static SoupMessage *
message_new (SpAgentClient *client, const SpAgentCall *call, GError **error)
{
  g_autofree char *url = g_strconcat (client->file->url, call->path, NULL);
  SoupMessage *message = soup_message_new (call->method, url);
  SoupMessageHeaders *headers;

  if (message == NULL) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG, "the url of agent.json is none: %s",
                 client->file->url);
    return NULL;
  }
  headers = soup_message_get_request_headers (message);
  soup_message_add_flags (message, SOUP_MESSAGE_NO_REDIRECT);
  g_signal_connect (message, "accept-certificate", G_CALLBACK (on_certificate), client);
  if (client->file->token != NULL)
    set_token (client, headers);
  if (call->idempotency_key != NULL)
    soup_message_headers_replace (headers, "Idempotency-Key", call->idempotency_key);
  if (call->body != NULL) {
    g_autofree char *text = sp_json_text (call->body);
    g_autoptr (GBytes) bytes = g_bytes_new (text, strlen (text));

    soup_message_set_request_body_from_bytes (message, "application/json", bytes);
  }
  return message;
}

static GError *
error_of_transport (SpAgentClient *client, const GError *cause)
{
  if (g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return g_error_new_literal (SP_PROBLEM, SP_PROBLEM_CANCELLED, "interrupted");
  if (client->wrong_pin)
    return g_error_new (SP_PROBLEM, SP_PROBLEM_INTEGRITY,
                        "%s is not the vault of agent.json: its key has another pin; nothing was "
                        "sent to it",
                        client->file->url);
  return g_error_new (SP_PROBLEM, SP_PROBLEM_UNREACHABLE, "cannot reach %s: %s", client->file->url,
                      cause->message);
}

static SpSecret *
read_body (GInputStream *stream, GCancellable *cancellable, GError **error)
{
  g_autoptr (SpSecret) body = sp_secret_new (MAX_BODY);
  gsize length = 0;

  if (!g_input_stream_read_all (stream, sp_secret_data (body), MAX_BODY, &length, cancellable,
                                error))
    return NULL;
  if (length == MAX_BODY) {
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_MESSAGE_TOO_LARGE, "its answer is too long");
    return NULL;
  }
  sp_secret_truncate (body, length);
  return g_steal_pointer (&body);
}

/* ---- what came back ------------------------------------------------------------------------------------- */

static SpProblemCode
code_of_status (guint status)
{
  for (guint code = SP_PROBLEM_UNAUTHORIZED; code < SP_N_PROBLEMS; code++)
    if (sp_problem_status (code) == status)
      return code;
  return SP_PROBLEM_INTERNAL;
}

static GError *
error_of_answer (guint status, JsonObject *problem)
{
  const char *type = NULL, *detail = NULL, *title = NULL, *field = NULL;
  SpProblemCode code = code_of_status (status);
  g_autofree char *message = NULL;

  if (problem != NULL) {
    (void) sp_json_get_string (problem, "type", &type, NULL);
    (void) sp_json_get_string (problem, "title", &title, NULL);
    (void) sp_json_get_string (problem, "detail", &detail, NULL);
    (void) sp_json_get_string (problem, "field", &field, NULL);
  }
  if (type != NULL && g_str_has_prefix (type, SP_PROBLEM_URN))
    (void) sp_problem_from_slug (type + strlen (SP_PROBLEM_URN), &code);
  message = g_strdup (detail ? detail : title);
  if (message == NULL)
    message = g_strdup_printf ("the vault answered with HTTP status %u", status);
  return sp_problem_new_full (code, message, field, 0);
}

static JsonObject *
take_answer (guint status, SpSecret *body, GError **error)
{
  g_autoptr (JsonNode) root =
      sp_json_parse ((const char *) sp_secret_data (body), sp_secret_length (body), 0, NULL);
  JsonObject *object = root && JSON_NODE_HOLDS_OBJECT (root) ? json_node_get_object (root) : NULL;

  if (status < 200 || status > 299) {
    g_propagate_error (error, error_of_answer (status, object));
    return NULL;
  }
  if (object == NULL)
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_UNREACHABLE,
                         "the vault's answer is no JSON object");
  return object ? json_object_ref (object) : NULL;
}

JsonObject *
sp_agent_client_call (SpAgentClient *client, const SpAgentCall *call, GCancellable *cancellable,
                      GError **error)
{
  g_autoptr (SoupMessage) message = message_new (client, call, error);
  g_autoptr (GInputStream) stream = NULL;
  g_autoptr (SpSecret) body = NULL;
  g_autoptr (GError) local = NULL;

  if (message == NULL)
    return NULL;
  client->wrong_pin = FALSE;
  soup_session_set_timeout (client->session, call->timeout_s ? call->timeout_s : TIMEOUT_S);
  stream = soup_session_send (client->session, message, cancellable, &local);
  body = stream ? read_body (stream, cancellable, &local) : NULL;
  if (body == NULL) {
    g_propagate_error (error, error_of_transport (client, local));
    return NULL;
  }
  return take_answer (soup_message_get_status (message), body, error);
}

gboolean
sp_agent_may_retry (const GError *error)
{
  SpProblemCode code = sp_problem_code (error);

  return code == SP_PROBLEM_UNREACHABLE || code == SP_PROBLEM_LOCKED || code == SP_PROBLEM_STORE ||
         code == SP_PROBLEM_NOTIFIER || code == SP_PROBLEM_RATE_LIMITED ||
         code == SP_PROBLEM_TIMED_OUT;
}
