/* unlock.c - unlock.h
 *
 * What must stay true: a secret value goes from its file into locked memory and from there into the
 * message, and nowhere else.
 */
#include "host/resident/unlock.h"

#include <gnutls/crypto.h>
#include <string.h>

#include "base/json.h"
#include "base/option.h"
#include "base/problem.h"
#include "plugin/find.h"

#define MARK_LENGTH 32u

/* ---- secrets ------------------------------------------------------------------------------------- */

/* The variant refers to the locked memory; nothing is copied before g_variant_store(). */
static void
add_secret (GVariantBuilder *builder, const char *name, SpSecret *secret)
{
  g_autoptr (GBytes) bytes = sp_secret_to_bytes (secret);

  g_variant_builder_add (builder, "{s@ay}", name,
                         g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING, bytes, TRUE));
}

static gboolean
add_instance_secrets (GVariantBuilder *builder, const SpConfigInstance *instance, GError **error)
{
  GVariantIter iter;
  const char *option, *place;

  g_variant_iter_init (&iter, instance->secrets);
  while (g_variant_iter_next (&iter, "{&s&s}", &option, &place)) {
    g_autofree char *name = g_strdup_printf ("%s/%s/%s", instance->kind, instance->name, option);
    g_autoptr (SpSecret) secret = sp_secret_fetch (place, error);

    if (secret == NULL) {
      g_prefix_error (error, "[%s %s] %s: ", instance->kind, instance->name, option);
      return FALSE;
    }
    add_secret (builder, name, secret);
  }
  return TRUE;
}

/* Serialised into locked memory; @builder is ended. */
static SpSecret *
secret_of (GVariantBuilder *builder)
{
  g_autoptr (GVariant) all = g_variant_ref_sink (g_variant_builder_end (builder));
  SpSecret *result = sp_secret_new (g_variant_get_size (all));

  g_variant_store (all, sp_secret_data (result));
  return result;
}

/* ---- configuration --------------------------------------------------------------------------------- */

static gboolean
map_here (const SpUnlock *unlock, const SpConfigInstance *instance, char **ret_path,
          GVariant **ret_options, GError **error)
{
  g_autofree char *dir =
      unlock->plugin_dir ? g_strdup (unlock->plugin_dir) : sp_plugin_default_dir ();

  *ret_path = sp_plugin_find (dir, instance->kind, instance->plugin, error);
  *ret_options = g_variant_ref (instance->options);
  return *ret_path != NULL;
}

static JsonObject *
object_of_instance (const SpUnlock *unlock, const SpConfigInstance *instance, GError **error)
{
  g_autoptr (GVariant) options = NULL;
  g_autofree char *path = NULL;
  JsonObject *object;

  if (!(unlock->map && !instance->on_host
            ? unlock->map (instance, &path, &options, unlock->map_data, error)
            : map_here (unlock, instance, &path, &options, error))) {
    g_prefix_error (error, "[%s %s]: ", instance->kind, instance->name);
    return NULL;
  }
  object = json_object_new ();
  json_object_set_string_member (object, "name", instance->name);
  json_object_set_string_member (object, "plugin", path);
  json_object_set_object_member (object, "options",
                                 instance->on_host ? json_object_new ()
                                                   : sp_json_object_of_strings (options));
  return object;
}

/* ---- marks ------------------------------------------------------------------------------------------- */

/* What one with `where = host` is opened with stays on the host; the keeper has to see that it changes.  A
 * plain digest would let it guess what is short, so these are under a key that it has not. */
static void
add_mark (JsonObject *marks, const SpUnlock *unlock, const char *key, gconstpointer data,
          gsize length)
{
  gnutls_hmac_hd_t hmac;
  guint8 mac[MARK_LENGTH];
  char text[2 * MARK_LENGTH + 1];

  if (gnutls_hmac_init (&hmac, GNUTLS_MAC_SHA256, sp_secret_data (unlock->marks_key),
                        sp_secret_length (unlock->marks_key)) != 0)
    g_error ("GnuTLS does not make a MAC");
  (void) gnutls_hmac (hmac, key, strlen (key) + 1);
  (void) gnutls_hmac (hmac, data, length);
  gnutls_hmac_deinit (hmac, mac);
  for (gsize i = 0; i < sizeof mac; i++)
    g_snprintf (text + 2 * i, 3, "%02x", mac[i]);
  json_object_set_string_member (marks, key, text);
}

static gboolean
add_secret_mark (JsonObject *marks, const SpUnlock *unlock, const char *key, const char *place,
                 GError **error)
{
  g_autoptr (SpSecret) secret = sp_secret_fetch (place, error);

  if (secret != NULL)
    add_mark (marks, unlock, key, sp_secret_data (secret), sp_secret_length (secret));
  return secret != NULL;
}

static gboolean
set_marks (JsonObject *object, const SpUnlock *unlock, const SpConfigInstance *instance,
           GError **error)
{
  JsonObject *marks = json_object_new ();
  GVariantIter iter;
  const char *key, *value;

  json_object_set_object_member (object, "marks", marks);
  if (instance->run_as != NULL)
    add_mark (marks, unlock, "run-as", instance->run_as, strlen (instance->run_as));
  g_variant_iter_init (&iter, instance->options);
  while (g_variant_iter_next (&iter, "{&s&s}", &key, &value))
    add_mark (marks, unlock, key, value, strlen (value));
  g_variant_iter_init (&iter, instance->secrets);
  while (g_variant_iter_next (&iter, "{&s&s}", &key, &value))
    if (!add_secret_mark (marks, unlock, key, value, error)) {
      g_prefix_error (error, "[%s %s] %s: ", instance->kind, instance->name, key);
      return FALSE;
    }
  return TRUE;
}

/* ---- notifiers --------------------------------------------------------------------------------------- */

static JsonObject *
object_of_failed (const SpConfigInstance *instance, const char *why)
{
  JsonObject *object = json_object_new ();

  json_object_set_string_member (object, "name", instance->name);
  json_object_set_string_member (object, "failed", why);
  return object;
}

/* One that the vault serves without is told as it is, where it can't be opened. */
static JsonObject *
object_of_notifier (const SpUnlock *unlock, GVariantBuilder *secrets,
                    const SpConfigInstance *instance, GError **error)
{
  g_autoptr (GError) why = NULL;
  g_autoptr (JsonObject) object = NULL;

  if (instance->trouble != NULL)
    return object_of_failed (instance, instance->trouble);
  object = object_of_instance (unlock, instance, &why);
  /* What runs on the host is given its secrets there, and the vault has no need of them. */
  if (object != NULL && (instance->on_host ? set_marks (object, unlock, instance, &why)
                                           : add_instance_secrets (secrets, instance, &why)))
    return g_steal_pointer (&object);
  if (!instance->critical)
    return object_of_failed (instance, why->message);
  g_propagate_error (error, g_steal_pointer (&why));
  return NULL;
}

static gboolean
set_store (JsonObject *params, const SpUnlock *unlock, GVariantBuilder *secrets, GError **error)
{
  JsonObject *store = object_of_instance (unlock, unlock->vault->store, error);

  if (store == NULL)
    return FALSE;
  json_object_set_object_member (params, "store", store);
  return add_instance_secrets (secrets, unlock->vault->store, error);
}

static gboolean
set_notifiers (JsonObject *params, const SpUnlock *unlock, GVariantBuilder *secrets, GError **error)
{
  JsonArray *notifiers = json_array_new ();

  json_object_set_array_member (params, "notifiers", notifiers);
  for (guint i = 0; i < unlock->vault->n_notifiers; i++) {
    JsonObject *notifier = object_of_notifier (unlock, secrets, unlock->vault->notifiers[i], error);

    if (notifier == NULL)
      return FALSE;
    json_object_set_boolean_member (notifier, "critical", unlock->vault->notifiers[i]->critical);
    json_object_set_string_member (notifier, "where",
                                   unlock->vault->notifiers[i]->on_host ? "host" : "vault");
    json_array_add_object_element (notifiers, notifier);
  }
  return TRUE;
}

static JsonArray *
array_of_approvers (const SpConfigApprover *const *approvers)
{
  JsonArray *array = json_array_new ();

  for (; *approvers != NULL; approvers++) {
    JsonObject *object = json_object_new ();

    json_object_set_string_member (object, "name", (*approvers)->name);
    json_object_set_object_member (object, "ids", sp_json_object_of_strings ((*approvers)->ids));
    json_array_add_object_element (array, object);
  }
  return array;
}

static void
set_anchor (JsonObject *params, SpAnchor *anchor)
{
  JsonObject *object;
  const char *head;
  guint64 seq;

  if (!sp_anchor_get (anchor, &seq, &head)) {
    json_object_set_null_member (params, "anchor");
    return;
  }
  object = json_object_new ();
  json_object_set_int_member (object, "seq", (gint64) seq);
  json_object_set_string_member (object, "head", head);
  json_object_set_object_member (params, "anchor", object);
}

/* What may change while the vault is unlocked. */
static gboolean
set_config (JsonObject *params, const SpUnlock *unlock, GVariantBuilder *secrets, GError **error)
{
  json_object_set_string_member (params, "vault", unlock->keys->vault_id);
  json_object_set_int_member (params, "quorum", unlock->vault->quorum);
  json_object_set_int_member (params, "agent_rate", unlock->vault->agent_rate);
  json_object_set_int_member (params, "agent_pending", unlock->vault->agent_pending);
  if (!set_notifiers (params, unlock, secrets, error))
    return FALSE;
  json_object_set_array_member (params, "approvers",
                                array_of_approvers (sp_config_approvers (unlock->config)));
  json_object_set_string_member (params, "statement", unlock->statement);
  json_object_set_string_member (params, "signature", unlock->signature);
  return TRUE;
}

SpRpcMessage *
sp_unlock_message (const SpUnlock *unlock, const char *id, GError **error)
{
  g_auto (GVariantBuilder) secrets = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("a{say}"));
  g_autoptr (SpRpcMessage) message = sp_rpc_message_new (id, "vault.unlock");
  JsonObject *params = json_node_get_object (message->params);

  add_secret (&secrets, "master-key", unlock->keys->master);
  add_secret (&secrets, "vault-key", unlock->keys->vault_key);
  add_secret (&secrets, "tls", unlock->keys->tls);
  if (!set_store (params, unlock, &secrets, error) || !set_config (params, unlock, &secrets, error))
    return NULL;
  json_object_set_string_member (params, "tls", unlock->tls_required ? "required" : "optional");
  json_object_set_string_member (params, "trust", unlock->trust);
  if (unlock->image != NULL) {
    json_object_set_string_member (params, "image", unlock->image);
    json_object_set_int_member (params, "index", unlock->index);
  }
  set_anchor (params, unlock->anchor);
  message->secret = secret_of (&secrets);
  return g_steal_pointer (&message);
}

SpRpcMessage *
sp_configure_message (const SpUnlock *unlock, gboolean dry_run, GError **error)
{
  g_auto (GVariantBuilder) secrets = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("a{say}"));
  g_autoptr (SpRpcMessage) message = sp_rpc_message_new (NULL, "vault.configure");
  JsonObject *params = json_node_get_object (message->params);

  if (!set_config (params, unlock, &secrets, error))
    return NULL;
  json_object_set_boolean_member (params, "dry_run", dry_run);
  message->secret = secret_of (&secrets);
  return g_steal_pointer (&message);
}
