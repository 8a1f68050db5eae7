/* agent-client.h - the agents' HTTP API, from the agent's side
 *
 * The vault's certificate is checked by its pin and by nothing else: no certificate authority counts.
 * No proxy, no redirect, bounded bodies.  A failure is the problem that the vault named; what did not
 * reach it is SP_PROBLEM_UNREACHABLE.  All calls block.
 */
#pragma once

#include <json-glib/json-glib.h>

#include "host/agent-file.h"

typedef struct _SpAgentClient SpAgentClient;

/* @file must outlive the client. */
SpAgentClient *sp_agent_client_new (const SpAgentFile *file);
void sp_agent_client_free (SpAgentClient *client);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpAgentClient, sp_agent_client_free)

typedef struct {
  const char *method;          /* "GET" */
  const char *path;            /* "/v1/requests", with the query */
  const char *idempotency_key; /* NULL: none */
  JsonNode *body;              /* NULL: none */
  guint timeout_s;             /* for silence; 0: 30 */
} SpAgentCall;

/* The object that was answered. */
JsonObject *sp_agent_client_call (SpAgentClient *client, const SpAgentCall *call,
                                  GCancellable *cancellable, GError **error);

/* Whether another try may go better: nothing arrived, or the vault can't serve right now. */
gboolean sp_agent_may_retry (const GError *error);
