/* client-serve.c - what a plugin host calls: remember, answer, alarm, broken, ...
 *
 * The other side may be taken over: what it says is bounded here again, and only its own.
 */
#include "plugin/client-private.h"

#include <string.h>

#include "base/problem.h"

static void
serve_remember (SpLinkCall *call, GVariant *args, GBytes *blob, gpointer data)
{
  SpPluginClient *client = data;
  const char *key, *value;

  g_variant_get (args, "(&sm&s)", &key, &value);
  /* The other side has checked this too, but the other side may be taken over. */
  if (*key == '\0' || strlen (key) > SP_REMEMBER_MAX_KEY ||
      (value != NULL && strlen (value) > SP_REMEMBER_MAX_VALUE)) {
    g_autoptr (GError) error = g_error_new_literal (
        SP_PROBLEM, SP_PROBLEM_TOO_LARGE, "a key of at most 128 bytes, a value of at most 8 KiB");

    sp_link_call_fail (call, error);
    return;
  }
  client->events.remember (client, key, value, call, client->data);
}

static void
serve_answer (SpLinkCall *call, GVariant *args, GBytes *blob, gpointer data)
{
  SpPluginClient *client = data;
  const char *notice_id, *choice_id, *person, *evidence;

  g_variant_get (args, "(&s&s&sm&s)", &notice_id, &choice_id, &person, &evidence);
  client->events.answer (client, notice_id, choice_id, person, evidence, call, client->data);
}

static void
serve_command (SpLinkCall *call, GVariant *args, GBytes *blob, gpointer data)
{
  SpPluginClient *client = data;
  const char *person, *command, *evidence;

  g_variant_get (args, "(&s&sm&s)", &person, &command, &evidence);
  if (client->events.command != NULL)
    client->events.command (client, person, command, evidence, call, client->data);
  else
    sp_link_call_reply (call, g_variant_new ("(us)", (guint32) SP_ANSWER_UNKNOWN, ""), NULL);
}

static void
serve_alarm (SpLinkCall *call, GVariant *args, GBytes *blob, gpointer data)
{
  SpPluginClient *client = data;
  const char *what;

  g_variant_get (args, "(&s)", &what);
  if (client->events.alarm != NULL)
    client->events.alarm (client, what, client->data);
  sp_link_call_reply (call, g_variant_new ("()"), NULL);
}

static void
serve_broken (SpLinkCall *call, GVariant *args, GBytes *blob, gpointer data)
{
  SpPluginClient *client = data;
  const char *why;

  g_variant_get (args, "(m&s)", &why);
  g_free (client->trouble);
  client->trouble = g_strdup (why);
  sp_client_update_health (client);
  sp_link_call_reply (call, g_variant_new ("()"), NULL);
}

static void
serve_progress (SpLinkCall *call, GVariant *args, GBytes *blob, gpointer data)
{
  SpPluginClient *client = data;
  const char *what;

  g_variant_get (args, "(&s)", &what);
  if (client->events.progress != NULL)
    client->events.progress (client, what, client->data);
  sp_link_call_reply (call, g_variant_new ("()"), NULL);
}

static void
serve_vm_changed (SpLinkCall *call, GVariant *args, GBytes *blob, gpointer data)
{
  SpPluginClient *client = data;
  const char *id;

  g_variant_get (args, "(&s)", &id);
  if (client->events.vm_changed != NULL)
    client->events.vm_changed (client, id, client->data);
  sp_link_call_reply (call, g_variant_new ("()"), NULL);
}

const SpLinkHandler sp_client_handlers[SP_PLUGIN_N_UPCALLS] = {
  [SP_PLUGIN_REMEMBER] = serve_remember, [SP_PLUGIN_ANSWER] = serve_answer,
  [SP_PLUGIN_ALARM] = serve_alarm,       [SP_PLUGIN_BROKEN] = serve_broken,
  [SP_PLUGIN_PROGRESS] = serve_progress, [SP_PLUGIN_VM_CHANGED] = serve_vm_changed,
  [SP_PLUGIN_COMMAND] = serve_command,
};
