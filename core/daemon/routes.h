/* routes.h - the agents' HTTP API as a table, between a connection and the link to the keeper
 *
 * Handlers only translate: a request becomes a call of gate-protocol.h, the reply an answer.  Nothing
 * here can approve, and nothing remembers.
 */
#pragma once

#include "base/link.h"
#include "daemon/gate-limits.h"
#include "daemon/http-conn.h"

#define SP_ROUTES_MAX_PARKED 200u /* calls that wait for a decision */

typedef struct {
  SpLink *link;
  SpGateLimits *limits;
  gboolean ready;  /* the keeper has said how to serve; before, only /health is */
  gboolean plain;  /* without TLS too */
  guint answer_ms; /* how long the keeper may take, beside the wait that was asked for */
  guint parked;
} SpRoutes;

/* @data of a connection's setup: a SpRoutes, which must outlive the link's last answer. */
extern const SpHttpHandler sp_routes_handler;
