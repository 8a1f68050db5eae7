/* admin.c - the administrators' calls as a table, and what notifiers keep in the vault
 *
 * Changes of agents and secrets run one after the other: each may touch many requests, and two of them
 * at once would have to agree on an order anyway.
 */
#include <string.h>

#include "base/problem.h"
#include "vault/vault-private.h"

#define MAX_STATE_KEYS 4096u
#define MAX_STATE_KEY 128u
#define MAX_STATE_VALUE 8192u

typedef void (*Call) (SpVault *vault, JsonObject *params, SpVaultDone done, gpointer data);

static const struct {
  const char *method;
  Call call;
  gboolean alone; /* one at a time */
} calls[] = {
  { "secret.put", NULL, TRUE }, /* takes the secret as well */
  { "secret.list", sp_vault_secret_list, FALSE },
  { "secret.show", sp_vault_secret_show, FALSE },
  { "secret.rm", sp_vault_secret_rm, TRUE },
  { "secret.rotate", sp_vault_secret_rotate, TRUE },
  { "agent.add", sp_vault_agent_add, TRUE },
  { "agent.list", sp_vault_agent_list, FALSE },
  { "agent.revoke", sp_vault_agent_revoke, TRUE },
  { "request.list", sp_vault_request_list, FALSE },
  { "request.approve", sp_vault_request_approve, FALSE },
  { "request.deny", sp_vault_request_deny, FALSE },
  { "grant.list", sp_vault_grant_list, FALSE },
  { "grant.revoke", sp_vault_grant_revoke, FALSE },
  { "lock.set", sp_vault_lock_set, FALSE },
  { "lock.clear", sp_vault_lock_clear, FALSE },
  { "audit.show", sp_vault_audit_show, FALSE },
  { "audit.verify", sp_vault_audit_verify, FALSE },
};

typedef struct {
  SpVault *vault;
  guint call;
  JsonObject *params;
  SpSecret *secret;
  SpVaultDone done;
  gpointer data;
} Alone;

static void run_alone (gpointer data);

static void
on_alone_done (const SpVaultResult *result, const GError *error, gpointer data)
{
  Alone *alone = data;
  SpVault *vault = alone->vault;

  alone->done (result, error, alone->data);
  json_object_unref (alone->params);
  g_clear_pointer (&alone->secret, sp_secret_unref);
  g_free (alone);
  vault->admin_busy = FALSE;
  if (vault->admin_parked->len > 0) {
    g_autofree SpParked *next = g_ptr_array_steal_index (vault->admin_parked, 0);

    next->func (next->data);
  }
}

static void
run_alone (gpointer data)
{
  Alone *alone = data;
  SpVault *vault = alone->vault;

  if (vault->admin_busy) {
    g_ptr_array_add (vault->admin_parked,
                     g_memdup2 (&(SpParked){ run_alone, alone }, sizeof (SpParked)));
    return;
  }
  vault->admin_busy = TRUE;
  if (calls[alone->call].call == NULL)
    sp_vault_secret_put (vault, alone->params, alone->secret, on_alone_done, alone);
  else
    calls[alone->call].call (vault, alone->params, on_alone_done, alone);
}

gboolean
sp_vault_admin (SpVault *vault, const char *method, JsonObject *params, SpSecret *secret,
                SpVaultDone done, gpointer data)
{
  for (guint i = 0; i < G_N_ELEMENTS (calls); i++) {
    Alone *alone;

    if (!g_str_equal (calls[i].method, method))
      continue;
    if (!calls[i].alone) {
      calls[i].call (vault, params, done, data);
      return TRUE;
    }
    alone = g_new0 (Alone, 1);
    alone->vault = vault;
    alone->call = i;
    alone->params = json_object_ref (params);
    alone->secret = secret ? sp_secret_ref (secret) : NULL;
    alone->done = done;
    alone->data = data;
    run_alone (alone);
    return TRUE;
  }
  return FALSE;
}

/* ---- what notifiers keep ------------------------------------------------------------------------------------- */

typedef struct {
  SpVault *vault;
  char *notifier, *key, *value;
  SpPluginDone done;
  gpointer data;
} Remember;

static GHashTable *
pairs_of (SpVault *vault, const char *notifier)
{
  GHashTable *pairs = g_hash_table_lookup (vault->state, notifier);

  if (pairs == NULL) {
    pairs = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
    g_hash_table_insert (vault->state, g_strdup (notifier), pairs);
  }
  return pairs;
}

static void
on_remembered (const GError *error, gpointer data)
{
  Remember *op = data;
  GHashTable *pairs = pairs_of (op->vault, op->notifier);

  if (error == NULL && op->value == NULL)
    g_hash_table_remove (pairs, op->key);
  else if (error == NULL)
    g_hash_table_insert (pairs, g_strdup (op->key), g_strdup (op->value));
  op->done (error, op->data);
  g_free (op->notifier);
  g_free (op->key);
  g_free (op->value);
  g_free (op);
}

static gboolean
check_remember (SpVault *vault, const char *notifier, const char *key, const char *value,
                GError **error)
{
  if (*key == 0 || strlen (key) > MAX_STATE_KEY ||
      (value != NULL && strlen (value) > MAX_STATE_VALUE)) {
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_TOO_LARGE,
                         "a remembered key or value is too long");
    return FALSE;
  }
  if (value != NULL && g_hash_table_size (pairs_of (vault, notifier)) >= MAX_STATE_KEYS &&
      !g_hash_table_contains (pairs_of (vault, notifier), key)) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_TOO_LARGE, "more than %u remembered keys",
                 MAX_STATE_KEYS);
    return FALSE;
  }
  return TRUE;
}

void
sp_vault_remember (SpVault *vault, const char *notifier, const char *key, const char *value,
                   SpPluginDone done, gpointer data)
{
  g_autofree char *name = g_strconcat (notifier, "/", key, NULL);
  g_autofree char *row = sp_vault_blind (vault, SP_TABLE_STATE, name);
  g_autoptr (GError) error = NULL;
  SpTxn *txn;
  Remember *op;

  if (!check_remember (vault, notifier, key, value, &error)) {
    done (error, data);
    return;
  }
  op = g_new0 (Remember, 1);
  op->vault = vault;
  op->notifier = g_strdup (notifier);
  op->key = g_strdup (key);
  op->value = g_strdup (value);
  op->done = done;
  op->data = data;
  txn = sp_vault_txn (vault);
  sp_txn_put (txn, SP_TABLE_STATE, row,
              value ? g_variant_new ("(sss)", notifier, key, value) : NULL);
  sp_journal_commit (vault->journal, txn, on_remembered, op);
}

GVariant *
sp_vault_recall (SpVault *vault, const char *notifier)
{
  GVariantBuilder builder;
  GHashTableIter iter;
  gpointer key, value;

  g_variant_builder_init (&builder, G_VARIANT_TYPE ("a{ss}"));
  g_hash_table_iter_init (&iter, pairs_of (vault, notifier));
  while (g_hash_table_iter_next (&iter, &key, &value))
    g_variant_builder_add (&builder, "{ss}", key, value);
  return g_variant_builder_end (&builder);
}
