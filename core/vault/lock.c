/* lock.c - a person locks the vault: nothing leaves it any more until an administrator says so
 *
 * What must stay true: from the moment that the lock is asked for nothing is accepted or handed out;
 * it is durable before anyone is told that the vault is locked, and survives a restart.  What was
 * open then ends, each request in a commit of its own, begun again until it succeeds (the tick).
 * Approvers can only lock: who can act as one of them must not be able to undo it.
 */
#include "base/problem.h"
#include "vault/infos.h"

#define LOCK_INFO "lock"
#define AT_ONCE 1u

static void
set_lock (SpVault *vault, const char *by, const char *via, gint64 since_us)
{
  g_free (vault->lock.by);
  g_free (vault->lock.via);
  vault->lock.by = g_strdup (by);
  vault->lock.via = via != NULL && *via != 0 ? g_strdup (via) : NULL;
  vault->lock.since_us = since_us;
}

void
sp_lock_take (SpVault *vault, GVariant *value)
{
  const char *by, *via;
  gint64 since_us;

  g_variant_get (value, "(&s&sx)", &by, &via, &since_us);
  set_lock (vault, by, via, since_us);
}

gboolean
sp_vault_is_locked (const SpVault *vault)
{
  return vault->lock.by != NULL || vault->lock.setting > 0;
}

gboolean
sp_lock_allows (const SpVault *vault, GError **error)
{
  if (!sp_vault_is_locked (vault))
    return TRUE;
  g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_LOCKED,
                       "a person has locked the vault; only its administrator can unlock it");
  return FALSE;
}

/* ---- what was open ends ------------------------------------------------------------------------------------- */

gboolean
sp_lock_ends (const SpVault *vault, const SpRequest *request)
{
  return vault->lock.by != NULL && sp_request_is_open (request) && !request->busy;
}

void
sp_lock_tick (SpVault *vault, SpRequest *request)
{
  gboolean pending = request->status == SP_REQUEST_PENDING;
  SpRequest *next;
  SpTxn *txn;

  if (!sp_lock_ends (vault, request) || sp_clock_boot_ms (vault->clock) < vault->hold_until_ms)
    return;
  next = sp_request_copy (request);
  (void) sp_request_move (next, pending ? SP_REQUEST_CANCELLED : SP_REQUEST_REVOKED);
  sp_request_end (vault, next, vault->lock.by, vault->lock.via);
  txn = sp_vault_txn (vault);
  sp_txn_audit (txn, pending ? "request.cancelled" : "request.revoked", "request", request->id,
                "agent", request->agent, "secret", request->secret, "by", vault->lock.by, "why",
                "the vault was locked", NULL);
  sp_vault_change (vault, request, next, txn, NULL, NULL);
}

/* ---- locking ------------------------------------------------------------------------------------------------ */

typedef struct {
  SpVault *vault;
  char *by, *via;
  gint64 since_us;
  SpInfo *told;
  SpPluginDone done;
  gpointer data;
} LockOp;

static void
on_locked (const GError *error, gpointer data)
{
  g_autofree LockOp *op = data;
  g_autofree char *by = op->by;
  g_autofree char *via = op->via;
  SpVault *vault = op->vault;

  vault->lock.setting--;
  if (error == NULL)
    set_lock (vault, by, via, op->since_us);
  if (op->told != NULL)
    sp_infos_committed (error, op->told);
  op->done (error, op->data);
  sp_vault_tick (vault);
}

static SpInfo *
tell_all (SpVault *vault, SpTxn *txn, const char *by, const char *via)
{
  g_autofree char *text = g_strdup_printf (
      "%s%s%s has locked it: what was asked for or granted has ended, and nothing is "
      "handed out until an administrator unlocks it",
      by, via ? " via " : "", via ? via : "");
  const SpInfoWhat info = { LOCK_INFO, AT_ONCE, NULL, "The vault is locked", text };

  return sp_infos_add (vault, txn, &info);
}

void
sp_lock_set (SpVault *vault, const SpLockBy *who, SpPluginDone done, gpointer data)
{
  LockOp *op = g_new0 (LockOp, 1);
  SpTxn *txn = sp_vault_txn (vault);

  op->vault = vault;
  op->by = g_strdup (who->name);
  op->via = g_strdup (who->notifier);
  op->since_us = sp_clock_wall_us (vault->clock);
  op->done = done;
  op->data = data;
  vault->lock.setting++;
  sp_txn_put (txn, SP_TABLE_META, SP_LOCK_KEY,
              g_variant_new (SP_LOCK_TYPE, op->by, op->via ? op->via : "", op->since_us));
  sp_txn_audit (txn, "lock.set", "by", op->by, "notifier", op->via, "person", who->person,
                "evidence", who->evidence, NULL);
  op->told = tell_all (vault, txn, op->by, op->via);
  sp_journal_commit (vault->journal, txn, on_locked, op);
}

gboolean
sp_lock_stands (const SpVault *vault)
{
  return vault->lock.by != NULL && vault->lock.clearing == 0;
}

/* ---- administrators -------------------------------------------------------------------------------------------- */

typedef struct {
  SpVault *vault;
  SpVaultDone done;
  gpointer data;
} AdminOp;

void
sp_lock_describe (const SpVault *vault, JsonObject *into)
{
  g_autofree char *since = NULL;

  if (vault->lock.by == NULL)
    return;
  since = sp_time_format (vault->lock.since_us);
  json_object_set_string_member (into, "locked_by", vault->lock.by);
  if (vault->lock.via != NULL)
    json_object_set_string_member (into, "locked_via", vault->lock.via);
  json_object_set_string_member (into, "locked_at", since);
}

static JsonNode *
lock_to_json (const SpVault *vault)
{
  JsonNode *node = json_node_new (JSON_NODE_OBJECT);
  JsonObject *object = json_object_new ();

  json_node_take_object (node, object);
  json_object_set_boolean_member (object, "locked", vault->lock.by != NULL);
  sp_lock_describe (vault, object);
  return node;
}

static void
admin_finish (const GError *error, gpointer data)
{
  g_autofree AdminOp *op = data;

  if (error != NULL)
    sp_answer_error (g_error_copy (error), op->done, op->data);
  else
    sp_answer_json (lock_to_json (op->vault), NULL, op->done, op->data);
}

static AdminOp *
admin_begin (SpVault *vault, JsonObject *params, SpVaultDone done, gpointer data)
{
  static const char *const allowed[] = { NULL };
  GError *error = NULL;
  AdminOp *op;

  if (!sp_params_check (params, allowed, &error)) {
    sp_answer_error (error, done, data);
    return NULL;
  }
  op = g_new0 (AdminOp, 1);
  op->vault = vault;
  op->done = done;
  op->data = data;
  return op;
}

void
sp_vault_lock_set (SpVault *vault, JsonObject *params, SpVaultDone done, gpointer data)
{
  const SpLockBy who = { .name = SP_BY_ADMIN };
  AdminOp *op = admin_begin (vault, params, done, data);

  if (op == NULL)
    return;
  /* Who was first stays named. */
  if (sp_lock_stands (vault))
    admin_finish (NULL, op);
  else
    sp_lock_set (vault, &who, admin_finish, op);
}

static void
on_cleared (const GError *error, gpointer data)
{
  AdminOp *op = data;
  SpVault *vault = op->vault;

  vault->lock.clearing--;
  if (error == NULL) {
    g_clear_pointer (&vault->lock.by, g_free);
    g_clear_pointer (&vault->lock.via, g_free);
    sp_infos_end (vault, LOCK_INFO);
  }
  admin_finish (error, op);
}

/* Not before all has ended that has to: what is left would go on as if there had been no lock. */
static gboolean
may_clear (SpVault *vault, GError **error)
{
  gboolean stands = sp_lock_stands (vault);

  for (guint i = 0; stands && i < vault->live->len; i++)
    if (sp_request_is_open (g_ptr_array_index (vault->live, i))) {
      g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_CONFLICT,
                           "what was open is still ending; try again in a moment");
      return FALSE;
    }
  if (!stands)
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_CONFLICT, "the vault is not locked");
  return stands;
}

void
sp_vault_lock_clear (SpVault *vault, JsonObject *params, SpVaultDone done, gpointer data)
{
  AdminOp *op = admin_begin (vault, params, done, data);
  g_autoptr (GError) error = NULL;
  SpTxn *txn;

  if (op == NULL)
    return;
  if (!may_clear (vault, &error)) {
    admin_finish (error, op);
    return;
  }
  vault->lock.clearing++;
  txn = sp_vault_txn (vault);
  sp_txn_put (txn, SP_TABLE_META, SP_LOCK_KEY, NULL);
  sp_txn_audit (txn, "lock.cleared", "by", SP_BY_ADMIN, NULL);
  sp_journal_commit (vault->journal, txn, on_cleared, op);
}
