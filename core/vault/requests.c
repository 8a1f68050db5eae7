/* requests.c - what an agent does with requests: ask, look, wait, list, withdraw, redeem
 *
 * Each operation is a small record that runs from its start, and runs again from its start whenever
 * it had to wait for a change of the same request: nothing is remembered across the wait.
 */
#include <string.h>

#include "base/problem.h"
#include "base/random.h"
#include "vault/vault-private.h"

#define DEFAULT_TTL 600
#define MIN_TTL 30
#define MAX_TTL 3600
#define CODE_LENGTH 4

typedef struct {
  SpVault *vault;
  char *agent_id, *agent;
  char *id;
  /* create */
  char *key, *secret, *reason, *digest;
  guint ttl;
  /* redeem */
  GBytes *sealed;
  SpRequest *request;
  guint version;
  SpVaultDone done;
  gpointer data;
} Op;

static void
op_free (Op *op)
{
  g_free (op->agent_id);
  g_free (op->agent);
  g_free (op->id);
  g_free (op->key);
  g_free (op->secret);
  g_free (op->reason);
  g_free (op->digest);
  g_clear_pointer (&op->sealed, g_bytes_unref);
  g_clear_pointer (&op->request, sp_request_unref);
  g_free (op);
}

static Op *
op_new (SpVault *vault, const char *token, const char *id, SpVaultDone done, gpointer data)
{
  GError *error = NULL;
  const SpAgent *agent = sp_vault_authenticate (vault, token, &error);
  Op *op;

  if (agent == NULL) {
    sp_answer_error (error, done, data);
    return NULL;
  }
  op = g_new0 (Op, 1);
  op->vault = vault;
  op->agent_id = g_strdup (agent->id);
  op->agent = g_strdup (agent->name);
  op->id = g_strdup (id);
  op->done = done;
  op->data = data;
  return op;
}

/* Each of these ends @op. */
static void
op_fail (Op *op, GError *error)
{
  sp_answer_error (error, op->done, op->data);
  op_free (op);
}

static void
op_show (Op *op, const SpRequest *request)
{
  sp_answer_json (sp_request_to_json (request, FALSE), request->id, op->done, op->data);
  op_free (op);
}

/* The caller's own request, with nothing on its way for it.  NULL: @op has ended, or runs @again
 * later. */
static SpRequest *
own_request (Op *op, void (*again) (gpointer))
{
  SpRequest *request = g_hash_table_lookup (op->vault->by_id, op->id);

  if (request == NULL || !g_str_equal (request->agent_id, op->agent_id)) {
    op_fail (op, g_error_new (SP_PROBLEM, SP_PROBLEM_NOT_FOUND, "no request %s", op->id));
    return NULL;
  }
  if (request->busy || sp_vault_expire_if_due (op->vault, request)) {
    sp_request_park (request, again, op);
    return NULL;
  }
  return request;
}

static void
on_changed (SpVault *vault, SpRequest *request, const GError *error, gpointer data)
{
  Op *op = data;

  if (error != NULL)
    op_fail (op, g_error_copy (error));
  else
    op_show (op, request);
}

/* ---- asking ------------------------------------------------------------------------------------------- */

static guint
count_pending (SpVault *vault, const char *agent_id)
{
  guint n = 0;

  for (guint i = 0; i < vault->live->len; i++) {
    const SpRequest *request = g_ptr_array_index (vault->live, i);

    n += request->status == SP_REQUEST_PENDING
         && (agent_id == NULL || g_str_equal (request->agent_id, agent_id));
  }
  return n;
}

static gboolean
may_ask (Op *op, const SpStoredSecret *secret, GError **error)
{
  SpVault *vault = op->vault;
  guint notifiers = vault->settings->notifiers->len, usable = 0;

  if (secret == NULL || !sp_stored_secret_allows (secret, op->agent)) {
    /* The same answer for both: which secrets there are is not everyone's business. */
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_NOT_FOUND, "no secret %s for this agent",
                 op->secret);
    return FALSE;
  }
  if (count_pending (vault, op->agent_id) >= vault->settings->agent_pending
      || count_pending (vault, NULL) >= SP_MAX_PENDING) {
    sp_problem_set_rate_limited (error, 30, "%u requests wait for a decision already",
                                 vault->settings->agent_pending);
    return FALSE;
  }
  for (guint i = 0; i < notifiers; i++)
    usable += vault->ports->usable (vault->ports->port,
                                    g_ptr_array_index (vault->settings->notifiers, i));
  if (notifiers > 0 && usable == 0) {
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_NOTIFIER,
                         "no approver can be reached; ask again later");
    return FALSE;
  }
  return TRUE;
}

static gboolean
code_is_taken (SpVault *vault, const char *code)
{
  for (guint i = 0; i < vault->live->len; i++)
    if (g_str_equal (((SpRequest *) g_ptr_array_index (vault->live, i))->code, code))
      return TRUE;
  return FALSE;
}

static char *
new_code (SpVault *vault)
{
  for (;;) {
    g_autofree char *code = sp_random_code (CODE_LENGTH);

    if (!code_is_taken (vault, code))
      return g_steal_pointer (&code);
  }
}

static SpRequest *
build_request (Op *op, const SpStoredSecret *secret)
{
  SpVault *vault = op->vault;
  SpRequest *request = sp_request_new ();

  request->id = sp_random_id (16);
  request->number = vault->next_number++;
  request->agent_id = g_strdup (op->agent_id);
  request->agent = g_strdup (op->agent);
  request->secret = g_strdup (op->secret);
  request->reason = g_strdup (op->reason);
  request->code = new_code (vault);
  for (guint i = 0; secret->confirm_code && i < G_N_ELEMENTS (request->decoys); i++)
    do {
      g_free (request->decoys[i]);
      request->decoys[i] = new_code (vault);
    } while (g_str_equal (request->decoys[i], request->code)
             || (i > 0 && g_str_equal (request->decoys[i], request->decoys[0])));
  request->created_us = sp_clock_wall_us (vault->clock);
  request->idempotency_key = *op->key ? g_strdup (op->key) : NULL;
  request->digest = g_strdup (op->digest);
  sp_deadline_set (&request->deadline, vault->clock, op->ttl);
  for (guint i = 0; i < vault->settings->notifiers->len; i++)
    g_ptr_array_add (request->unsettled,
                     g_strdup (g_ptr_array_index (vault->settings->notifiers, i)));
  return request;
}

static void
on_created (SpVault *vault, SpRequest *request, const GError *error, gpointer data)
{
  request->fresh = FALSE;
  on_changed (vault, request, error, data);
  /* It never was: those who wait for it find nothing and start over. */
  if (error != NULL)
    sp_vault_drop_request (vault, request);
}

/* Keep the list bounded: the oldest that is over goes, in the same commit. */
static SpRequest *
oldest_to_drop (SpVault *vault)
{
  if (vault->requests->len < SP_MAX_REQUESTS)
    return NULL;
  for (guint i = 0; i < vault->requests->len; i++) {
    SpRequest *request = g_ptr_array_index (vault->requests, i);

    if (!sp_request_is_open (request) && request->unsettled->len == 0 && !request->busy)
      return request;
  }
  return NULL;
}

static void
make_request (Op *op, const SpStoredSecret *secret)
{
  SpVault *vault = op->vault;
  SpRequest *request = build_request (op, secret);
  SpRequest *drop = oldest_to_drop (vault);
  SpTxn *txn = sp_vault_txn (vault);

  if (drop != NULL) {
    sp_txn_put (txn, SP_TABLE_REQUESTS, drop->id, NULL);
    sp_vault_drop_request (vault, drop);
  }
  sp_txn_audit (txn, "request.created", "request", request->id, "agent", request->agent, "secret",
                request->secret, "code", request->code, NULL);
  request->fresh = TRUE;
  sp_vault_add_request (vault, request);
  sp_vault_change (vault, request, sp_request_copy (request), txn, on_created, op);
}

static void
create_run (gpointer data)
{
  Op *op = data;
  g_autofree char *name = sp_vault_idempotency_name (op->agent_id, op->key);
  SpRequest *before = *op->key ? g_hash_table_lookup (op->vault->by_key, name) : NULL;
  const SpStoredSecret *secret = g_hash_table_lookup (op->vault->secrets, op->secret);
  GError *error = NULL;

  if (before != NULL && before->busy)
    sp_request_park (before, create_run, op);
  else if (before != NULL && g_strcmp0 (before->digest, op->digest) != 0)
    op_fail (op, g_error_new_literal (SP_PROBLEM, SP_PROBLEM_IDEMPOTENCY_MISMATCH,
                                      "this Idempotency-Key was used for another request"));
  else if (before != NULL)
    op_show (op, before);
  else if (!may_ask (op, secret, &error))
    op_fail (op, error);
  else
    make_request (op, secret);
}

static gboolean
check_create (const char *reason, gint64 ttl_s, GError **error)
{
  glong length = g_utf8_strlen (reason, -1);

  if (length < 1 || length > 500) {
    sp_problem_set_invalid (error, "reason", "a reason has 1 to 500 characters");
    return FALSE;
  }
  if (ttl_s != -1 && (ttl_s < MIN_TTL || ttl_s > MAX_TTL)) {
    sp_problem_set_invalid (error, "ttl", "ttl is %d to %d seconds", MIN_TTL, MAX_TTL);
    return FALSE;
  }
  return TRUE;
}

void
sp_vault_create (SpVault *vault, const char *token, const char *idempotency_key,
                 const char *secret, const char *reason, gint64 ttl_s, SpVaultDone done,
                 gpointer data)
{
  Op *op = op_new (vault, token, NULL, done, data);
  GError *error = NULL;
  g_autofree char *ttl = NULL;

  if (op == NULL)
    return;
  if (!check_create (reason, ttl_s, &error)) {
    op_fail (op, error);
    return;
  }
  op->key = g_strdup (idempotency_key);
  op->secret = g_strdup (secret);
  op->reason = g_strdup (reason);
  op->ttl = ttl_s == -1 ? DEFAULT_TTL : (guint) ttl_s;
  ttl = g_strdup_printf ("%u", op->ttl);
  op->digest = sp_keys_mac_hex (vault->keys, SP_KEY_NAMES, "request", secret, reason, ttl, NULL);
  create_run (op);
}

/* ---- looking and waiting ---------------------------------------------------------------------------------- */

static void
get_run (gpointer data)
{
  Op *op = data;
  const SpRequest *request = own_request (op, get_run);

  if (request != NULL)
    op_show (op, request);
}

static guint
count_watches (SpVault *vault, const char *agent_id)
{
  guint n = 0;

  for (guint i = 0; i < vault->live->len; i++) {
    const SpRequest *request = g_ptr_array_index (vault->live, i);

    if (g_str_equal (request->agent_id, agent_id))
      n += request->watched->len;
  }
  return n;
}

void
sp_vault_get (SpVault *vault, const char *token, const char *id, gboolean wait, gpointer *ret_wait,
              SpVaultDone done, gpointer data)
{
  Op *op = op_new (vault, token, id, done, data);
  SpRequest *request;

  if (op == NULL)
    return;
  request = g_hash_table_lookup (vault->by_id, id);
  if (!wait || request == NULL || request->status != SP_REQUEST_PENDING
      || !g_str_equal (request->agent_id, op->agent_id)
      || sp_deadline_left_ms (&request->deadline, vault->clock) == 0) {
    get_run (op);
    return;
  }
  if (count_watches (vault, op->agent_id) >= SP_MAX_WATCHES) {
    GError *error = NULL;

    sp_problem_set_rate_limited (&error, 5, "%u calls wait already", SP_MAX_WATCHES);
    op_fail (op, error);
    return;
  }
  g_ptr_array_add (request->watched, g_memdup2 (&(SpParked){ get_run, op }, sizeof (SpParked)));
  if (ret_wait != NULL)
    *ret_wait = op;
}

void
sp_vault_get_now (SpVault *vault, gpointer wait)
{
  Op *op = wait;
  SpRequest *request = g_hash_table_lookup (vault->by_id, op->id);

  for (guint i = 0; request != NULL && i < request->watched->len; i++) {
    const SpParked *parked = g_ptr_array_index (request->watched, i);

    if (parked->data == wait) {
      g_ptr_array_remove_index_fast (request->watched, i);
      break;
    }
  }
  get_run (op);
}

void
sp_vault_list (SpVault *vault, const char *token, const char *cursor, guint limit,
               SpVaultDone done, gpointer data)
{
  Op *op = op_new (vault, token, NULL, done, data);
  guint64 below = G_MAXUINT64;
  JsonArray *items;
  g_autofree char *next = NULL;
  guint n = 0, most = limit == 0 ? SP_PAGE : MIN (limit, SP_PAGE);
  guint64 last = 0;

  if (op == NULL)
    return;
  if (*cursor && !g_ascii_string_to_unsigned (cursor, 10, 0, G_MAXUINT64, &below, NULL)) {
    GError *error = NULL;

    sp_problem_set_invalid (&error, "cursor", "this is no cursor that a list gave");
    op_fail (op, error);
    return;
  }
  items = json_array_new ();
  for (guint i = vault->requests->len; i > 0; i--) {
    const SpRequest *request = g_ptr_array_index (vault->requests, i - 1);

    if (request->fresh || request->number >= below
        || !g_str_equal (request->agent_id, op->agent_id))
      continue;
    if (n == most) {
      next = g_strdup_printf ("%" G_GUINT64_FORMAT, last);
      break;
    }
    json_array_add_element (items, sp_request_to_json (request, FALSE));
    last = request->number;
    n++;
  }
  sp_answer_json (sp_page_json (items, next), NULL, done, data);
  op_free (op);
}

/* ---- withdrawing ------------------------------------------------------------------------------------------- */

static void
cancel_run (gpointer data)
{
  Op *op = data;
  SpRequest *request = own_request (op, cancel_run);
  SpRequest *next;
  SpTxn *txn;

  if (request == NULL)
    return;
  next = sp_request_copy (request);
  if (!sp_request_move (next, SP_REQUEST_CANCELLED)) {
    GError *error = request->status == SP_REQUEST_APPROVED
                        ? g_error_new (SP_PROBLEM, SP_PROBLEM_CONFLICT,
                                       "request %s is approved; it can't be cancelled any more",
                                       request->id)
                        : sp_request_problem (request);
    sp_request_unref (next);
    op_fail (op, error);
    return;
  }
  txn = sp_vault_txn (op->vault);
  sp_txn_audit (txn, "request.cancelled", "request", request->id, "agent", request->agent,
                "secret", request->secret, "why", "withdrawn by the agent", NULL);
  sp_vault_change (op->vault, request, next, txn, on_changed, op);
}

void
sp_vault_cancel (SpVault *vault, const char *token, const char *id, SpVaultDone done,
                 gpointer data)
{
  Op *op = op_new (vault, token, id, done, data);

  if (op != NULL)
    cancel_run (op);
}

/* ---- redeeming ---------------------------------------------------------------------------------------------- */

static void redeem_run (gpointer data);

/* The change is durable: now, and only now, the value may leave. */
static void
on_redeemed (SpVault *vault, SpRequest *request, const GError *error, gpointer data)
{
  Op *op = data;
  const SpStoredSecret *secret = g_hash_table_lookup (vault->secrets, request->secret);
  g_autoptr (GError) local = NULL;
  g_autoptr (SpSecret) value = NULL;
  SpVaultResult result = { .id = request->id, .secret = request->secret };

  if (error == NULL && secret != NULL && secret->version == op->version)
    value = sp_vault_open_value (vault, secret, op->sealed, &local);
  else if (error == NULL)
    local = g_error_new_literal (SP_PROBLEM, SP_PROBLEM_CONFLICT,
                                 "the secret was changed at this moment; ask again");
  result.value = value;
  result.version = op->version;
  op->done (value ? &result : NULL, value ? NULL : error ? error : local, op->data);
  op_free (op);
}

static void
on_value_read (GBytes *value, gint64 revision, const GError *error, gpointer data)
{
  Op *op = data;
  SpVault *vault = op->vault;
  g_autoptr (SpRequest) request = g_steal_pointer (&op->request);
  g_autoptr (GVariant) row = NULL;
  g_autoptr (GError) local = NULL;
  g_autofree char *key = sp_vault_blind (vault, SP_TABLE_VALUES, request->secret);
  SpRequest *next;
  SpTxn *txn;

  if (value != NULL)
    row = sp_journal_open_row (vault->journal, SP_TABLE_VALUES, key, revision, value, "ay", &local);
  if (row == NULL) {
    op_fail (op, g_error_new (SP_PROBLEM, local ? SP_PROBLEM_INTEGRITY : SP_PROBLEM_STORE,
                              "the value could not be read; the approval still stands: %s",
                              local ? local->message : error->message));
    sp_vault_end_change (vault, request, NULL);
    return;
  }
  op->sealed = g_variant_get_data_as_bytes (row);
  next = sp_request_copy (request);
  if (request->grant_s == 0)
    (void) sp_request_move (next, SP_REQUEST_USED);
  txn = sp_vault_txn (vault);
  sp_txn_audit (txn, "request.redeemed", "request", request->id, "agent", request->agent, "secret",
                request->secret, NULL);
  sp_vault_change (vault, request, next, txn, on_redeemed, op);
}

static void
redeem_run (gpointer data)
{
  Op *op = data;
  SpVault *vault = op->vault;
  SpRequest *request = own_request (op, redeem_run);
  const SpStoredSecret *secret;
  g_autofree char *key = NULL;

  if (request == NULL)
    return;
  if (request->status != SP_REQUEST_APPROVED) {
    op_fail (op, sp_request_problem (request));
    return;
  }
  secret = g_hash_table_lookup (vault->secrets, request->secret);
  if (secret == NULL || !sp_stored_secret_allows (secret, op->agent)) {
    op_fail (op, g_error_new (SP_PROBLEM, SP_PROBLEM_REVOKED,
                              "secret %s is no longer there for this agent", request->secret));
    return;
  }
  /* Busy from here on, so that of many redeems at once one reads and all others wait. */
  sp_vault_begin_change (request);
  op->version = secret->version;
  op->request = sp_request_ref (request);
  key = sp_vault_blind (vault, SP_TABLE_VALUES, request->secret);
  vault->ports->read (vault->ports->port, SP_TABLE_VALUES, key, on_value_read, op);
}

void
sp_vault_redeem (SpVault *vault, const char *token, const char *id, SpVaultDone done,
                 gpointer data)
{
  Op *op = op_new (vault, token, id, done, data);

  if (op != NULL)
    redeem_run (op);
}
