/* reconfigure.c - other people, notifiers and limits for a vault that runs
 *
 * Nothing decides by itself because of it: a smaller quorum, or votes that are enough now, take the next
 * answer of somebody who may give one.  Whoever said yes under the old rules saw the old rules.
 *
 * What must stay true: the audit log has it before it takes effect; while it is on its way only those
 * decide who may under the old and the new settings; a vote counts only as long as its giver is an
 * approver, under the same id.
 */
#include "base/problem.h"
#include "vault/infos.h"

typedef struct {
  SpVault *vault;
  SpVaultSettings *settings;
  char *changes;
  SpEnding affected; /* pending requests that lose votes */
  SpPluginDone done;
  gpointer data;
} Reconfigure;

/* ---- who decides ------------------------------------------------------------------------------------ */

static const SpApprover *
approver_named (const SpVaultSettings *settings, const char *name)
{
  for (guint i = 0; i < settings->approvers->len; i++) {
    const SpApprover *approver = g_ptr_array_index (settings->approvers, i);

    if (g_str_equal (approver->name, name))
      return approver;
  }
  return NULL;
}

static gboolean
has_notifier (const SpVaultSettings *settings, const char *name)
{
  return g_ptr_array_find_with_equal_func (settings->notifiers, name, g_str_equal, NULL);
}

static const SpApprover *
approver_with_id (const SpVaultSettings *settings, const char *notifier, const char *person)
{
  for (guint i = 0; has_notifier (settings, notifier) && i < settings->approvers->len; i++) {
    const SpApprover *approver = g_ptr_array_index (settings->approvers, i);

    if (g_strcmp0 (g_hash_table_lookup (approver->ids, notifier), person) == 0)
      return approver;
  }
  return NULL;
}

guint
sp_vault_quorum (const SpVault *vault)
{
  guint quorum = vault->settings->quorum;

  return vault->coming ? MAX (quorum, vault->coming->quorum) : quorum;
}

/* Nobody knows whether it is the same person where an id has changed, or none has stayed. */
static gboolean
is_same_person (const SpApprover *before, const SpApprover *after, const SpVaultSettings *settings)
{
  gboolean any = FALSE;
  GHashTableIter iter;
  gpointer notifier, id;

  g_hash_table_iter_init (&iter, before->ids);
  while (g_hash_table_iter_next (&iter, &notifier, &id)) {
    const char *now = g_hash_table_lookup (after->ids, notifier);

    if (now != NULL && !g_str_equal (now, id))
      return FALSE;
    any = any || (now != NULL && has_notifier (settings, notifier));
  }
  return any;
}

static gboolean
vote_stays (const SpVault *vault, const SpVaultSettings *settings, const char *name)
{
  const SpApprover *before = approver_named (vault->settings, name);
  const SpApprover *after = approver_named (settings, name);

  return before != NULL && after != NULL && is_same_person (before, after, settings);
}

/* Under both, while others are on their way; as the same person, whose vote counts afterwards, too. */
const SpApprover *
sp_vault_approver (SpVault *vault, const char *notifier, const char *person)
{
  const SpApprover *approver = approver_with_id (vault->settings, notifier, person);

  if (approver == NULL || vault->coming == NULL)
    return approver;
  return approver_with_id (vault->coming, notifier, person) &&
                 vote_stays (vault, vault->coming, approver->name)
             ? approver
             : NULL;
}

/* ---- requests under the settings ---------------------------------------------------------------------- */

static gboolean
is_unknown (gpointer notifier, gpointer value, gpointer settings)
{
  return !has_notifier (settings, notifier);
}

/* @open: what they show is still to be shown, also by those that are new. */
static void
fit_notifiers (const SpVaultSettings *settings, GPtrArray *unsettled, GHashTable *posted,
               gboolean open)
{
  (void) g_hash_table_foreach_remove (posted, is_unknown, (gpointer) settings);
  for (guint i = unsettled->len; i > 0; i--)
    if (!has_notifier (settings, g_ptr_array_index (unsettled, i - 1)))
      g_ptr_array_remove_index (unsettled, i - 1);
  for (guint i = 0; open && i < settings->notifiers->len; i++) {
    const char *name = g_ptr_array_index (settings->notifiers, i);

    if (!g_ptr_array_find_with_equal_func (unsettled, name, g_str_equal, NULL))
      g_ptr_array_add (unsettled, g_strdup (name));
  }
}

void
sp_vault_fit_request (SpVault *vault, SpRequest *request)
{
  gboolean pending = request->status == SP_REQUEST_PENDING;

  fit_notifiers (vault->settings, request->unsettled, request->posted, pending);
  fit_notifiers (vault->settings, request->grant_unsettled, request->grant_posted,
                 request->status == SP_REQUEST_APPROVED && request->grant_s > 0);
  if (!pending)
    return;
  for (guint i = request->votes->len; i > 0; i--)
    if (approver_named (vault->settings, g_ptr_array_index (request->votes, i - 1)) == NULL)
      g_ptr_array_remove_index (request->votes, i - 1);
}

static void
fit_all (SpVault *vault)
{
  g_autoptr (GPtrArray) live =
      g_ptr_array_copy (vault->live, (GCopyFunc) (void (*) (void)) sp_request_ref, NULL);

  /* One whose change is on its way is looked at when that has ended. */
  for (guint i = 0; i < live->len; i++) {
    SpRequest *request = g_ptr_array_index (live, i);

    if (request->busy)
      continue;
    sp_vault_fit_request (vault, request);
    sp_vault_update_live (vault, request);
  }
}

void
sp_vault_post_again (SpVault *vault, const char *notifier)
{
  for (guint i = 0; i < vault->live->len; i++) {
    SpRequest *request = g_ptr_array_index (vault->live, i);

    g_hash_table_remove (request->posted, notifier);
    g_hash_table_remove (request->grant_posted, notifier);
  }
  sp_infos_post_again (vault, notifier);
  sp_vault_notify (vault);
}

/* ---- the change ------------------------------------------------------------------------------------------ */

static void
reconfigure_free (Reconfigure *op)
{
  sp_ending_clear (&op->affected);
  g_clear_pointer (&op->settings, sp_vault_settings_free);
  g_free (op->changes);
  g_free (op);
}

static void
on_committed (const GError *error, gpointer data)
{
  Reconfigure *op = data;
  SpVault *vault = op->vault;
  SpVaultSettings *before = vault->settings;

  vault->coming = NULL;
  if (error == NULL) {
    vault->settings = g_steal_pointer (&op->settings);
    op->settings = before;
    fit_all (vault);
    sp_infos_tick (vault);
  }
  /* The notifiers of the new settings are there from here on. */
  op->done (error, op->data);
  sp_ending_finish (&op->affected, vault, error);
  sp_vault_notify (vault);
  reconfigure_free (op);
}

static gboolean
loses_votes (const Reconfigure *op, const SpRequest *request)
{
  for (guint i = 0; i < request->votes->len; i++)
    if (!vote_stays (op->vault, op->settings, g_ptr_array_index (request->votes, i)))
      return TRUE;
  return FALSE;
}

static void reconfigure_run (gpointer data);

/* FALSE: one is busy, and it is begun again when that is over.  What is being created has no votes. */
static gboolean
collect (Reconfigure *op)
{
  SpVault *vault = op->vault;

  sp_ending_clear (&op->affected);
  op->affected.requests = g_ptr_array_new_with_free_func ((GDestroyNotify) sp_request_unref);
  op->affected.nexts = g_ptr_array_new_with_free_func ((GDestroyNotify) sp_request_unref);
  for (guint i = 0; i < vault->live->len; i++) {
    SpRequest *request = g_ptr_array_index (vault->live, i);

    if (request->status != SP_REQUEST_PENDING || request->fresh)
      continue;
    if (request->busy) {
      sp_request_park (request, reconfigure_run, op);
      return FALSE;
    }
    if (loses_votes (op, request))
      g_ptr_array_add (op->affected.requests, sp_request_ref (request));
  }
  return TRUE;
}

static void
add_affected (Reconfigure *op, SpTxn *txn)
{
  for (guint i = 0; i < op->affected.requests->len; i++) {
    SpRequest *request = g_ptr_array_index (op->affected.requests, i);
    SpRequest *next = sp_request_copy (request);

    for (guint k = next->votes->len; k > 0; k--)
      if (!vote_stays (op->vault, op->settings, g_ptr_array_index (next->votes, k - 1)))
        g_ptr_array_remove_index (next->votes, k - 1);
    sp_vault_put_request (txn, next);
    sp_vault_begin_change (request);
    g_ptr_array_add (op->affected.nexts, next);
  }
}

static void
reconfigure_run (gpointer data)
{
  Reconfigure *op = data;
  SpTxn *txn;

  if (!collect (op))
    return;
  op->vault->coming = op->settings;
  txn = sp_vault_txn (op->vault);
  sp_txn_audit (txn, "config.applied", "changes", op->changes, NULL);
  add_affected (op, txn);
  sp_journal_commit (op->vault->journal, txn, on_committed, op);
}

void
sp_vault_reconfigure (SpVault *vault, SpVaultSettings *settings, const char *changes,
                      SpPluginDone done, gpointer data)
{
  Reconfigure *op = g_new0 (Reconfigure, 1);

  op->vault = vault;
  op->settings = settings;
  op->changes = g_strdup (changes);
  op->done = done;
  op->data = data;
  reconfigure_run (op);
}

/* ---- can anybody be asked -------------------------------------------------------------------------------- */

static gboolean
is_usable (const SpVault *vault, const char *notifier)
{
  return vault->ports->usable (vault->ports->port, notifier);
}

/* The people whom a notifier reaches that works. */
static guint
count_reached (const SpVault *vault)
{
  const SpVaultSettings *settings = vault->settings;
  guint n = 0;

  for (guint i = 0; i < settings->approvers->len; i++) {
    const SpApprover *approver = g_ptr_array_index (settings->approvers, i);
    gboolean reached = FALSE;

    for (guint k = 0; k < settings->notifiers->len && !reached; k++) {
      const char *notifier = g_ptr_array_index (settings->notifiers, k);

      reached = g_hash_table_contains (approver->ids, notifier) && is_usable (vault, notifier);
    }
    n += reached;
  }
  return n;
}

gboolean
sp_vault_can_ask (const SpVault *vault, GError **error)
{
  const SpVaultSettings *settings = vault->settings;

  for (guint i = 0; i < settings->notifiers->len; i++) {
    const char *notifier = g_ptr_array_index (settings->notifiers, i);

    if (g_hash_table_contains (settings->optional, notifier) || is_usable (vault, notifier))
      continue;
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_NOTIFIER,
                         "a notifier can't reach the approvers; ask again later");
    return FALSE;
  }
  if (settings->notifiers->len == 0 || count_reached (vault) >= settings->quorum)
    return TRUE;
  g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_NOTIFIER,
                       "too few approvers can be reached; ask again later");
  return FALSE;
}
