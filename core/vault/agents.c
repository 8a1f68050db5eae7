/* agents.c - who may call: agents, their tokens, and what each of them may use up
 *
 * Of a token only a MAC is kept, and looked up by it: there is nothing to compare in a time that
 * depends on the content.  A revoked agent's row stays, so that the audit log can be read.
 */
#include <string.h>

#include "base/problem.h"
#include "base/random.h"
#include "vault/vault-private.h"

#define TOKEN_PREFIX "sp_"

void
sp_agent_free (SpAgent *agent)
{
  if (agent == NULL)
    return;
  g_free (agent->id);
  g_free (agent->name);
  g_free (agent->token_mac);
  g_free (agent);
}

SpAgent *
sp_agent_from_variant (GVariant *value, GError **error)
{
  SpAgent *agent = g_new0 (SpAgent, 1);

  (void) g_variant_lookup (value, "revoked", "x", &agent->revoked_us);
  if (g_variant_lookup (value, "id", "s", &agent->id) &&
      g_variant_lookup (value, "name", "s", &agent->name) &&
      g_variant_lookup (value, "token-mac", "s", &agent->token_mac) &&
      g_variant_lookup (value, "created", "x", &agent->created_us))
    return agent;
  sp_agent_free (agent);
  g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY, "an agent lacks a part");
  return NULL;
}

static GVariant *
agent_to_variant (const SpAgent *agent)
{
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&builder, "{sv}", "id", g_variant_new_string (agent->id));
  g_variant_builder_add (&builder, "{sv}", "name", g_variant_new_string (agent->name));
  g_variant_builder_add (&builder, "{sv}", "token-mac", g_variant_new_string (agent->token_mac));
  g_variant_builder_add (&builder, "{sv}", "created", g_variant_new_int64 (agent->created_us));
  if (agent->revoked_us != 0)
    g_variant_builder_add (&builder, "{sv}", "revoked", g_variant_new_int64 (agent->revoked_us));
  return g_variant_builder_end (&builder);
}

/* A token bucket: agent-rate a second, twice that in one go. */
static gboolean
take_one_call (SpVault *vault, SpAgent *agent)
{
  gint64 now = sp_clock_boot_ms (vault->clock);
  double rate = vault->settings->agent_rate, most = 2 * rate;

  if (agent->filled_ms == 0)
    agent->tokens = most;
  else
    agent->tokens = MIN (most, agent->tokens + (double) (now - agent->filled_ms) * rate / 1000);
  agent->filled_ms = now;
  if (agent->tokens < 1)
    return FALSE;
  agent->tokens -= 1;
  return TRUE;
}

SpAgent *
sp_vault_authenticate (SpVault *vault, const char *token, GError **error)
{
  g_autofree char *mac = sp_keys_mac_hex (vault->keys, SP_KEY_TOKENS, token, NULL);
  SpAgent *agent = g_hash_table_lookup (vault->tokens, mac);

  if (agent == NULL) {
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_UNAUTHORIZED,
                         "a valid token is needed: Authorization: Bearer TOKEN");
    return NULL;
  }
  if (!take_one_call (vault, agent)) {
    sp_problem_set_rate_limited (error, 1, "more than %u calls a second; wait a little",
                                 vault->settings->agent_rate);
    return NULL;
  }
  return agent;
}

/* ---- what administrators do ------------------------------------------------------------------------ */

typedef struct {
  SpVault *vault;
  char *name;
  SpAgent *next;   /* as it will be */
  char *token;     /* add */
  SpEnding ending; /* revoke */
  SpVaultDone done;
  gpointer data;
} AgentOp;

static void
op_free (AgentOp *op)
{
  g_free (op->name);
  g_clear_pointer (&op->next, sp_agent_free);
  if (op->token != NULL)
    sp_wipe (op->token, strlen (op->token));
  g_free (op->token);
  sp_ending_clear (&op->ending);
  g_free (op);
}

static void
put_agent (SpVault *vault, SpTxn *txn, const SpAgent *agent)
{
  g_autofree char *key = sp_vault_blind (vault, SP_TABLE_AGENTS, agent->name);

  sp_txn_put (txn, SP_TABLE_AGENTS, key, agent_to_variant (agent));
}

/* Memory follows the disk. */
static void
take_agent (SpVault *vault, SpAgent *agent)
{
  SpAgent *old = g_hash_table_lookup (vault->agents, agent->name);

  if (old != NULL)
    g_hash_table_remove (vault->tokens, old->token_mac);
  if (agent->revoked_us == 0)
    g_hash_table_insert (vault->tokens, g_strdup (agent->token_mac), agent);
  g_hash_table_replace (vault->agents, g_strdup (agent->name), agent);
}

static JsonNode *
agent_json (const char *name, const char *token)
{
  JsonNode *node = json_node_new (JSON_NODE_OBJECT);
  JsonObject *object = json_object_new ();

  json_node_take_object (node, object);
  json_object_set_string_member (object, "agent", name);
  if (token != NULL)
    json_object_set_string_member (object, "token", token);
  return node;
}

static void
on_added (const GError *error, gpointer data)
{
  AgentOp *op = data;

  if (error != NULL) {
    sp_answer_error (g_error_copy (error), op->done, op->data);
  } else {
    take_agent (op->vault, g_steal_pointer (&op->next));
    sp_answer_json (agent_json (op->name, op->token), NULL, op->done, op->data);
  }
  op_free (op);
}

static SpAgent *
agent_new (SpVault *vault, const char *name, const char *token)
{
  SpAgent *agent = g_new0 (SpAgent, 1);

  agent->id = sp_random_id (12);
  agent->name = g_strdup (name);
  agent->token_mac = sp_keys_mac_hex (vault->keys, SP_KEY_TOKENS, token, NULL);
  agent->created_us = sp_clock_wall_us (vault->clock);
  return agent;
}

static const char *
checked_name (JsonObject *params, const char *const *allowed, const char *what, GError **error)
{
  const char *name;

  if (!sp_params_check (params, allowed, error))
    return NULL;
  name = json_object_get_string_member_with_default (params, "name", NULL);
  return sp_name_check (what, name, error) ? name : NULL;
}

void
sp_vault_agent_add (SpVault *vault, JsonObject *params, SpVaultDone done, gpointer data)
{
  static const char *const allowed[] = { "name:s", NULL };
  GError *error = NULL;
  const char *name = checked_name (params, allowed, "an agent", &error);
  const SpAgent *old = name ? g_hash_table_lookup (vault->agents, name) : NULL;
  g_autofree char *random = NULL;
  AgentOp *op;
  SpTxn *txn;

  if (name != NULL && old != NULL && old->revoked_us == 0)
    error = g_error_new (SP_PROBLEM, SP_PROBLEM_CONFLICT,
                         "there is an agent %s already; revoke it first for a new token", name);
  if (error != NULL) {
    sp_answer_error (error, done, data);
    return;
  }
  op = g_new0 (AgentOp, 1);
  random = sp_random_id (32);
  op->vault = vault;
  op->name = g_strdup (name);
  op->token = g_strconcat (TOKEN_PREFIX, random, NULL);
  op->next = agent_new (vault, name, op->token);
  op->done = done;
  op->data = data;
  sp_wipe (random, strlen (random));
  txn = sp_vault_txn (vault);
  put_agent (vault, txn, op->next);
  sp_txn_audit (txn, "agent.added", "agent", name, NULL);
  sp_journal_commit (vault->journal, txn, on_added, op);
}

static JsonObject *
agent_to_object (const SpAgent *agent)
{
  JsonObject *object = json_object_new ();
  g_autofree char *created = sp_time_format (agent->created_us);
  g_autofree char *revoked = agent->revoked_us ? sp_time_format (agent->revoked_us) : NULL;

  json_object_set_string_member (object, "agent", agent->name);
  json_object_set_string_member (object, "created_at", created);
  if (revoked != NULL)
    json_object_set_string_member (object, "revoked_at", revoked);
  else
    json_object_set_null_member (object, "revoked_at");
  return object;
}

static gint
by_name (gconstpointer a, gconstpointer b)
{
  return g_strcmp0 (*(const char *const *) a, *(const char *const *) b);
}

void
sp_vault_agent_list (SpVault *vault, JsonObject *params, SpVaultDone done, gpointer data)
{
  static const char *const allowed[] = { "after:s", NULL };
  g_autofree gpointer *names = NULL;
  GError *error = NULL;
  const char *after, *next = NULL;
  JsonArray *items;
  guint n = 0;

  if (!sp_params_check (params, allowed, &error)) {
    sp_answer_error (error, done, data);
    return;
  }
  after = json_object_get_string_member_with_default (params, "after", "");
  items = json_array_new ();
  names = g_hash_table_get_keys_as_array (vault->agents, &n);
  qsort (names, n, sizeof *names, by_name);
  for (guint i = 0; i < n; i++) {
    const SpAgent *agent = g_hash_table_lookup (vault->agents, names[i]);

    if (strcmp (agent->name, after) <= 0)
      continue;
    if (json_array_get_length (items) == SP_PAGE) {
      next = names[i - 1];
      break;
    }
    json_array_add_object_element (items, agent_to_object (agent));
  }
  sp_answer_json (sp_page_json (items, next), NULL, done, data);
}

/* ---- revoking: the agent and all that it asked for ------------------------------------------------------ */

static void
on_revoked (const GError *error, gpointer data)
{
  AgentOp *op = data;

  op->vault->going_agent = NULL;
  if (error != NULL)
    sp_answer_error (g_error_copy (error), op->done, op->data);
  else {
    take_agent (op->vault, g_steal_pointer (&op->next));
    sp_answer_json (agent_json (op->name, NULL), NULL, op->done, op->data);
  }
  sp_ending_finish (&op->ending, op->vault, error);
  op_free (op);
}

static void
agent_revoke_run (gpointer data)
{
  AgentOp *op = data;
  SpAgent *agent = g_hash_table_lookup (op->vault->agents, op->name);
  g_autoptr (GVariant) stored = NULL;
  SpTxn *txn;

  if (agent == NULL || agent->revoked_us != 0) {
    sp_answer_error (g_error_new (SP_PROBLEM, agent ? SP_PROBLEM_CONFLICT : SP_PROBLEM_NOT_FOUND,
                                  agent ? "agent %s is revoked already" : "no agent %s", op->name),
                     op->done, op->data);
    op_free (op);
    return;
  }
  if (!sp_ending_collect (&op->ending, op->vault, FALSE, op->name, agent_revoke_run, op))
    return;
  stored = g_variant_ref_sink (agent_to_variant (agent));
  op->next = sp_agent_from_variant (stored, NULL);
  op->next->revoked_us = sp_clock_wall_us (op->vault->clock);
  op->vault->going_agent = op->name;
  txn = sp_vault_txn (op->vault);
  put_agent (op->vault, txn, op->next);
  sp_txn_audit (txn, "agent.revoked", "agent", op->name, NULL);
  sp_ending_add (&op->ending, op->vault, txn, "agent revoked");
  sp_journal_commit (op->vault->journal, txn, on_revoked, op);
}

void
sp_vault_agent_revoke (SpVault *vault, JsonObject *params, SpVaultDone done, gpointer data)
{
  static const char *const allowed[] = { "name:s", NULL };
  GError *error = NULL;
  const char *name = checked_name (params, allowed, "an agent", &error);
  AgentOp *op;

  if (name == NULL) {
    sp_answer_error (error, done, data);
    return;
  }
  op = g_new0 (AgentOp, 1);
  op->vault = vault;
  op->name = g_strdup (name);
  op->done = done;
  op->data = data;
  agent_revoke_run (op);
}
