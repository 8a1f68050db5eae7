/* secrets.c - what administrators do to secrets: put, remove, rotate
 *
 * Rotation makes a new wrapping key and seals the data keys anew: the values stay as they are.
 */
#include <string.h>

#include "base/problem.h"
#include "vault/vault-private.h"

#define MAX_ALLOW 64u

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
  json_object_set_int_member (object, "version",
                              ((SpStoredSecret *) g_ptr_array_index (op->next, 0))->version);
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

static gboolean
is_description (const char *text)
{
  for (const char *c = text; *c != 0; c++)
    if (g_ascii_iscntrl (*c))
      return FALSE;
  return g_utf8_strlen (text, -1) <= 200;
}

/* What is given replaces what was; what is not given stays. */
static gboolean
apply_params (SpStoredSecret *secret, JsonObject *params, GError **error)
{
  const char *confirm = json_object_get_string_member_with_default (params, "confirm", NULL);
  const char *description =
      json_object_get_string_member_with_default (params, "description", NULL);

  if (confirm != NULL && !g_str_equal (confirm, "tap") && !g_str_equal (confirm, "code")) {
    sp_problem_set_invalid (error, "confirm", "confirm is tap or code");
    return FALSE;
  }
  if (description != NULL && !is_description (description)) {
    sp_problem_set_invalid (error, "description",
                            "a description is one line of at most 200 characters");
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
  if (json_object_has_member (params, "allow") &&
      json_array_get_length (json_object_get_array_member (params, "allow")) > MAX_ALLOW) {
    sp_problem_set_invalid (error, "allow", "at most %u agents can be named", MAX_ALLOW);
    return FALSE;
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
  static const char *const allowed[] = { "name:s",    "description:s", "allow:as",
                                         "confirm:s", "grant_max:i",   NULL };

  if (!sp_params_check (params, allowed, error) ||
      !sp_name_check ("a secret", json_object_get_string_member_with_default (params, "name", NULL),
                      error))
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
  next = old ? sp_stored_secret_copy (old) : g_new0 (SpStoredSecret, 1);
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
  sp_stored_secret_put_value (vault, txn, next, value);
  sp_stored_secret_put (vault, txn, next);
  version = g_strdup_printf ("%u", next->version);
  sp_txn_audit (txn, "secret.put", "secret", op->name, "version", version, NULL);
  sp_journal_commit (vault->journal, txn, on_put, op);
}

static void
on_removed (const GError *error, gpointer data)
{
  SecretOp *op = data;
  JsonObject *object = json_object_new ();

  op->vault->going_secret = NULL;
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
  vault->going_secret = op->name;
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
  const SpStoredSecret *secret = sp_vault_named_secret (vault, params, &error);

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
    g_autoptr (SpSecret) data_key = sp_stored_secret_unwrap (op->vault, secret, error);
    SpStoredSecret *next;

    if (data_key == NULL) {
      g_prefix_error (error, "secret %s: ", ((SpStoredSecret *) secret)->name);
      return FALSE;
    }
    next = sp_stored_secret_copy (secret);
    sp_stored_secret_wrap (op->vault, next, data_key, op->epoch);
    sp_stored_secret_put (op->vault, txn, next);
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
