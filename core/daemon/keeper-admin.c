/* keeper-admin.c - the admin channel: sessions, and calls handed to the vault
 *
 * See docs/admin-channel.md.  What belongs to another session of the host than the newest is dropped.
 */
#include <string.h>

#include "base/problem.h"
#include "daemon/keeper-private.h"
#include "sp-build.h"

#define HEAD_MS 50
#define SHUTDOWN_MS 20

typedef struct {
  SpKeeper *keeper;
  char *id;
} Pending;

static void
on_done (const SpVaultResult *result, const GError *error, gpointer data)
{
  Pending *pending = data;

  if (error != NULL)
    sp_rpc_fail (pending->keeper->admin, pending->id, error);
  else
    sp_rpc_reply (pending->keeper->admin, pending->id, json_node_copy (result->json));
  g_free (pending->id);
  g_free (pending);
}

static void
say_hello (SpKeeper *keeper)
{
  g_autoptr (SpRpcMessage) message = sp_rpc_message_new (NULL, "hello");

  json_object_set_string_member (json_node_get_object (message->params), "session",
                                 keeper->session);
  sp_rpc_send (keeper->admin, message);
}

static void
take_hello (SpKeeper *keeper, JsonObject *params)
{
  const char *session = json_object_get_string_member_with_default (params, "session", NULL);

  if (session == NULL || strlen (session) > 64)
    return;
  if (g_strcmp0 (session, keeper->host_session) == 0)
    return;
  g_free (keeper->host_session);
  keeper->host_session = g_strdup (session);
  /* What the host before it had started ended with it. */
  sp_keeper_tunnels_drop (keeper->tunnels, "the host has started anew");
  say_hello (keeper);
}

static gboolean
is_of_session (SpKeeper *keeper, const char *id)
{
  gsize length = keeper->host_session ? strlen (keeper->host_session) : 0;

  return length > 0 && strncmp (id, keeper->host_session, length) == 0 && id[length] == ':';
}

/* ---- status -------------------------------------------------------------------------------------------- */

static JsonObject *
plugin_to_object (const SpKeeperPlugin *plugin)
{
  JsonObject *object = sp_plugin_client_to_json (plugin->client);

  json_object_set_boolean_member (object, "critical", plugin->critical);
  return object;
}

JsonObject *
sp_keeper_status (SpKeeper *keeper)
{
  JsonObject *object = json_object_new ();
  JsonArray *plugins = json_array_new ();
  const char *why = sp_keeper_unhealthy (keeper);

  json_object_set_string_member (object, "state", keeper->unlocked ? "owned" : "locked");
  if (keeper->vault_id != NULL)
    json_object_set_string_member (object, "vault", keeper->vault_id);
  json_object_set_string_member (object, "version", SP_VERSION);
  json_object_set_string_member (object, "health", why ? why : "ok");
  if (keeper->store != NULL)
    json_array_add_object_element (plugins, plugin_to_object (keeper->store));
  for (guint i = 0; i < keeper->notifiers->len; i++)
    json_array_add_object_element (plugins,
                                   plugin_to_object (g_ptr_array_index (keeper->notifiers, i)));
  json_object_set_array_member (object, "plugins", plugins);
  if (keeper->unlocked)
    sp_vault_describe (keeper->vault, object);
  return object;
}

static void
reply_status (SpKeeper *keeper, const char *id)
{
  JsonNode *node = json_node_new (JSON_NODE_OBJECT);

  json_node_take_object (node, sp_keeper_status (keeper));
  sp_rpc_reply (keeper->admin, id, node);
}

/* ---- requests -------------------------------------------------------------------------------------------- */

static void
fail (SpKeeper *keeper, const char *id, SpProblemCode code, const char *message)
{
  g_autoptr (GError) error = g_error_new_literal (SP_PROBLEM, (gint) code, message);

  sp_rpc_fail (keeper->admin, id, error);
}

/* Once the answer is on its way. */
static gboolean
on_shutdown (gpointer data)
{
  SpKeeper *keeper = data;

  if (sp_rpc_is_open (keeper->admin) && sp_rpc_has_unsent (keeper->admin))
    return G_SOURCE_CONTINUE;
  (void) sp_control_send (keeper->control, SP_CONTROL_END, 0, -1);
  return G_SOURCE_REMOVE;
}

static void
shut_down (SpKeeper *keeper, const char *id)
{
  sp_rpc_reply (keeper->admin, id, NULL);
  g_timeout_add (SHUTDOWN_MS, on_shutdown, keeper);
}

static void
take_request (SpKeeper *keeper, SpRpcMessage *message)
{
  JsonObject *params = json_node_get_object (message->params);
  Pending *pending;

  if (g_str_equal (message->method, "vault.unlock")) {
    sp_keeper_unlock (keeper, message->id, params, message->secret);
    return;
  }
  if (g_str_equal (message->method, "vault.status")) {
    reply_status (keeper, message->id);
    return;
  }
  if (g_str_equal (message->method, "vault.shutdown")) {
    shut_down (keeper, message->id);
    return;
  }
  if (!keeper->unlocked) {
    fail (keeper, message->id, SP_PROBLEM_LOCKED, "the vault is locked: it has no keys yet");
    return;
  }
  if (g_str_equal (message->method, "vault.configure")) {
    sp_keeper_configure (keeper, message->id, params, message->secret);
    return;
  }
  pending = g_new0 (Pending, 1);
  pending->keeper = keeper;
  pending->id = g_strdup (message->id);
  if (sp_vault_admin (keeper->vault, message->method, params, message->secret, on_done, pending))
    return;
  g_free (pending->id);
  g_free (pending);
  fail (keeper, message->id, SP_PROBLEM_NOT_FOUND, "there is no such call");
}

static void
take_notification (SpKeeper *keeper, const SpRpcMessage *message)
{
  JsonObject *params = json_node_get_object (message->params);
  const char *session = json_object_get_string_member_with_default (params, "session", NULL);

  if (g_str_equal (message->method, "hello"))
    take_hello (keeper, params);
  else if (g_str_has_prefix (message->method, "plugin.") && session != NULL &&
           g_strcmp0 (session, keeper->host_session) == 0)
    sp_keeper_tunnels_take (keeper->tunnels, message);
}

static void
on_message (SpRpc *rpc, SpRpcMessage *message, gpointer data)
{
  SpKeeper *keeper = data;

  /* At the end the last turns of the loop may bring one more. */
  if (message->method == NULL || keeper->ending)
    return;
  if (message->id == NULL) {
    take_notification (keeper, message);
    return;
  }
  if (is_of_session (keeper, message->id))
    take_request (keeper, message);
}

static void
on_closed (SpRpc *rpc, gpointer data)
{
  SpKeeper *keeper = data;

  /* Without the host nobody could lock, approve or read the log: end, the parent decides. */
  g_warning ("keeper: the admin channel was closed");
  g_main_loop_quit (keeper->loop);
}

/* A vault VM may run on without its host. */
static void
on_alone (SpRpc *rpc, gpointer data)
{
  SpKeeper *keeper = data;

  if (!keeper->ending)
    sp_keeper_tunnels_drop (keeper->tunnels, SP_KEEPER_NO_HOST);
}

gboolean
sp_keeper_tell_host (SpRpcMessage *notification, gpointer data)
{
  const SpKeeper *keeper = data;

  if (keeper->admin == NULL || !sp_rpc_is_open (keeper->admin) || sp_rpc_is_alone (keeper->admin))
    return FALSE;
  json_object_set_string_member (json_node_get_object (notification->params), "session",
                                 keeper->session);
  sp_rpc_send (keeper->admin, notification);
  return TRUE;
}

void
sp_keeper_flush_audit_head (SpKeeper *keeper)
{
  g_autoptr (SpRpcMessage) message = NULL;
  JsonObject *params;

  if (keeper->head_timer == 0)
    return;
  g_clear_handle_id (&keeper->head_timer, g_source_remove);
  message = sp_rpc_message_new (NULL, "audit.head");
  params = json_node_get_object (message->params);
  json_object_set_string_member (params, "session", keeper->session);
  json_object_set_int_member (params, "seq", (gint64) keeper->head_seq);
  json_object_set_string_member (params, "head", keeper->head_hex);
  sp_rpc_send (keeper->admin, message);
}

static gboolean
on_head_timer (gpointer data)
{
  SpKeeper *keeper = data;

  /* A host that does not read is told when it does. */
  if (sp_rpc_is_open (keeper->admin) && sp_rpc_has_unsent (keeper->admin))
    return G_SOURCE_CONTINUE;
  sp_keeper_flush_audit_head (keeper);
  return G_SOURCE_REMOVE;
}

/* Only the newest matters, and a busy vault has a thousand a second. */
void
sp_keeper_audit_head (SpKeeper *keeper, guint64 seq, const char *head_hex)
{
  g_free (keeper->head_hex);
  keeper->head_hex = g_strdup (head_hex);
  keeper->head_seq = seq;
  if (keeper->head_timer == 0)
    keeper->head_timer = g_timeout_add (HEAD_MS, on_head_timer, keeper);
}

void
sp_keeper_admin_start (SpKeeper *keeper, int fd)
{
  keeper->admin = sp_rpc_new (fd, on_message, on_closed, keeper);
  sp_rpc_on_alone (keeper->admin, on_alone);
  sp_rpc_break_line (keeper->admin);
  say_hello (keeper);
}
