/* decide.c - approving, denying and revoking by administrators
 *
 * What must stay true: a decision is made only while the request is pending and in time, by someone
 * who is listed, and is durable before anyone hears of it.  Whatever is unclear decides nothing.
 */
#include "base/problem.h"
#include "vault/vault-private.h"

typedef struct {
  SpVault *vault;
  char *id;
  guint grant_s;
  SpRequestStatus to;
  SpVaultDone done;
  gpointer data;
} AdminOp;

static void
admin_op_free (AdminOp *op)
{
  g_free (op->id);
  g_free (op);
}

static void
on_admin_changed (SpVault *vault, SpRequest *request, const GError *error, gpointer data)
{
  AdminOp *op = data;

  if (error != NULL)
    sp_answer_error (g_error_copy (error), op->done, op->data);
  else
    sp_answer_json (sp_request_to_json (request, TRUE), request->id, op->done, op->data);
  admin_op_free (op);
}

char *
sp_decision_seconds (guint seconds)
{
  return seconds ? g_strdup_printf ("%u", seconds) : NULL;
}

void
sp_request_end (SpVault *vault, SpRequest *next, const char *who, const char *via)
{
  next->ended_us = sp_clock_wall_us (vault->clock);
  g_free (next->ended_by);
  next->ended_by = g_strdup (who);
  g_free (next->ended_via);
  next->ended_via = g_strdup (via);
}

static void
set_decision (SpVault *vault, SpRequest *next, const char *who, const char *via)
{
  next->decided_us = sp_clock_wall_us (vault->clock);
  g_free (next->decided_by);
  next->decided_by = g_strdup (who);
  g_free (next->decided_via);
  next->decided_via = g_strdup (via);
}

/* From now on each notifier has to show that the grant is open, and in the end that it is not. */
static void
begin_grant (SpVault *vault, SpRequest *next)
{
  for (guint i = 0; i < vault->settings->notifiers->len; i++)
    g_ptr_array_add (next->grant_unsettled,
                     g_strdup (g_ptr_array_index (vault->settings->notifiers, i)));
}

void
sp_request_decide (SpVault *vault, SpRequest *next, SpRequestStatus to, const char *who,
                   const char *via, guint grant_s)
{
  (void) sp_request_move (next, to);
  if (to == SP_REQUEST_REVOKED) {
    sp_request_end (vault, next, who, via);
    return;
  }
  set_decision (vault, next, who, via);
  if (to != SP_REQUEST_APPROVED)
    return;
  next->grant_s = grant_s;
  sp_deadline_set (&next->deadline, vault->clock, grant_s ? grant_s : SP_REDEEM_SECONDS);
  if (grant_s > 0)
    begin_grant (vault, next);
}

const char *
sp_decision_event (SpRequestStatus to)
{
  return to == SP_REQUEST_APPROVED ? "request.approved"
         : to == SP_REQUEST_DENIED ? "request.denied"
                                   : "request.revoked";
}

/* ---- administrators -------------------------------------------------------------------------------------- */

static GError *
why_not (const SpRequest *request, SpRequestStatus to)
{
  return g_error_new (SP_PROBLEM, SP_PROBLEM_CONFLICT, "request %s is %s; it can't become %s",
                      request->id, sp_request_status_name (request->status),
                      sp_request_status_name (to));
}

static gboolean
grant_fits (const AdminOp *op, const SpRequest *request, GError **error)
{
  const SpStoredSecret *secret = g_hash_table_lookup (op->vault->secrets, request->secret);
  guint most = secret && secret->grant_max_s ? secret->grant_max_s : SP_MAX_GRANT_S;

  if (op->grant_s <= most)
    return TRUE;
  sp_problem_set_invalid (error, "for", "secret %s can be granted for at most %u seconds",
                          request->secret, most);
  return FALSE;
}

static void
admin_run (gpointer data)
{
  AdminOp *op = data;
  SpVault *vault = op->vault;
  SpRequest *request = g_hash_table_lookup (vault->by_id, op->id);
  g_autoptr (SpRequest) next = NULL;
  g_autofree char *seconds = sp_decision_seconds (op->grant_s);
  GError *error = NULL;
  SpTxn *txn;

  if (request != NULL && !sp_request_ready (vault, request, admin_run, op, &error)) {
    if (error == NULL)
      return;
  } else if (request == NULL)
    error = g_error_new (SP_PROBLEM, SP_PROBLEM_NOT_FOUND, "no request %s", op->id);
  else
    next = sp_request_copy (request);
  if (next != NULL && !sp_request_move (next, op->to))
    error = why_not (request, op->to);
  if (error == NULL && op->to == SP_REQUEST_APPROVED)
    (void) sp_lock_allows (vault, &error);
  if (error != NULL || !grant_fits (op, request, &error)) {
    sp_answer_error (error, op->done, op->data);
    admin_op_free (op);
    return;
  }
  next->status = request->status;
  sp_request_decide (vault, next, op->to, SP_BY_ADMIN, NULL, op->grant_s);
  txn = sp_vault_txn (vault);
  sp_txn_audit (txn, sp_decision_event (op->to), "request", request->id, "agent", request->agent,
                "secret", request->secret, "by", SP_BY_ADMIN, "for", seconds, NULL);
  sp_vault_change (vault, request, g_steal_pointer (&next), txn, on_admin_changed, op);
}

static void
admin_start (SpVault *vault, JsonObject *params, const char *const *allowed, SpRequestStatus to,
             SpVaultDone done, gpointer data)
{
  GError *error = NULL;
  const char *id;
  gint64 seconds;
  AdminOp *op;

  if (!sp_params_check (params, allowed, &error)) {
    sp_answer_error (error, done, data);
    return;
  }
  id = json_object_get_string_member_with_default (params, "id", "");
  seconds = json_object_get_int_member_with_default (params, "for", 0);
  if (seconds < 0 || seconds > SP_MAX_GRANT_S) {
    sp_problem_set_invalid (&error, "for", "a grant lasts 1 to %u seconds", SP_MAX_GRANT_S);
    sp_answer_error (error, done, data);
    return;
  }
  op = g_new0 (AdminOp, 1);
  op->vault = vault;
  op->id = g_strdup (id);
  op->grant_s = (guint) seconds;
  op->to = to;
  op->done = done;
  op->data = data;
  admin_run (op);
}

void
sp_vault_request_approve (SpVault *vault, JsonObject *params, SpVaultDone done, gpointer data)
{
  static const char *const allowed[] = { "id:s", "for:i", NULL };

  admin_start (vault, params, allowed, SP_REQUEST_APPROVED, done, data);
}

void
sp_vault_request_deny (SpVault *vault, JsonObject *params, SpVaultDone done, gpointer data)
{
  static const char *const allowed[] = { "id:s", NULL };

  admin_start (vault, params, allowed, SP_REQUEST_DENIED, done, data);
}

void
sp_vault_grant_revoke (SpVault *vault, JsonObject *params, SpVaultDone done, gpointer data)
{
  static const char *const allowed[] = { "id:s", NULL };

  admin_start (vault, params, allowed, SP_REQUEST_REVOKED, done, data);
}
