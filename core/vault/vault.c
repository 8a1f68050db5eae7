/* vault.c - the vault as a whole: what it holds, how it is made and ended, what time brings */
#include "vault/vault.h"

#include "base/problem.h"
#include "vault/infos.h"

/* ---- settings ----------------------------------------------------------------------------------------- */

static void
approver_free (gpointer data)
{
  SpApprover *approver = data;

  g_free (approver->name);
  g_hash_table_unref (approver->ids);
  g_free (approver);
}

SpApprover *
sp_approver_new (const char *name)
{
  SpApprover *approver = g_new0 (SpApprover, 1);

  approver->name = g_strdup (name);
  approver->ids = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  return approver;
}

SpVaultSettings *
sp_vault_settings_new (void)
{
  SpVaultSettings *settings = g_new0 (SpVaultSettings, 1);

  settings->quorum = 1;
  settings->agent_rate = 100;
  settings->agent_pending = 32;
  settings->notifiers = g_ptr_array_new_with_free_func (g_free);
  settings->optional = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  settings->approvers = g_ptr_array_new_with_free_func (approver_free);
  return settings;
}

void
sp_vault_settings_free (SpVaultSettings *settings)
{
  if (settings == NULL)
    return;
  g_free (settings->vault_id);
  g_clear_pointer (&settings->master, sp_secret_unref);
  g_ptr_array_unref (settings->notifiers);
  g_hash_table_unref (settings->optional);
  g_ptr_array_unref (settings->approvers);
  g_free (settings->anchor_head);
  g_free (settings->image);
  g_free (settings->trust);
  g_free (settings);
}

/* ---- life ------------------------------------------------------------------------------------------------ */

SpVault *
sp_vault_open (SpVaultSettings *settings, const SpVaultPorts *ports, const SpClock *clock,
               SpPluginDone done, gpointer data)
{
  SpVault *vault = g_new0 (SpVault, 1);

  vault->keys = sp_keys_new (settings->master, settings->vault_id);
  /* All further keys are derived: the master key itself is needed no more. */
  g_clear_pointer (&settings->master, sp_secret_unref);
  vault->settings = settings;
  vault->ports = ports;
  vault->clock = clock;
  vault->journal = sp_journal_new (vault->keys, ports, clock);
  vault->agents =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) sp_agent_free);
  vault->tokens = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  vault->secrets = g_hash_table_new_full (g_str_hash, g_str_equal, g_free,
                                          (GDestroyNotify) sp_stored_secret_free);
  vault->requests = g_ptr_array_new_with_free_func ((GDestroyNotify) sp_request_unref);
  vault->live = g_ptr_array_new_with_free_func ((GDestroyNotify) sp_request_unref);
  vault->by_id = g_hash_table_new (g_str_hash, g_str_equal);
  vault->by_key = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  vault->state =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) g_hash_table_unref);
  vault->infos = sp_infos_new ();
  vault->strangers = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  vault->retrying = g_ptr_array_new ();
  vault->admin_parked = g_ptr_array_new_with_free_func (g_free);
  vault->notify_busy = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  vault->next_number = 1;
  vault->epoch = 1;
  sp_vault_load (vault, done, data);
  return vault;
}

void
sp_vault_free (SpVault *vault)
{
  if (vault == NULL)
    return;
  sp_vault_stop_notices (vault);
  g_ptr_array_unref (vault->retrying);
  sp_journal_free (vault->journal);
  g_hash_table_unref (vault->tokens);
  g_hash_table_unref (vault->agents);
  g_hash_table_unref (vault->secrets);
  g_hash_table_unref (vault->by_id);
  g_hash_table_unref (vault->by_key);
  g_ptr_array_unref (vault->live);
  g_ptr_array_unref (vault->requests);
  g_hash_table_unref (vault->state);
  g_ptr_array_unref (vault->infos);
  g_free (vault->lock.by);
  g_free (vault->lock.via);
  g_free (vault->image);
  g_hash_table_unref (vault->strangers);
  g_ptr_array_unref (vault->admin_parked);
  g_hash_table_unref (vault->notify_busy);
  sp_vault_settings_free (vault->settings);
  sp_keys_free (vault->keys);
  g_free (vault);
}

void
sp_vault_stop (SpVault *vault)
{
  vault->open = FALSE;
}

gboolean
sp_vault_is_idle (const SpVault *vault)
{
  return sp_journal_is_idle (vault->journal);
}

SpTxn *
sp_vault_txn (SpVault *vault)
{
  return sp_txn_new (vault->journal);
}

char *
sp_vault_blind (SpVault *vault, const char *table, const char *name)
{
  return sp_keys_mac_hex (vault->keys, SP_KEY_NAMES, table, name, NULL);
}

/* ---- requests in memory ------------------------------------------------------------------------------------- */

char *
sp_vault_idempotency_name (const char *agent_id, const char *key)
{
  return g_strconcat (agent_id, "/", key, NULL);
}

void
sp_vault_add_request (SpVault *vault, SpRequest *request)
{
  g_ptr_array_add (vault->requests, request);
  g_hash_table_insert (vault->by_id, request->id, request);
  if (request->idempotency_key != NULL)
    g_hash_table_insert (vault->by_key,
                         sp_vault_idempotency_name (request->agent_id, request->idempotency_key),
                         request);
  if (sp_request_is_live (request))
    g_ptr_array_add (vault->live, sp_request_ref (request));
}

void
sp_vault_drop_request (SpVault *vault, SpRequest *request)
{
  g_hash_table_remove (vault->by_id, request->id);
  if (request->idempotency_key != NULL) {
    g_autofree char *name = sp_vault_idempotency_name (request->agent_id, request->idempotency_key);
    g_hash_table_remove (vault->by_key, name);
  }
  g_ptr_array_remove (vault->live, request);
  g_ptr_array_remove (vault->requests, request);
}

/* ---- time ---------------------------------------------------------------------------------------------------- */

void
sp_vault_arm (SpVault *vault)
{
  gint64 next = sp_infos_wait_ms (vault);

  for (guint i = 0; i < vault->live->len; i++) {
    const SpRequest *request = g_ptr_array_index (vault->live, i);
    gint64 left;

    if (!sp_request_is_open (request) || request->busy)
      continue;
    if (sp_lock_ends (vault, request)) {
      next = 0;
      break;
    }
    /* Not further away than a minute: the wall clock may be set in the meantime. */
    left = MIN (sp_deadline_left_ms (&request->deadline, vault->clock), 60 * 1000);
    next = next < 0 ? left : MIN (next, left);
  }
  if (next >= 0)
    next = MAX (next, vault->hold_until_ms - sp_clock_boot_ms (vault->clock));
  vault->ports->wake_in (vault->ports->port, next);
}

void
sp_vault_tick (SpVault *vault)
{
  g_autoptr (GPtrArray) live =
      g_ptr_array_copy (vault->live, (GCopyFunc) (void (*) (void)) sp_request_ref, NULL);

  if (!vault->open)
    return;
  for (guint i = 0; i < live->len; i++) {
    (void) sp_vault_expire_if_due (vault, g_ptr_array_index (live, i));
    sp_lock_tick (vault, g_ptr_array_index (live, i));
  }
  sp_infos_tick (vault);
  sp_vault_notify (vault);
  sp_vault_arm (vault);
}

/* ---- status ------------------------------------------------------------------------------------------------- */

void
sp_vault_describe (SpVault *vault, JsonObject *into)
{
  JsonObject *audit = json_object_new ();
  g_autofree char *head = sp_journal_head_hex (vault->journal);
  gint64 pending = 0, grants = 0;

  for (guint i = 0; i < vault->live->len; i++) {
    const SpRequest *request = g_ptr_array_index (vault->live, i);

    pending += request->status == SP_REQUEST_PENDING;
    grants += sp_request_is_grant (vault, request);
  }
  sp_lock_describe (vault, into);
  json_object_set_int_member (into, "pending", pending);
  json_object_set_int_member (into, "grants", grants);
  json_object_set_int_member (into, "agents", g_hash_table_size (vault->tokens));
  json_object_set_int_member (into, "secrets", g_hash_table_size (vault->secrets));
  json_object_set_int_member (audit, "seq", (gint64) sp_journal_seq (vault->journal));
  json_object_set_string_member (audit, "head", head);
  json_object_set_object_member (into, "audit", audit);
}
