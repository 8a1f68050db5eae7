/* vault-load.c - from the store into memory, once, at the start
 *
 * What must stay true: a store that is not exactly this vault's is refused, never mended and never
 * taken for an empty one.  Empty is only what has no row at all, where the host knows of no history.
 */
#include <string.h>

#include "base/problem.h"
#include "base/random.h"
#include "vault/infos.h"

#define SCAN_LIMIT 500

typedef gboolean (*TakeRow) (SpVault *vault, GVariant *value, GError **error);

typedef struct {
  const char *table;
  const char *type;
  TakeRow take;
} Table;

typedef struct {
  SpVault *vault;
  guint table;
  char *after;
  GError *error;
  gboolean found_vault, found_head, found_rows;
  SpPluginDone done;
  gpointer data;
} Load;

/* ---- rows --------------------------------------------------------------------------------------------------- */

static gboolean
take_agent (SpVault *vault, GVariant *value, GError **error)
{
  SpAgent *agent = sp_agent_from_variant (value, error);

  if (agent == NULL)
    return FALSE;
  g_hash_table_insert (vault->agents, g_strdup (agent->name), agent);
  if (agent->revoked_us == 0)
    g_hash_table_insert (vault->tokens, g_strdup (agent->token_mac), agent);
  return TRUE;
}

static gboolean
take_secret (SpVault *vault, GVariant *value, GError **error)
{
  SpStoredSecret *secret = sp_stored_secret_from_variant (value, error);

  if (secret == NULL)
    return FALSE;
  g_hash_table_insert (vault->secrets, g_strdup (secret->name), secret);
  return TRUE;
}

static gboolean
take_request (SpVault *vault, GVariant *value, GError **error)
{
  SpRequest *request = sp_request_from_variant (value, error);

  if (request == NULL)
    return FALSE;
  sp_vault_fit_request (vault, request);
  sp_deadline_rebase (&request->deadline, vault->clock);
  vault->next_number = MAX (vault->next_number, request->number + 1);
  sp_vault_add_request (vault, request);
  return TRUE;
}

static gboolean
take_state (SpVault *vault, GVariant *value, GError **error)
{
  const char *notifier, *key, *text;
  GHashTable *pairs;

  g_variant_get (value, "(&s&s&s)", &notifier, &key, &text);
  pairs = g_hash_table_lookup (vault->state, notifier);
  if (pairs == NULL) {
    pairs = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
    g_hash_table_insert (vault->state, g_strdup (notifier), pairs);
  }
  g_hash_table_insert (pairs, g_strdup (key), g_strdup (text));
  return TRUE;
}

/* Values stay where they are; that they are there, and which, is what counts. */
static gboolean
take_value (SpVault *vault, GVariant *value, GError **error)
{
  return TRUE;
}

static const Table tables[] = {
  { SP_TABLE_META, NULL, NULL }, /* take_meta() */
  { SP_TABLE_AGENTS, "a{sv}", take_agent },
  { SP_TABLE_SECRETS, "a{sv}", take_secret },
  { SP_TABLE_VALUES, "ay", take_value },
  { SP_TABLE_REQUESTS, "a{sv}", take_request },
  { SP_TABLE_STATE, "(sss)", take_state },
  { SP_TABLE_INFOS, SP_INFO_TYPE, sp_infos_take },
};

/* There while a person has locked the vault. */
static gboolean
take_lock (SpVault *vault, gint64 revision, GBytes *sealed, GError **error)
{
  g_autoptr (GVariant) value = sp_journal_load_row (vault->journal, SP_TABLE_META, SP_LOCK_KEY,
                                                    revision, sealed, SP_LOCK_TYPE, error);

  if (value == NULL)
    return FALSE;
  sp_lock_take (vault, value);
  return TRUE;
}

static gboolean
take_image (SpVault *vault, gint64 revision, GBytes *sealed, GError **error)
{
  g_autoptr (GVariant) value = sp_journal_load_row (vault->journal, SP_TABLE_META, SP_IMAGE_KEY,
                                                    revision, sealed, SP_IMAGE_TYPE, error);

  return value != NULL && sp_image_row_take (vault, value, error);
}

static gboolean
take_meta (Load *load, const char *key, gint64 revision, GBytes *sealed, GError **error)
{
  SpVault *vault = load->vault;
  gboolean head = g_str_equal (key, SP_HEAD_KEY);
  g_autoptr (GVariant) value = NULL;
  const char *id;

  if (g_str_equal (key, SP_LOCK_KEY))
    return take_lock (vault, revision, sealed, error);
  if (g_str_equal (key, SP_IMAGE_KEY))
    return take_image (vault, revision, sealed, error);
  if (!head && !g_str_equal (key, SP_VAULT_KEY)) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY, "there is a row meta/%s", key);
    return FALSE;
  }
  if (head) {
    load->found_head = TRUE;
    return sp_journal_load_head (vault->journal, revision, sealed, error);
  }
  value = sp_journal_load_row (vault->journal, SP_TABLE_META, key, revision, sealed, SP_VAULT_TYPE,
                               error);
  if (value == NULL)
    return FALSE;
  load->found_vault = TRUE;
  g_variant_get (value, "(&sux)", &id, &vault->epoch, NULL);
  return TRUE;
}

static gboolean
take_row (const char *key, gint64 revision, GBytes *sealed, gpointer data)
{
  Load *load = data;
  const Table *table = &tables[load->table];
  g_autoptr (GVariant) value = NULL;

  load->found_rows = TRUE;
  g_free (load->after);
  load->after = g_strdup (key);
  if (table->take == NULL)
    return take_meta (load, key, revision, sealed, &load->error);
  value = sp_journal_load_row (load->vault->journal, table->table, key, revision, sealed,
                               table->type, &load->error);
  return value != NULL && table->take (load->vault, value, &load->error);
}

/* ---- the end ---------------------------------------------------------------------------------------------------- */

/* Consumes @error. */
static void
finish (Load *load, GError *error)
{
  load->vault->open = error == NULL;
  load->done (error, load->data);
  if (error == NULL) {
    sp_vault_tick (load->vault);
    sp_vault_notify (load->vault);
  }
  g_free (load->after);
  g_clear_error (&load->error);
  g_clear_error (&error);
  g_free (load);
}

static void
on_begun (const GError *error, gpointer data)
{
  finish (data, error ? g_error_copy (error) : NULL);
}

static gint
by_number (gconstpointer a, gconstpointer b)
{
  const SpRequest *left = *(const SpRequest *const *) a, *right = *(const SpRequest *const *) b;

  return left->number < right->number ? -1 : left->number > right->number;
}

/* The clock stands before what it once showed: nobody can say how long ago that was, so nothing that
 * depends on time may still hold. */
static void
expire_all_if_clock_is_behind (SpVault *vault)
{
  if (sp_clock_wall_us (vault->clock) >= sp_journal_last_wall_us (vault->journal))
    return;
  g_warning ("the clock is behind the last entry of the audit log; open requests expire");
  for (guint i = 0; i < vault->live->len; i++) {
    SpRequest *request = g_ptr_array_index (vault->live, i);

    request->deadline.boot_ms = sp_clock_boot_ms (vault->clock);
  }
}

static gboolean
check_whole (Load *load, GError **error)
{
  SpVault *vault = load->vault;
  gboolean empty = !load->found_rows;

  if (empty && vault->settings->anchor_seq > 0)
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY,
                 "the store is empty, but the host knows of %" G_GUINT64_FORMAT
                 " audit entries: it was lost or exchanged; restore it from a back-up",
                 vault->settings->anchor_seq);
  else if (!empty && (!load->found_vault || !load->found_head))
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY,
                         "the store holds rows, but not those that every vault has");
  else if (sp_journal_seq (vault->journal) < vault->settings->anchor_seq)
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY,
                 "the store ends at audit entry %" G_GUINT64_FORMAT
                 ", but the host knows of %" G_GUINT64_FORMAT ": it was set back",
                 sp_journal_seq (vault->journal), vault->settings->anchor_seq);
  else
    return empty || sp_journal_check_rows (vault->journal, error);
  return FALSE;
}

static void
begin (Load *load)
{
  SpVault *vault = load->vault;
  SpTxn *txn = sp_vault_txn (vault);

  if (!load->found_vault) {
    sp_txn_put (txn, SP_TABLE_META, SP_VAULT_KEY,
                g_variant_new (SP_VAULT_TYPE, sp_keys_vault_id (vault->keys), vault->epoch,
                               sp_clock_wall_us (vault->clock)));
    sp_txn_audit (txn, "vault.made", "vault", sp_keys_vault_id (vault->keys), NULL);
  }
  sp_image_row_put (vault, txn, !load->found_vault);
  sp_txn_audit (txn, "vault.unlocked", NULL);
  sp_journal_commit (vault->journal, txn, on_begun, load);
}

/* The entry that the host remembers must be the one that is there. */
static void
on_anchor_read (GBytes *value, gint64 revision, const GError *error, gpointer data)
{
  Load *load = data;
  SpVault *vault = load->vault;
  g_autofree char *key = sp_audit_key (vault->settings->anchor_seq);
  g_autoptr (GVariant) row = NULL;
  g_auto (SpAuditEntry) entry = { 0 };
  g_autofree char *head = NULL;

  if (error != NULL && sp_problem_code (error) != SP_PROBLEM_NOT_FOUND) {
    finish (load, g_error_copy (error));
    return;
  }
  if (value != NULL)
    row = sp_journal_open_row (vault->journal, SP_TABLE_AUDIT, key, revision, value, "(txsa{ss}ay)",
                               NULL);
  if (row != NULL && sp_audit_from_variant (row, &entry))
    head = sp_hex (entry.mac, SP_MAC_LENGTH);
  if (g_strcmp0 (head, vault->settings->anchor_head) == 0)
    begin (load);
  else
    finish (load, g_error_new (SP_PROBLEM, SP_PROBLEM_INTEGRITY,
                               "audit entry %" G_GUINT64_FORMAT
                               " is not the one that the host knows: the store was exchanged",
                               vault->settings->anchor_seq));
}

static void
check_and_begin (Load *load)
{
  SpVault *vault = load->vault;
  g_autofree char *key = NULL;
  GError *error = NULL;

  g_ptr_array_sort (vault->requests, by_number);
  g_ptr_array_sort (vault->live, by_number);
  if (!check_whole (load, &error)) {
    finish (load, error);
    return;
  }
  expire_all_if_clock_is_behind (vault);
  if (vault->settings->anchor_seq == 0) {
    begin (load);
    return;
  }
  key = sp_audit_key (vault->settings->anchor_seq);
  vault->ports->read (vault->ports->port, SP_TABLE_AUDIT, key, on_anchor_read, load);
}

/* ---- one page after the other ---------------------------------------------------------------------------------- */

static void scan (Load *load);

static void
on_scanned (gboolean more, const GError *error, gpointer data)
{
  Load *load = data;

  if (load->error != NULL || error != NULL) {
    GError *why = load->error ? g_steal_pointer (&load->error) : g_error_copy (error);

    g_prefix_error (&why, "reading the store: ");
    finish (load, why);
    return;
  }
  if (!more) {
    load->table++;
    g_clear_pointer (&load->after, g_free);
  }
  if (load->table < G_N_ELEMENTS (tables))
    scan (load);
  else
    check_and_begin (load);
}

static void
scan (Load *load)
{
  SpVault *vault = load->vault;

  vault->ports->scan (vault->ports->port, tables[load->table].table, load->after, SCAN_LIMIT,
                      take_row, on_scanned, load);
}

void
sp_vault_load (SpVault *vault, SpPluginDone done, gpointer data)
{
  Load *load = g_new0 (Load, 1);

  load->vault = vault;
  load->done = done;
  load->data = data;
  scan (load);
}
