/* redeem.c - the one place where a value leaves the vault
 *
 * What must stay true: the request is marked in the store before the value is even unsealed; of many
 * redeems of one approval at once, one reads and all others wait for what comes of it.
 */
#include "base/problem.h"
#include "vault/agent-op.h"

static void redeem_run (gpointer data);

/* The change is durable: now, and only now, the value may leave; and not where somebody has asked for the
 * lock meanwhile. */
static void
on_redeemed (SpVault *vault, SpRequest *request, const GError *error, gpointer data)
{
  SpAgentOp *op = data;
  const SpStoredSecret *secret = g_hash_table_lookup (vault->secrets, request->secret);
  g_autoptr (GError) local = NULL;
  g_autoptr (SpSecret) value = NULL;
  SpVaultResult result = { .id = request->id, .secret = request->secret };

  if (error == NULL && !sp_lock_allows (vault, &local))
    error = local;
  else if (error == NULL && secret != NULL && secret->version == op->version)
    value = sp_vault_open_value (vault, secret, op->sealed, &local);
  else if (error == NULL)
    local = g_error_new_literal (SP_PROBLEM, SP_PROBLEM_CONFLICT,
                                 "the secret was changed at this moment; ask again");
  result.value = value;
  result.version = op->version;
  op->done (value ? &result : NULL, value ? NULL : error ? error : local, op->data);
  sp_agent_op_free (op);
}

static void
on_value_read (GBytes *value, gint64 revision, const GError *error, gpointer data)
{
  SpAgentOp *op = data;
  SpVault *vault = op->vault;
  g_autoptr (SpRequest) request = g_steal_pointer (&op->request);
  g_autoptr (GVariant) row = NULL;
  g_autoptr (GError) local = NULL, locked = NULL;
  g_autofree char *key = sp_vault_blind (vault, SP_TABLE_VALUES, request->secret);
  SpRequest *next;
  SpTxn *txn;

  if (value != NULL && sp_lock_allows (vault, &locked))
    row = sp_journal_open_row (vault->journal, SP_TABLE_VALUES, key, revision, value, "ay", &local);
  if (locked != NULL) {
    sp_agent_op_fail (op, g_steal_pointer (&locked));
    sp_vault_end_change (vault, request, NULL);
    return;
  }
  if (row == NULL) {
    sp_agent_op_fail (op, g_error_new (SP_PROBLEM, local ? SP_PROBLEM_INTEGRITY : SP_PROBLEM_STORE,
                                       "the value could not be read; the approval still stands: %s",
                                       local ? local->message : error->message));
    sp_vault_end_change (vault, request, NULL);
    return;
  }
  op->sealed = g_variant_get_data_as_bytes (row);
  next = sp_request_copy (request);
  if (request->grant_s == 0)
    (void) sp_request_move (next, SP_REQUEST_USED);
  txn = sp_vault_txn (vault);
  sp_txn_audit (txn, "request.redeemed", "request", request->id, "agent", request->agent, "secret",
                request->secret, NULL);
  sp_vault_change (vault, request, next, txn, on_redeemed, op);
}

static void
redeem_run (gpointer data)
{
  SpAgentOp *op = data;
  SpVault *vault = op->vault;
  SpRequest *request = sp_agent_op_request (op, redeem_run);
  const SpStoredSecret *secret;
  g_autofree char *key = NULL;
  GError *error = NULL;

  if (request == NULL)
    return;
  if (!sp_lock_allows (vault, &error)) {
    sp_agent_op_fail (op, error);
    return;
  }
  if (request->status != SP_REQUEST_APPROVED) {
    sp_agent_op_fail (op, sp_request_problem (request));
    return;
  }
  secret = g_hash_table_lookup (vault->secrets, request->secret);
  if (secret == NULL || !sp_stored_secret_allows (secret, op->agent)) {
    sp_agent_op_fail (op,
                      g_error_new (SP_PROBLEM, SP_PROBLEM_REVOKED,
                                   "secret %s is no longer there for this agent", request->secret));
    return;
  }
  /* Busy from here on, so that of many redeems at once one reads and all others wait. */
  sp_vault_begin_change (request);
  op->version = secret->version;
  op->request = sp_request_ref (request);
  key = sp_vault_blind (vault, SP_TABLE_VALUES, request->secret);
  vault->ports->read (vault->ports->port, SP_TABLE_VALUES, key, on_value_read, op);
}

void
sp_vault_redeem (SpVault *vault, const char *token, const char *id, SpVaultDone done, gpointer data)
{
  SpAgentOp *op = sp_agent_op_new (vault, token, id, done, data);

  if (op != NULL)
    redeem_run (op);
}
