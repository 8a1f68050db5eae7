/* verdict.c - the answers that approvers give through notifiers
 *
 * What must stay true: a decision is made only while the request is pending and in time, by someone
 * who is listed, and is durable before anyone hears of it.  Whatever is unclear decides nothing.
 */
#include <string.h>

#include "base/text.h"
#include "vault/vault-private.h"

typedef struct {
  SpVault *vault;
  char *notifier, *notice_id, *choice, *person, *evidence;
  SpAnswerResult result; /* once it is committed */
  char *sentence;
  char *alarm; /* NULL: none; once it is committed */
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
  g_free (op->alarm);
  g_free (op);
}

static void
answer_finish (AnswerOp *op, SpAnswerResult result, const char *sentence)
{
  op->done (result, sentence, op->data);
  answer_op_free (op);
}

typedef struct {
  SpRequest *request; /* NULL: there is none */
  SpNoticeKind kind;
} Meant;

static gboolean
has_id (SpVault *vault, const SpRequest *request, SpNoticeKind kind, const AnswerOp *op)
{
  g_autofree char *id = sp_vault_notice_id (vault, request, kind, op->notifier);

  return g_strcmp0 (id, op->notice_id) == 0;
}

static Meant
find_notice (SpVault *vault, GPtrArray *among, guint most, const AnswerOp *op)
{
  for (guint i = among->len; i > 0 && among->len - i < most; i--) {
    SpRequest *request = g_ptr_array_index (among, i - 1);

    if (has_id (vault, request, SP_NOTICE_ASK, op))
      return (Meant){ request, SP_NOTICE_ASK };
    if (request->grant_s > 0 && has_id (vault, request, SP_NOTICE_GRANT, op))
      return (Meant){ request, SP_NOTICE_GRANT };
  }
  return (Meant){ NULL, SP_NOTICE_ASK };
}

/* Among those that are open, and then among the newest of all: whoever taps on something older hears
 * that there is no such request. */
static Meant
notice_meant (SpVault *vault, const AnswerOp *op)
{
  Meant meant = find_notice (vault, vault->live, G_MAXUINT, op);

  return meant.request ? meant : find_notice (vault, vault->requests, SP_MAX_PENDING, op);
}

/* "grant:SECONDS", as it was offered.  What is allowed may have changed since: never more than now. */
static gboolean
read_grant (const char *choice, guint most, guint *ret_grant_s)
{
  guint64 offered = 0;

  if (!g_str_has_prefix (choice, "grant:") || most == 0 ||
      !g_ascii_string_to_unsigned (choice + strlen ("grant:"), 10, 1, SP_MAX_GRANT_S, &offered,
                                   NULL))
    return FALSE;
  *ret_grant_s = MIN ((guint) offered, most);
  return TRUE;
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
    return g_str_equal (choice + 5, request->code) ||
           g_str_equal (choice + 5, request->decoys[0]) ||
           g_str_equal (choice + 5, request->decoys[1]);
  }
  *ret_to = SP_REQUEST_APPROVED;
  if (by_code || g_str_equal (choice, "approve"))
    return !by_code;
  return secret != NULL && read_grant (choice, secret->grant_max_s, ret_grant_s);
}

static void
on_answered (SpVault *vault, SpRequest *request, const GError *error, gpointer data)
{
  AnswerOp *op = data;

  if (error != NULL) {
    answer_finish (op, SP_ANSWER_TRY_AGAIN, "this could not be written down; it is tried again");
    return;
  }
  if (op->alarm != NULL)
    sp_alarm_wrong_code (vault, op->notifier, op->alarm);
  answer_finish (op, op->result, op->sentence);
}

/* FALSE: it was counted before.  Where the quorum was lowered since, the second one may be what decides. */
static gboolean
add_vote (SpRequest *next, const char *name, guint grant_s)
{
  /* The shortest time that anybody gave is what all of them gave. */
  next->vote_s = next->votes->len == 0 ? grant_s : MIN (next->vote_s, grant_s);
  for (guint i = 0; i < next->votes->len; i++)
    if (g_str_equal (g_ptr_array_index (next->votes, i), name))
      return FALSE;
  g_ptr_array_add (next->votes, g_strdup (name));
  return TRUE;
}

static void
count_vote (AnswerOp *op, SpRequest *request, SpRequest *next, const SpApprover *approver)
{
  guint quorum = sp_vault_quorum (op->vault);
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
  g_autofree char *seconds = sp_decision_seconds (grant_s);
  gboolean wrong_code = to == SP_REQUEST_DENIED && g_str_has_prefix (op->choice, "code:");

  sp_request_decide (op->vault, next, to, approver->name, op->notifier, grant_s);
  op->result = SP_ANSWER_TAKEN;
  op->sentence = g_strdup (to == SP_REQUEST_APPROVED ? "approved"
                           : wrong_code              ? "denied: that was not the code"
                                                     : "denied");
  if (wrong_code)
    op->alarm =
        g_strdup_printf ("%s chose a wrong code for secret %s of agent %s: somebody else may "
                         "have asked in its name",
                         approver->name, request->secret, request->agent);
  sp_txn_audit (txn, sp_decision_event (to), "request", request->id, "agent", request->agent,
                "secret", request->secret, "by", approver->name, "notifier", op->notifier, "person",
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
  gboolean counts;

  if (!read_choice (vault, request, op->choice, &to, &grant_s)) {
    answer_finish (op, SP_ANSWER_UNKNOWN, "this was not offered");
    return;
  }
  next = sp_request_copy (request);
  counts = to != SP_REQUEST_APPROVED || add_vote (next, approver->name, grant_s);
  if (to != SP_REQUEST_APPROVED) {
    commit_answer (op, request, next, approver, to, 0);
  } else if (next->votes->len >= sp_vault_quorum (vault)) {
    /* Also where it counted before: so many may have been needed then, and fewer now. */
    commit_answer (op, request, next, approver, to, next->vote_s);
  } else if (counts) {
    count_vote (op, request, next, approver);
  } else {
    sp_request_unref (next);
    answer_finish (op, SP_ANSWER_COUNTED, "your approval is counted already");
  }
}

/* Anyone who is listed may end a grant, and nobody has to agree. */
static void
apply_revoke (AnswerOp *op, SpRequest *request, const SpApprover *approver)
{
  SpRequest *next;
  SpTxn *txn;

  if (!g_str_equal (op->choice, SP_CHOICE_REVOKE)) {
    answer_finish (op, SP_ANSWER_UNKNOWN, "this was not offered");
    return;
  }
  next = sp_request_copy (request);
  sp_request_decide (op->vault, next, SP_REQUEST_REVOKED, approver->name, op->notifier, 0);
  op->result = SP_ANSWER_TAKEN;
  op->sentence = g_strdup ("revoked");
  txn = sp_vault_txn (op->vault);
  sp_txn_audit (txn, sp_decision_event (SP_REQUEST_REVOKED), "request", request->id, "agent",
                request->agent, "secret", request->secret, "by", approver->name, "notifier",
                op->notifier, "person", op->person, "evidence", op->evidence, NULL);
  sp_vault_change (op->vault, request, next, txn, on_answered, op);
}

/* ---- too late ------------------------------------------------------------------------------------------------ */

static char *
too_late (const char *what, const char *by, const char *via)
{
  return g_strdup_printf ("too late: %s%s%s%s%s", what, by ? " by " : "", by ? by : "",
                          via ? " via " : "", via ? via : "");
}

static char *
too_late_sentence (const SpRequest *request, SpNoticeKind kind)
{
  gboolean denied = request->status == SP_REQUEST_DENIED;

  if (kind == SP_NOTICE_GRANT)
    return too_late (request->status == SP_REQUEST_REVOKED ? "already revoked" : "it has run out",
                     request->ended_by, request->ended_via);
  if (request->decided_by != NULL)
    return too_late (denied ? "denied" : "approved", request->decided_by, request->decided_via);
  return too_late (sp_request_status_name (request->status), request->ended_by, request->ended_via);
}

static const struct {
  SpRequestStatus while_in;
  void (*apply) (AnswerOp *op, SpRequest *request, const SpApprover *approver);
} kinds[SP_N_NOTICE_KINDS] = {
  [SP_NOTICE_ASK] = { SP_REQUEST_PENDING, apply_answer },
  [SP_NOTICE_GRANT] = { SP_REQUEST_APPROVED, apply_revoke },
};

static void
answer_run (gpointer data)
{
  AnswerOp *op = data;
  SpVault *vault = op->vault;
  const Meant meant = notice_meant (vault, op);
  SpRequest *request = meant.request;
  const SpApprover *approver = sp_vault_approver (vault, op->notifier, op->person);
  g_autoptr (GError) error = NULL;

  if (request != NULL && !sp_request_ready (vault, request, answer_run, op, &error)) {
    if (error != NULL)
      answer_finish (op, SP_ANSWER_TRY_AGAIN, "this could not be written down; it is tried again");
  } else if (approver == NULL) {
    sp_alarm_stranger (vault, op->notifier, "an answer", op->person, op->evidence);
    answer_finish (op, SP_ANSWER_NOT_ALLOWED, "you may not decide this");
  } else if (request == NULL || request->fresh) {
    answer_finish (op, SP_ANSWER_UNKNOWN, "there is no such request");
  } else if (request->status != kinds[meant.kind].while_in) {
    g_autofree char *sentence = too_late_sentence (request, meant.kind);
    answer_finish (op, SP_ANSWER_TOO_LATE, sentence);
  } else if (sp_vault_is_locked (vault)) {
    answer_finish (op, SP_ANSWER_TOO_LATE, "too late: the vault is locked");
  } else {
    kinds[meant.kind].apply (op, request, approver);
  }
}

void
sp_vault_answer (SpVault *vault, const char *notifier, const char *notice_id, const char *choice_id,
                 const char *person, const char *evidence, SpAnswerDone done, gpointer data)
{
  AnswerOp *op = g_new0 (AnswerOp, 1);

  op->vault = vault;
  op->notifier = g_strdup (notifier);
  op->notice_id = g_strdup (notice_id);
  op->choice = g_strdup (choice_id);
  op->person = g_strdup (person);
  op->evidence = evidence && *evidence ? sp_text_clean (evidence, 200) : NULL;
  op->done = done;
  op->data = data;
  answer_run (op);
}
