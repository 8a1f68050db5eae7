/* admin-client.c - admin-client.h: SpRpc on a main context of its own, run until the answer is there */
#include "host/resident/admin-client.h"

#include <string.h>

#include "base/problem.h"
#include "base/rpc.h"
#include "host/resident/admin-socket.h"

/* Longer than the resident process waits, so that its answer is the one that is heard. */
#define TIMEOUT_MS 75000u
#define PAGE 100u

struct _SpAdmin {
  GMainContext *context;
  SpRpc *rpc;
  guint n_calls;
  char *id; /* of the call that is open */
  SpRpcMessage *answer;
  gboolean closed, late;
};

static void
on_message (SpRpc *rpc, SpRpcMessage *message, gpointer data)
{
  SpAdmin *admin = data;

  if (message->method != NULL || admin->answer != NULL || g_strcmp0 (message->id, admin->id) != 0)
    return;
  admin->answer = sp_rpc_message_new (message->id, NULL);
  admin->answer->result = g_steal_pointer (&message->result);
  admin->answer->error = g_steal_pointer (&message->error);
}

static void
on_closed (SpRpc *rpc, gpointer data)
{
  ((SpAdmin *) data)->closed = TRUE;
}

SpAdmin *
sp_admin_open_folder (const char *folder, GError **error)
{
  int fd = sp_admin_connect (folder, error);
  SpAdmin *admin;

  if (fd < 0)
    return NULL;
  admin = g_new0 (SpAdmin, 1);
  admin->context = g_main_context_new ();
  g_main_context_push_thread_default (admin->context);
  admin->rpc = sp_rpc_new (fd, on_message, on_closed, admin);
  g_main_context_pop_thread_default (admin->context);
  return admin;
}

void
sp_admin_free (SpAdmin *admin)
{
  if (admin == NULL)
    return;
  sp_rpc_close (admin->rpc);
  sp_rpc_unref (admin->rpc);
  g_main_context_unref (admin->context);
  sp_rpc_message_free (admin->answer);
  g_free (admin->id);
  g_free (admin);
}

static gboolean
on_late (gpointer data)
{
  ((SpAdmin *) data)->late = TRUE;
  return G_SOURCE_REMOVE;
}

static void
wait_for_answer (SpAdmin *admin)
{
  g_autoptr (GSource) timer = g_timeout_source_new (TIMEOUT_MS);

  g_source_set_callback (timer, on_late, admin, NULL);
  g_source_attach (timer, admin->context);
  while (admin->answer == NULL && !admin->closed && !admin->late)
    g_main_context_iteration (admin->context, TRUE);
  g_source_destroy (timer);
}

static JsonNode *
result_of (SpAdmin *admin, GError **error)
{
  if (admin->answer == NULL) {
    g_set_error_literal (error, SP_PROBLEM,
                         admin->closed ? SP_PROBLEM_UNREACHABLE : SP_PROBLEM_TIMED_OUT,
                         admin->closed ? "the vault closed the connection: it may have been stopped"
                                       : "the vault does not answer");
    return NULL;
  }
  if (admin->answer->error == NULL)
    return g_steal_pointer (&admin->answer->result);
  g_propagate_error (error, g_steal_pointer (&admin->answer->error));
  return NULL;
}

JsonNode *
sp_admin_call (SpAdmin *admin, const char *method, JsonObject *params, SpSecret *secret,
               GError **error)
{
  g_autoptr (SpRpcMessage) message = NULL;

  g_free (admin->id);
  admin->id = g_strdup_printf ("%u", ++admin->n_calls);
  g_clear_pointer (&admin->answer, sp_rpc_message_free);
  message = sp_rpc_message_new (admin->id, method);
  if (params != NULL)
    json_node_take_object (message->params, params);
  message->secret = secret ? sp_secret_ref (secret) : NULL;
  sp_rpc_send (admin->rpc, message);
  wait_for_answer (admin);
  return result_of (admin, error);
}

/* ---- lists -------------------------------------------------------------------------------------------- */

/* Move the items of @page over.  FALSE: @max is reached. */
static gboolean
take_items (JsonObject *page, JsonArray *items, guint max)
{
  JsonNode *member = json_object_get_member (page, "items");
  JsonArray *from = member && JSON_NODE_HOLDS_ARRAY (member) ? json_node_get_array (member) : NULL;

  for (guint i = 0; from != NULL && i < json_array_get_length (from); i++) {
    if (max > 0 && json_array_get_length (items) >= max)
      return FALSE;
    if (JSON_NODE_HOLDS_OBJECT (json_array_get_element (from, i)))
      json_array_add_element (items, json_array_dup_element (from, i));
  }
  return max == 0 || json_array_get_length (items) < max;
}

static JsonNode *
list_node (JsonArray *items, JsonNode *next)
{
  JsonNode *node = json_node_new (JSON_NODE_OBJECT);
  JsonObject *object = json_object_new ();

  json_node_take_object (node, object);
  json_object_set_array_member (object, "items", items);
  json_object_set_member (object, "next", next ? next : json_node_new (JSON_NODE_NULL));
  return node;
}

static JsonObject *
params_of_page (JsonObject *params, JsonNode *after, guint limit)
{
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  g_autoptr (JsonNode) copy = NULL;

  json_node_set_object (node, params);
  copy = json_node_copy (node);
  if (after != NULL)
    json_object_set_member (json_node_get_object (copy), "after", json_node_copy (after));
  if (limit > 0)
    json_object_set_int_member (json_node_get_object (copy), "limit", limit);
  return json_object_ref (json_node_get_object (copy));
}

JsonNode *
sp_admin_list (SpAdmin *admin, const char *method, JsonObject *params, guint max, GError **error)
{
  g_autoptr (JsonObject) base = params ? params : json_object_new ();
  g_autoptr (JsonArray) items = json_array_new ();
  g_autoptr (JsonNode) after = NULL;

  for (;;) {
    guint limit = max > 0 ? MIN (max - json_array_get_length (items), PAGE) : 0;
    g_autoptr (JsonNode) page =
        sp_admin_call (admin, method, params_of_page (base, after, limit), NULL, error);
    JsonObject *object = page && JSON_NODE_HOLDS_OBJECT (page) ? json_node_get_object (page) : NULL;
    JsonNode *next = object ? json_object_get_member (object, "next") : NULL;

    if (page == NULL)
      return NULL;
    g_clear_pointer (&after, json_node_unref);
    if (next != NULL && !JSON_NODE_HOLDS_NULL (next))
      after = json_node_copy (next);
    if (object == NULL || !take_items (object, items, max) || after == NULL)
      return list_node (g_steal_pointer (&items), g_steal_pointer (&after));
  }
}

JsonObject *
sp_params_new (const char *name, const char *value)
{
  JsonObject *params = json_object_new ();

  json_object_set_string_member (params, name, value);
  return params;
}
