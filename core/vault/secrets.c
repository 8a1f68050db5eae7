/* secrets.c - the secrets: what is known of them, and their values under keys of their own
 *
 * Each version of a value has a data key of its own, which seals the value and is itself sealed by the
 * wrapping key of an epoch.  Rotation makes a new wrapping key and seals the data keys anew: the
 * values stay as they are.
 */
#include <string.h>

#include "base/problem.h"
#include "vault/seal.h"
#include "vault/vault-private.h"

void
sp_stored_secret_free (SpStoredSecret *secret)
{
  if (secret == NULL)
    return;
  g_free (secret->name);
  g_free (secret->description);
  g_strfreev (secret->allow);
  g_clear_pointer (&secret->wrapped, g_bytes_unref);
  g_free (secret);
}

gboolean
sp_stored_secret_allows (const SpStoredSecret *secret, const char *agent)
{
  return secret->allow == NULL || g_strv_contains ((const char *const *) secret->allow, agent);
}

/* ---- stored form ------------------------------------------------------------------------------------ */

static GVariant *
secret_to_variant (const SpStoredSecret *secret)
{
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&builder, "{sv}", "name", g_variant_new_string (secret->name));
  g_variant_builder_add (&builder, "{sv}", "description",
                         g_variant_new_string (secret->description));
  if (secret->allow != NULL)
    g_variant_builder_add (&builder, "{sv}", "allow",
                           g_variant_new_strv ((const char *const *) secret->allow, -1));
  g_variant_builder_add (&builder, "{sv}", "confirm-code",
                         g_variant_new_boolean (secret->confirm_code));
  g_variant_builder_add (&builder, "{sv}", "grant-max", g_variant_new_uint32 (secret->grant_max_s));
  g_variant_builder_add (&builder, "{sv}", "version", g_variant_new_uint32 (secret->version));
  g_variant_builder_add (&builder, "{sv}", "created", g_variant_new_int64 (secret->created_us));
  g_variant_builder_add (&builder, "{sv}", "updated", g_variant_new_int64 (secret->updated_us));
  g_variant_builder_add (&builder, "{sv}", "epoch", g_variant_new_uint32 (secret->epoch));
  g_variant_builder_add (
      &builder, "{sv}", "data-key",
      g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING, secret->wrapped, TRUE));
  return g_variant_builder_end (&builder);
}

SpStoredSecret *
sp_stored_secret_from_variant (GVariant *value, GError **error)
{
  SpStoredSecret *secret = g_new0 (SpStoredSecret, 1);
  g_autoptr (GVariant) wrapped
      = g_variant_lookup_value (value, "data-key", G_VARIANT_TYPE_BYTESTRING);

  (void) g_variant_lookup (value, "allow", "^as", &secret->allow);
  (void) g_variant_lookup (value, "confirm-code", "b", &secret->confirm_code);
  (void) g_variant_lookup (value, "grant-max", "u", &secret->grant_max_s);
  if (wrapped != NULL)
    secret->wrapped = g_variant_get_data_as_bytes (wrapped);
  if (wrapped != NULL && g_variant_lookup (value, "name", "s", &secret->name)
      && g_variant_lookup (value, "description", "s", &secret->description)
      && g_variant_lookup (value, "version", "u", &secret->version)
      && g_variant_lookup (value, "created", "x", &secret->created_us)
      && g_variant_lookup (value, "updated", "x", &secret->updated_us)
      && g_variant_lookup (value, "epoch", "u", &secret->epoch))
    return secret;
  sp_stored_secret_free (secret);
  g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY, "a secret lacks a part");
  return NULL;
}

static SpStoredSecret *
secret_copy (const SpStoredSecret *secret)
{
  g_autoptr (GVariant) stored = g_variant_ref_sink (secret_to_variant (secret));

  return sp_stored_secret_from_variant (stored, NULL);
}

/* ---- keys and values ---------------------------------------------------------------------------------- */

static GBytes *
context_of (SpVault *vault, const SpStoredSecret *secret, const char *what)
{
  return sp_seal_context (secret->version, what, sp_keys_vault_id (vault->keys), secret->name,
                          NULL);
}

static void
wrap (SpVault *vault, SpStoredSecret *secret, SpSecret *data_key, guint epoch)
{
  g_autoptr (SpSecret) wrapping = sp_keys_wrapping (vault->keys, epoch);
  g_autoptr (GBytes) context = context_of (vault, secret, "data-key");

  g_clear_pointer (&secret->wrapped, g_bytes_unref);
  secret->wrapped = sp_seal (wrapping, context, sp_secret_data (data_key), SP_KEY_LENGTH);
  secret->epoch = epoch;
}

static SpSecret *
unwrap (SpVault *vault, const SpStoredSecret *secret, GError **error)
{
  g_autoptr (SpSecret) wrapping = sp_keys_wrapping (vault->keys, secret->epoch);
  g_autoptr (GBytes) context = context_of (vault, secret, "data-key");

  return sp_unseal (wrapping, context, secret->wrapped, error);
}

SpSecret *
sp_vault_open_value (SpVault *vault, const SpStoredSecret *secret, GBytes *sealed, GError **error)
{
  g_autoptr (SpSecret) data_key = unwrap (vault, secret, error);
  g_autoptr (GBytes) context = context_of (vault, secret, "value");

  return data_key ? sp_unseal (data_key, context, sealed, error) : NULL;
}

static void
put_secret (SpVault *vault, SpTxn *txn, const SpStoredSecret *secret)
{
  g_autofree char *key = sp_vault_blind (vault, SP_TABLE_SECRETS, secret->name);

  sp_txn_put (txn, SP_TABLE_SECRETS, key, secret_to_variant (secret));
}

static void
put_value (SpVault *vault, SpTxn *txn, SpStoredSecret *secret, SpSecret *value)
{
  g_autoptr (SpSecret) data_key = sp_secret_new_random (SP_KEY_LENGTH);
  g_autoptr (GBytes) context = context_of (vault, secret, "value");
  g_autoptr (GBytes) sealed
      = sp_seal (data_key, context, sp_secret_data (value), sp_secret_length (value));
  g_autofree char *key = sp_vault_blind (vault, SP_TABLE_VALUES, secret->name);

  wrap (vault, secret, data_key, vault->epoch);
  sp_txn_put (txn, SP_TABLE_VALUES, key,
              g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING, sealed, TRUE));
}

/* ---- outside form ----------------------------------------------------------------------------------------- */

static JsonObject *
secret_to_object (const SpStoredSecret *secret)
{
  JsonObject *object = json_object_new ();
  g_autofree char *created = sp_time_format (secret->created_us);
  g_autofree char *updated = sp_time_format (secret->updated_us);

  json_object_set_string_member (object, "name", secret->name);
  json_object_set_string_member (object, "description", secret->description);
  json_object_set_int_member (object, "version", secret->version);
  if (secret->allow != NULL) {
    JsonArray *allow = json_array_new ();

    for (char **agent = secret->allow; *agent != NULL; agent++)
      json_array_add_string_element (allow, *agent);
    json_object_set_array_member (object, "allow", allow);
  } else {
    json_object_set_null_member (object, "allow");
  }
  json_object_set_string_member (object, "confirm", secret->confirm_code ? "code" : "tap");
  if (secret->grant_max_s != 0)
    json_object_set_int_member (object, "grant_max", secret->grant_max_s);
  else
    json_object_set_null_member (object, "grant_max");
  json_object_set_string_member (object, "created_at", created);
  json_object_set_string_member (object, "updated_at", updated);
  return object;
}

static gint
by_name (gconstpointer a, gconstpointer b)
{
  return g_strcmp0 (*(const char *const *) a, *(const char *const *) b);
}

/* A page of the names after @after, in order; *@ret_next: where the next one begins, or NULL. */
static GPtrArray *
names_after (SpVault *vault, const char *after, const char *agent, const char **ret_next)
{
  g_autofree gpointer *names = NULL;
  GPtrArray *page = g_ptr_array_new ();
  guint n = 0;

  *ret_next = NULL;
  names = g_hash_table_get_keys_as_array (vault->secrets, &n);
  qsort (names, n, sizeof *names, by_name);
  for (guint i = 0; i < n; i++) {
    SpStoredSecret *secret = g_hash_table_lookup (vault->secrets, names[i]);

    if ((after != NULL && *after != 0 && g_strcmp0 (names[i], after) <= 0)
        || (agent != NULL && !sp_stored_secret_allows (secret, agent)))
      continue;
    if (page->len == SP_PAGE) {
      *ret_next = ((SpStoredSecret *) g_ptr_array_index (page, page->len - 1))->name;
      break;
    }
    g_ptr_array_add (page, secret);
  }
  return page;
}

void
sp_vault_secret_list (SpVault *vault, JsonObject *params, SpVaultDone done, gpointer data)
{
  static const char *const allowed[] = { "after:s", NULL };
  GError *error = NULL;
  g_autoptr (GPtrArray) page = NULL;
  JsonArray *items;
  const char *next;

  if (!sp_params_check (params, allowed, &error)) {
    sp_answer_error (error, done, data);
    return;
  }
  page = names_after (vault, json_object_get_string_member_with_default (params, "after", NULL),
                      NULL, &next);
  items = json_array_new ();
  for (guint i = 0; i < page->len; i++)
    json_array_add_object_element (items, secret_to_object (g_ptr_array_index (page, i)));
  sp_answer_json (sp_page_json (items, next), NULL, done, data);
}

/* What an agent sees of it. */
static JsonObject *
secret_for_agent (const SpStoredSecret *secret)
{
  JsonObject *object = json_object_new ();

  json_object_set_string_member (object, "name", secret->name);
  json_object_set_string_member (object, "description", secret->description);
  json_object_set_string_member (object, "confirm", secret->confirm_code ? "code" : "tap");
  if (secret->grant_max_s != 0)
    json_object_set_int_member (object, "grant_max", secret->grant_max_s);
  else
    json_object_set_null_member (object, "grant_max");
  return object;
}

void
sp_vault_secrets (SpVault *vault, const char *token, const char *cursor, SpVaultDone done,
                  gpointer data)
{
  GError *error = NULL;
  const SpAgent *agent = sp_vault_authenticate (vault, token, &error);
  g_autoptr (GPtrArray) page = NULL;
  JsonArray *items;
  const char *next;

  if (agent == NULL) {
    sp_answer_error (error, done, data);
    return;
  }
  page = names_after (vault, cursor, agent->name, &next);
  items = json_array_new ();
  for (guint i = 0; i < page->len; i++)
    json_array_add_object_element (items, secret_for_agent (g_ptr_array_index (page, i)));
  sp_answer_json (sp_page_json (items, next), NULL, done, data);
}

static SpStoredSecret *
named_secret (SpVault *vault, JsonObject *params, GError **error)
{
  static const char *const allowed[] = { "name:s", NULL };
  const char *name;
  SpStoredSecret *secret;

  if (!sp_params_check (params, allowed, error))
    return NULL;
  name = json_object_get_string_member_with_default (params, "name", "");
  secret = g_hash_table_lookup (vault->secrets, name);
  if (secret == NULL)
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_NOT_FOUND, "no secret %s", name);
  return secret;
}

void
sp_vault_secret_show (SpVault *vault, JsonObject *params, SpVaultDone done, gpointer data)
{
  GError *error = NULL;
  const SpStoredSecret *secret = named_secret (vault, params, &error);
  JsonNode *node;

  if (secret == NULL) {
    sp_answer_error (error, done, data);
    return;
  }
  node = json_node_new (JSON_NODE_OBJECT);
  json_node_take_object (node, secret_to_object (secret));
  sp_answer_json (node, NULL, done, data);
}

/* ---- changes ---------------------------------------------------------------------------------------------- */

typedef struct {
  SpVault *vault;
  char *name;
  GPtrArray *next; /* SpStoredSecret; as they will be */
  guint epoch;     /* rotate */
  SpEnding ending; /* rm */
  SpVaultDone done;
  gpointer data;
} SecretOp;

static SecretOp *
op_new (SpVault *vault, const char *name, SpVaultDone done, gpointer data)
{
  SecretOp *op = g_new0 (SecretOp, 1);

  op->vault = vault;
  op->name = g_strdup (name);
  op->next = g_ptr_array_new_with_free_func ((GDestroyNotify) sp_stored_secret_free);
  op->done = done;
  op->data = data;
  return op;
}

static void
op_free (SecretOp *op)
{
  g_free (op->name);
  g_ptr_array_unref (op->next);
  sp_ending_clear (&op->ending);
  g_free (op);
}

static void
take_secrets (SecretOp *op)
{
  while (op->next->len > 0) {
    SpStoredSecret *secret = g_ptr_array_steal_index (op->next, op->next->len - 1);

    g_hash_table_replace (op->vault->secrets, g_strdup (secret->name), secret);
  }
}

static void
op_finish (SecretOp *op, JsonObject *object, const GError *error)
{
  JsonNode *node = NULL;

  if (error != NULL) {
    sp_answer_error (g_error_copy (error), op->done, op->data);
    json_object_unref (object);
  } else {
    node = json_node_new (JSON_NODE_OBJECT);
    json_node_take_object (node, object);
    sp_answer_json (node, NULL, op->done, op->data);
  }
  op_free (op);
}

static void
on_put (const GError *error, gpointer data)
{
  SecretOp *op = data;
  JsonObject *object = json_object_new ();

  json_object_set_string_member (object, "name", op->name);
  json_object_set_int_member (
      object, "version", ((SpStoredSecret *) g_ptr_array_index (op->next, 0))->version);
  if (error == NULL)
    take_secrets (op);
  op_finish (op, object, error);
}

static char **
strings_of (JsonArray *array)
{
  guint n = json_array_get_length (array);
  char **strings = g_new0 (char *, n + 1);

  for (guint i = 0; i < n; i++)
    strings[i] = g_strdup (json_array_get_string_element (array, i));
  return strings;
}

static gboolean
apply_grant_max (SpStoredSecret *secret, JsonObject *params, GError **error)
{
  gint64 seconds = json_object_get_int_member_with_default (params, "grant_max", 0);

  if (seconds < 0 || seconds > SP_MAX_GRANT_S) {
    sp_problem_set_invalid (error, "grant_max", "grant_max is 0 to %u seconds", SP_MAX_GRANT_S);
    return FALSE;
  }
  secret->grant_max_s = (guint) seconds;
  return TRUE;
}

/* What is given replaces what was; what is not given stays. */
static gboolean
apply_params (SpStoredSecret *secret, JsonObject *params, GError **error)
{
  const char *confirm = json_object_get_string_member_with_default (params, "confirm", NULL);
  const char *description
      = json_object_get_string_member_with_default (params, "description", NULL);

  if (confirm != NULL && !g_str_equal (confirm, "tap") && !g_str_equal (confirm, "code")) {
    sp_problem_set_invalid (error, "confirm", "confirm is tap or code");
    return FALSE;
  }
  if (description != NULL && g_utf8_strlen (description, -1) > 200) {
    sp_problem_set_invalid (error, "description", "a description has at most 200 characters");
    return FALSE;
  }
  if (json_object_has_member (params, "grant_max") && !apply_grant_max (secret, params, error))
    return FALSE;
  if (confirm != NULL)
    secret->confirm_code = g_str_equal (confirm, "code");
  if (description != NULL) {
    g_free (secret->description);
    secret->description = g_strdup (description);
  }
  if (json_object_has_member (params, "allow")) {
    g_strfreev (secret->allow);
    secret->allow = strings_of (json_object_get_array_member (params, "allow"));
  }
  return TRUE;
}

static gboolean
check_put (JsonObject *params, SpSecret *value, GError **error)
{
  static const char *const allowed[]
      = { "name:s", "description:s", "allow:as", "confirm:s", "grant_max:i", NULL };

  if (!sp_params_check (params, allowed, error)
      || !sp_name_check (
          "a secret", json_object_get_string_member_with_default (params, "name", NULL), error))
    return FALSE;
  if (value == NULL || sp_secret_length (value) == 0) {
    sp_problem_set_invalid (error, "secret_base64", "a secret needs a value");
    return FALSE;
  }
  if (sp_secret_length (value) > SP_MAX_VALUE) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_TOO_LARGE, "a value has at most %u bytes",
                 SP_MAX_VALUE);
    return FALSE;
  }
  return TRUE;
}

static gboolean
agents_exist (SpVault *vault, const SpStoredSecret *secret, GError **error)
{
  for (char **agent = secret->allow; agent != NULL && *agent != NULL; agent++)
    if (!g_hash_table_contains (vault->agents, *agent)) {
      sp_problem_set_invalid (error, "allow", "there is no agent %s; add it first", *agent);
      return FALSE;
    }
  return TRUE;
}

void
sp_vault_secret_put (SpVault *vault, JsonObject *params, SpSecret *value, SpVaultDone done,
                     gpointer data)
{
  GError *error = NULL;
  const SpStoredSecret *old;
  SpStoredSecret *next;
  SecretOp *op;
  SpTxn *txn;
  g_autofree char *version = NULL;

  if (!check_put (params, value, &error)) {
    sp_answer_error (error, done, data);
    return;
  }
  op = op_new (vault, json_object_get_string_member (params, "name"), done, data);
  old = g_hash_table_lookup (vault->secrets, op->name);
  next = old ? secret_copy (old) : g_new0 (SpStoredSecret, 1);
  g_ptr_array_add (op->next, next);
  if (old == NULL) {
    next->name = g_strdup (op->name);
    next->description = g_strdup ("");
    next->created_us = sp_clock_wall_us (vault->clock);
  }
  next->updated_us = sp_clock_wall_us (vault->clock);
  next->version++;
  if (!apply_params (next, params, &error) || !agents_exist (vault, next, &error)) {
    sp_answer_error (error, done, data);
    op_free (op);
    return;
  }
  txn = sp_vault_txn (vault);
  put_value (vault, txn, next, value);
  put_secret (vault, txn, next);
  version = g_strdup_printf ("%u", next->version);
  sp_txn_audit (txn, "secret.put", "secret", op->name, "version", version, NULL);
  sp_journal_commit (vault->journal, txn, on_put, op);
}

static void
on_removed (const GError *error, gpointer data)
{
  SecretOp *op = data;
  JsonObject *object = json_object_new ();

  json_object_set_string_member (object, "name", op->name);
  if (error == NULL)
    g_hash_table_remove (op->vault->secrets, op->name);
  sp_ending_finish (&op->ending, op->vault, error);
  op_finish (op, object, error);
}

static void
secret_rm_run (gpointer data)
{
  SecretOp *op = data;
  SpVault *vault = op->vault;
  g_autofree char *row = sp_vault_blind (vault, SP_TABLE_SECRETS, op->name);
  g_autofree char *value_row = sp_vault_blind (vault, SP_TABLE_VALUES, op->name);
  SpTxn *txn;

  if (!sp_ending_collect (&op->ending, vault, TRUE, op->name, secret_rm_run, op))
    return;
  txn = sp_vault_txn (vault);
  sp_txn_put (txn, SP_TABLE_SECRETS, row, NULL);
  sp_txn_put (txn, SP_TABLE_VALUES, value_row, NULL);
  sp_txn_audit (txn, "secret.removed", "secret", op->name, NULL);
  sp_ending_add (&op->ending, vault, txn, "secret removed");
  sp_journal_commit (vault->journal, txn, on_removed, op);
}

void
sp_vault_secret_rm (SpVault *vault, JsonObject *params, SpVaultDone done, gpointer data)
{
  GError *error = NULL;
  const SpStoredSecret *secret = named_secret (vault, params, &error);

  if (secret == NULL)
    sp_answer_error (error, done, data);
  else
    secret_rm_run (op_new (vault, secret->name, done, data));
}

static void
on_rotated (const GError *error, gpointer data)
{
  SecretOp *op = data;
  JsonObject *object = json_object_new ();

  json_object_set_int_member (object, "epoch", op->epoch);
  json_object_set_int_member (object, "secrets", op->next->len);
  if (error == NULL) {
    op->vault->epoch = op->epoch;
    take_secrets (op);
  }
  op_finish (op, object, error);
}

/* The next versions of all secrets, under the wrapping key of @op's epoch. */
static gboolean
rewrap_all (SecretOp *op, SpTxn *txn, GError **error)
{
  GHashTableIter iter;
  gpointer secret;

  g_hash_table_iter_init (&iter, op->vault->secrets);
  while (g_hash_table_iter_next (&iter, NULL, &secret)) {
    g_autoptr (SpSecret) data_key = unwrap (op->vault, secret, error);
    SpStoredSecret *next;

    if (data_key == NULL) {
      g_prefix_error (error, "secret %s: ", ((SpStoredSecret *) secret)->name);
      return FALSE;
    }
    next = secret_copy (secret);
    wrap (op->vault, next, data_key, op->epoch);
    put_secret (op->vault, txn, next);
    g_ptr_array_add (op->next, next);
  }
  return TRUE;
}

void
sp_vault_secret_rotate (SpVault *vault, JsonObject *params, SpVaultDone done, gpointer data)
{
  static const char *const allowed[] = { NULL };
  GError *error = NULL;
  SecretOp *op = op_new (vault, NULL, done, data);
  g_autoptr (SpTxn) txn = sp_vault_txn (vault);
  g_autofree char *epoch = g_strdup_printf ("%u", vault->epoch + 1);

  op->epoch = vault->epoch + 1;
  if (!sp_params_check (params, allowed, &error) || !rewrap_all (op, txn, &error)) {
    sp_answer_error (error, done, data);
    op_free (op);
    return;
  }
  sp_txn_put (txn, SP_TABLE_META, SP_VAULT_KEY,
              g_variant_new (SP_VAULT_TYPE, sp_keys_vault_id (vault->keys), op->epoch,
                             sp_clock_wall_us (vault->clock)));
  sp_txn_audit (txn, "secret.rotated", "epoch", epoch, NULL);
  sp_journal_commit (vault->journal, g_steal_pointer (&txn), on_rotated, op);
}
