/* ask.h - how an agent comes by a secret: ask, wait for the person, redeem
 *
 * What is approved for a time already is used without asking.  Until the request has run out, lost
 * connections are tried again: asking twice is harmless (Idempotency-Key), and so is waiting.
 */
#pragma once

#include "cli/agent-client.h"

typedef struct {
  const char *secret;
  const char *reason;
  gint64 ttl;     /* seconds; -1: the vault's default */
  gboolean fresh; /* ask even where a grant is at hand */
} SpAskWhat;

typedef struct {
  char *secret;
  char *id;        /* of the request */
  gboolean open;   /* it is ours, and not decided */
  gboolean grant;  /* it was there before */
  gint64 until_us; /* monotonic: when it has run out */
} SpAsk;

typedef struct {
  SpSecret *value;
  char *encoding; /* as it came: "utf-8" or "base64" */
  gint64 version;
} SpAnswerValue;

void sp_ask_free (SpAsk *ask);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpAsk, sp_ask_free)
void sp_answer_value_free (SpAnswerValue *value);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpAnswerValue, sp_answer_value_free)

/* A grant that we have, or a new request, of which stderr tells. */
SpAsk *sp_ask_start (SpAgentClient *client, const SpAskWhat *what, GCancellable *cancellable,
                     GError **error);
/* Until it is approved. */
gboolean sp_ask_wait (SpAgentClient *client, SpAsk *ask, GCancellable *cancellable, GError **error);
SpAnswerValue *
sp_ask_redeem (SpAgentClient *client, SpAsk *ask, GCancellable *cancellable, GError **error);
/* Withdraw it where it is open; does its best. */
void sp_ask_cancel (SpAgentClient *client, SpAsk *ask);

/* Cancelled by SIGINT or SIGTERM, while it lives. */
typedef struct _SpInterrupt SpInterrupt;
SpInterrupt *sp_interrupt_new (void);
void sp_interrupt_free (SpInterrupt *interrupt);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpInterrupt, sp_interrupt_free)
GCancellable *sp_interrupt_cancellable (SpInterrupt *interrupt);
