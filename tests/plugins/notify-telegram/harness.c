/* harness.c - the plugin under a fake core, driven by JSON lines
 *
 *      harness PLUGIN.so
 *
 * Commands come on stdin, an object a line, and are carried out one at a time in the plugin's thread, as
 * the plugin host does: open, start, post, settle, stop, close.  "script" and "quit" take effect at once,
 * even while a call is waiting.  Events go to stdout, an object a line: what the plugin told the core, and
 * how each command ended.  What is remembered is kept in a file, so that a second run finds it.
 */
#include <gio/gio.h>
#include <gmodule.h>
#include <stdio.h>
#include <string.h>

#include <secret-proxy/json.h>
#include <secret-proxy/notifier.h>

#include "base/json.h"
#include "harness-notice.h"

typedef struct {
  SpHost host; /* first: what the plugin holds */
  SpHostApi old_api;
  GMainContext *context;
  GAsyncQueue *commands; /* JsonNode */
  const SpPlugin *plugin;
  const SpNotifierOps *ops;
  gpointer self;

  JsonNode *config_node;
  JsonObject *config;
  GPtrArray *people; /* NULL-terminated */
  char *state_path;
  GKeyFile *state;

  GMutex lock;         /* of what follows: scripts come from the reading thread */
  GQueue results;      /* GINT_TO_POINTER (SpAnswerResult + 1) */
  GHashTable *decided; /* notice ids */
  int remember_fails;
} Core;

static Core *
core_of (SpHost *host)
{
  return (Core *) host;
}

/* ---- events ------------------------------------------------------------------------------------------- */

static void
emit (JsonObject *event)
{
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  g_autofree char *text = NULL;

  json_node_take_object (node, event);
  text = json_to_string (node, FALSE);
  fprintf (stdout, "%s\n", text);
  fflush (stdout);
}

static JsonObject *
event_new (const char *name)
{
  JsonObject *event = json_object_new ();

  json_object_set_string_member (event, "event", name);
  return event;
}

static void
set_text (JsonObject *event, const char *name, const char *text)
{
  if (text != NULL)
    json_object_set_string_member (event, name, text);
  else
    json_object_set_null_member (event, name);
}

static void
emit_end (const char *name, gboolean ok, const GError *error)
{
  JsonObject *event = event_new (name);

  json_object_set_boolean_member (event, "ok", ok);
  /* The contract that the plugin host polices. */
  if (ok == (error != NULL))
    json_object_set_boolean_member (event, "contract_broken", TRUE);
  if (error != NULL) {
    set_text (event, "error", error->message);
    json_object_set_int_member (event, "code", error->code);
  }
  emit (event);
}

/* ---- what the core offers ---------------------------------------------------------------------------- */

static const char *
fake_string (SpHost *host, const char *key)
{
  return json_object_get_string_member_with_default (core_of (host)->config, key, NULL);
}

static gint64
fake_int (SpHost *host, const char *key)
{
  return json_object_get_int_member_with_default (core_of (host)->config, key, 0);
}

static GBytes *
fake_secret (SpHost *host, const char *key)
{
  const char *value = fake_string (host, key);

  return value != NULL ? g_bytes_new (value, strlen (value)) : NULL;
}

static const char *const *
fake_list (SpHost *host, const char *key)
{
  static const char *const none[] = { NULL };

  return none;
}

static const char *
fake_instance (SpHost *host)
{
  return "telegram";
}

static const char *const *
fake_people (SpHost *host)
{
  return (const char *const *) core_of (host)->people->pdata;
}

static char *
fake_recall (SpHost *host, const char *key)
{
  g_autofree char *name = g_uri_escape_string (key, NULL, FALSE);

  return g_key_file_get_string (core_of (host)->state, "state", name, NULL);
}

/* Keys are percent-encoded in the file, as a key file allows less in a key than the core does. */
static void
fake_recall_each (SpHost *host, const char *prefix, SpRecallFunc each, gpointer data)
{
  Core *core = core_of (host);
  g_auto (GStrv) names = g_key_file_get_keys (core->state, "state", NULL, NULL);

  for (char **at = names; at != NULL && *at != NULL; at++) {
    g_autofree char *key = g_uri_unescape_string (*at, NULL);
    g_autofree char *value = g_key_file_get_string (core->state, "state", *at, NULL);

    if (g_str_has_prefix (key, prefix) && !each (key, value, data))
      return;
  }
}

static gboolean
fake_remember (SpHost *host, const char *key, const char *value, GError **error)
{
  Core *core = core_of (host);
  g_autofree char *name = g_uri_escape_string (key, NULL, FALSE);
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&core->lock);

  if (core->remember_fails > 0) {
    core->remember_fails--;
    g_set_error (error, SP_ERROR, SP_ERROR_UNAVAILABLE, "the store does not work");
    return FALSE;
  }
  if (value != NULL && (strlen (value) > 8192 || strlen (key) > 128)) {
    g_set_error (error, SP_ERROR, SP_ERROR_REFUSED, "too long");
    return FALSE;
  }
  if (value != NULL)
    g_key_file_set_string (core->state, "state", name, value);
  else
    g_key_file_remove_key (core->state, "state", name, NULL);
  return g_key_file_save_to_file (core->state, core->state_path, error);
}

static void
fake_broken (SpHost *host, const GError *why)
{
  JsonObject *event = event_new ("broken");

  set_text (event, "why", why != NULL ? why->message : NULL);
  json_object_set_int_member (event, "code", why != NULL ? why->code : -1);
  emit (event);
}

static void
fake_alarm (SpHost *host, const char *what)
{
  JsonObject *event = event_new ("alarm");

  set_text (event, "what", what);
  emit (event);
}

/* A little keeper: listed people decide, once. */
static SpAnswerResult
decide (Core *core, const SpAnswer *answer)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&core->lock);

  if (!g_queue_is_empty (&core->results))
    return (SpAnswerResult) (GPOINTER_TO_INT (g_queue_pop_head (&core->results)) - 1);
  if (!g_strv_contains ((const char *const *) core->people->pdata, answer->person))
    return SP_ANSWER_NOT_ALLOWED;
  return g_hash_table_add (core->decided, g_strdup (answer->notice_id)) ? SP_ANSWER_TAKEN
                                                                        : SP_ANSWER_TOO_LATE;
}

static SpAnswerResult
fake_answer (SpHost *host, const SpAnswer *answer, char **ret_text)
{
  static const char *const names[] = { "taken",    "counted", "not-allowed",
                                       "too-late", "unknown", "try-again" };
  SpAnswerResult result = decide (core_of (host), answer);
  JsonObject *event = event_new ("answer");

  set_text (event, "notice", answer->notice_id);
  set_text (event, "choice", answer->choice_id);
  set_text (event, "person", answer->person);
  set_text (event, "evidence", answer->evidence);
  set_text (event, "result", names[result]);
  emit (event);
  if (result == SP_ANSWER_TAKEN && ret_text != NULL)
    *ret_text = g_strdup ("The core has taken it.");
  return result;
}

/* What a listed person gets for a command. */
static SpAnswerResult
fake_command (SpHost *host, const char *person, const char *command, const char *evidence,
              char **ret_text)
{
  static const char *const known[] = { "help", "status", "pending", "grants", "lock", NULL };
  Core *core = core_of (host);
  JsonObject *event = event_new ("command");
  const char *reply = fake_string (host, "reply");

  set_text (event, "person", person);
  set_text (event, "command", command);
  set_text (event, "evidence", evidence);
  emit (event);
  if (!g_strv_contains ((const char *const *) core->people->pdata, person))
    return SP_ANSWER_NOT_ALLOWED;
  if (!g_strv_contains (known, command))
    return SP_ANSWER_UNKNOWN;
  *ret_text = reply != NULL ? g_strdup (reply)
                            : g_strdup_printf ("The vault says: %s.\nSecond line.", command);
  return SP_ANSWER_TAKEN;
}

static const SpHostApi host_api = {
  .size = sizeof (SpHostApi),
  .config_string = fake_string,
  .config_int = fake_int,
  .config_list = fake_list,
  .config_secret = fake_secret,
  .instance = fake_instance,
  .people = fake_people,
  .recall = fake_recall,
  .recall_each = fake_recall_each,
  .remember = fake_remember,
  .broken = fake_broken,
  .alarm = fake_alarm,
  .answer = fake_answer,
  .json_read = sp_json_parse,
  .command = fake_command,
};

/* ---- commands --------------------------------------------------------------------------------------------- */

static void
do_open (Core *core, JsonObject *command)
{
  g_autoptr (GError) error = NULL;
  JsonArray *people = json_object_get_array_member (command, "people");

  core->config_node = json_node_new (JSON_NODE_OBJECT);
  json_node_set_object (core->config_node, command);
  core->config = json_node_get_object (core->config_node);
  core->people = g_ptr_array_new_with_free_func (g_free);
  for (guint i = 0; i < json_array_get_length (people); i++)
    g_ptr_array_add (core->people, g_strdup (json_array_get_string_element (people, i)));
  g_ptr_array_add (core->people, NULL);
  core->state_path = g_strdup (json_object_get_string_member (command, "state"));
  core->state = g_key_file_new ();
  g_key_file_load_from_file (core->state, core->state_path, G_KEY_FILE_NONE, NULL);
  /* A core from before the last call of the table. */
  if (json_object_get_boolean_member_with_default (command, "old_core", FALSE)) {
    core->old_api = host_api;
    core->old_api.size = G_STRUCT_OFFSET (SpHostApi, command);
    core->host.api = &core->old_api;
  }
  core->self = core->plugin->open (&core->host, &error);
  emit_end ("opened", core->self != NULL, error);
}

static void
do_start (Core *core, JsonObject *command)
{
  g_autoptr (GError) error = NULL;
  gboolean ok = core->plugin->start (core->self, NULL, &error);

  emit_end ("started", ok, error);
}

static gpointer
run_deadline (gpointer data)
{
  GMainContext *context = g_main_loop_get_context (data);

  g_main_context_push_thread_default (context);
  g_main_loop_run (data);
  g_main_context_pop_thread_default (context);
  return NULL;
}

static gboolean
on_deadline (gpointer data)
{
  g_cancellable_cancel (data);
  return G_SOURCE_REMOVE;
}

/* Fires from another thread, as the core's does. */
typedef struct {
  GCancellable *cancellable;
  GMainLoop *loop;
  GThread *thread;
} Deadline;

static void
deadline_start (Deadline *deadline, JsonObject *command)
{
  gint64 ms = json_object_get_int_member_with_default (command, "deadline_ms", 20000);
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (GSource) timer = g_timeout_source_new ((guint) ms);

  deadline->cancellable = g_cancellable_new ();
  deadline->loop = g_main_loop_new (context, FALSE);
  g_source_set_callback (timer, on_deadline, deadline->cancellable, NULL);
  g_source_attach (timer, context);
  deadline->thread = g_thread_new ("deadline", run_deadline, deadline->loop);
}

static gboolean
on_quit_loop (gpointer data)
{
  g_main_loop_quit (data);
  return G_SOURCE_REMOVE;
}

static void
deadline_end (Deadline *deadline)
{
  g_main_context_invoke (g_main_loop_get_context (deadline->loop), on_quit_loop, deadline->loop);
  g_thread_join (deadline->thread);
  g_main_loop_unref (deadline->loop);
  g_object_unref (deadline->cancellable);
}

static void
do_post (Core *core, JsonObject *command)
{
  g_autoptr (GError) error = NULL;
  HarnessNotice notice = { 0 };
  Deadline deadline;
  gboolean ok;

  harness_notice_read (command, &notice);
  deadline_start (&deadline, command);
  ok = core->ops->post (core->self, &notice.notice, deadline.cancellable, &error);
  deadline_end (&deadline);
  emit_end ("posted", ok, error);
}

static void
do_settle (Core *core, JsonObject *command)
{
  g_autoptr (GError) error = NULL;
  SpOutcome outcome = { .size = sizeof outcome };
  HarnessNotice notice = { 0 };
  Deadline deadline;
  gboolean ok;

  harness_notice_read (command, &notice);
  notice.notice.n_choices = 0;
  outcome.kind = (guint32) json_object_get_int_member (command, "kind");
  outcome.text = json_object_get_string_member (command, "text");
  deadline_start (&deadline, command);
  ok = core->ops->settle (core->self, &notice.notice, &outcome, deadline.cancellable, &error);
  deadline_end (&deadline);
  emit_end ("settled", ok, error);
}

static void
do_stop (Core *core, JsonObject *command)
{
  gint64 from = g_get_monotonic_time ();
  JsonObject *event = event_new ("stopped");

  core->plugin->stop (core->self);
  core->plugin->close (core->self);
  core->self = NULL;
  json_object_set_int_member (event, "ms", (g_get_monotonic_time () - from) / 1000);
  emit (event);
}

static const struct {
  const char *name;
  void (*run) (Core *core, JsonObject *command);
} commands[] = {
  { "open", do_open },     { "start", do_start }, { "post", do_post },
  { "settle", do_settle }, { "stop", do_stop },
};

/* ---- the two threads ------------------------------------------------------------------------------------------ */

/* From the reading thread: the answers to come, and how often remember() fails. */
static void
do_script (Core *core, JsonObject *command)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&core->lock);
  JsonArray *results = json_object_has_member (command, "results")
                           ? json_object_get_array_member (command, "results")
                           : NULL;

  core->remember_fails =
      (int) json_object_get_int_member_with_default (command, "remember_fails", 0);
  for (guint i = 0; results != NULL && i < json_array_get_length (results); i++)
    g_queue_push_tail (&core->results,
                       GINT_TO_POINTER ((int) json_array_get_int_element (results, i) + 1));
}

static gboolean
take_line (Core *core, const char *line, gsize length)
{
  g_autoptr (JsonNode) node = sp_json_parse (line, length, 0, NULL);
  const char *name;

  if (node == NULL)
    return FALSE;
  name = json_object_get_string_member (json_node_get_object (node), "cmd");
  if (strcmp (name, "script") == 0) {
    do_script (core, json_node_get_object (node));
    emit_end ("scripted", TRUE, NULL);
    return TRUE;
  }
  g_async_queue_push (core->commands, g_steal_pointer (&node));
  g_main_context_wakeup (core->context);
  return TRUE;
}

static gpointer
read_lines (gpointer data)
{
  g_autoptr (GIOChannel) in = g_io_channel_unix_new (0);
  gboolean more = TRUE;

  while (more) {
    g_autofree char *line = NULL;
    gsize length = 0;

    more = g_io_channel_read_line (in, &line, &length, NULL, NULL) == G_IO_STATUS_NORMAL &&
           take_line (data, line, length);
  }
  g_async_queue_push (((Core *) data)->commands, json_node_new (JSON_NODE_NULL));
  g_main_context_wakeup (((Core *) data)->context);
  return NULL;
}

static gboolean
run_command (Core *core, JsonNode *node)
{
  const char *name;

  if (!JSON_NODE_HOLDS_OBJECT (node))
    return FALSE;
  name = json_object_get_string_member (json_node_get_object (node), "cmd");
  for (gsize i = 0; i < G_N_ELEMENTS (commands); i++)
    if (strcmp (name, commands[i].name) == 0)
      commands[i].run (core, json_node_get_object (node));
  return TRUE;
}

static void
run (Core *core)
{
  gboolean more = TRUE;

  while (more) {
    g_autoptr (JsonNode) node = g_async_queue_try_pop (core->commands);

    if (node != NULL)
      more = run_command (core, node);
    else
      g_main_context_iteration (core->context, TRUE);
  }
}

int
main (int argc, char **argv)
{
  /* As long as the process: its end is the end of it, for leak checkers too. */
  static Core core = { .host = { &host_api } };
  GModule *module = argc == 2 ? g_module_open (argv[1], G_MODULE_BIND_LOCAL) : NULL;
  SpPluginFunc symbol = NULL;

  if (module == NULL || !g_module_symbol (module, SP_PLUGIN_SYMBOL, (gpointer *) &symbol)) {
    g_printerr ("cannot load the plugin: %s\n", g_module_error ());
    return 2;
  }
  g_log_writer_default_set_use_stderr (TRUE); /* stdout is for events */
  core.plugin = symbol ();
  core.ops = core.plugin->ops;
  core.context = g_main_context_new ();
  g_main_context_push_thread_default (core.context);
  core.commands = g_async_queue_new ();
  core.decided = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_mutex_init (&core.lock);
  g_queue_init (&core.results);
  g_thread_unref (g_thread_new ("reader", read_lines, &core));
  run (&core);
  if (core.self != NULL)
    do_stop (&core, NULL);
  return 0;
}
