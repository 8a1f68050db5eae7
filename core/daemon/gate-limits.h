/* gate-limits.h - how often a peer may make the vault work without a token
 *
 * Token buckets, one of each kind for each peer.  Pure: the clock is the caller's.  What an agent with
 * a token may do is for the keeper to limit.
 */
#pragma once

#include "daemon/http-peer.h"

typedef enum {
  SP_GATE_LIMIT_UNAUTHORIZED, /* answers 401: 10 at once, then 2 a second */
  SP_GATE_LIMIT_OWNERSHIP,    /* signatures over a nonce: 50 at once, then 10 a second */
  SP_GATE_N_LIMITS
} SpGateLimit;

typedef struct _SpGateLimits SpGateLimits;

SpGateLimits *sp_gate_limits_new (void);
void sp_gate_limits_free (SpGateLimits *limits);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpGateLimits, sp_gate_limits_free)

/* Take one.  FALSE: there is none left, and there will be one in *@ret_retry_after seconds.  @now:
 * microseconds of a clock that never goes back. */
gboolean sp_gate_limits_take (SpGateLimits *limits, const SpHttpPeer *peer, SpGateLimit which,
                              gint64 now, guint *ret_retry_after);
