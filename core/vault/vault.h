/* vault.h - the rules: who may have which secret, when, and what is written down about it
 *
 * The vault holds agents, secrets and requests in memory as they were last made durable, and changes
 * them only through the journal: an answer leaves after its change is on the disk.  It runs in one
 * thread; operations that need an object whose change is on its way wait for it.
 *
 * Every operation answers exactly once through @done, never before it returns.
 */
#pragma once

#include <json-glib/json-glib.h>

#include "base/clock.h"
#include "base/secret.h"
#include "vault/ports.h"

typedef struct _SpVault SpVault;

typedef struct {
  JsonNode *json;     /* what to show; NULL for a redeem */
  const char *id;     /* of the request, where there is one */
  SpSecret *value;    /* redeem only */
  const char *secret; /* redeem only: its name */
  guint version;      /* redeem only */
} SpVaultResult;

/* Exactly one of @result and @error is set; both are the vault's. */
typedef void (*SpVaultDone) (const SpVaultResult *result, const GError *error, gpointer data);

typedef struct {
  char *name;
  GHashTable *ids; /* notifier -> id of this person there */
} SpApprover;

typedef struct {
  char *vault_id;
  SpSecret *master; /* 32 bytes */
  guint quorum;
  guint agent_rate;     /* calls a second; the burst is twice that */
  guint agent_pending;  /* open requests of one agent that nobody has decided */
  GPtrArray *notifiers; /* names */
  GHashTable *optional; /* those of them that the vault serves without */
  GPtrArray *approvers; /* SpApprover */
  guint64 anchor_seq;   /* 0: none */
  char *anchor_head;    /* hex */
  char *trust;          /* of the ownership statement; NULL: not known */
  char *image;          /* what the machine has booted; NULL: it runs in none */
  guint index;          /* how often that was exchanged */
} SpVaultSettings;

SpVaultSettings *sp_vault_settings_new (void);
void sp_vault_settings_free (SpVaultSettings *settings);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpVaultSettings, sp_vault_settings_free)
SpApprover *sp_approver_new (const char *name);

/* Read the store and check it against keys and anchor.  @settings is consumed; @ports and @clock must
 * outlive the vault.  @done: SP_PROBLEM_INTEGRITY where the store is not this vault's. */
SpVault *sp_vault_open (SpVaultSettings *settings, const SpVaultPorts *ports, const SpClock *clock,
                        SpPluginDone done, gpointer data);
void sp_vault_free (SpVault *vault);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpVault, sp_vault_free)

/* It is about to be freed: nothing is posted or settled any more, and no time passes. */
void sp_vault_stop (SpVault *vault);
/* Nothing is on its way to the store. */
gboolean sp_vault_is_idle (const SpVault *vault);

/* What time brings: expiry.  Called when ports->wake_in() asked for it. */
void sp_vault_tick (SpVault *vault);
/* Notices are posted and settled; called when a notifier came (back) to life. */
void sp_vault_notify (SpVault *vault);
/* SP_PROBLEM_NOTIFIER where a notifier that it does not serve without can't be used, or those that can
 * reach fewer people than must agree. */
gboolean sp_vault_can_ask (const SpVault *vault, GError **error);

/* What @settings would change but for the notifiers, as texts for people: names and keys, never values. */
void sp_vault_compare (const SpVault *vault, const SpVaultSettings *settings, GPtrArray *changes);
/* Other people, notifiers and limits; @settings is consumed, and nothing else of it counts.  @changes:
 * for the audit log.  @done: with SP_PROBLEM_STORE nothing has changed; otherwise the new ones hold from
 * then on, and the ports must lead to their notifiers when it returns. */
void sp_vault_reconfigure (SpVault *vault, SpVaultSettings *settings, const char *changes,
                           SpPluginDone done, gpointer data);
/* @notifier was opened anew: show it what is pending. */
void sp_vault_post_again (SpVault *vault, const char *notifier);

/* ---- agents ------------------------------------------------------------------------------------------- */

void sp_vault_secrets (SpVault *vault, const char *token, const char *cursor, SpVaultDone done,
                       gpointer data);
/* @ttl_s -1: the default; @idempotency_key "": none. */
void
sp_vault_create (SpVault *vault, const char *token, const char *idempotency_key, const char *secret,
                 const char *reason, gint64 ttl_s, SpVaultDone done, gpointer data);
/* Waits for a pending request to change.  *@ret_wait, where not NULL: set while it waits, and
 * cleared then (it must stay valid); give it to sp_vault_get_now() to have the answer at once. */
void sp_vault_get (SpVault *vault, const char *token, const char *id, gboolean wait,
                   gpointer *ret_wait, SpVaultDone done, gpointer data);
void sp_vault_get_now (SpVault *vault, gpointer wait);
void sp_vault_list (SpVault *vault, const char *token, const char *cursor, guint limit,
                    SpVaultDone done, gpointer data);
void sp_vault_cancel (SpVault *vault, const char *token, const char *id, SpVaultDone done,
                      gpointer data);
void sp_vault_redeem (SpVault *vault, const char *token, const char *id, SpVaultDone done,
                      gpointer data);

/* ---- approvers -------------------------------------------------------------------------------------------- */

typedef void (*SpAnswerDone) (SpAnswerResult result, const char *sentence, gpointer data);
void
sp_vault_answer (SpVault *vault, const char *notifier, const char *notice_id, const char *choice_id,
                 const char *person, const char *evidence, SpAnswerDone done, gpointer data);
/* Written to the audit log, at most so many a minute, and told to the other notifiers. */
void sp_vault_alarm (SpVault *vault, const char *notifier, const char *what);
/* @notifier says that it can't do its work: an alarm where somebody waits for a decision. */
void sp_vault_trouble (SpVault *vault, const char *notifier, const char *why);

/* A person asks something of the vault itself: "help", "status", "pending", "grants", "lock".  @sentence: lines
 * of plain text for that person. */
void sp_vault_command (SpVault *vault, const char *notifier, const char *person,
                       const char *command, const char *evidence, SpAnswerDone done, gpointer data);

/* What notifiers keep: @done as in the journal. */
void sp_vault_remember (SpVault *vault, const char *notifier, const char *key, const char *value,
                        SpPluginDone done, gpointer data);
GVariant *sp_vault_recall (SpVault *vault, const char *notifier); /* a{ss}, floating */

/* ---- administrators ------------------------------------------------------------------------------------------ */

/* The calls of docs/admin-channel.md by name, with their checked params.  FALSE: no such call. */
gboolean sp_vault_admin (SpVault *vault, const char *method, JsonObject *params, SpSecret *secret,
                         SpVaultDone done, gpointer data);

/* Locked by a person, with its keys: nothing is accepted or handed out. */
gboolean sp_vault_is_locked (const SpVault *vault);

/* For status: counts and the audit head. */
void sp_vault_describe (SpVault *vault, JsonObject *into);
