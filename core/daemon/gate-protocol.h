/* gate-protocol.h - what gate and keeper say to one another
 *
 * The gate translates HTTP and knows nothing; every rule is the keeper's.  An answer of the keeper
 * is the body to send, as JSON text; only the value of a redeem travels apart, as the link's blob.
 */
#pragma once

#include "base/link.h"

/* What the gate may ask of the keeper.  `token` is what came after "Bearer "; empty: none came.
 * A failure is an SP_PROBLEM error: the gate makes problem+json of it. */
typedef enum {
  SP_GATE_HEALTH,    /* () -> (HTTP status, body) */
  SP_GATE_OWNERSHIP, /* (nonce) -> body */
  SP_GATE_SECRETS,   /* (token, cursor) -> body */
  SP_GATE_CREATE,    /* (token, idempotency key, secret, reason, ttl; -1: default) -> (id, body) */
  SP_GATE_GET,       /* (token, id, wait in ms) -> body */
  SP_GATE_LIST,      /* (token, cursor, limit; 0: default) -> body */
  SP_GATE_CANCEL,    /* (token, id) -> body */
  SP_GATE_REDEEM,    /* (token, id) -> (secret, version), blob: the value */
  SP_GATE_N_CALLS
} SpGateCall;

extern const SpLinkMethod sp_gate_calls[SP_GATE_N_CALLS];

/* What the keeper may tell the gate. */
typedef enum {
  SP_GATE_SET_TLS, /* (b: plain requests allowed everywhere) blob: certificate and key, PEM */
  SP_GATE_N_ORDERS
} SpGateOrder;

extern const SpLinkMethod sp_gate_orders[SP_GATE_N_ORDERS];
