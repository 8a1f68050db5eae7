/* agent-op.c - agent-op.h */
#include "vault/agent-op.h"

#include "base/problem.h"

void
sp_agent_op_free (SpAgentOp *op)
{
  g_free (op->agent_id);
  g_free (op->agent);
  g_free (op->id);
  g_free (op->key);
  g_free (op->secret);
  g_free (op->reason);
  g_free (op->digest);
  g_clear_pointer (&op->sealed, g_bytes_unref);
  g_clear_pointer (&op->request, sp_request_unref);
  g_clear_pointer (&op->drop, sp_request_unref);
  g_free (op);
}

SpAgentOp *
sp_agent_op_new (SpVault *vault, const char *token, const char *id, SpVaultDone done, gpointer data)
{
  GError *error = NULL;
  const SpAgent *agent = sp_vault_authenticate (vault, token, &error);
  SpAgentOp *op;

  if (agent == NULL) {
    sp_answer_error (error, done, data);
    return NULL;
  }
  op = g_new0 (SpAgentOp, 1);
  op->vault = vault;
  op->agent_id = g_strdup (agent->id);
  op->agent = g_strdup (agent->name);
  op->id = g_strdup (id);
  op->done = done;
  op->data = data;
  return op;
}

void
sp_agent_op_fail (SpAgentOp *op, GError *error)
{
  sp_answer_error (error, op->done, op->data);
  sp_agent_op_free (op);
}

void
sp_agent_op_show (SpAgentOp *op, const SpRequest *request)
{
  sp_answer_json (sp_request_to_json (request, FALSE), request->id, op->done, op->data);
  sp_agent_op_free (op);
}

SpRequest *
sp_agent_op_request (SpAgentOp *op, void (*again) (gpointer))
{
  SpRequest *request = g_hash_table_lookup (op->vault->by_id, op->id);
  GError *error = NULL;

  if (request == NULL || !g_str_equal (request->agent_id, op->agent_id)) {
    sp_agent_op_fail (op, g_error_new (SP_PROBLEM, SP_PROBLEM_NOT_FOUND, "no request %s", op->id));
    return NULL;
  }
  if (sp_request_ready (op->vault, request, again, op, &error))
    return request;
  if (error != NULL)
    sp_agent_op_fail (op, error);
  return NULL;
}

void
sp_agent_op_changed (SpVault *vault, SpRequest *request, const GError *error, gpointer data)
{
  SpAgentOp *op = data;

  if (error != NULL)
    sp_agent_op_fail (op, g_error_copy (error));
  else
    sp_agent_op_show (op, request);
}
