/* gate-fixture.h - a whole gate on a thread of its own, with a keeper that does as it is told
 *
 * The client side blocks, as clients do; every read has a limit of ten seconds.
 */
#pragma once

#include "base/link.h"
#include "daemon/gate.h"

typedef struct {
  /* Set before the fixture starts, or inside gate_fixture_do(). */
  SpHttpDeadlines deadlines;
  SpHttpCaps caps;
  guint answer_ms;
  gboolean unowned; /* the keeper refuses everything but health */
  gboolean silent;  /* the keeper does not answer */
  GBytes *value;    /* what redeem hands out */

  char *token;     /* the one that the keeper knows: "good" */
  char *seen;      /* arguments of the last call, printed */
  GPtrArray *held; /* SpLinkCall: waits that were not answered yet */

  GThread *thread;
  GMainContext *context;
  GMainLoop *loop;
  SpGate *gate;
  SpLink *keeper;
  guint16 port;
  gboolean tls; /* clients speak TLS */
  gboolean closed;
  guint connections, parked; /* as of the last gate_fixture_await_...() */

  GBytes *pem; /* of gate_fixture_set_tls() */
  gboolean plain;
  gint told;
} GateFixture;

typedef void (*GateFixtureFunc) (GateFixture *self);

/* Defaults; then _start(). */
void gate_fixture_init (GateFixture *self);
void gate_fixture_start (GateFixture *self);
/* Both, and a gate that answers plain requests. */
void gate_fixture_start_plain (GateFixture *self);
void gate_fixture_clear (GateFixture *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (GateFixture, gate_fixture_clear)

/* Call @func on the gate's thread, and wait for it. */
void gate_fixture_do (GateFixture *self, GateFixtureFunc func);
/* Tell the gate how to serve. */
void gate_fixture_set_tls (GateFixture *self, gboolean tls, gboolean plain);
/* Wait until that many connections, or waiting calls, are there. */
void gate_fixture_await_connections (GateFixture *self, guint n);
void gate_fixture_await_parked (GateFixture *self, guint n);

typedef struct {
  guint status;
  char *head; /* with the status line */
  char *body;
  gsize length;
} Reply;

void reply_free (Reply *reply);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Reply, reply_free)

/* A connection that blocks. */
GIOStream *gate_fixture_dial (GateFixture *self);
void send_text (GIOStream *stream, const char *text);
/* NULL: the connection has ended. */
Reply *read_reply (GIOStream *stream);
/* Both, with a connection for it. */
Reply *gate_fixture_ask (GateFixture *self, const char *text);
/* TRUE where @reply has this line among its headers. */
gboolean reply_has (const Reply *reply, const char *line);

/* A request without a body that comes from the agent that the keeper knows. */
#define ASK(method, target) \
  method " " target " HTTP/1.1\r\nHost: v\r\nAuthorization: Bearer good\r\n\r\n"

/* How requests begin. */
#define OPEN " HTTP/1.1\r\nHost: v\r\n"
#define AUTH OPEN "Authorization: Bearer good\r\n"
#define POST "POST /v1/requests" AUTH "Content-Type: application/json\r\n"
