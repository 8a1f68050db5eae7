/* client.c - the life of a plugin's process as the keeper sees it
 *
 *      IDLE --ask--> WANTED --attach--> OPENING --> STARTING --> SERVING
 *       ^               |                  |           |            |
 *       +--- exited ----+------ DYING <----+-----------+------------+   (failed, gone, too late)
 *
 * In DYING the parent has been asked to kill; only when it says that the process has ended does the
 * wait for the next one begin, so there are never two at a time.
 *
 * What must stay true: a call ends exactly once; nobody's callback runs before the call that it
 * belongs to has returned; the client may be freed in any callback.
 */
#include "plugin/client-private.h"

#include <string.h>
#include <unistd.h>

#include "base/problem.h"
#include "plugin/find.h"

#define OPEN_MS 15000
#define START_MS 30000
#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 10000
#define FAILED_RETRY_MS 60000
#define HEALTHY_US (20 * G_TIME_SPAN_SECOND)
#define RECALL_CHUNK (1024u * 1024u)

/* ---- memory ----------------------------------------------------------------------------------------- */

SpClientRef *
sp_client_ref (SpPluginClient *client)
{
  g_ref_count_inc (&client->refs);
  return client;
}

void
sp_client_unref (SpClientRef *client)
{
  if (!g_ref_count_dec (&client->refs))
    return;
  g_main_context_unref (client->context);
  g_free (client->instance);
  g_free (client->label);
  g_free (client->path);
  g_variant_unref (client->options);
  g_variant_unref (client->people);
  g_bytes_unref (client->secrets);
  g_free (client->why);
  g_free (client->trouble);
  g_free (client);
}

void
sp_client_timer_clear (GSource **source)
{
  if (*source == NULL)
    return;
  g_source_destroy (*source);
  g_clear_pointer (source, g_source_unref);
}

GSource *
sp_client_timer (SpPluginClient *client, guint ms, GSourceFunc func, gpointer data)
{
  GSource *source = g_timeout_source_new (ms);

  g_source_set_callback (source, func, data, NULL);
  g_source_attach (source, client->context);
  return source;
}

/* ---- state ------------------------------------------------------------------------------------------ */

static void
set_state (SpPluginClient *client, SpPluginState state, const char *why)
{
  if (client->state == state && g_strcmp0 (client->why, why) == 0)
    return;
  client->tried = TRUE;
  /* Another reason for the same state is no new beginning of it. */
  if (client->state != state)
    client->since = g_get_real_time ();
  client->state = state;
  g_free (client->why);
  client->why = g_strdup (why);
  if (!client->freed && client->events.state_changed != NULL)
    client->events.state_changed (client, client->data);
  if (state == SP_PLUGIN_FAILED && !client->freed) {
    g_autoptr (GError) error = g_error_new_literal (SP_PROBLEM, SP_PROBLEM_CONFIG, why);

    sp_client_fail_waiting (client, error);
  }
}

void
sp_client_update_health (SpPluginClient *client)
{
  if (client->phase == SP_CLIENT_SERVING)
    set_state (client, client->trouble != NULL ? SP_PLUGIN_TROUBLED : SP_PLUGIN_READY,
               client->trouble);
}

static gboolean
on_link_forgotten (gpointer data)
{
  sp_client_unref (data);
  return G_SOURCE_REMOVE;
}

static void
drop_link (SpPluginClient *client)
{
  SpLink *link = g_steal_pointer (&client->link);

  g_clear_pointer (&client->trouble, g_free);
  if (link == NULL)
    return;
  sp_link_close (link);
  sp_link_unref (link);
  /* We may be in a callback of the link, which has one more to give: its data must live on. */
  g_source_unref (sp_client_timer (client, 0, on_link_forgotten, client));
}

static guint
next_backoff (SpPluginClient *client)
{
  guint ms;

  if (client->serving_since != 0 && g_get_monotonic_time () - client->serving_since > HEALTHY_US)
    client->backoff_ms = BACKOFF_MIN_MS;
  client->serving_since = 0;
  ms = client->backoff_ms;
  client->backoff_ms = MIN (client->backoff_ms * 2, BACKOFF_MAX_MS);
  return ms;
}

void
sp_client_bring_down (SpPluginClient *client, SpPluginState state, const char *why)
{
  (void) sp_client_ref (client);
  client->phase = SP_CLIENT_DYING;
  client->retry_ms = state == SP_PLUGIN_FAILED ? FAILED_RETRY_MS : next_backoff (client);
  drop_link (client);
  if (!client->freed)
    client->events.kill_process (client, client->data);
  set_state (client, state, why);
  sp_client_unref (client);
}

static void
on_link_closed (SpLink *link, const GError *why, gpointer data)
{
  SpPluginClient *client = data;

  if (client->link != link)
    return;
  client->lost = TRUE;
  sp_client_bring_down (client, SP_PLUGIN_DOWN, why->message);
}

/* ---- opening ---------------------------------------------------------------------------------------- */

/* Could trying again soon help? */
static gboolean
is_passing (const GError *error)
{
  return g_error_matches (error, SP_ERROR, SP_ERROR_UNAVAILABLE) ||
         g_error_matches (error, SP_PROBLEM, SP_PROBLEM_UNREACHABLE) ||
         g_error_matches (error, SP_PROBLEM, SP_PROBLEM_TIMED_OUT);
}

static void
fail_opening (SpPluginClient *client, const GError *error)
{
  sp_client_bring_down (client, is_passing (error) ? SP_PLUGIN_DOWN : SP_PLUGIN_FAILED,
                        error->message);
}

static void
on_started (GVariant *reply, GBytes *blob, const GError *error, gpointer data)
{
  g_autoptr (SpClientRef) client = data;

  if (client->phase != SP_CLIENT_STARTING)
    return;
  if (error != NULL) {
    fail_opening (client, error);
    return;
  }
  client->phase = SP_CLIENT_SERVING;
  client->serving_since = g_get_monotonic_time ();
  /* It may have called broken() while it started: that holds. */
  sp_client_update_health (client);
  sp_client_pump (client);
}

static void
on_opened (GVariant *reply, GBytes *blob, const GError *error, gpointer data)
{
  g_autoptr (SpClientRef) client = data;

  if (client->phase != SP_CLIENT_OPENING)
    return;
  if (error != NULL) {
    fail_opening (client, error);
    return;
  }
  client->phase = SP_CLIENT_STARTING;
  sp_link_call (client->link, SP_PLUGIN_START,
                g_variant_new ("(u)", sp_client_deadline (client, START_MS)), NULL,
                sp_client_deadline (client, START_MS) + SP_CLIENT_PATIENCE_MS, on_started,
                sp_client_ref (client));
}

/* A frame is bounded, and what remember() kept may not fit into one. */
static void
send_recalled (SpPluginClient *client)
{
  g_autoptr (GVariant) all = NULL;
  GVariantBuilder chunk;
  GVariantIter iter;
  const char *key, *value;
  gsize size = 0;

  all = client->events.recall != NULL ? client->events.recall (client, client->data) : NULL;
  if (all == NULL)
    return;
  all = g_variant_take_ref (all);
  g_variant_builder_init (&chunk, G_VARIANT_TYPE ("a{ss}"));
  g_variant_iter_init (&iter, all);
  while (g_variant_iter_next (&iter, "{&s&s}", &key, &value)) {
    g_variant_builder_add (&chunk, "{ss}", key, value);
    size += strlen (key) + strlen (value) + 16;
    if (size < RECALL_CHUNK)
      continue;
    sp_link_call (client->link, SP_PLUGIN_RECALL, g_variant_new ("(a{ss})", &chunk), NULL, 0, NULL,
                  NULL);
    g_variant_builder_init (&chunk, G_VARIANT_TYPE ("a{ss}"));
    size = 0;
  }
  sp_link_call (client->link, SP_PLUGIN_RECALL, g_variant_new ("(a{ss})", &chunk), NULL, 0, NULL,
                NULL);
}

static void
send_open (SpPluginClient *client)
{
  guint deadline = sp_client_deadline (client, OPEN_MS);
  GVariant *args = g_variant_new ("(usss@a{ss}@as)", deadline, sp_kind_word (client->kind),
                                  client->path, client->instance, client->options, client->people);

  sp_link_call (client->link, SP_PLUGIN_OPEN, args, client->secrets,
                deadline + SP_CLIENT_PATIENCE_MS, on_opened, sp_client_ref (client));
}

/* ---- processes -------------------------------------------------------------------------------------- */

static gboolean
on_ask (gpointer data)
{
  SpPluginClient *client = data;

  sp_client_timer_clear (&client->timer);
  client->phase = SP_CLIENT_WANTED;
  client->events.want_process (client, client->data);
  return G_SOURCE_REMOVE;
}

void
sp_plugin_client_attach (SpPluginClient *client, int fd)
{
  const SpLinkSetup setup = { .serve = sp_plugin_upcalls,
                              .handlers = sp_client_handlers,
                              .n_serve = SP_PLUGIN_N_UPCALLS,
                              .call = sp_plugin_calls,
                              .n_call = SP_PLUGIN_N_CALLS,
                              .closed = on_link_closed,
                              .data = client };

  if (client->phase != SP_CLIENT_WANTED || client->suspended) {
    client->phase = client->phase == SP_CLIENT_WANTED ? SP_CLIENT_DYING : client->phase;
    (void) close (fd);
    return;
  }
  client->phase = SP_CLIENT_OPENING;
  client->link = sp_link_new (fd, &setup);
  (void) sp_client_ref (client); /* the link's; see drop_link() */
  send_recalled (client);
  send_open (client);
}

void
sp_plugin_client_exited (SpPluginClient *client)
{
  sp_plugin_client_exited_because (client, NULL);
}

void
sp_plugin_client_exited_because (SpPluginClient *client, const char *why)
{
  if (client->phase == SP_CLIENT_IDLE)
    return;
  (void) sp_client_ref (client);
  if (client->phase == SP_CLIENT_WANTED) {
    client->retry_ms = next_backoff (client);
    set_state (client, SP_PLUGIN_DOWN, why ? why : "its process could not be started");
  } else if (client->phase != SP_CLIENT_DYING) {
    client->phase = SP_CLIENT_DYING;
    client->retry_ms = next_backoff (client);
    drop_link (client);
    set_state (client, SP_PLUGIN_DOWN, why ? why : "its process has ended");
  } else if (client->lost && why != NULL) {
    set_state (client, SP_PLUGIN_DOWN, why);
  }
  client->lost = FALSE;
  client->phase = SP_CLIENT_IDLE;
  if (!client->freed && !client->suspended)
    client->timer = sp_client_timer (client, client->retry_ms, on_ask, client);
  sp_client_unref (client);
}

/* ---- life ------------------------------------------------------------------------------------------- */

static GVariant *
variant_or_empty (GVariant *value, const char *type)
{
  if (value == NULL)
    value = g_variant_new_array (g_variant_type_element (G_VARIANT_TYPE (type)), NULL, 0);
  return g_variant_ref_sink (value);
}

SpPluginClient *
sp_plugin_client_new (const SpPluginSetup *setup, const SpPluginEvents *events, gpointer data)
{
  SpPluginClient *client = g_new0 (SpPluginClient, 1);
  g_autoptr (GVariant) secrets = NULL;

  g_ref_count_init (&client->refs);
  client->events = *events;
  client->data = data;
  client->context = g_main_context_ref_thread_default ();
  client->kind = setup->kind;
  client->instance = g_strdup (setup->instance);
  client->label = g_strdup_printf ("%s %s", sp_kind_word (setup->kind), setup->instance);
  client->path = g_strdup (setup->path);
  client->options = variant_or_empty (setup->options, "a{ss}");
  client->people = variant_or_empty (setup->people, "as");
  secrets = variant_or_empty (setup->secrets, "a{say}");
  client->secrets =
      sp_link_wiped_bytes (g_variant_get_data (secrets), g_variant_get_size (secrets));
  client->backoff_ms = BACKOFF_MIN_MS;
  client->why = g_strdup (setup->failed ? setup->failed : "it is being started");
  client->since = g_get_real_time ();
  g_queue_init (&client->waiting);
  client->state = setup->failed ? SP_PLUGIN_FAILED : SP_PLUGIN_DOWN;
  client->tried = setup->failed != NULL;
  if (setup->failed == NULL)
    client->timer = sp_client_timer (client, 0, on_ask, client);
  return client;
}

void
sp_plugin_client_free (SpPluginClient *client)
{
  g_autoptr (GError) error = NULL;

  if (client == NULL)
    return;
  error = g_error_new_literal (SP_PROBLEM, SP_PROBLEM_UNREACHABLE, "it is being stopped");
  client->freed = TRUE;
  client->phase = SP_CLIENT_IDLE;
  sp_client_timer_clear (&client->timer);
  /* The plugin host stops and closes the plugin when its link ends. */
  drop_link (client);
  sp_client_fail_waiting (client, error);
  sp_client_unref (client);
}

void
sp_plugin_client_suspend (SpPluginClient *client)
{
  client->suspended = TRUE;
  client->retry_ms = 0;
  sp_client_timer_clear (&client->timer);
  if (client->phase != SP_CLIENT_OPENING && client->phase != SP_CLIENT_STARTING &&
      client->phase != SP_CLIENT_SERVING)
    return;
  client->phase = SP_CLIENT_DYING;
  drop_link (client);
  set_state (client, SP_PLUGIN_DOWN, "it is being exchanged");
}

void
sp_plugin_client_resume (SpPluginClient *client)
{
  client->suspended = FALSE;
  client->backoff_ms = BACKOFF_MIN_MS;
  /* One that can't be opened as is known already has nothing to open. */
  if (client->path == NULL)
    return;
  /* Otherwise the end of the process is still to come, and it is asked for then. */
  if (client->phase == SP_CLIENT_IDLE && client->timer == NULL)
    client->timer = sp_client_timer (client, 0, on_ask, client);
}

/* ---- looking at it ---------------------------------------------------------------------------------- */

gboolean
sp_plugin_client_tried (const SpPluginClient *client)
{
  return client->tried;
}

SpPluginState
sp_plugin_client_state (const SpPluginClient *client)
{
  return client->state;
}

const char *
sp_plugin_client_why (const SpPluginClient *client)
{
  return client->why;
}

gint64
sp_plugin_client_since (const SpPluginClient *client)
{
  return client->since;
}

const char *
sp_plugin_client_instance (const SpPluginClient *client)
{
  return client->instance;
}

SpKind
sp_plugin_client_kind (const SpPluginClient *client)
{
  return client->kind;
}
