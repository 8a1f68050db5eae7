/* gate.h - the process that parses what agents send
 *
 * It holds the TLS key and what is in transit, and no rule: whoever takes it over can neither approve
 * nor read the store.
 */
#pragma once

#include "daemon/http-server.h"

typedef struct _SpGate SpGate;

typedef struct {
  int link_fd;   /* a connected SOCK_STREAM socket: the keeper's, as gate-protocol.h says */
  int listen_fd; /* a listening TCP socket */
  const SpHttpDeadlines *deadlines;
  const SpHttpCaps *caps;
  guint answer_ms; /* how long the keeper may take, beside a wait that was asked for */
  void (*closed) (gpointer data); /* the keeper is gone */
  gpointer data;
} SpGateSetup;

/* Takes both descriptors, in any case.  Deadlines and caps must outlive the gate.  NULL: @error is set.
 * Works on the thread-default GMainContext of the moment. */
SpGate *sp_gate_new (const SpGateSetup *setup, GError **error);
void sp_gate_free (SpGate *gate);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpGate, sp_gate_free)

/* For tests: connections that are open now, calls that wait for a decision. */
guint sp_gate_connections (SpGate *gate);
guint sp_gate_parked (SpGate *gate);

/* The whole process, on a main context of its own.  Returns its exit status when the keeper is gone:
 * 0, or 1 where it could not start. */
int sp_gate_run (int link_fd, int listen_fd);
