/* decide.c - approving, denying, revoking: by administrators, and by approvers through notifiers
 *
 * What must stay true: a decision is made only while the request is pending and in time, by someone
 * who is listed, and is durable before anyone hears of it.  Whatever is unclear decides nothing.
 */
#include <string.h>

#include "base/problem.h"
#include "vault/vault-private.h"

#define ADMIN "admin"

typedef struct {
  SpVault *vault;
  char *id;
  guint grant_s;
  SpRequestStatus to;
  SpVaultDone done;
  gpointer data;
} AdminOp;

static void
admin_op_free (AdminOp *op)
{
  g_free (op->id);
  g_free (op);
}

static void
on_admin_changed (SpVault *vault, SpRequest *request, const GError *error, gpointer data)
{
  AdminOp *op = data;

  if (error != NULL)
    sp_answer_error (g_error_copy (error), op->done, op->data);
  else
    sp_answer_json (sp_request_to_json (request, TRUE), request->id, op->done, op->data);
  admin_op_free (op);
}

static char *
seconds_text (guint seconds)
{
  return seconds ? g_strdup_printf ("%u", seconds) : NULL;
}

/* @next becomes approved, denied or revoked by @who. */
static void
decide (SpVault *vault, SpRequest *next, SpRequestStatus to, const char *who, guint grant_s)
{
  (void) sp_request_move (next, to);
  if (to == SP_REQUEST_REVOKED)
    return;
  next->decided_us = sp_clock_wall_us (vault->clock);
  g_free (next->decided_by);
  next->decided_by = g_strdup (who);
  if (to == SP_REQUEST_APPROVED) {
    next->grant_s = grant_s;
    sp_deadline_set (&next->deadline, vault->clock, grant_s ? grant_s : SP_REDEEM_SECONDS);
  }
}

static const char *
event_of (SpRequestStatus to)
{
  return to == SP_REQUEST_APPROVED ? "request.approved"
         : to == SP_REQUEST_DENIED ? "request.denied"
                                   : "request.revoked";
}

/* ---- administrators -------------------------------------------------------------------------------------- */

static GError *
why_not (const SpRequest *request, SpRequestStatus to)
{
  return g_error_new (SP_PROBLEM, SP_PROBLEM_CONFLICT, "request %s is %s; it can't become %s",
                      request->id, sp_request_status_name (request->status),
                      sp_request_status_name (to));
}

static gboolean
grant_fits (const AdminOp *op, const SpRequest *request, GError **error)
{
  const SpStoredSecret *secret = g_hash_table_lookup (op->vault->secrets, request->secret);
  guint most = secret && secret->grant_max_s ? secret->grant_max_s : SP_MAX_GRANT_S;

  if (op->grant_s <= most)
    return TRUE;
  sp_problem_set_invalid (error, "for", "secret %s can be granted for at most %u seconds",
                          request->secret, most);
  return FALSE;
}

static void
admin_run (gpointer data)
{
  AdminOp *op = data;
  SpVault *vault = op->vault;
  SpRequest *request = g_hash_table_lookup (vault->by_id, op->id);
  g_autoptr (SpRequest) next = NULL;
  g_autofree char *seconds = seconds_text (op->grant_s);
  GError *error = NULL;
  SpTxn *txn;

  if (request != NULL && (request->busy || sp_vault_expire_if_due (vault, request))) {
    sp_request_park (request, admin_run, op);
    return;
  }
  if (request == NULL)
    error = g_error_new (SP_PROBLEM, SP_PROBLEM_NOT_FOUND, "no request %s", op->id);
  else
    next = sp_request_copy (request);
  if (request != NULL && !sp_request_move (next, op->to))
    error = why_not (request, op->to);
  if (error != NULL || !grant_fits (op, request, &error)) {
    sp_answer_error (error, op->done, op->data);
    admin_op_free (op);
    return;
  }
  next->status = request->status;
  decide (vault, next, op->to, ADMIN, op->grant_s);
  txn = sp_vault_txn (vault);
  sp_txn_audit (txn, event_of (op->to), "request", request->id, "agent", request->agent, "secret",
                request->secret, "by", ADMIN, "for", seconds, NULL);
  sp_vault_change (vault, request, g_steal_pointer (&next), txn, on_admin_changed, op);
}

static void
admin_start (SpVault *vault, JsonObject *params, const char *const *allowed, SpRequestStatus to,
             SpVaultDone done, gpointer data)
{
  GError *error = NULL;
  const char *id;
  gint64 seconds;
  AdminOp *op;

  if (!sp_params_check (params, allowed, &error)) {
    sp_answer_error (error, done, data);
    return;
  }
  id = json_object_get_string_member_with_default (params, "id", "");
  seconds = json_object_get_int_member_with_default (params, "for", 0);
  if (seconds < 0 || seconds > SP_MAX_GRANT_S) {
    sp_problem_set_invalid (&error, "for", "a grant lasts 1 to %u seconds", SP_MAX_GRANT_S);
    sp_answer_error (error, done, data);
    return;
  }
  op = g_new0 (AdminOp, 1);
  op->vault = vault;
  op->id = g_strdup (id);
  op->grant_s = (guint) seconds;
  op->to = to;
  op->done = done;
  op->data = data;
  admin_run (op);
}

void
sp_vault_request_approve (SpVault *vault, JsonObject *params, SpVaultDone done, gpointer data)
{
  static const char *const allowed[] = { "id:s", "for:i", NULL };

  admin_start (vault, params, allowed, SP_REQUEST_APPROVED, done, data);
}

void
sp_vault_request_deny (SpVault *vault, JsonObject *params, SpVaultDone done, gpointer data)
{
  static const char *const allowed[] = { "id:s", NULL };

  admin_start (vault, params, allowed, SP_REQUEST_DENIED, done, data);
}

void
sp_vault_grant_revoke (SpVault *vault, JsonObject *params, SpVaultDone done, gpointer data)
{
  static const char *const allowed[] = { "id:s", NULL };

  admin_start (vault, params, allowed, SP_REQUEST_REVOKED, done, data);
}

/* ---- lists for administrators ------------------------------------------------------------------------------ */

static gboolean
parse_after (JsonObject *params, guint64 *ret_below, GError **error)
{
  const char *after = json_object_get_string_member_with_default (params, "after", "");

  *ret_below = G_MAXUINT64;
  if (*after == 0
      || g_ascii_string_to_unsigned (after, 10, 0, G_MAXUINT64, ret_below, NULL))
    return TRUE;
  sp_problem_set_invalid (error, "after", "this is not what a list gave as next");
  return FALSE;
}

static JsonNode *
grant_to_json (const SpRequest *request)
{
  JsonNode *node = json_node_new (JSON_NODE_OBJECT);
  JsonObject *object = json_object_new ();
  g_autofree char *decided = sp_time_format (request->decided_us);
  g_autofree char *expires = sp_time_format (request->deadline.wall_us);

  json_node_take_object (node, object);
  json_object_set_string_member (object, "id", request->id);
  json_object_set_string_member (object, "secret", request->secret);
  json_object_set_string_member (object, "agent", request->agent);
  json_object_set_string_member (object, "decided_by", request->decided_by);
  json_object_set_string_member (object, "decided_at", decided);
  json_object_set_string_member (object, "expires_at", expires);
  return node;
}

typedef gboolean (*Wanted) (SpVault *vault, const SpRequest *request, gconstpointer data);
typedef JsonNode *(*Show) (const SpRequest *request);

static void
list_requests (SpVault *vault, guint64 below, Wanted wanted, gconstpointer wanted_data, Show show,
               SpVaultDone done, gpointer data)
{
  JsonArray *items = json_array_new ();
  g_autofree char *next = NULL;
  guint64 last = 0;

  for (guint i = vault->requests->len; i > 0 && next == NULL; i--) {
    const SpRequest *request = g_ptr_array_index (vault->requests, i - 1);

    if (request->fresh || request->number >= below || !wanted (vault, request, wanted_data))
      continue;
    if (json_array_get_length (items) == SP_PAGE) {
      next = g_strdup_printf ("%" G_GUINT64_FORMAT, last);
      continue;
    }
    json_array_add_element (items, show (request));
    last = request->number;
  }
  sp_answer_json (sp_page_json (items, next), NULL, done, data);
}

static gboolean
has_status (SpVault *vault, const SpRequest *request, gconstpointer data)
{
  const char *status = data;

  return status == NULL || g_str_equal (status, sp_request_status_name (request->status));
}

static JsonNode *
show_with_agent (const SpRequest *request)
{
  return sp_request_to_json (request, TRUE);
}

void
sp_vault_request_list (SpVault *vault, JsonObject *params, SpVaultDone done, gpointer data)
{
  static const char *const allowed[] = { "after:s", "status:s", NULL };
  GError *error = NULL;
  const char *status = NULL;
  SpRequestStatus unused;
  guint64 below;

  if (sp_params_check (params, allowed, &error))
    status = json_object_get_string_member_with_default (params, "status", NULL);
  if (status != NULL && !sp_request_status_from_name (status, &unused))
    sp_problem_set_invalid (&error, "status", "there is no status %s", status);
  if (error != NULL || !parse_after (params, &below, &error)) {
    sp_answer_error (error, done, data);
    return;
  }
  list_requests (vault, below, has_status, status, show_with_agent, done, data);
}

static gboolean
is_grant (SpVault *vault, const SpRequest *request, gconstpointer data)
{
  return request->status == SP_REQUEST_APPROVED && request->grant_s > 0
         && sp_deadline_left_ms (&request->deadline, vault->clock) > 0;
}

void
sp_vault_grant_list (SpVault *vault, JsonObject *params, SpVaultDone done, gpointer data)
{
  static const char *const allowed[] = { "after:s", NULL };
  GError *error = NULL;
  guint64 below;

  if (!sp_params_check (params, allowed, &error) || !parse_after (params, &below, &error))
    sp_answer_error (error, done, data);
  else
    list_requests (vault, below, is_grant, NULL, grant_to_json, done, data);
}

/* ---- approvers through notifiers --------------------------------------------------------------------------- */

typedef struct {
  SpVault *vault;
  char *notifier, *notice_id, *choice, *person, *evidence;
  SpAnswerResult result; /* once it is committed */
  char *sentence;
  SpAnswerDone done;
  gpointer data;
} AnswerOp;

static void
answer_op_free (AnswerOp *op)
{
  g_free (op->notifier);
  g_free (op->notice_id);
  g_free (op->choice);
  g_free (op->person);
  g_free (op->evidence);
  g_free (op->sentence);
  g_free (op);
}

static void
answer_finish (AnswerOp *op, SpAnswerResult result, const char *sentence)
{
  op->done (result, sentence, op->data);
  answer_op_free (op);
}

static SpRequest *
request_of_notice (SpVault *vault, const char *notifier, const char *notice_id)
{
  for (guint i = vault->requests->len; i > 0; i--) {
    SpRequest *request = g_ptr_array_index (vault->requests, i - 1);
    g_autofree char *id = NULL;

    /* What is settled long ago has no notice that anybody could still answer. */
    if (!sp_request_is_open (request) && vault->requests->len - i > SP_MAX_PENDING)
      break;
    id = sp_vault_notice_id (vault, request, notifier);
    if (g_strcmp0 (id, notice_id) == 0)
      return request;
  }
  return NULL;
}

static const SpApprover *
approver_of (SpVault *vault, const char *notifier, const char *person)
{
  for (guint i = 0; i < vault->settings->approvers->len; i++) {
    const SpApprover *approver = g_ptr_array_index (vault->settings->approvers, i);

    if (g_strcmp0 (g_hash_table_lookup (approver->ids, notifier), person) == 0)
      return approver;
  }
  return NULL;
}

/* What a choice means for this request.  FALSE: it was not offered. */
static gboolean
read_choice (SpVault *vault, const SpRequest *request, const char *choice, SpRequestStatus *ret_to,
             guint *ret_grant_s)
{
  const SpStoredSecret *secret = g_hash_table_lookup (vault->secrets, request->secret);
  gboolean by_code = request->decoys[0] != NULL;

  *ret_grant_s = 0;
  *ret_to = SP_REQUEST_DENIED;
  if (g_str_equal (choice, "deny"))
    return TRUE;
  if (by_code && g_str_has_prefix (choice, "code:")) {
    /* The wrong one of the three: whoever asked is not whom the person thinks. */
    if (g_str_equal (choice + 5, request->code))
      *ret_to = SP_REQUEST_APPROVED;
    return g_str_equal (choice + 5, request->code) || g_str_equal (choice + 5, request->decoys[0])
           || g_str_equal (choice + 5, request->decoys[1]);
  }
  *ret_to = SP_REQUEST_APPROVED;
  if (!by_code && g_str_equal (choice, "approve"))
    return TRUE;
  if (by_code || secret == NULL || secret->grant_max_s == 0 || !g_str_equal (choice, "grant"))
    return FALSE;
  *ret_grant_s = secret->grant_max_s;
  return TRUE;
}

static void
on_answered (SpVault *vault, SpRequest *request, const GError *error, gpointer data)
{
  AnswerOp *op = data;

  if (error != NULL)
    answer_finish (op, SP_ANSWER_TRY_AGAIN, "this could not be written down; it is tried again");
  else
    answer_finish (op, op->result, op->sentence);
}

static gboolean
add_vote (SpRequest *next, const char *name, guint grant_s)
{
  for (guint i = 0; i < next->votes->len; i++)
    if (g_str_equal (g_ptr_array_index (next->votes, i), name))
      return FALSE;
  /* The shortest time that anybody gave is what all of them gave. */
  next->vote_s = next->votes->len == 0 ? grant_s : MIN (next->vote_s, grant_s);
  g_ptr_array_add (next->votes, g_strdup (name));
  return TRUE;
}

static void
count_vote (AnswerOp *op, SpRequest *request, SpRequest *next, const SpApprover *approver)
{
  guint quorum = op->vault->settings->quorum;
  SpTxn *txn = sp_vault_txn (op->vault);

  op->result = SP_ANSWER_COUNTED;
  op->sentence = g_strdup_printf ("counted: %u of %u", next->votes->len, quorum);
  sp_txn_audit (txn, "request.vote", "request", request->id, "by", approver->name, "notifier",
                op->notifier, "evidence", op->evidence, NULL);
  sp_vault_change (op->vault, request, next, txn, on_answered, op);
}

static void
commit_answer (AnswerOp *op, SpRequest *request, SpRequest *next, const SpApprover *approver,
               SpRequestStatus to, guint grant_s)
{
  SpTxn *txn = sp_vault_txn (op->vault);
  g_autofree char *seconds = seconds_text (grant_s);
  gboolean wrong_code = to == SP_REQUEST_DENIED && g_str_has_prefix (op->choice, "code:");

  decide (op->vault, next, to, approver->name, grant_s);
  op->result = SP_ANSWER_TAKEN;
  op->sentence = g_strdup (to == SP_REQUEST_APPROVED ? "approved"
                           : wrong_code              ? "denied: that was not the code"
                                                     : "denied");
  sp_txn_audit (txn, event_of (to), "request", request->id, "agent", request->agent, "secret",
                request->secret, "by", approver->name, "notifier", op->notifier, "person",
                op->person, "evidence", op->evidence, "for", seconds, "why",
                wrong_code ? "wrong code" : NULL, NULL);
  sp_vault_change (op->vault, request, next, txn, on_answered, op);
}

static void
apply_answer (AnswerOp *op, SpRequest *request, const SpApprover *approver)
{
  SpVault *vault = op->vault;
  SpRequest *next;
  SpRequestStatus to;
  guint grant_s;

  if (!read_choice (vault, request, op->choice, &to, &grant_s)) {
    answer_finish (op, SP_ANSWER_UNKNOWN, "this was not offered");
    return;
  }
  next = sp_request_copy (request);
  if (to == SP_REQUEST_APPROVED && !add_vote (next, approver->name, grant_s)) {
    sp_request_unref (next);
    answer_finish (op, SP_ANSWER_COUNTED, "your approval is counted already");
  } else if (to == SP_REQUEST_APPROVED && next->votes->len < vault->settings->quorum) {
    count_vote (op, request, next, approver);
  } else {
    commit_answer (op, request, next, approver, to,
                   to == SP_REQUEST_APPROVED ? next->vote_s : 0);
  }
}

static char *
too_late_sentence (const SpRequest *request)
{
  if (request->decided_by != NULL)
    return g_strdup_printf ("too late: %s by %s",
                            sp_request_status_name (request->status == SP_REQUEST_USED
                                                        ? SP_REQUEST_APPROVED
                                                        : request->status),
                            request->decided_by);
  return g_strdup_printf ("too late: %s", sp_request_status_name (request->status));
}

static void
answer_run (gpointer data)
{
  AnswerOp *op = data;
  SpVault *vault = op->vault;
  SpRequest *request = request_of_notice (vault, op->notifier, op->notice_id);
  const SpApprover *approver = approver_of (vault, op->notifier, op->person);

  if (request != NULL && (request->busy || sp_vault_expire_if_due (vault, request))) {
    sp_request_park (request, answer_run, op);
  } else if (approver == NULL) {
    g_autofree char *what = g_strdup_printf ("an answer of %s, who is not listed (%s)", op->person,
                                             op->evidence ? op->evidence : "no evidence");
    sp_vault_alarm (vault, op->notifier, what);
    answer_finish (op, SP_ANSWER_NOT_ALLOWED, "you may not decide this");
  } else if (request == NULL || request->fresh) {
    answer_finish (op, SP_ANSWER_UNKNOWN, "there is no such request");
  } else if (request->status != SP_REQUEST_PENDING) {
    g_autofree char *sentence = too_late_sentence (request);
    answer_finish (op, SP_ANSWER_TOO_LATE, sentence);
  } else {
    apply_answer (op, request, approver);
  }
}

void
sp_vault_answer (SpVault *vault, const char *notifier, const char *notice_id,
                 const char *choice_id, const char *person, const char *evidence,
                 SpAnswerDone done, gpointer data)
{
  AnswerOp *op = g_new0 (AnswerOp, 1);

  op->vault = vault;
  op->notifier = g_strdup (notifier);
  op->notice_id = g_strdup (notice_id);
  op->choice = g_strdup (choice_id);
  op->person = g_strdup (person);
  op->evidence = evidence && *evidence ? g_strndup (evidence, 200) : NULL;
  op->done = done;
  op->data = data;
  answer_run (op);
}
