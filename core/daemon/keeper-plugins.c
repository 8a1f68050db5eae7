/* keeper-plugins.c - plugin hosts in their slots, and the vault's ports that lead to them */
#include <string.h>

#include "base/clock.h"
#include "base/problem.h"
#include "daemon/keeper-private.h"

#define START_US (10 * G_USEC_PER_SEC)
/* A plugin has two seconds to stop. */
#define END_MS 3000u

/* ---- what plugin hosts want --------------------------------------------------------------------------- */

static void
want_process (SpPluginClient *client, gpointer data)
{
  const SpKeeperPlugin *plugin = data;

  plugin->keeper->processes[plugin->slot] = TRUE;
  if (plugin->on_host)
    sp_keeper_tunnels_start (plugin->keeper->tunnels, client);
  else
    (void) sp_control_send (plugin->keeper->control, SP_CONTROL_START, plugin->slot, -1);
}

static void
kill_process (SpPluginClient *client, gpointer data)
{
  const SpKeeperPlugin *plugin = data;

  if (plugin->on_host)
    sp_keeper_tunnels_kill (plugin->keeper->tunnels, client);
  else
    (void) sp_control_send (plugin->keeper->control, SP_CONTROL_KILL, plugin->slot, -1);
}

static GVariant *
recall (SpPluginClient *client, gpointer data)
{
  const SpKeeperPlugin *plugin = data;

  if (plugin->slot == SP_SLOT_STORE || plugin->keeper->vault == NULL)
    return g_variant_new ("a{ss}", NULL);
  return sp_vault_recall (plugin->keeper->vault, sp_plugin_client_instance (client));
}

static void
refuse (SpLinkCall *call)
{
  g_autoptr (GError) error =
      g_error_new_literal (SP_PROBLEM, SP_PROBLEM_INVALID, "this is not for a plugin of this kind");

  sp_link_call_fail (call, error);
}

static void
on_remembered (const GError *error, gpointer data)
{
  if (error != NULL)
    sp_link_call_fail (data, error);
  else
    sp_link_call_reply (data, g_variant_new ("()"), NULL);
}

static void
remember (SpPluginClient *client, const char *key, const char *value, SpLinkCall *call,
          gpointer data)
{
  const SpKeeperPlugin *plugin = data;

  if (plugin->slot == SP_SLOT_STORE || !plugin->keeper->unlocked)
    refuse (call);
  else
    sp_vault_remember (plugin->keeper->vault, sp_plugin_client_instance (client), key, value,
                       on_remembered, call);
}

static void
on_answered (SpAnswerResult result, const char *sentence, gpointer data)
{
  sp_link_call_reply (data, g_variant_new ("(us)", (guint32) result, sentence ? sentence : ""),
                      NULL);
}

static void
answer (SpPluginClient *client, const char *notice_id, const char *choice_id, const char *person,
        const char *evidence, SpLinkCall *call, gpointer data)
{
  const SpKeeperPlugin *plugin = data;

  if (plugin->slot == SP_SLOT_STORE || !plugin->keeper->unlocked)
    refuse (call);
  else
    sp_vault_answer (plugin->keeper->vault, sp_plugin_client_instance (client), notice_id,
                     choice_id, person, evidence, on_answered, call);
}

static void
command (SpPluginClient *client, const char *person, const char *word, const char *evidence,
         SpLinkCall *call, gpointer data)
{
  const SpKeeperPlugin *plugin = data;

  if (plugin->slot == SP_SLOT_STORE || !plugin->keeper->unlocked)
    refuse (call);
  else
    sp_vault_command (plugin->keeper->vault, sp_plugin_client_instance (client), person, word,
                      evidence, on_answered, call);
}

static void
alarm_raised (SpPluginClient *client, const char *what, gpointer data)
{
  const SpKeeperPlugin *plugin = data;

  if (plugin->slot != SP_SLOT_STORE && plugin->keeper->unlocked)
    sp_vault_alarm (plugin->keeper->vault, sp_plugin_client_instance (client), what);
}

static void
state_changed (SpPluginClient *client, gpointer data)
{
  const SpKeeperPlugin *plugin = data;
  SpKeeper *keeper = plugin->keeper;
  const char *why = sp_plugin_client_why (client);
  SpPluginState state = sp_plugin_client_state (client);
  gboolean can_work = sp_plugin_client_can_work (client);

  /* What failed is in the log once for each request. */
  if (why != NULL && !can_work)
    g_message ("%s %s: %s", plugin->slot == SP_SLOT_STORE ? "store" : "notify",
               sp_plugin_client_instance (client), why);
  if (plugin->slot == SP_SLOT_STORE)
    sp_keeper_store_changed (keeper);
  else if (keeper->unlocked && can_work)
    sp_vault_notify (keeper->vault);
  else if (keeper->unlocked && (state == SP_PLUGIN_TROUBLED || state == SP_PLUGIN_FAILED))
    sp_vault_trouble (keeper->vault, sp_plugin_client_instance (client), why);
  sp_keeper_configure_go_on (keeper);
}

static const SpPluginEvents events = { .want_process = want_process,
                                       .kill_process = kill_process,
                                       .recall = recall,
                                       .remember = remember,
                                       .answer = answer,
                                       .command = command,
                                       .alarm = alarm_raised,
                                       .state_changed = state_changed };

SpKeeperPlugin *
sp_keeper_plugin_new (SpKeeper *keeper, guint slot, gboolean on_host, const SpPluginSetup *setup)
{
  SpKeeperPlugin *plugin = g_new0 (SpKeeperPlugin, 1);

  plugin->keeper = keeper;
  plugin->slot = slot;
  plugin->on_host = on_host;
  plugin->plugin = g_strdup (setup->path);
  plugin->critical = TRUE;
  plugin->client = sp_plugin_client_new (setup, &events, plugin);
  return plugin;
}

void
sp_keeper_plugin_free (SpKeeperPlugin *plugin)
{
  if (plugin == NULL)
    return;
  /* The host lets no other begin before this one's process has ended. */
  if (plugin->on_host) {
    sp_keeper_tunnels_forget (plugin->keeper->tunnels, plugin->client);
    sp_keeper_slot_ended (plugin->keeper, plugin->slot);
  }
  sp_plugin_client_free (plugin->client);
  g_clear_pointer (&plugin->marks, g_hash_table_unref);
  g_free (plugin->plugin);
  g_free (plugin);
}

/* ---- places ---------------------------------------------------------------------------------------------- */

typedef struct {
  SpKeeper *keeper;
  guint slot;
} Place;

static gboolean
on_overdue (gpointer data)
{
  const Place *place = data;

  place->keeper->killers[place->slot] = 0;
  (void) sp_control_send (place->keeper->control, SP_CONTROL_KILL, place->slot, -1);
  return G_SOURCE_REMOVE;
}

void
sp_keeper_plugin_end (SpKeeperPlugin *plugin)
{
  SpKeeper *keeper = plugin->keeper;
  guint slot = plugin->slot;
  const Place place = { keeper, slot };

  if (plugin->on_host)
    sp_keeper_tunnels_end (keeper->tunnels, plugin->client);
  if (plugin->on_host || !keeper->processes[slot] || keeper->killers[slot] != 0)
    return;
  keeper->killers[slot] = g_timeout_add_full (G_PRIORITY_DEFAULT, END_MS, on_overdue,
                                              g_memdup2 (&place, sizeof place), g_free);
}

void
sp_keeper_slot_ended (SpKeeper *keeper, guint slot)
{
  keeper->processes[slot] = FALSE;
  g_clear_handle_id (&keeper->killers[slot], g_source_remove);
}

void
sp_keeper_hosted_ended (const SpPluginClient *client, gpointer data)
{
  SpKeeper *keeper = data;

  for (guint slot = SP_SLOT_NOTIFIERS; slot < SP_MAX_SLOTS; slot++) {
    const SpKeeperPlugin *plugin =
        keeper->processes[slot] ? sp_keeper_plugin_in_slot (keeper, slot) : NULL;

    if (plugin != NULL && plugin->client == client)
      sp_keeper_slot_ended (keeper, slot);
  }
  sp_keeper_configure_go_on (keeper);
}

guint
sp_keeper_free_slot (SpKeeper *keeper)
{
  for (guint slot = SP_SLOT_NOTIFIERS; slot < SP_MAX_SLOTS; slot++)
    if (!keeper->processes[slot] && sp_keeper_plugin_in_slot (keeper, slot) == NULL)
      return slot;
  return 0;
}

SpKeeperPlugin *
sp_keeper_plugin_in_slot (SpKeeper *keeper, guint slot)
{
  if (slot == SP_SLOT_STORE)
    return keeper->store;
  for (guint i = 0; i < keeper->notifiers->len; i++) {
    SpKeeperPlugin *plugin = g_ptr_array_index (keeper->notifiers, i);

    if (plugin->slot == slot)
      return plugin;
  }
  return sp_keeper_configure_in_slot (keeper, slot);
}

/* ---- the vault's ports --------------------------------------------------------------------------------------- */

static void
port_write (gpointer port, const SpBatch *batches, gsize n_batches, SpPluginWritten done,
            gpointer data)
{
  if (!((SpKeeper *) port)->ending)
    sp_plugin_client_write (((SpKeeper *) port)->store->client, batches, n_batches, done, data);
}

static void
port_read (gpointer port, const char *table, const char *key, SpPluginRead done, gpointer data)
{
  if (!((SpKeeper *) port)->ending)
    sp_plugin_client_read (((SpKeeper *) port)->store->client, table, key, done, data);
}

static void
port_scan (gpointer port, const char *table, const char *after, guint limit, SpRowFunc row,
           SpPluginScanned done, gpointer data)
{
  if (!((SpKeeper *) port)->ending)
    sp_plugin_client_scan (((SpKeeper *) port)->store->client, table, after, limit, row, done,
                           data);
}

static SpPluginClient *
notifier (SpKeeper *keeper, const char *name)
{
  for (guint i = 0; i < keeper->notifiers->len; i++) {
    const SpKeeperPlugin *plugin = g_ptr_array_index (keeper->notifiers, i);

    if (g_str_equal (sp_plugin_client_instance (plugin->client), name))
      return plugin->client;
  }
  g_assert_not_reached ();
}

static void
port_post (gpointer port, const char *name, const SpNotice *notice, SpPluginDone done,
           gpointer data)
{
  if (!((SpKeeper *) port)->ending)
    sp_plugin_client_post (notifier (port, name), notice, done, data);
}

static void
port_settle (gpointer port, const char *name, const SpNotice *notice, const SpOutcome *outcome,
             SpPluginDone done, gpointer data)
{
  if (!((SpKeeper *) port)->ending)
    sp_plugin_client_settle (notifier (port, name), notice, outcome, done, data);
}

/* One that is being started will be there in a moment; one that has been down for long won't. */
gboolean
sp_keeper_plugin_usable (const SpKeeperPlugin *plugin)
{
  SpPluginState state = sp_plugin_client_state (plugin->client);
  gint64 down_us = g_get_real_time () - sp_plugin_client_since (plugin->client);

  return sp_plugin_client_can_work (plugin->client) ||
         (state == SP_PLUGIN_DOWN && down_us < START_US);
}

static gboolean
port_usable (gpointer port, const char *name)
{
  SpKeeper *keeper = port;

  for (guint i = 0; i < keeper->notifiers->len; i++) {
    const SpKeeperPlugin *plugin = g_ptr_array_index (keeper->notifiers, i);

    if (g_str_equal (sp_plugin_client_instance (plugin->client), name))
      return sp_keeper_plugin_usable (plugin);
  }
  return FALSE;
}

static void
port_audit_head (gpointer port, guint64 seq, const char *head_hex)
{
  sp_keeper_audit_head (port, seq, head_hex);
}

static gboolean
on_wake (gpointer data)
{
  SpKeeper *keeper = data;

  keeper->wake = 0;
  sp_vault_tick (keeper->vault);
  return G_SOURCE_REMOVE;
}

static void
port_wake_in (gpointer port, gint64 ms)
{
  SpKeeper *keeper = port;

  g_clear_handle_id (&keeper->wake, g_source_remove);
  if (ms >= 0)
    keeper->wake = g_timeout_add ((guint) MIN (ms, 3600 * 1000), on_wake, keeper);
}

static void
port_fatal (gpointer port, const GError *why)
{
  SpKeeper *keeper = port;

  /* A new keeper reads the store anew, and finds out what it is worth. */
  g_critical ("keeper: %s", why->message);
  g_main_loop_quit (keeper->loop);
}

void
sp_keeper_fill_ports (SpKeeper *keeper)
{
  keeper->ports = (SpVaultPorts){ .write = port_write,
                                  .read = port_read,
                                  .scan = port_scan,
                                  .post = port_post,
                                  .settle = port_settle,
                                  .usable = port_usable,
                                  .audit_head = port_audit_head,
                                  .wake_in = port_wake_in,
                                  .fatal = port_fatal,
                                  .port = keeper };
}
