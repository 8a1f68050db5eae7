/* vault-private.h - what the files of the vault share with one another, and nobody else */
#pragma once

#include "vault/journal.h"
#include "vault/request.h"
#include "vault/vault.h"

#define SP_TABLE_SECRETS "secrets"
#define SP_TABLE_VALUES "values"
#define SP_TABLE_AGENTS "agents"
#define SP_TABLE_REQUESTS "requests"
#define SP_TABLE_STATE "state"
#define SP_VAULT_KEY "vault"
#define SP_LOCK_KEY "lock"
#define SP_IMAGE_KEY "image"
#define SP_LOCK_TYPE "(ssx)"  /* who, through which notifier ("": none), when in µs */
#define SP_VAULT_TYPE "(sux)" /* vault id, wrapping epoch, made in µs */
#define SP_IMAGE_TYPE "(uus)" /* form of the rows, how often exchanged, image */

#define SP_MAX_REQUESTS 10000u
#define SP_MAX_PENDING 512u
#define SP_MAX_WATCHES 64u /* long polls of one agent */
#define SP_PAGE 100u
#define SP_MAX_GRANT_S (7u * 24u * 3600u)
#define SP_MAX_VALUE 65536u

typedef struct {
  char *id;
  char *name;
  char *token_mac; /* hex */
  gint64 created_us;
  gint64 revoked_us; /* 0: not */
  /* Not stored: the token bucket. */
  double tokens;
  gint64 filled_ms;
} SpAgent;

typedef struct {
  char *name;
  char *description;
  char **allow; /* agents' names; NULL: every agent may ask */
  gboolean confirm_code;
  guint grant_max_s; /* 0: none set */
  guint version;
  gint64 created_us, updated_us;
  guint epoch;     /* of the wrapping key */
  GBytes *wrapped; /* the data key */
} SpStoredSecret;

struct _SpVault {
  SpVaultSettings *settings;
  const SpVaultSettings *coming; /* on their way to the store; NULL: none */
  const SpVaultPorts *ports;
  const SpClock *clock;
  SpKeys *keys;
  SpJournal *journal;
  guint epoch;
  gboolean open; /* loaded */

  GHashTable *agents;  /* name -> SpAgent */
  GHashTable *tokens;  /* token MAC -> SpAgent, not revoked */
  GHashTable *secrets; /* name -> SpStoredSecret */
  GPtrArray *requests; /* SpRequest, by number */
  GHashTable *by_id;   /* id -> SpRequest */
  GHashTable *by_key;  /* agent id + idempotency key -> SpRequest */
  GPtrArray *live;     /* those that are open or unsettled */
  GHashTable *state;   /* notifier -> (key -> value) */
  guint64 next_number;

  gboolean admin_busy;              /* one administrator's change at a time */
  GPtrArray *admin_parked;          /* SpParked */
  GHashTable *notify_busy;          /* notifiers with a call on its way */
  GPtrArray *retrying;              /* calls that failed, until they are tried again */
  gint64 hold_until_ms;             /* a change has failed: expiry is not tried again before */
  char *going_agent, *going_secret; /* what an administrator's change is taking away */
  gint64 alarms_minute;             /* rate limit of alarms and refused answers */
  guint alarms;
  GHashTable *strangers;  /* notifier -> how many answers of strangers in this minute */
  GPtrArray *infos;       /* of infos.c */
  gint64 commands_minute; /* rate limit of what approvers ask */
  guint commands;
  struct {
    char *by; /* NULL: not locked */
    char *via;
    gint64 since_us;
    guint setting, clearing; /* on their way to the store */
  } lock;
  char *image; /* with which the store was opened last; NULL: it does not say */
  guint index;

  gpointer opening;
};

/* ---- vault.c ---------------------------------------------------------------------------------------------- */
SpTxn *sp_vault_txn (SpVault *vault);
/* Row key that shows nothing of @name. */
char *sp_vault_blind (SpVault *vault, const char *table, const char *name);
/* Ask for the next tick. */
void sp_vault_arm (SpVault *vault);
void sp_vault_add_request (SpVault *vault, SpRequest *request); /* takes it */
void sp_vault_drop_request (SpVault *vault, SpRequest *request);
char *sp_vault_idempotency_name (const char *agent_id, const char *key);

/* ---- vault-load.c ----------------------------------------------------------------------------------------- */
void sp_vault_load (SpVault *vault, SpPluginDone done, gpointer data);

/* ---- image-row.c: which image the store was opened with last ------------------------------------------------ */
/* The form of all rows that are written here.  Raise it with the first change that an older daemon would not
 * understand: that one then refuses the store with a sentence. */
#define SP_VAULT_FORM 1u
/* SP_PROBLEM_INTEGRITY where this daemon must not touch the store. */
gboolean sp_image_row_take (SpVault *vault, GVariant *value, GError **error);
/* With the unlocking of the vault; @made: it is a new one. */
void sp_image_row_put (SpVault *vault, SpTxn *txn, gboolean made);

/* ---- change.c: one request's change on its way to the store --------------------------------------------------- */

/* Run @func again when nothing is on its way for @request any more. */
void sp_request_park (SpRequest *request, void (*func) (gpointer), gpointer data);
typedef void (*SpChanged) (SpVault *vault, SpRequest *request, const GError *error, gpointer data);
/* Commit @next, a changed copy of @request, with @txn, to which its row is added.  Consumes both.
 * @request is busy until then; afterwards it is as @next, or as it was. */
void sp_vault_change (SpVault *vault, SpRequest *request, SpRequest *next, SpTxn *txn,
                      SpChanged changed, gpointer data);
/* The parts of it, for a commit that changes more than one. */
void sp_vault_put_request (SpTxn *txn, const SpRequest *request);
void sp_vault_begin_change (SpRequest *request);
void sp_vault_end_change (SpVault *vault, SpRequest *request, const SpRequest *next);
/* It is listed as live, or not, as it now is. */
void sp_vault_update_live (SpVault *vault, SpRequest *request);
/* It has run out and no one has said so yet: say so.  TRUE: it had, and is busy now. */
gboolean sp_vault_expire_if_due (SpVault *vault, SpRequest *request);
/* TRUE: nothing is on its way for @request, and it has not run out.  FALSE without @error: @func is
 * called with @data when that may be so; with SP_PROBLEM_STORE: its end can't be written down. */
gboolean sp_request_ready (SpVault *vault, SpRequest *request, void (*func) (gpointer),
                           gpointer data, GError **error);

/* ---- ending.c: the open requests for something that goes ----------------------------------------------------------- */
typedef struct {
  GPtrArray *requests, *nexts; /* SpRequest */
} SpEnding;

void sp_ending_clear (SpEnding *ending);
/* The open requests of agent @name, or for secret @name.  FALSE: one of them is busy; @again is called
 * with @data when it is not. */
gboolean sp_ending_collect (SpEnding *ending, SpVault *vault, gboolean by_secret, const char *name,
                            void (*again) (gpointer), gpointer data);
/* They end with @txn; sp_ending_finish() when it was committed or has failed. */
void sp_ending_add (SpEnding *ending, SpVault *vault, SpTxn *txn, const char *why);
void sp_ending_finish (SpEnding *ending, SpVault *vault, const GError *error);

/* ---- reconfigure.c ------------------------------------------------------------------------------------------- */
/* Votes, and who shows it, as the settings have it: who is not in them any more does not count; a pending one
 * is shown by every notifier. */
void sp_vault_fit_request (SpVault *vault, SpRequest *request);
/* The approver who is @person at @notifier; NULL: nobody who may decide. */
const SpApprover *sp_vault_approver (SpVault *vault, const char *notifier, const char *person);
guint sp_vault_quorum (const SpVault *vault);

/* ---- agents.c ------------------------------------------------------------------------------------------------ */
SpAgent *sp_agent_from_variant (GVariant *value, GError **error);
void sp_agent_free (SpAgent *agent);
/* The agent of @token; takes one call from its allowance.  The vault's. */
SpAgent *sp_vault_authenticate (SpVault *vault, const char *token, GError **error);
void sp_vault_agent_add (SpVault *vault, JsonObject *params, SpVaultDone done, gpointer data);
void sp_vault_agent_list (SpVault *vault, JsonObject *params, SpVaultDone done, gpointer data);
void sp_vault_agent_revoke (SpVault *vault, JsonObject *params, SpVaultDone done, gpointer data);

/* ---- secret-form.c ------------------------------------------------------------------------------------------------- */
SpStoredSecret *sp_stored_secret_from_variant (GVariant *value, GError **error);
void sp_stored_secret_free (SpStoredSecret *secret);
/* @agent may ask for @secret. */
gboolean sp_stored_secret_allows (const SpStoredSecret *secret, const char *agent);
/* Open @sealed, the row of table values. */
SpSecret *
sp_vault_open_value (SpVault *vault, const SpStoredSecret *secret, GBytes *sealed, GError **error);
SpStoredSecret *sp_stored_secret_copy (const SpStoredSecret *secret);
/* Seal @data_key for @secret under the wrapping key of @epoch, and the reverse. */
void
sp_stored_secret_wrap (SpVault *vault, SpStoredSecret *secret, SpSecret *data_key, guint epoch);
SpSecret *sp_stored_secret_unwrap (SpVault *vault, const SpStoredSecret *secret, GError **error);
void sp_stored_secret_put (SpVault *vault, SpTxn *txn, const SpStoredSecret *secret);
/* @value under a new data key, which goes into @secret. */
void
sp_stored_secret_put_value (SpVault *vault, SpTxn *txn, SpStoredSecret *secret, SpSecret *value);

/* ---- secret-lists.c and secrets.c ------------------------------------------------------------------------------------- */
/* The secret that params.name names; the vault's. */
SpStoredSecret *sp_vault_named_secret (SpVault *vault, JsonObject *params, GError **error);
void sp_vault_secret_put (SpVault *vault, JsonObject *params, SpSecret *value, SpVaultDone done,
                          gpointer data);
void sp_vault_secret_list (SpVault *vault, JsonObject *params, SpVaultDone done, gpointer data);
void sp_vault_secret_show (SpVault *vault, JsonObject *params, SpVaultDone done, gpointer data);
void sp_vault_secret_rm (SpVault *vault, JsonObject *params, SpVaultDone done, gpointer data);
void sp_vault_secret_rotate (SpVault *vault, JsonObject *params, SpVaultDone done, gpointer data);

/* ---- decide.c ---------------------------------------------------------------------------------------------------- */
#define SP_BY_ADMIN "admin"
/* @next becomes approved, denied or revoked by @who, through the notifier @via (NULL: none). */
void sp_request_decide (SpVault *vault, SpRequest *next, SpRequestStatus to, const char *who,
                        const char *via, guint grant_s);
/* @next was cancelled or revoked: by whom. */
void sp_request_end (SpVault *vault, SpRequest *next, const char *who, const char *via);
/* For the audit log.  The first: NULL for 0. */
char *sp_decision_seconds (guint seconds);
const char *sp_decision_event (SpRequestStatus to);
void sp_vault_request_approve (SpVault *vault, JsonObject *params, SpVaultDone done, gpointer data);
void sp_vault_request_deny (SpVault *vault, JsonObject *params, SpVaultDone done, gpointer data);
void sp_vault_request_list (SpVault *vault, JsonObject *params, SpVaultDone done, gpointer data);
void sp_vault_grant_list (SpVault *vault, JsonObject *params, SpVaultDone done, gpointer data);
void sp_vault_grant_revoke (SpVault *vault, JsonObject *params, SpVaultDone done, gpointer data);

/* ---- lock.c ------------------------------------------------------------------------------------------------------------ */
typedef struct {
  const char *name;
  const char *notifier, *person, *evidence; /* NULL: an administrator */
} SpLockBy;

void sp_lock_take (SpVault *vault, GVariant *value);
/* FALSE: SP_PROBLEM_LOCKED. */
gboolean sp_lock_allows (const SpVault *vault, GError **error);
/* It is locked, and not about to be unlocked. */
gboolean sp_lock_stands (const SpVault *vault);
void sp_lock_set (SpVault *vault, const SpLockBy *who, SpPluginDone done, gpointer data);
/* Whether @request has to end because of it; and end it. */
gboolean sp_lock_ends (const SpVault *vault, const SpRequest *request);
void sp_lock_tick (SpVault *vault, SpRequest *request);
void sp_lock_describe (const SpVault *vault, JsonObject *into);
void sp_vault_lock_set (SpVault *vault, JsonObject *params, SpVaultDone done, gpointer data);
void sp_vault_lock_clear (SpVault *vault, JsonObject *params, SpVaultDone done, gpointer data);

/* ---- request-lists.c ---------------------------------------------------------------------------------------------------- */
/* An approval for a time that holds now. */
gboolean sp_request_is_grant (SpVault *vault, const SpRequest *request);

/* ---- alarms.c ---------------------------------------------------------------------------------------------------------- */
/* The notifier can show @what to nobody. */
void sp_alarm_refused (SpVault *vault, const char *notifier, const char *what);
void sp_alarm_wrong_code (SpVault *vault, const char *notifier, const char *what);
/* @did: "an answer". */
void sp_alarm_stranger (SpVault *vault, const char *notifier, const char *did, const char *person,
                        const char *evidence);

/* ---- notices.c ------------------------------------------------------------------------------------------------------ */
/* Nothing is tried again. */
void sp_vault_stop_notices (SpVault *vault);
/* What is to be done next for @notifier, where nothing is on its way to it. */
void sp_vault_notify_one (SpVault *vault, const char *notifier);
gboolean sp_names_contain (const GPtrArray *names, const char *name);
void sp_names_remove (GPtrArray *names, const char *name);

/* ---- draft.c ---------------------------------------------------------------------------------------------------------- */
/* A request has two notices: of the ask itself, and of the grant that it became. */
typedef enum { SP_NOTICE_ASK, SP_NOTICE_GRANT, SP_N_NOTICE_KINDS } SpNoticeKind;
#define SP_CHOICE_REVOKE "revoke"
char *sp_vault_notice_id (SpVault *vault, const SpRequest *request, SpNoticeKind kind,
                          const char *notifier);

/* ---- auditing.c ------------------------------------------------------------------------------------------------------- */
void sp_vault_audit_show (SpVault *vault, JsonObject *params, SpVaultDone done, gpointer data);
void sp_vault_audit_verify (SpVault *vault, JsonObject *params, SpVaultDone done, gpointer data);

/* ---- reply.c: helpers to answer with ------------------------------------------------------------------------------- */
/* From an idle, as operations never answer before they return.  @node is consumed. */
void sp_answer_json (JsonNode *node, const char *id, SpVaultDone done, gpointer data);
void sp_answer_error (GError *error, SpVaultDone done, gpointer data); /* consumes @error */
/* A list and where it goes on (NULL: nowhere). */
JsonNode *sp_page_json (JsonArray *items, const char *next);
/* The members of @params that are allowed, by type: "name:s", "for:i", "allow:as". */
gboolean sp_params_check (JsonObject *params, const char *const *allowed, GError **error);
/* A name that agents and secrets may have. */
gboolean sp_name_check (const char *what, const char *name, GError **error);
