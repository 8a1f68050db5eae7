/* change.c - a request between two durable states
 *
 * What must stay true: memory shows only what is durable; while a change is on its way everybody else
 * who wants that request waits; they run again from the start, and look again.
 */
#include "base/problem.h"
#include "vault/vault-private.h"

/* After a failed write: how long until expiry tries again. */
#define HOLD_MS 1000

typedef struct {
  SpVault *vault;
  SpRequest *request;
  SpRequest *next;
  SpChanged changed;
  gpointer data;
} Change;

void
sp_request_park (SpRequest *request, void (*func) (gpointer), gpointer data)
{
  g_ptr_array_add (request->parked, g_memdup2 (&(SpParked){ func, data }, sizeof (SpParked)));
}

/* Those who are woken may park again: on a new array. */
static void
run_all (GPtrArray **list)
{
  g_autoptr (GPtrArray) entries = *list;

  *list = g_ptr_array_new_with_free_func (g_free);
  for (guint i = 0; i < entries->len; i++) {
    const SpParked *entry = g_ptr_array_index (entries, i);

    entry->func (entry->data);
  }
}

void
sp_vault_put_request (SpTxn *txn, const SpRequest *request)
{
  sp_txn_put (txn, SP_TABLE_REQUESTS, request->id, sp_request_to_variant (request));
}

void
sp_vault_begin_change (SpRequest *request)
{
  request->busy = TRUE;
}

void
sp_vault_update_live (SpVault *vault, SpRequest *request)
{
  gboolean live = sp_request_is_live (request);
  gboolean listed = g_ptr_array_find (vault->live, request, NULL);

  if (live && !listed)
    g_ptr_array_add (vault->live, sp_request_ref (request));
  else if (!live && listed)
    g_ptr_array_remove (vault->live, request);
}

void
sp_vault_end_change (SpVault *vault, SpRequest *request, const SpRequest *next)
{
  (void) sp_request_ref (request); /* those who are woken may drop it */
  request->busy = FALSE;
  if (next != NULL) {
    sp_request_assign (request, next);
    sp_vault_fit_request (vault, request);
    sp_vault_update_live (vault, request);
    if (request->status != SP_REQUEST_PENDING)
      run_all (&request->watched);
    sp_vault_notify (vault);
  }
  sp_vault_arm (vault);
  run_all (&request->parked);
  sp_request_unref (request);
}

static void
on_committed (const GError *error, gpointer data)
{
  g_autofree Change *change = data;
  g_autoptr (SpRequest) request = change->request;
  g_autoptr (SpRequest) next = change->next;

  /* Whoever asked for the change hears of it before those who waited for it; it is still busy then,
   * so that nobody begins another change in between. */
  if (error == NULL)
    sp_request_assign (request, next);
  else
    change->vault->hold_until_ms = sp_clock_boot_ms (change->vault->clock) + HOLD_MS;
  if (change->changed != NULL)
    change->changed (change->vault, request, error, change->data);
  sp_vault_end_change (change->vault, request, error == NULL ? next : NULL);
}

void
sp_vault_change (SpVault *vault, SpRequest *request, SpRequest *next, SpTxn *txn, SpChanged changed,
                 gpointer data)
{
  Change *change = g_new0 (Change, 1);

  change->vault = vault;
  change->request = sp_request_ref (request);
  change->next = next;
  change->changed = changed;
  change->data = data;
  sp_vault_put_request (txn, next);
  sp_vault_begin_change (request);
  sp_journal_commit (vault->journal, txn, on_committed, change);
}

gboolean
sp_vault_expire_if_due (SpVault *vault, SpRequest *request)
{
  SpRequest *next;
  SpTxn *txn;

  if (!sp_request_is_open (request) || request->busy ||
      sp_deadline_left_ms (&request->deadline, vault->clock) > 0 ||
      sp_clock_boot_ms (vault->clock) < vault->hold_until_ms)
    return FALSE;
  next = sp_request_copy (request);
  (void) sp_request_move (next, SP_REQUEST_EXPIRED);
  txn = sp_vault_txn (vault);
  sp_txn_audit (txn, "request.expired", "request", request->id, "agent", request->agent, "secret",
                request->secret, "was", sp_request_status_name (request->status), NULL);
  sp_vault_change (vault, request, next, txn, NULL, NULL);
  return TRUE;
}

gboolean
sp_request_ready (SpVault *vault, SpRequest *request, void (*func) (gpointer), gpointer data,
                  GError **error)
{
  gboolean due =
      sp_request_is_open (request) && sp_deadline_left_ms (&request->deadline, vault->clock) == 0;

  if (request->busy || sp_vault_expire_if_due (vault, request)) {
    sp_request_park (request, func, data);
    return FALSE;
  }
  if (due)
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_STORE,
                 "request %s is over, but the store can't write that down", request->id);
  return !due;
}
