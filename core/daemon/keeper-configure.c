/* keeper-configure.c - vault.configure: another config while the vault runs, all of it or nothing
 *
 *      ENDING      notifiers that change are stopped; their calls wait
 *      OPENING     those that are new or changed are opened as the new config says, once
 *      STORING     all have been tried: the audit log has it, and the vault takes the new settings
 *      RESTORING   one does not open, or it can't be stored: what was opened ends, what was stopped goes on
 *
 * A notifier that is out of reach right now has been tried, and is no reason to refuse: it is started
 * again with back-off like any other.  One that says that an administrator must mend it is, where the
 * vault does not serve without it.
 *
 * What must stay true: a notifier whose config stays is not touched; there are never two processes of one
 * notifier, since its service would hear two of them; until the vault has taken the new settings its
 * old ones decide.
 */
#include <string.h>

#include "base/problem.h"
#include "daemon/keeper-config.h"

/* Of all new ones together; a plugin has about as long to open and start. */
#define OPENING_MS 20000u
#define MAX_CHANGES 4000u /* bytes of them in the audit log */

typedef enum { ENDING, OPENING, STORING, RESTORING } Stage;

struct _SpKeeperApply {
  SpKeeper *keeper;
  char *id; /* the call to answer */
  Stage stage;
  SpKeeperConfig *config;
  SpVaultSettings *settings;
  GPtrArray *changes;   /* texts */
  GPtrArray *stays;     /* SpKeeperPlugin of the keeper's: not touched */
  GPtrArray *suspended; /* SpKeeperPlugin of the keeper's: they are exchanged */
  GPtrArray *objects;   /* JsonObject: those to open */
  GPtrArray *fresh;     /* SpKeeperPlugin, ours: for these */
  gboolean late;        /* who has not been tried by now is out of reach */
  guint timer, turn;
  char *statement;
  GBytes *signature;
  GError *error; /* why it is taken back */
};

static void
apply_free (SpKeeperApply *apply)
{
  g_clear_handle_id (&apply->timer, g_source_remove);
  g_clear_handle_id (&apply->turn, g_source_remove);
  g_clear_pointer (&apply->config, sp_keeper_config_free);
  g_clear_pointer (&apply->settings, sp_vault_settings_free);
  g_clear_pointer (&apply->signature, g_bytes_unref);
  g_clear_error (&apply->error);
  g_ptr_array_unref (apply->changes);
  g_ptr_array_unref (apply->stays);
  g_ptr_array_unref (apply->suspended);
  g_ptr_array_unref (apply->objects);
  g_ptr_array_unref (apply->fresh);
  g_free (apply->statement);
  g_free (apply->id);
  g_free (apply);
}

void
sp_keeper_configure_drop (SpKeeper *keeper)
{
  g_clear_pointer (&keeper->apply, apply_free);
}

SpKeeperPlugin *
sp_keeper_configure_in_slot (SpKeeper *keeper, guint slot)
{
  for (guint i = 0; keeper->apply != NULL && i < keeper->apply->fresh->len; i++) {
    SpKeeperPlugin *plugin = g_ptr_array_index (keeper->apply->fresh, i);

    if (plugin->slot == slot)
      return plugin;
  }
  return NULL;
}

/* ---- the answer ---------------------------------------------------------------------------------------- */

static void
reply (const SpKeeperApply *apply, gboolean applied)
{
  JsonNode *node = json_node_new (JSON_NODE_OBJECT);
  JsonObject *object = json_object_new ();
  JsonArray *changes = json_array_new ();

  json_node_take_object (node, object);
  for (guint i = 0; i < apply->changes->len; i++)
    json_array_add_string_element (changes, g_ptr_array_index (apply->changes, i));
  json_object_set_boolean_member (object, "applied", applied);
  json_object_set_array_member (object, "changes", changes);
  sp_rpc_reply (apply->keeper->admin, apply->id, node);
}

/* ---- what is different ----------------------------------------------------------------------------------- */

static SpKeeperPlugin *
find_plugin (const SpKeeper *keeper, const char *name)
{
  for (guint i = 0; i < keeper->notifiers->len; i++) {
    SpKeeperPlugin *plugin = g_ptr_array_index (keeper->notifiers, i);

    if (g_str_equal (sp_plugin_client_instance (plugin->client), name))
      return plugin;
  }
  return NULL;
}

static gboolean
plan_notifier (SpKeeperApply *apply, JsonObject *object, const char *name, GError **error)
{
  SpKeeperPlugin *plugin = find_plugin (apply->keeper, name);
  g_autoptr (GHashTable) marks = sp_keeper_config_marks (apply->config, object, error);
  g_autofree char *text = NULL;
  gboolean reopen;

  if (marks == NULL)
    return FALSE;
  reopen = plugin == NULL || sp_keeper_marks_differ (plugin->marks, marks, &text);
  if (plugin == NULL)
    g_ptr_array_add (apply->changes, g_strdup_printf ("notify %s added", name));
  else if (text != NULL)
    g_ptr_array_add (apply->changes, g_strdup_printf ("notify %s: %s", name, text));
  if (!reopen) {
    g_ptr_array_add (apply->stays, plugin);
    return TRUE;
  }
  g_ptr_array_add (apply->objects, json_object_ref (object));
  if (plugin != NULL)
    g_ptr_array_add (apply->suspended, plugin);
  return TRUE;
}

static gboolean
is_known (const SpVaultSettings *settings, const char *name)
{
  return g_ptr_array_find_with_equal_func (settings->notifiers, name, g_str_equal, NULL);
}

static gboolean
plan (SpKeeperApply *apply, GError **error)
{
  SpKeeper *keeper = apply->keeper;
  JsonArray *notifiers = sp_keeper_config_notifiers (apply->config);
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 0; notifiers && i < json_array_get_length (notifiers); i++) {
    JsonObject *object = sp_keeper_config_object (notifiers, i);
    const char *name = object ? sp_keeper_text_member (object, "name") : NULL;

    if (name == NULL || !g_hash_table_add (seen, (gpointer) name)) {
      sp_problem_set_invalid (error, "notifiers", "a notifier has no name of its own");
      return FALSE;
    }
    if (!plan_notifier (apply, object, name, error))
      return FALSE;
  }
  for (guint i = 0; i < keeper->notifiers->len; i++) {
    const SpKeeperPlugin *plugin = g_ptr_array_index (keeper->notifiers, i);
    const char *name = sp_plugin_client_instance (plugin->client);

    if (!is_known (apply->settings, name))
      g_ptr_array_add (apply->changes, g_strdup_printf ("notify %s removed", name));
  }
  sp_vault_compare (keeper->vault, apply->settings, apply->changes);
  return TRUE;
}

/* ---- taking it back ------------------------------------------------------------------------------------------ */

static void
end_fresh (SpKeeperApply *apply)
{
  g_autoptr (GPtrArray) fresh = g_steal_pointer (&apply->fresh);

  apply->fresh = g_ptr_array_new_with_free_func ((GDestroyNotify) sp_keeper_plugin_free);
  for (guint i = 0; i < fresh->len; i++)
    sp_keeper_plugin_end (g_ptr_array_index (fresh, i));
}

/* Consumes @error. */
static void
take_back (SpKeeperApply *apply, GError *error)
{
  apply->error = error;
  apply->stage = RESTORING;
  g_clear_handle_id (&apply->timer, g_source_remove);
  end_fresh (apply);
  sp_keeper_configure_go_on (apply->keeper);
}

/* What was opened for nothing must have ended: both would speak to the same service. */
static void
restore (SpKeeperApply *apply)
{
  SpKeeper *keeper = apply->keeper;

  for (guint slot = SP_SLOT_NOTIFIERS; slot < SP_MAX_SLOTS; slot++)
    if (keeper->processes[slot] && sp_keeper_plugin_in_slot (keeper, slot) == NULL)
      return;
  for (guint i = 0; i < apply->suspended->len; i++)
    sp_plugin_client_resume (((SpKeeperPlugin *) g_ptr_array_index (apply->suspended, i))->client);
  sp_rpc_fail (keeper->admin, apply->id, apply->error);
  sp_keeper_configure_drop (keeper);
}

/* ---- taking it over ------------------------------------------------------------------------------------------- */

/* The notifiers of the new config, in no order that matters; the others end. */
static void
exchange_notifiers (SpKeeperApply *apply)
{
  SpKeeper *keeper = apply->keeper;
  g_autoptr (GPtrArray) before = g_steal_pointer (&keeper->notifiers);
  g_autoptr (GPtrArray) fresh = g_steal_pointer (&apply->fresh);

  apply->fresh = g_ptr_array_new ();
  keeper->notifiers = g_ptr_array_new_with_free_func ((GDestroyNotify) sp_keeper_plugin_free);
  for (guint i = before->len; i > 0; i--)
    if (g_ptr_array_find (apply->stays, g_ptr_array_index (before, i - 1), NULL))
      g_ptr_array_insert (keeper->notifiers, 0, g_ptr_array_steal_index (before, i - 1));
  while (fresh->len > 0)
    g_ptr_array_add (keeper->notifiers, g_ptr_array_steal_index (fresh, 0));
  for (guint i = 0; i < before->len; i++)
    sp_keeper_plugin_end (g_ptr_array_index (before, i));
}

static void
take_critical (SpKeeperApply *apply)
{
  JsonArray *notifiers = sp_keeper_config_notifiers (apply->config);

  for (guint i = 0; notifiers && i < json_array_get_length (notifiers); i++) {
    JsonObject *object = sp_keeper_config_object (notifiers, i);
    SpKeeperPlugin *plugin = find_plugin (apply->keeper, sp_keeper_text_member (object, "name"));

    plugin->critical = json_object_get_boolean_member_with_default (object, "critical", TRUE);
    sp_keeper_marks_set_critical (plugin->marks, plugin->critical);
  }
}

static void
on_stored (const GError *error, gpointer data)
{
  SpKeeperApply *apply = data;
  SpKeeper *keeper = apply->keeper;

  if (error != NULL) {
    take_back (apply, g_error_copy (error));
    return;
  }
  exchange_notifiers (apply);
  take_critical (apply);
  g_free (keeper->statement);
  keeper->statement = g_steal_pointer (&apply->statement);
  g_clear_pointer (&keeper->signature, g_bytes_unref);
  keeper->signature = g_steal_pointer (&apply->signature);
  for (guint i = 0; i < apply->objects->len; i++)
    sp_vault_post_again (keeper->vault,
                         sp_keeper_text_member (g_ptr_array_index (apply->objects, i), "name"));
  g_message ("keeper: another config was applied");
  reply (apply, TRUE);
  sp_keeper_configure_drop (keeper);
}

static char *
text_of_changes (const SpKeeperApply *apply)
{
  g_autoptr (GString) text = g_string_new (NULL);

  for (guint i = 0; i < apply->changes->len; i++) {
    const char *change = g_ptr_array_index (apply->changes, i);

    if (text->len + strlen (change) > MAX_CHANGES) {
      g_string_append_printf (text, "; and %u more", apply->changes->len - i);
      break;
    }
    g_string_append_printf (text, "%s%s", i > 0 ? "; " : "", change);
  }
  return g_string_free (g_steal_pointer (&text), FALSE);
}

static void
store (SpKeeperApply *apply)
{
  g_autofree char *changes = text_of_changes (apply);

  apply->stage = STORING;
  g_clear_handle_id (&apply->timer, g_source_remove);
  sp_vault_reconfigure (apply->keeper->vault, g_steal_pointer (&apply->settings), changes,
                        on_stored, apply);
}

/* ---- one stage after the other ----------------------------------------------------------------------------------- */

static gboolean
on_late (gpointer data)
{
  SpKeeperApply *apply = data;

  apply->timer = 0;
  apply->late = TRUE;
  sp_keeper_configure_go_on (apply->keeper);
  return G_SOURCE_REMOVE;
}

static void
open_fresh (SpKeeperApply *apply)
{
  SpKeeper *keeper = apply->keeper;

  apply->stage = OPENING;
  for (guint i = 0; i < apply->objects->len; i++) {
    GError *error = NULL;
    guint slot = sp_keeper_free_slot (keeper);
    SpKeeperPlugin *plugin = NULL;

    if (slot != 0)
      plugin = sp_keeper_config_start (apply->config, keeper, g_ptr_array_index (apply->objects, i),
                                       SP_KIND_NOTIFIER, slot, &error);
    else
      error = g_error_new_literal (SP_PROBLEM, SP_PROBLEM_CONFLICT,
                                   "there are too many notifiers to exchange them at once");
    if (plugin == NULL) {
      take_back (apply, error);
      return;
    }
    g_ptr_array_add (apply->fresh, plugin);
  }
  apply->timer = g_timeout_add (OPENING_MS, on_late, apply);
  sp_keeper_configure_go_on (keeper);
}

static void
wait_for_end (SpKeeperApply *apply)
{
  for (guint i = 0; i < apply->suspended->len; i++)
    if (apply->keeper
            ->processes[((SpKeeperPlugin *) g_ptr_array_index (apply->suspended, i))->slot])
      return;
  open_fresh (apply);
}

static void
look_at_fresh (SpKeeperApply *apply)
{
  gboolean tried = TRUE;

  for (guint i = 0; i < apply->fresh->len; i++) {
    const SpKeeperPlugin *plugin = g_ptr_array_index (apply->fresh, i);
    const SpPluginClient *client = plugin->client;

    if (plugin->critical && sp_plugin_client_state (client) == SP_PLUGIN_FAILED) {
      take_back (apply,
                 g_error_new (SP_PROBLEM, SP_PROBLEM_CONFIG, "notify %s: %s",
                              sp_plugin_client_instance (client), sp_plugin_client_why (client)));
      return;
    }
    tried = tried && sp_plugin_client_tried (client);
  }
  if (tried || apply->late)
    store (apply);
}

static gboolean
on_turn (gpointer data)
{
  SpKeeperApply *apply = data;

  apply->turn = 0;
  if (apply->stage == ENDING)
    wait_for_end (apply);
  else if (apply->stage == OPENING)
    look_at_fresh (apply);
  else if (apply->stage == RESTORING)
    restore (apply);
  return G_SOURCE_REMOVE;
}

/* From the main loop: whoever calls this may be a plugin that is about to be freed. */
void
sp_keeper_configure_go_on (SpKeeper *keeper)
{
  if (keeper->apply != NULL && keeper->apply->turn == 0)
    keeper->apply->turn = g_idle_add (on_turn, keeper->apply);
}

/* ---- the call ------------------------------------------------------------------------------------------------------ */

static SpKeeperApply *
apply_new (SpKeeper *keeper, const char *id)
{
  SpKeeperApply *apply = g_new0 (SpKeeperApply, 1);

  apply->keeper = keeper;
  apply->id = g_strdup (id);
  apply->changes = g_ptr_array_new_with_free_func (g_free);
  apply->stays = g_ptr_array_new ();
  apply->suspended = g_ptr_array_new ();
  apply->objects = g_ptr_array_new_with_free_func ((GDestroyNotify) json_object_unref);
  apply->fresh = g_ptr_array_new_with_free_func ((GDestroyNotify) sp_keeper_plugin_free);
  return apply;
}

static gboolean
read_config (SpKeeperApply *apply, JsonObject *params, SpSecret *secret, GError **error)
{
  if (secret == NULL) {
    sp_problem_set_invalid (error, "secret_base64", "the options of type secret are missing");
    return FALSE;
  }
  apply->config = sp_keeper_config_new (params, secret, error);
  if (apply->config == NULL ||
      !sp_keeper_config_statement (apply->config, &apply->statement, &apply->signature, error))
    return FALSE;
  apply->settings = sp_keeper_config_settings (apply->config, error);
  if (apply->settings == NULL)
    return FALSE;
  if (!g_str_equal (apply->settings->vault_id, apply->keeper->vault_id)) {
    sp_problem_set_invalid (error, "vault", "this is the config of another vault");
    return FALSE;
  }
  return plan (apply, error);
}

static void
begin (SpKeeperApply *apply)
{
  SpKeeper *keeper = apply->keeper;

  keeper->apply = apply;
  apply->stage = ENDING;
  for (guint i = 0; i < apply->suspended->len; i++) {
    SpKeeperPlugin *plugin = g_ptr_array_index (apply->suspended, i);

    sp_plugin_client_suspend (plugin->client);
    sp_keeper_plugin_end (plugin);
  }
  sp_keeper_configure_go_on (keeper);
}

void
sp_keeper_configure (SpKeeper *keeper, const char *id, JsonObject *params, SpSecret *secret)
{
  SpKeeperApply *apply = apply_new (keeper, id);
  gboolean dry = json_object_get_boolean_member_with_default (params, "dry_run", FALSE);
  g_autoptr (GError) error = NULL;

  if (keeper->apply != NULL)
    error = g_error_new_literal (SP_PROBLEM, SP_PROBLEM_CONFLICT,
                                 "another config is being applied: try again");
  else
    (void) read_config (apply, params, secret, &error);
  if (error != NULL)
    sp_rpc_fail (keeper->admin, id, error);
  else if (dry || (apply->changes->len == 0 && apply->objects->len == 0))
    reply (apply, !dry);
  else {
    begin (apply);
    return;
  }
  apply_free (apply);
}
