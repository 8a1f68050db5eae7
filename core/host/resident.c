/* resident.c - resident.h: sessions, unlocking, relaying
 *
 * What must stay true: nobody but this process unlocks; an answer reaches only the client that asked;
 * each relayed call is answered exactly once.
 */
#include "host/resident.h"

#include <glib-unix.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/problem.h"
#include "base/random.h"
#include "host/admin-socket.h"

#define MAX_CLIENTS 32u
#define MAX_OPEN_CALLS 64u /* of one client */
#define TIMEOUT_MS 60000u

typedef enum {
  DOWN,      /* nobody at the other end, or not heard of yet */
  LOCKED,    /* heard of; not unlocked, or it refused */
  UNLOCKING, /* waiting for its answer */
  UNLOCKED,
} State;

struct _SpResident {
  SpResidentEvents events;
  SpAnchor *anchor;
  gpointer data;
  GMainContext *context;
  guint timeout_ms;
  char *session; /* ours */
  guint64 n_calls;
  SpRpc *keeper;
  char *keeper_session; /* NULL: not heard of yet */
  State state;
  GHashTable *calls;  /* id -> Call, what was asked of this session of the keeper */
  GPtrArray *clients; /* Client */
  int listener;
  GSource *listening;
};

typedef struct {
  SpResident *resident;
  SpRpc *rpc;
  guint n_calls;
} Client;

typedef struct {
  SpResident *resident;
  char *id;       /* ours */
  Client *client; /* NULL: the unlock */
  char *client_id;
  GSource *timer;
} Call;

static void
call_free (gpointer data)
{
  Call *call = data;

  if (call->client != NULL)
    call->client->n_calls--;
  if (call->timer != NULL)
    g_source_destroy (call->timer);
  g_clear_pointer (&call->timer, g_source_unref);
  g_free (call->id);
  g_free (call->client_id);
  g_free (call);
}

static void
client_free (gpointer data)
{
  Client *client = data;

  sp_rpc_close (client->rpc);
  sp_rpc_unref (client->rpc);
  g_free (client);
}

/* ---- calls that are open ---------------------------------------------------------------------------- */

static void
refuse (SpResident *resident, const GError *error)
{
  resident->state = LOCKED;
  resident->events.refused (error, resident->data);
}

/* The end of a relayed call; exactly one of @result and @error is given.  The call is gone before the
 * answer is sent, since sending may find out that the client is gone, too. */
static void
answer_client (Call *call, JsonNode *result, const GError *error)
{
  g_autoptr (SpRpc) rpc = sp_rpc_ref (call->client->rpc);
  g_autofree char *id = g_steal_pointer (&call->client_id);

  call_free (call);
  if (error != NULL)
    sp_rpc_fail (rpc, id, error);
  else
    sp_rpc_reply (rpc, id, result);
}

static void
fail_call (SpResident *resident, Call *call, const GError *error)
{
  (void) g_hash_table_steal (resident->calls, call->id);
  if (call->client != NULL) {
    answer_client (call, NULL, error);
    return;
  }
  call_free (call);
  if (resident->state == UNLOCKING)
    refuse (resident, error);
}

static gboolean
on_timeout (gpointer data)
{
  Call *call = data;
  g_autoptr (GError) error =
      g_error_new (SP_PROBLEM, SP_PROBLEM_TIMED_OUT, "the vault has not answered for %u seconds",
                   call->resident->timeout_ms / 1000);

  fail_call (call->resident, call, error);
  return G_SOURCE_REMOVE;
}

static Call *
call_new (SpResident *resident, Client *client, const char *client_id)
{
  Call *call = g_new0 (Call, 1);

  call->resident = resident;
  call->id = g_strdup_printf ("%s:%" G_GUINT64_FORMAT, resident->session, ++resident->n_calls);
  call->client = client;
  call->client_id = g_strdup (client_id);
  if (client != NULL)
    client->n_calls++;
  call->timer = g_timeout_source_new (resident->timeout_ms);
  g_source_set_callback (call->timer, on_timeout, call, NULL);
  g_source_attach (call->timer, resident->context);
  g_hash_table_insert (resident->calls, call->id, call);
  return call;
}

static GError *
locked_error (SpResident *resident)
{
  return g_error_new_literal (SP_PROBLEM, SP_PROBLEM_LOCKED,
                              resident->state == DOWN ? "the vault is starting: try again"
                                                      : "the vault is locked: it has no keys yet");
}

/* All that was asked of a keeper that is no more. */
static void
fail_calls (SpResident *resident)
{
  g_autoptr (GError) error = locked_error (resident);
  GHashTableIter iter;
  gpointer call;

  for (;;) {
    g_hash_table_iter_init (&iter, resident->calls);
    if (!g_hash_table_iter_next (&iter, NULL, &call))
      return;
    fail_call (resident, call, error);
  }
}

/* ---- the keeper ---------------------------------------------------------------------------------------- */

/* Sending may find out that the keeper is gone, which takes our reference away. */
static void
tell_keeper (SpResident *resident, const SpRpcMessage *message)
{
  g_autoptr (SpRpc) keeper = sp_rpc_ref (resident->keeper);

  sp_rpc_send (keeper, message);
}

static void
send_hello (SpResident *resident, gboolean reply)
{
  g_autoptr (SpRpcMessage) message = sp_rpc_message_new (NULL, "hello");
  JsonObject *params = json_node_get_object (message->params);

  json_object_set_string_member (params, "session", resident->session);
  json_object_set_boolean_member (params, "reply", reply);
  tell_keeper (resident, message);
}

void
sp_resident_unlock (SpResident *resident)
{
  g_autoptr (SpRpcMessage) message = NULL;
  g_autoptr (GError) error = NULL;
  Call *call;

  if (resident->state != LOCKED)
    return;
  resident->state = UNLOCKING;
  call = call_new (resident, NULL, NULL);
  message = resident->events.unlock_message (call->id, resident->data, &error);
  if (message != NULL)
    tell_keeper (resident, message);
  else
    fail_call (resident, call, error);
}

static void
on_hello (SpResident *resident, const char *session)
{
  if (g_strcmp0 (session, resident->keeper_session) == 0)
    return;
  resident->state = LOCKED;
  g_free (resident->keeper_session);
  resident->keeper_session = g_strdup (session);
  fail_calls (resident);
  /* Ours may have been sent before it was there to hear it. */
  send_hello (resident, FALSE);
  sp_resident_unlock (resident);
}

static void
on_audit_head (SpResident *resident, const char *session, JsonObject *params)
{
  const char *head = NULL;
  gint64 seq = -1;

  if (resident->anchor == NULL || resident->state != UNLOCKED ||
      g_strcmp0 (session, resident->keeper_session) != 0)
    return;
  if (sp_json_get_string (params, "head", &head, NULL) &&
      sp_json_get_int (params, "seq", &seq, NULL) && head != NULL && seq >= 0)
    sp_anchor_update (resident->anchor, (guint64) seq, head);
}

static void
on_notification (SpResident *resident, const SpRpcMessage *message)
{
  JsonObject *params = json_node_get_object (message->params);
  const char *session = NULL;

  if (!sp_json_get_string (params, "session", &session, NULL) || session == NULL)
    return;
  if (g_str_equal (message->method, "hello"))
    on_hello (resident, session);
  else if (g_str_equal (message->method, "audit.head"))
    on_audit_head (resident, session, params);
}

static void
on_unlock_answer (SpResident *resident, const SpRpcMessage *message)
{
  if (message->error != NULL) {
    refuse (resident, message->error);
    return;
  }
  resident->state = UNLOCKED;
  resident->events.unlocked (resident->data);
}

static void
on_answer (SpResident *resident, const SpRpcMessage *message)
{
  Call *call = message->id ? g_hash_table_lookup (resident->calls, message->id) : NULL;

  if (call == NULL)
    return;
  (void) g_hash_table_steal (resident->calls, call->id);
  if (call->client != NULL) {
    answer_client (call, message->result ? json_node_copy (message->result) : NULL, message->error);
    return;
  }
  call_free (call);
  on_unlock_answer (resident, message);
}

static void
on_keeper_message (SpRpc *rpc, SpRpcMessage *message, gpointer data)
{
  if (message->method == NULL)
    on_answer (data, message);
  else if (message->id == NULL)
    on_notification (data, message);
}

void
sp_resident_detach (SpResident *resident)
{
  resident->state = DOWN;
  if (resident->keeper != NULL)
    sp_rpc_close (resident->keeper);
  g_clear_pointer (&resident->keeper, sp_rpc_unref);
  g_clear_pointer (&resident->keeper_session, g_free);
  fail_calls (resident);
}

static void
on_keeper_closed (SpRpc *rpc, gpointer data)
{
  sp_resident_detach (data);
}

void
sp_resident_attach (SpResident *resident, int fd)
{
  sp_resident_detach (resident);
  resident->keeper = sp_rpc_new (fd, on_keeper_message, on_keeper_closed, resident);
  send_hello (resident, TRUE);
}

gboolean
sp_resident_is_unlocked (const SpResident *resident)
{
  return resident->state == UNLOCKED;
}

/* ---- administrators ---------------------------------------------------------------------------------------- */

typedef JsonNode *(*Own) (gpointer data, GError **error);

static gboolean
answer_own (SpResident *resident, Client *client, const SpRpcMessage *message)
{
  const struct {
    const char *method;
    Own answer;
  } own[] = {
    { "host.endpoint", resident->events.endpoint },
    { "host.ownership", resident->events.ownership },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (own); i++) {
    g_autoptr (GError) error = NULL;
    JsonNode *result;

    if (!g_str_equal (message->method, own[i].method))
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
why_not (SpResident *resident, Client *client, const SpRpcMessage *message)
{
  gboolean status = g_str_equal (message->method, "vault.status");

  if (g_str_equal (message->method, "vault.unlock"))
    return g_error_new_literal (SP_PROBLEM, SP_PROBLEM_INVALID, "only the host unlocks its vault");
  if (resident->state != UNLOCKED && !(status && resident->state != DOWN))
    return locked_error (resident);
  if (client->n_calls >= MAX_OPEN_CALLS)
    return g_error_new (SP_PROBLEM, SP_PROBLEM_RATE_LIMITED,
                        "%u calls are open: wait for their answers", client->n_calls);
  return NULL;
}

static void
relay (SpResident *resident, Client *client, SpRpcMessage *message)
{
  Call *call = call_new (resident, client, message->id);

  g_free (message->id);
  message->id = g_strdup (call->id);
  tell_keeper (resident, message);
}

static void
on_client_message (SpRpc *rpc, SpRpcMessage *message, gpointer data)
{
  Client *client = data;
  g_autoptr (GError) error = NULL;

  if (message->method == NULL || message->id == NULL ||
      answer_own (client->resident, client, message))
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
  return ((Call *) call)->client == client;
}

static void
on_client_closed (SpRpc *rpc, gpointer data)
{
  Client *client = data;
  SpResident *resident = client->resident;

  (void) g_hash_table_foreach_remove (resident->calls, is_of_client, client);
  (void) g_ptr_array_remove_fast (resident->clients, client);
}

void
sp_resident_add_client (SpResident *resident, int fd)
{
  Client *client;

  if (resident->clients->len >= MAX_CLIENTS) {
    (void) close (fd);
    return;
  }
  client = g_new0 (Client, 1);
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

/* ---- the whole ------------------------------------------------------------------------------------------------ */

void
sp_resident_set_timeout (SpResident *resident, guint ms)
{
  resident->timeout_ms = ms;
}

SpResident *
sp_resident_new (const SpResidentEvents *events, SpAnchor *anchor, gpointer data)
{
  SpResident *resident = g_new0 (SpResident, 1);

  resident->events = *events;
  resident->anchor = anchor;
  resident->data = data;
  resident->context = g_main_context_ref_thread_default ();
  resident->timeout_ms = TIMEOUT_MS;
  resident->session = sp_random_id (16);
  resident->calls = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, call_free);
  resident->clients = g_ptr_array_new_with_free_func (client_free);
  resident->listener = -1;
  return resident;
}

void
sp_resident_free (SpResident *resident)
{
  if (resident == NULL)
    return;
  sp_resident_detach (resident);
  if (resident->listening != NULL)
    g_source_destroy (resident->listening);
  g_clear_pointer (&resident->listening, g_source_unref);
  if (resident->listener >= 0)
    (void) close (resident->listener);
  g_hash_table_unref (resident->calls);
  g_ptr_array_unref (resident->clients);
  g_main_context_unref (resident->context);
  g_free (resident->session);
  g_free (resident);
}
