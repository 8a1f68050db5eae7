/* ending.c - when an agent or a secret goes, the open requests for it go with it, in the same commit */
#include "vault/vault-private.h"

void
sp_ending_clear (SpEnding *ending)
{
  g_clear_pointer (&ending->requests, g_ptr_array_unref);
  g_clear_pointer (&ending->nexts, g_ptr_array_unref);
}

gboolean
sp_ending_collect (SpEnding *ending, SpVault *vault, gboolean by_secret, const char *name,
                   void (*again) (gpointer), gpointer data)
{
  sp_ending_clear (ending);
  ending->requests = g_ptr_array_new_with_free_func ((GDestroyNotify) sp_request_unref);
  ending->nexts = g_ptr_array_new_with_free_func ((GDestroyNotify) sp_request_unref);
  for (guint i = 0; i < vault->live->len; i++) {
    SpRequest *request = g_ptr_array_index (vault->live, i);

    if (!sp_request_is_open (request) ||
        !g_str_equal (by_secret ? request->secret : request->agent, name))
      continue;
    if (request->busy) {
      sp_request_park (request, again, data);
      return FALSE;
    }
    g_ptr_array_add (ending->requests, sp_request_ref (request));
  }
  return TRUE;
}

void
sp_ending_add (SpEnding *ending, SpVault *vault, SpTxn *txn, const char *why)
{
  for (guint i = 0; i < ending->requests->len; i++) {
    SpRequest *request = g_ptr_array_index (ending->requests, i);
    SpRequest *next = sp_request_copy (request);
    gboolean pending = request->status == SP_REQUEST_PENDING;

    (void) sp_request_move (next, pending ? SP_REQUEST_CANCELLED : SP_REQUEST_REVOKED);
    sp_request_end (vault, next, SP_BY_ADMIN, NULL);
    sp_txn_audit (txn, pending ? "request.cancelled" : "request.revoked", "request", request->id,
                  "agent", request->agent, "secret", request->secret, "why", why, NULL);
    sp_vault_put_request (txn, next);
    sp_vault_begin_change (request);
    g_ptr_array_add (ending->nexts, next);
  }
}

void
sp_ending_finish (SpEnding *ending, SpVault *vault, const GError *error)
{
  for (guint i = 0; i < ending->nexts->len; i++)
    sp_vault_end_change (vault, g_ptr_array_index (ending->requests, i),
                         error ? NULL : g_ptr_array_index (ending->nexts, i));
}
