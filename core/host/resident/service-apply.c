/* service-apply.c - `config apply`: the config file read anew, and the keeper told what of it can run now
 *
 * Reading runs plugins' descriptions in children and waits for them, so a thread does it; all else is on
 * the main context.  What the keeper has taken is what the next unlock hands over, too: a keeper that is
 * started again gets the new config, and one that dies before it has answered the old one.
 */
#include <unistd.h>

#include "base/problem.h"
#include "host/resident/service-private.h"

struct _SpServiceApply {
  SpService *service;
  gboolean dry_run;
  SpResidentAsk *ask; /* NULL: nobody waits */
  SpPluginCatalog *catalog;
  SpConfig *config;
  SpConfigVault *vault; /* as it is to run */
  GPtrArray *restart;   /* what needs one */
  char *statement, *signature;
};

/* What the thread works with; nothing of it is the service's. */
typedef struct {
  char *own, *given;
  const char *built_in;
  SpPluginCatalog *catalog;
  SpConfig *config;
} Reading;

static void
reading_free (gpointer data)
{
  Reading *reading = data;

  g_free (reading->own);
  g_free (reading->given);
  sp_plugin_catalog_free (reading->catalog);
  sp_config_free (reading->config);
  g_free (reading);
}

void
sp_service_apply_free (SpServiceApply *apply)
{
  sp_plugin_catalog_free (apply->catalog);
  sp_config_free (apply->config);
  sp_config_vault_free (apply->vault);
  g_ptr_array_unref (apply->restart);
  g_free (apply->statement);
  g_free (apply->signature);
  g_free (apply);
}

/* Between the keeper's trying of a config and its answer it asks for processes as that config has them. */
const SpConfigVault *
sp_service_coming (const SpService *service)
{
  const SpServiceApply *apply = service->apply;

  return apply != NULL && !apply->dry_run && apply->vault != NULL ? apply->vault : service->vault;
}

/* ---- the end ------------------------------------------------------------------------------------------- */

static void
say (JsonObject *result, const char *member, const char *words)
{
  JsonArray *texts = json_object_get_array_member (result, member);

  for (guint i = 0; texts != NULL && i < json_array_get_length (texts); i++)
    g_printerr ("secret-proxy: %s: %s\n", words, json_array_get_string_element (texts, i));
}

/* One of @result, which is consumed, and @error. */
static void
finish (SpServiceApply *apply, JsonNode *result, const GError *error)
{
  SpResidentAsk *ask = apply->ask;
  SpService *service = apply->service;

  service->apply = NULL;
  if (ask != NULL) {
    sp_resident_answer (ask, result, error);
  } else if (error != NULL) {
    g_printerr ("secret-proxy: the config was not applied, the one before holds: %s\n",
                error->message);
  } else {
    say (json_node_get_object (result), "changes", "config applied");
    say (json_node_get_object (result), "needs_restart", "needs a restart");
    json_node_unref (result);
  }
  sp_service_apply_free (apply);
  sp_service_apply_wanted (service);
}

/* Configs of which nothing runs any more are let go. */
static gboolean
is_in_use (const SpService *service, const SpConfig *config)
{
  const SpConfigVault *vault = service->vault;

  if (config == service->config)
    return TRUE;
  for (const SpConfigInstance *const *it = sp_config_instances (config); *it != NULL; it++) {
    if (*it == vault->vm || *it == vault->store)
      return TRUE;
    for (guint i = 0; i < vault->n_notifiers; i++)
      if (*it == vault->notifiers[i])
        return TRUE;
  }
  return FALSE;
}

static void
adopt (SpServiceApply *apply)
{
  SpService *service = apply->service;

  service->config = apply->config;
  g_ptr_array_add (service->configs, g_steal_pointer (&apply->config));
  sp_config_vault_free (service->vault);
  service->vault = g_steal_pointer (&apply->vault);
  for (guint i = service->configs->len; i > 0; i--)
    if (!is_in_use (service, g_ptr_array_index (service->configs, i - 1)))
      g_ptr_array_remove_index (service->configs, i - 1);
  g_free (service->statement);
  service->statement = g_steal_pointer (&apply->statement);
  g_free (service->signature);
  service->signature = g_steal_pointer (&apply->signature);
}

static JsonArray *
array_of (GPtrArray *texts)
{
  JsonArray *array = json_array_new ();

  for (guint i = 0; i < texts->len; i++)
    json_array_add_string_element (array, g_ptr_array_index (texts, i));
  return array;
}

static void
on_configured (JsonNode *result, const GError *error, gpointer data)
{
  SpServiceApply *apply = data;
  g_autoptr (GError) odd = NULL;
  JsonNode *node;

  if (error == NULL && (result == NULL || !JSON_NODE_HOLDS_OBJECT (result)))
    error = odd = g_error_new_literal (SP_PROBLEM, SP_PROBLEM_INTERNAL,
                                       "the vault gave no answer that could be understood");
  if (error != NULL) {
    finish (apply, NULL, error);
    return;
  }
  if (!apply->dry_run)
    adopt (apply);
  node = json_node_copy (result);
  json_object_set_array_member (json_node_get_object (node), "needs_restart",
                                array_of (apply->restart));
  finish (apply, node, NULL);
}

/* ---- from the file to the keeper -------------------------------------------------------------------------- */

static SpRpcMessage *
message_of (SpServiceApply *apply, GError **error)
{
  SpService *service = apply->service;
  SpUnlock unlock;

  apply->vault = sp_service_merge (service, apply->config, apply->catalog, apply->restart, error);
  if (apply->vault == NULL ||
      !sp_service_state (service, apply->config, &apply->statement, &apply->signature, error))
    return NULL;
  /* It knows the plugins of the old config, too, as soon as it is asked for them. */
  sp_plugin_catalog_free (service->catalog);
  service->catalog = g_steal_pointer (&apply->catalog);
  unlock = sp_service_unlock_of (service, apply->config, apply->vault);
  unlock.statement = apply->statement;
  unlock.signature = apply->signature;
  return sp_configure_message (&unlock, apply->dry_run, error);
}

static void
on_read (GObject *source, GAsyncResult *result, gpointer data)
{
  SpServiceApply *apply = data;
  g_autoptr (GError) error = NULL;
  Reading *reading = g_task_get_task_data (G_TASK (result));
  SpRpcMessage *message = NULL;

  if (g_task_propagate_boolean (G_TASK (result), &error)) {
    apply->config = g_steal_pointer (&reading->config);
    apply->catalog = g_steal_pointer (&reading->catalog);
    for (const char *const *it = sp_config_warnings (apply->config); *it != NULL; it++)
      g_printerr ("secret-proxy: %s\n", *it);
    message = message_of (apply, &error);
  }
  if (message != NULL)
    sp_resident_ask (apply->service->resident, message, on_configured, apply);
  else
    finish (apply, NULL, error);
}

static void
read_in_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Reading *reading = data;
  GError *error = NULL;

  reading->config =
      sp_service_read (reading->own, reading->given, reading->built_in, reading->catalog, &error);
  if (reading->config != NULL)
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
}

/* The file that is read; NULL: there is none. */
static const char *
file_of (const SpService *service)
{
  if (service->config_file != NULL)
    return service->config_file;
  if (access (service->own_config, F_OK) == 0)
    return service->own_config;
  return service->built_in ? NULL : SP_CONFIG_PATH;
}

static GError *
why_not (const SpService *service, const char *config)
{
  const char *file = file_of (service);

  if (config != NULL && g_strcmp0 (config, file) != 0)
    return g_error_new (
        SP_PROBLEM, SP_PROBLEM_CONFLICT,
        "the vault was started with %s, not with %s: restart it, or change that one",
        file ? file : "no config file", config);
  if (service->apply != NULL)
    return g_error_new_literal (SP_PROBLEM, SP_PROBLEM_CONFLICT,
                                "another config is being applied: try again");
  if (!sp_resident_is_unlocked (service->resident) || service->stopping)
    return g_error_new_literal (SP_PROBLEM, SP_PROBLEM_LOCKED,
                                "the vault has no keys yet: try again");
  return NULL;
}

void
sp_service_apply (SpService *service, gboolean dry_run, const char *config, SpResidentAsk *ask)
{
  g_autoptr (GError) error = why_not (service, config);
  g_autoptr (GTask) task = NULL;
  Reading *reading;

  if (error != NULL) {
    if (ask != NULL)
      sp_resident_answer (ask, NULL, error);
    else
      g_printerr ("secret-proxy: the config was not applied: %s\n", error->message);
    return;
  }
  service->apply = g_new0 (SpServiceApply, 1);
  service->apply->service = service;
  service->apply->dry_run = dry_run;
  service->apply->ask = ask;
  service->apply->restart = g_ptr_array_new_with_free_func (g_free);
  reading = g_new0 (Reading, 1);
  reading->own = g_strdup (service->own_config);
  reading->given = g_strdup (service->config_file);
  reading->built_in = service->built_in;
  reading->catalog = sp_plugin_catalog_new (service->plugin_dir);
  task = g_task_new (NULL, NULL, on_read, service->apply);
  g_task_set_task_data (task, reading, reading_free);
  g_task_run_in_thread (task, read_in_thread);
}

void
sp_service_apply_wanted (SpService *service)
{
  if (!service->apply_wanted || service->apply != NULL || service->stopping ||
      !sp_resident_is_unlocked (service->resident))
    return;
  service->apply_wanted = FALSE;
  sp_service_apply (service, FALSE, NULL, NULL);
}

void
sp_service_apply_soon (SpService *service)
{
  service->apply_wanted = TRUE;
  sp_service_apply_wanted (service);
}
