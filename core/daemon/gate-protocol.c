/* gate-protocol.c - the two tables of gate-protocol.h */
#include "daemon/gate-protocol.h"

const SpLinkMethod sp_gate_calls[SP_GATE_N_CALLS] = {
  [SP_GATE_HEALTH] = { "health", "()", "(us)" },
  [SP_GATE_OWNERSHIP] = { "ownership", "(s)", "(s)" },
  [SP_GATE_SECRETS] = { "secrets", "(ss)", "(s)" },
  [SP_GATE_CREATE] = { "create", "(ssssx)", "(ss)" },
  [SP_GATE_GET] = { "get", "(ssu)", "(s)" },
  [SP_GATE_LIST] = { "list", "(ssu)", "(s)" },
  [SP_GATE_CANCEL] = { "cancel", "(ss)", "(s)" },
  [SP_GATE_REDEEM] = { "redeem", "(ss)", "(su)" },
};

const SpLinkMethod sp_gate_orders[SP_GATE_N_ORDERS] = {
  [SP_GATE_SET_TLS] = { "set-tls", "(b)", "()" },
};
