/* resident-clients.c - resident.h: the administrators' side of admin.sock
 *
 * What must stay true: no client unlocks or speaks for the host; a client gets its own ids back.
 */
#include <glib-unix.h>
#include <unistd.h>

#include "base/problem.h"
#include "host/resident/admin-socket.h"
#include "host/resident/resident-private.h"

#define MAX_CLIENTS 32u

void
sp_resident_client_free (gpointer data)
{
  SpResidentClient *client = data;

  sp_rpc_close (client->rpc);
  sp_rpc_unref (client->rpc);
  g_free (client);
}

struct _SpResidentAsk {
  SpRpc *rpc;
  char *id;
};

void
sp_resident_answer (SpResidentAsk *ask, JsonNode *result, const GError *error)
{
  if (error != NULL)
    sp_rpc_fail (ask->rpc, ask->id, error);
  else
    sp_rpc_reply (ask->rpc, ask->id, result);
  sp_rpc_unref (ask->rpc);
  g_free (ask->id);
  g_free (ask);
}

static gboolean
take_apply (SpResident *resident, SpResidentClient *client, const SpRpcMessage *message)
{
  SpResidentAsk *ask;

  if (resident->events.apply == NULL || !g_str_equal (message->method, "host.apply"))
    return FALSE;
  ask = g_new0 (SpResidentAsk, 1);
  ask->rpc = sp_rpc_ref (client->rpc);
  ask->id = g_strdup (message->id);
  resident->events.apply (json_node_get_object (message->params), ask, resident->data);
  return TRUE;
}

typedef JsonNode *(*Own) (gpointer data, GError **error);

static gboolean
answer_own (SpResident *resident, SpResidentClient *client, const SpRpcMessage *message)
{
  const struct {
    const char *method;
    Own answer;
  } own[] = {
    { "host.endpoint", resident->events.endpoint },
    { "host.ownership", resident->events.ownership },
    { "host.machine", resident->events.machine },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (own); i++) {
    g_autoptr (GError) error = NULL;
    JsonNode *result;

    if (own[i].answer == NULL || !g_str_equal (message->method, own[i].method))
      continue;
    result = own[i].answer (resident->data, &error);
    if (result != NULL)
      sp_rpc_reply (client->rpc, message->id, result);
    else
      sp_rpc_fail (client->rpc, message->id, error);
    return TRUE;
  }
  return FALSE;
}

static GError *
why_not (SpResident *resident, SpResidentClient *client, const SpRpcMessage *message)
{
  gboolean status = g_str_equal (message->method, "vault.status");

  if (g_str_equal (message->method, "vault.unlock") ||
      g_str_equal (message->method, "vault.configure"))
    return g_error_new_literal (SP_PROBLEM, SP_PROBLEM_INVALID,
                                "only the host unlocks and configures its vault");
  if (resident->state != SP_RESIDENT_UNLOCKED && !(status && resident->state != SP_RESIDENT_DOWN))
    return sp_resident_locked_error (resident);
  if (client->n_calls >= SP_MAX_OPEN_CALLS)
    return g_error_new (SP_PROBLEM, SP_PROBLEM_RATE_LIMITED,
                        "%u calls are open: wait for their answers", client->n_calls);
  return NULL;
}

static void
relay (SpResident *resident, SpResidentClient *client, SpRpcMessage *message)
{
  SpResidentCall *call = sp_resident_call_new (resident, client, message->id);

  g_free (message->id);
  message->id = g_strdup (call->id);
  sp_resident_tell_keeper (resident, message);
}

static void
on_client_message (SpRpc *rpc, SpRpcMessage *message, gpointer data)
{
  SpResidentClient *client = data;
  g_autoptr (GError) error = NULL;

  if (message->method == NULL || message->id == NULL ||
      answer_own (client->resident, client, message) ||
      take_apply (client->resident, client, message))
    return;
  error = why_not (client->resident, client, message);
  if (error != NULL)
    sp_rpc_fail (rpc, message->id, error);
  else
    relay (client->resident, client, message);
}

static gboolean
is_of_client (gpointer id, gpointer call, gpointer client)
{
  return ((SpResidentCall *) call)->client == client;
}

static void
on_client_closed (SpRpc *rpc, gpointer data)
{
  SpResidentClient *client = data;
  SpResident *resident = client->resident;

  (void) g_hash_table_foreach_remove (resident->calls, is_of_client, client);
  (void) g_ptr_array_remove_fast (resident->clients, client);
}

void
sp_resident_add_client (SpResident *resident, int fd)
{
  SpResidentClient *client;

  if (resident->clients->len >= MAX_CLIENTS) {
    (void) close (fd);
    return;
  }
  client = g_new0 (SpResidentClient, 1);
  client->resident = resident;
  client->rpc = sp_rpc_new (fd, on_client_message, on_client_closed, client);
  g_ptr_array_add (resident->clients, client);
}

guint
sp_resident_n_clients (const SpResident *resident)
{
  return resident->clients->len;
}

static gboolean
on_connection (int listener, GIOCondition condition, gpointer data)
{
  int fd = sp_admin_accept (listener);

  if (fd >= 0)
    sp_resident_add_client (data, fd);
  return G_SOURCE_CONTINUE;
}

void
sp_resident_listen (SpResident *resident, int listener)
{
  resident->listener = listener;
  resident->listening = g_unix_fd_source_new (listener, G_IO_IN);
  g_source_set_callback (resident->listening, G_SOURCE_FUNC (on_connection), resident, NULL);
  g_source_attach (resident->listening, resident->context);
}
