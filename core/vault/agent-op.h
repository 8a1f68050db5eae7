/* agent-op.h - one operation of an agent on its requests, while it runs
 *
 * Each operation is a small record that runs from its start, and runs again from its start whenever
 * it had to wait for a change of the same request: nothing is remembered across the wait.
 */
#pragma once

#include "vault/vault-private.h"

typedef struct {
  SpVault *vault;
  char *agent_id, *agent;
  char *id;
  gpointer *ret_wait; /* get: the caller's handle, cleared when it no longer waits */
  /* create */
  char *key, *secret, *reason, *digest;
  guint ttl;
  SpRequest *drop; /* the oldest, for which this one takes the place */
  /* redeem */
  GBytes *sealed;
  SpRequest *request;
  guint version;
  SpVaultDone done;
  gpointer data;
} SpAgentOp;

/* NULL: the token is not valid, or asks too often; @done hears of it. */
SpAgentOp *sp_agent_op_new (SpVault *vault, const char *token, const char *id, SpVaultDone done,
                            gpointer data);
void sp_agent_op_free (SpAgentOp *op);

/* Each of these answers and ends @op.  @error is consumed. */
void sp_agent_op_fail (SpAgentOp *op, GError *error);
void sp_agent_op_show (SpAgentOp *op, const SpRequest *request);
/* An SpChanged: shows the request, or the error. */
void sp_agent_op_changed (SpVault *vault, SpRequest *request, const GError *error, gpointer op);

/* The caller's own request, with nothing on its way for it.  NULL: @op has ended, or runs @again
 * later. */
SpRequest *sp_agent_op_request (SpAgentOp *op, void (*again) (gpointer));
