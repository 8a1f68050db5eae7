/* client-queue.c - the calls of a client: one in the plugin, the others in a queue
 *
 * What must stay true: a call ends exactly once, and never before the function that made it has
 * returned; one that waits survives the end of the process, but not for longer than its deadline.
 */
#include "plugin/client-private.h"

#include "base/problem.h"

#define MAX_WAITING 4096

/* Frees @call, which is in no queue any more. */
static void
finish_call (SpClientCall *call, GVariant *reply, const GError *error)
{
  g_autoptr (GError) labelled = error != NULL ? g_error_copy (error) : NULL;

  if (labelled != NULL)
    g_prefix_error (&labelled, "%s: ", call->client->label);
  sp_client_timer_clear (&call->expiry);
  call->finish (call, reply, labelled);
  g_clear_error (&call->doom);
  g_variant_unref (call->args);
  g_free (call);
}

void
sp_client_fail_waiting (SpPluginClient *client, const GError *error)
{
  /* What is asked for by their callbacks is not meant. */
  for (guint n = client->waiting.length; n > 0 && client->waiting.length > 0; n--)
    finish_call (g_queue_pop_head (&client->waiting), NULL, error);
}

static gboolean
on_expiry (gpointer data)
{
  SpClientCall *call = data;
  g_autoptr (SpClientRef) client = sp_client_ref (call->client);
  g_autoptr (GError) late =
      g_error_new (SP_PROBLEM, SP_PROBLEM_UNREACHABLE, "it did not get to this call in time%s%s",
                   client->why != NULL ? ": " : "", client->why != NULL ? client->why : "");

  g_queue_remove (&client->waiting, call);
  finish_call (call, NULL, call->doom != NULL ? call->doom : late);
  return G_SOURCE_REMOVE;
}

/* A notifier need not call broken(): that nothing gets through shows all the same, and until it does.
 * REFUSED is about one notice only. */
static void
note_end (SpPluginClient *client, guint method, const GError *error, const char *why)
{
  gboolean is_notifiers = method == SP_PLUGIN_POST || method == SP_PLUGIN_SETTLE;

  if (!is_notifiers || client->phase != SP_CLIENT_SERVING ||
      g_error_matches (error, SP_ERROR, SP_ERROR_REFUSED))
    return;
  if (error == NULL && client->failing_in != method)
    return;
  g_free (client->failing);
  client->failing = g_strdup (why);
  client->failing_in = method;
  client->fell = !sp_link_is_open (client->link);
  if (!client->fell)
    sp_client_update_health (client);
}

static void
on_call_done (GVariant *reply, GBytes *blob, const GError *error, gpointer data)
{
  static const char overran[] = "it overran a deadline and was ended";
  g_autoptr (SpClientRef) client = data;
  SpClientCall *call = g_steal_pointer (&client->current);
  /* Not an error of the call: the plugin host itself overran, so it must go. */
  gboolean late = g_error_matches (error, SP_PROBLEM, SP_PROBLEM_TIMED_OUT) &&
                  client->phase == SP_CLIENT_SERVING;

  note_end (client, call->method, error, late ? overran : error ? error->message : NULL);
  if (late)
    sp_client_bring_down (client, SP_PLUGIN_DOWN, overran);
  finish_call (call, reply, error);
  sp_client_pump (client);
}

static SpClientCall *
next_call (SpPluginClient *client)
{
  for (GList *link = client->waiting.head; link != NULL; link = link->next) {
    SpClientCall *call = link->data;

    if (call->doom == NULL) {
      g_queue_delete_link (&client->waiting, link);
      return call;
    }
  }
  return NULL;
}

void
sp_client_pump (SpPluginClient *client)
{
  SpClientCall *call;

  if (client->phase != SP_CLIENT_SERVING || client->current != NULL || client->freed)
    return;
  /* The end of the link fails its call first, and is told to us after that. */
  if (!sp_link_is_open (client->link))
    return;
  call = next_call (client);
  if (call == NULL)
    return;
  sp_client_timer_clear (&call->expiry);
  client->current = call;
  sp_link_call (client->link, call->method, call->args, NULL,
                call->deadline_ms + SP_CLIENT_PATIENCE_MS, on_call_done, sp_client_ref (client));
}

guint
sp_client_deadline (const SpPluginClient *client, guint usual)
{
  return client->deadline_ms != 0 ? client->deadline_ms : usual;
}

void
sp_client_set_deadline (SpPluginClient *client, guint ms)
{
  client->deadline_ms = ms;
}

static GError *
find_doom (const SpPluginClient *client, GVariant *args)
{
  if (client->state == SP_PLUGIN_FAILED)
    return g_error_new_literal (SP_PROBLEM, SP_PROBLEM_CONFIG, client->why);
  if (g_variant_get_size (args) > SP_LINK_MAX_FRAME - 1024)
    return g_error_new (SP_PROBLEM, SP_PROBLEM_TOO_LARGE,
                        "a call of %" G_GSIZE_FORMAT " bytes; %u are the most",
                        g_variant_get_size (args), SP_LINK_MAX_FRAME - 1024);
  if (client->waiting.length >= MAX_WAITING)
    return g_error_new (SP_PROBLEM, SP_PROBLEM_UNREACHABLE, "%d calls wait already", MAX_WAITING);
  return NULL;
}

void
sp_client_submit (SpPluginClient *client, guint method, GVariant *args, guint deadline_ms,
                  SpClientFinish finish, GCallback done, SpRowFunc row, gpointer data)
{
  SpClientCall *call = g_new0 (SpClientCall, 1);

  call->client = client;
  call->method = method;
  call->args = g_variant_ref_sink (args);
  call->deadline_ms = deadline_ms;
  call->finish = finish;
  call->done = done;
  call->row = row;
  call->data = data;
  call->doom = find_doom (client, call->args);
  call->expiry = sp_client_timer (client, call->doom != NULL ? 0 : deadline_ms, on_expiry, call);
  g_queue_push_tail (&client->waiting, call);
  sp_client_pump (client);
}
