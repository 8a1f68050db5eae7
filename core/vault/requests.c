/* requests.c - what an agent does with requests: ask, look, wait, list, withdraw */
#include <string.h>

#include "base/problem.h"
#include "base/random.h"
#include "vault/agent-op.h"

#define DEFAULT_TTL 600
#define MIN_TTL 30
#define MAX_TTL 3600
#define CODE_LENGTH 4

/* ---- asking ------------------------------------------------------------------------------------------- */

static guint
count_pending (SpVault *vault, const char *agent_id)
{
  guint n = 0;

  for (guint i = 0; i < vault->live->len; i++) {
    const SpRequest *request = g_ptr_array_index (vault->live, i);

    n += request->status == SP_REQUEST_PENDING &&
         (agent_id == NULL || g_str_equal (request->agent_id, agent_id));
  }
  return n;
}

static gboolean
may_ask (SpAgentOp *op, const SpStoredSecret *secret, GError **error)
{
  SpVault *vault = op->vault;

  if (!sp_lock_allows (vault, error))
    return FALSE;
  if (secret == NULL || !sp_stored_secret_allows (secret, op->agent) ||
      g_strcmp0 (vault->going_secret, op->secret) == 0 ||
      g_strcmp0 (vault->going_agent, op->agent) == 0) {
    /* The same answer for both: which secrets there are is not everyone's business. */
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_NOT_FOUND, "no secret %s for this agent",
                 op->secret);
    return FALSE;
  }
  if (count_pending (vault, op->agent_id) >= vault->settings->agent_pending) {
    sp_problem_set_rate_limited (error, 30, "%u requests of this agent wait for a decision already",
                                 vault->settings->agent_pending);
    return FALSE;
  }
  if (count_pending (vault, NULL) >= SP_MAX_PENDING) {
    sp_problem_set_rate_limited (
        error, 30, "%u requests wait for a decision already, of all agents", SP_MAX_PENDING);
    return FALSE;
  }
  return sp_vault_can_ask (vault, error);
}

static gboolean
code_is_taken (SpVault *vault, const char *code)
{
  for (guint i = 0; i < vault->live->len; i++)
    if (g_str_equal (((SpRequest *) g_ptr_array_index (vault->live, i))->code, code))
      return TRUE;
  return FALSE;
}

static char *
new_code (SpVault *vault)
{
  for (;;) {
    g_autofree char *code = sp_random_code (CODE_LENGTH);

    if (!code_is_taken (vault, code))
      return g_steal_pointer (&code);
  }
}

static SpRequest *
build_request (SpAgentOp *op, const SpStoredSecret *secret)
{
  SpVault *vault = op->vault;
  SpRequest *request = sp_request_new ();

  request->id = sp_random_id (16);
  request->number = vault->next_number++;
  request->agent_id = g_strdup (op->agent_id);
  request->agent = g_strdup (op->agent);
  request->secret = g_strdup (op->secret);
  request->reason = g_strdup (op->reason);
  request->code = new_code (vault);
  for (guint i = 0; secret->confirm_code && i < G_N_ELEMENTS (request->decoys); i++)
    do {
      g_free (request->decoys[i]);
      request->decoys[i] = new_code (vault);
    } while (g_str_equal (request->decoys[i], request->code) ||
             (i > 0 && g_str_equal (request->decoys[i], request->decoys[0])));
  request->created_us = sp_clock_wall_us (vault->clock);
  request->idempotency_key = *op->key ? g_strdup (op->key) : NULL;
  request->digest = g_strdup (op->digest);
  sp_deadline_set (&request->deadline, vault->clock, op->ttl);
  for (guint i = 0; i < vault->settings->notifiers->len; i++)
    g_ptr_array_add (request->unsettled,
                     g_strdup (g_ptr_array_index (vault->settings->notifiers, i)));
  return request;
}

static void
on_created (SpVault *vault, SpRequest *request, const GError *error, gpointer data)
{
  SpAgentOp *op = data;
  g_autoptr (SpRequest) drop = g_steal_pointer (&op->drop);

  if (drop != NULL && error == NULL)
    sp_vault_drop_request (vault, drop);
  if (drop != NULL)
    sp_vault_end_change (vault, drop, NULL);
  request->fresh = FALSE;
  sp_agent_op_changed (vault, request, error, data);
  /* It never was: those who wait for it find nothing and start over. */
  if (error != NULL)
    sp_vault_drop_request (vault, request);
}

/* Keep the list bounded: the oldest that is over goes, in the same commit. */
static SpRequest *
oldest_to_drop (SpVault *vault)
{
  SpRequest *second = NULL;

  if (vault->requests->len < SP_MAX_REQUESTS)
    return NULL;
  for (guint i = 0; i < vault->requests->len; i++) {
    SpRequest *request = g_ptr_array_index (vault->requests, i);

    if (sp_request_is_open (request) || request->busy)
      continue;
    if (!sp_request_is_live (request))
      return request;
    second = second ? second : request;
  }
  /* All wait for a notifier that does not come back: what it shows of the oldest stays as it is. */
  return second;
}

static void
make_request (SpAgentOp *op, const SpStoredSecret *secret)
{
  SpVault *vault = op->vault;
  SpRequest *request = build_request (op, secret);
  SpRequest *drop = oldest_to_drop (vault);
  SpTxn *txn = sp_vault_txn (vault);

  if (drop != NULL) {
    sp_txn_put (txn, SP_TABLE_REQUESTS, drop->id, NULL);
    sp_vault_begin_change (drop);
    op->drop = sp_request_ref (drop);
  }
  sp_txn_audit (txn, "request.created", "request", request->id, "agent", request->agent, "secret",
                request->secret, "code", request->code, NULL);
  request->fresh = TRUE;
  sp_vault_add_request (vault, request);
  sp_vault_change (vault, request, sp_request_copy (request), txn, on_created, op);
}

static void
create_run (gpointer data)
{
  SpAgentOp *op = data;
  g_autofree char *name = sp_vault_idempotency_name (op->agent_id, op->key);
  SpRequest *before = *op->key ? g_hash_table_lookup (op->vault->by_key, name) : NULL;
  const SpStoredSecret *secret = g_hash_table_lookup (op->vault->secrets, op->secret);
  GError *error = NULL;

  if (before != NULL && before->busy)
    sp_request_park (before, create_run, op);
  else if (before != NULL && g_strcmp0 (before->digest, op->digest) != 0)
    sp_agent_op_fail (op,
                      g_error_new_literal (SP_PROBLEM, SP_PROBLEM_IDEMPOTENCY_MISMATCH,
                                           "this Idempotency-Key was used for another request"));
  else if (before != NULL)
    sp_agent_op_show (op, before);
  else if (!may_ask (op, secret, &error))
    sp_agent_op_fail (op, error);
  else
    make_request (op, secret);
}

static gboolean
check_create (const char *reason, gint64 ttl_s, GError **error)
{
  glong length = g_utf8_strlen (reason, -1);

  if (length < 1 || length > 500) {
    sp_problem_set_invalid (error, "reason", "a reason has 1 to 500 characters");
    return FALSE;
  }
  for (const char *c = reason; *c != 0; c++)
    if (g_ascii_iscntrl (*c) && *c != '\n' && *c != '\r' && *c != '\t') {
      sp_problem_set_invalid (error, "reason", "a reason has no control characters");
      return FALSE;
    }
  if (ttl_s != -1 && (ttl_s < MIN_TTL || ttl_s > MAX_TTL)) {
    sp_problem_set_invalid (error, "ttl", "ttl is %d to %d seconds", MIN_TTL, MAX_TTL);
    return FALSE;
  }
  return TRUE;
}

void
sp_vault_create (SpVault *vault, const char *token, const char *idempotency_key, const char *secret,
                 const char *reason, gint64 ttl_s, SpVaultDone done, gpointer data)
{
  SpAgentOp *op = sp_agent_op_new (vault, token, NULL, done, data);
  GError *error = NULL;
  g_autofree char *ttl = NULL;

  if (op == NULL)
    return;
  if (!check_create (reason, ttl_s, &error)) {
    sp_agent_op_fail (op, error);
    return;
  }
  op->key = g_strdup (idempotency_key);
  op->secret = g_strdup (secret);
  op->reason = g_strdup (reason);
  op->ttl = ttl_s == -1 ? DEFAULT_TTL : (guint) ttl_s;
  ttl = g_strdup_printf ("%u", op->ttl);
  op->digest = sp_keys_mac_hex (vault->keys, SP_KEY_NAMES, "request", secret, reason, ttl, NULL);
  create_run (op);
}

/* ---- looking and waiting ---------------------------------------------------------------------------------- */

static void
get_run (gpointer data)
{
  SpAgentOp *op = data;
  const SpRequest *request;

  if (op->ret_wait != NULL)
    *op->ret_wait = NULL;
  op->ret_wait = NULL;
  request = sp_agent_op_request (op, get_run);
  if (request != NULL)
    sp_agent_op_show (op, request);
}

/* How many calls of this agent wait, and the one that has waited longest. */
static guint
count_watches (SpVault *vault, const char *agent_id, gpointer *ret_oldest)
{
  guint n = 0;

  *ret_oldest = NULL;
  for (guint i = 0; i < vault->live->len; i++) {
    const SpRequest *request = g_ptr_array_index (vault->live, i);

    if (!g_str_equal (request->agent_id, agent_id) || request->watched->len == 0)
      continue;
    if (*ret_oldest == NULL)
      *ret_oldest = ((SpParked *) g_ptr_array_index (request->watched, 0))->data;
    n += request->watched->len;
  }
  return n;
}

void
sp_vault_get (SpVault *vault, const char *token, const char *id, gboolean wait, gpointer *ret_wait,
              SpVaultDone done, gpointer data)
{
  SpAgentOp *op = sp_agent_op_new (vault, token, id, done, data);
  SpRequest *request;
  gpointer oldest;

  if (op == NULL)
    return;
  request = g_hash_table_lookup (vault->by_id, id);
  if (!wait || request == NULL || request->status != SP_REQUEST_PENDING ||
      !g_str_equal (request->agent_id, op->agent_id) ||
      sp_deadline_left_ms (&request->deadline, vault->clock) == 0) {
    get_run (op);
    return;
  }
  /* A client that went away may have left its wait behind: the oldest is answered early. */
  if (count_watches (vault, op->agent_id, &oldest) >= SP_MAX_WATCHES)
    sp_vault_get_now (vault, oldest);
  g_ptr_array_add (request->watched, g_memdup2 (&(SpParked){ get_run, op }, sizeof (SpParked)));
  op->ret_wait = ret_wait;
  if (ret_wait != NULL)
    *ret_wait = op;
}

void
sp_vault_get_now (SpVault *vault, gpointer wait)
{
  SpAgentOp *op = wait;
  SpRequest *request = g_hash_table_lookup (vault->by_id, op->id);

  for (guint i = 0; request != NULL && i < request->watched->len; i++) {
    const SpParked *parked = g_ptr_array_index (request->watched, i);

    if (parked->data == wait) {
      g_ptr_array_remove_index (request->watched, i);
      break;
    }
  }
  get_run (op);
}

void
sp_vault_list (SpVault *vault, const char *token, const char *cursor, guint limit, SpVaultDone done,
               gpointer data)
{
  SpAgentOp *op = sp_agent_op_new (vault, token, NULL, done, data);
  guint64 below = G_MAXUINT64;
  JsonArray *items;
  g_autofree char *next = NULL;
  guint n = 0, most = limit == 0 ? SP_PAGE : MIN (limit, SP_PAGE);
  guint64 last = 0;

  if (op == NULL)
    return;
  if (*cursor && !g_ascii_string_to_unsigned (cursor, 10, 0, G_MAXUINT64, &below, NULL)) {
    GError *error = NULL;

    sp_problem_set_invalid (&error, "cursor", "this is no cursor that a list gave");
    sp_agent_op_fail (op, error);
    return;
  }
  items = json_array_new ();
  for (guint i = vault->requests->len; i > 0; i--) {
    const SpRequest *request = g_ptr_array_index (vault->requests, i - 1);

    if (request->fresh || request->number >= below ||
        !g_str_equal (request->agent_id, op->agent_id))
      continue;
    if (n == most) {
      next = g_strdup_printf ("%" G_GUINT64_FORMAT, last);
      break;
    }
    json_array_add_element (items, sp_request_to_json (request, FALSE));
    last = request->number;
    n++;
  }
  sp_answer_json (sp_page_json (items, next), NULL, done, data);
  sp_agent_op_free (op);
}

/* ---- withdrawing ------------------------------------------------------------------------------------------- */

static void
cancel_run (gpointer data)
{
  SpAgentOp *op = data;
  SpRequest *request = sp_agent_op_request (op, cancel_run);
  SpRequest *next;
  SpTxn *txn;

  if (request == NULL)
    return;
  next = sp_request_copy (request);
  if (!sp_request_move (next, SP_REQUEST_CANCELLED)) {
    GError *error =
        request->status == SP_REQUEST_APPROVED
            ? g_error_new (SP_PROBLEM, SP_PROBLEM_CONFLICT,
                           "request %s is approved; it can't be cancelled any more", request->id)
            : sp_request_problem (request);
    sp_request_unref (next);
    sp_agent_op_fail (op, error);
    return;
  }
  txn = sp_vault_txn (op->vault);
  sp_txn_audit (txn, "request.cancelled", "request", request->id, "agent", request->agent, "secret",
                request->secret, "why", "withdrawn by the agent", NULL);
  sp_vault_change (op->vault, request, next, txn, sp_agent_op_changed, op);
}

void
sp_vault_cancel (SpVault *vault, const char *token, const char *id, SpVaultDone done, gpointer data)
{
  SpAgentOp *op = sp_agent_op_new (vault, token, id, done, data);

  if (op != NULL)
    cancel_run (op);
}
