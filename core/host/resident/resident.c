/* resident.c - resident.h: the keeper's side: sessions, unlocking, what is asked of it
 *
 * What must stay true: nobody but this process unlocks; an answer reaches only the client that asked;
 * each relayed call is answered exactly once.
 */
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/problem.h"
#include "base/random.h"
#include "host/resident/resident-private.h"

#define TIMEOUT_MS 60000u

void
sp_resident_call_free (gpointer data)
{
  SpResidentCall *call = data;

  if (call->client != NULL)
    call->client->n_calls--;
  if (call->timer != NULL)
    g_source_destroy (call->timer);
  g_clear_pointer (&call->timer, g_source_unref);
  g_free (call->id);
  g_free (call->client_id);
  g_free (call);
}

/* ---- calls that are open ---------------------------------------------------------------------------- */

static void
refuse (SpResident *resident, const GError *error)
{
  resident->state = SP_RESIDENT_LOCKED;
  resident->events.refused (error, resident->data);
}

/* The end of a relayed call; exactly one of @result and @error is given.  The call is gone before the
 * answer is sent, since sending may find out that the client is gone, too. */
static void
answer_client (SpResidentCall *call, JsonNode *result, const GError *error)
{
  g_autoptr (SpRpc) rpc = sp_rpc_ref (call->client->rpc);
  g_autofree char *id = g_steal_pointer (&call->client_id);

  sp_resident_call_free (call);
  if (error != NULL)
    sp_rpc_fail (rpc, id, error);
  else
    sp_rpc_reply (rpc, id, result);
}

static void
answer_host (SpResidentCall *call, JsonNode *result, const GError *error)
{
  SpResidentAnswer answer = call->answer;
  gpointer data = call->data;

  sp_resident_call_free (call);
  answer (result, error, data);
}

static void
fail_call (SpResident *resident, SpResidentCall *call, const GError *error)
{
  (void) g_hash_table_steal (resident->calls, call->id);
  if (call->client != NULL) {
    answer_client (call, NULL, error);
    return;
  }
  if (call->answer != NULL) {
    answer_host (call, NULL, error);
    return;
  }
  sp_resident_call_free (call);
  if (resident->state == SP_RESIDENT_UNLOCKING)
    refuse (resident, error);
}

static gboolean
on_timeout (gpointer data)
{
  SpResidentCall *call = data;
  g_autoptr (GError) error =
      g_error_new (SP_PROBLEM, SP_PROBLEM_TIMED_OUT, "the vault has not answered for %u seconds",
                   call->resident->timeout_ms / 1000);

  fail_call (call->resident, call, error);
  return G_SOURCE_REMOVE;
}

SpResidentCall *
sp_resident_call_new (SpResident *resident, SpResidentClient *client, const char *client_id)
{
  SpResidentCall *call = g_new0 (SpResidentCall, 1);

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

GError *
sp_resident_locked_error (SpResident *resident)
{
  return g_error_new_literal (SP_PROBLEM, SP_PROBLEM_LOCKED,
                              resident->state == SP_RESIDENT_DOWN
                                  ? "the vault is starting: try again"
                                  : "the vault is locked: it has no keys yet");
}

/* All that was asked of a keeper that is no more. */
static void
fail_calls (SpResident *resident)
{
  g_autoptr (GError) error = sp_resident_locked_error (resident);
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
void
sp_resident_tell_keeper (SpResident *resident, const SpRpcMessage *message)
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
  sp_resident_tell_keeper (resident, message);
}

void
sp_resident_unlock (SpResident *resident)
{
  g_autoptr (SpRpcMessage) message = NULL;
  g_autoptr (GError) error = NULL;
  SpResidentCall *call;

  if (resident->state != SP_RESIDENT_LOCKED)
    return;
  resident->state = SP_RESIDENT_UNLOCKING;
  call = sp_resident_call_new (resident, NULL, NULL);
  message = resident->events.unlock_message (call->id, resident->data, &error);
  if (message != NULL)
    sp_resident_tell_keeper (resident, message);
  else
    fail_call (resident, call, error);
}

void
sp_resident_notify (SpResident *resident, SpRpcMessage *notification)
{
  if (resident->keeper == NULL)
    return;
  json_object_set_string_member (json_node_get_object (notification->params), "session",
                                 resident->session);
  sp_resident_tell_keeper (resident, notification);
}

static void
forget_keeper (SpResident *resident)
{
  if (resident->events.keeper_gone != NULL)
    resident->events.keeper_gone (resident->data);
}

static void
on_hello (SpResident *resident, const char *session)
{
  if (g_strcmp0 (session, resident->keeper_session) == 0)
    return;
  forget_keeper (resident);
  resident->state = SP_RESIDENT_LOCKED;
  g_free (resident->keeper_session);
  resident->keeper_session = g_strdup (session);
  fail_calls (resident);
  /* Ours may have been sent before it was there to hear it. */
  send_hello (resident, FALSE);
  sp_resident_unlock (resident);
}

/* Of the keeper that has our keys, or is about to. */
static gboolean
is_of_session (SpResident *resident, const char *session)
{
  return (resident->state == SP_RESIDENT_UNLOCKING || resident->state == SP_RESIDENT_UNLOCKED) &&
         g_strcmp0 (session, resident->keeper_session) == 0;
}

static void
on_audit_head (SpResident *resident, JsonObject *params)
{
  const char *head = NULL;
  gint64 seq = -1;

  if (resident->anchor == NULL)
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
  else if (!is_of_session (resident, session))
    return;
  else if (g_str_equal (message->method, "audit.head"))
    on_audit_head (resident, params);
  else if (g_str_has_prefix (message->method, "plugin.") && resident->events.plugin != NULL)
    resident->events.plugin (message, resident->data);
}

static void
on_unlock_answer (SpResident *resident, const SpRpcMessage *message)
{
  if (message->error != NULL) {
    refuse (resident, message->error);
    return;
  }
  resident->state = SP_RESIDENT_UNLOCKED;
  resident->events.unlocked (resident->data);
}

static void
on_answer (SpResident *resident, const SpRpcMessage *message)
{
  SpResidentCall *call = message->id ? g_hash_table_lookup (resident->calls, message->id) : NULL;

  if (call == NULL)
    return;
  (void) g_hash_table_steal (resident->calls, call->id);
  if (call->client != NULL) {
    answer_client (call, message->result ? json_node_copy (message->result) : NULL, message->error);
    return;
  }
  if (call->answer != NULL) {
    answer_host (call, message->error ? NULL : message->result, message->error);
    return;
  }
  sp_resident_call_free (call);
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
  forget_keeper (resident);
  resident->state = SP_RESIDENT_DOWN;
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

void
sp_resident_ask (SpResident *resident, SpRpcMessage *message, SpResidentAnswer answer,
                 gpointer data)
{
  g_autoptr (SpRpcMessage) held = message;
  g_autoptr (GError) error = NULL;
  SpResidentCall *call;

  if (resident->state != SP_RESIDENT_UNLOCKED) {
    error = sp_resident_locked_error (resident);
    answer (NULL, error, data);
    return;
  }
  call = sp_resident_call_new (resident, NULL, NULL);
  call->answer = answer;
  call->data = data;
  held->id = g_strdup (call->id);
  sp_resident_tell_keeper (resident, held);
}

/* Nobody waits for the answer: that the vault ends is the answer. */
void
sp_resident_shut_down (SpResident *resident)
{
  g_autofree char *id = NULL;
  g_autoptr (SpRpcMessage) message = NULL;

  if (resident->keeper == NULL)
    return;
  id = g_strdup_printf ("%s:%" G_GUINT64_FORMAT, resident->session, ++resident->n_calls);
  message = sp_rpc_message_new (id, "vault.shutdown");
  sp_resident_tell_keeper (resident, message);
}

gboolean
sp_resident_is_unlocked (const SpResident *resident)
{
  return resident->state == SP_RESIDENT_UNLOCKED;
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
  resident->calls = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, sp_resident_call_free);
  resident->clients = g_ptr_array_new_with_free_func (sp_resident_client_free);
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
