/* host-api.c - what a plugin calls back: SpHostApi
 *
 * Called from any thread of the process.  What needs the keeper goes over the link, which belongs to
 * the main thread: the caller waits until that has done it.  What a plugin hands over is bounded here,
 * so that it can't flood the keeper.
 */
#include "plugin/host-private.h"

#include <string.h>

#include "base/json.h"
#include "base/problem.h"
#include "base/secret.h"

#define ALARMS_A_MINUTE 10
#define MAX_TEXT 500 /* characters of an alarm or of a reason */

static SpPluginHost *
self_of (SpHost *host)
{
  return (SpPluginHost *) host;
}

/* ---- options ---------------------------------------------------------------------------------------- */

static GBytes *
config_secret (SpHost *host, const char *key)
{
  SpSecret *secret = g_hash_table_lookup (self_of (host)->secrets, key);

  return secret != NULL ? sp_secret_to_bytes (secret) : NULL;
}

/* ---- calls to the keeper ---------------------------------------------------------------------------- */

typedef struct {
  SpPluginHost *host;
  guint method;
  GVariant *args;
  GMutex lock;
  GCond cond;
  gboolean done;
  GVariant *reply;
  GError *error;
} Upcall;

static void
on_reply (GVariant *reply, GBytes *blob, const GError *error, gpointer data)
{
  Upcall *upcall = data;

  g_mutex_lock (&upcall->lock);
  upcall->reply = reply != NULL ? g_variant_ref (reply) : NULL;
  upcall->error = error != NULL ? g_error_copy (error) : NULL;
  upcall->done = TRUE;
  g_cond_signal (&upcall->cond);
  g_mutex_unlock (&upcall->lock);
}

static gboolean
send_upcall (gpointer data)
{
  Upcall *upcall = data;

  sp_link_call (upcall->host->link, upcall->method, upcall->args, NULL, 0, on_reply, upcall);
  return G_SOURCE_REMOVE;
}

/* Wait for the keeper's answer.  @args is consumed if floating. */
static GVariant *
call_keeper (SpPluginHost *host, guint method, GVariant *args, GError **error)
{
  g_autoptr (GVariant) value = g_variant_ref_sink (args);
  Upcall upcall = { .host = host, .method = method, .args = value };

  /* A handler of the cancellable runs on the main thread, which must not wait for itself. */
  if (g_main_context_is_owner (host->main_context)) {
    g_set_error (error, SP_ERROR, SP_ERROR_UNSUPPORTED, "%s() can't be called from here",
                 sp_plugin_upcalls[method].name);
    return NULL;
  }
  g_mutex_init (&upcall.lock);
  g_cond_init (&upcall.cond);
  sp_host_attach (host->main_context, send_upcall, &upcall);
  g_mutex_lock (&upcall.lock);
  while (!upcall.done)
    g_cond_wait (&upcall.cond, &upcall.lock);
  g_mutex_unlock (&upcall.lock);
  g_mutex_clear (&upcall.lock);
  g_cond_clear (&upcall.cond);
  if (upcall.error != NULL)
    g_propagate_error (error, upcall.error);
  return upcall.reply;
}

typedef struct {
  SpPluginHost *host;
  guint method;
  GVariant *args;
} Message;

static gboolean
send_message (gpointer data)
{
  Message *message = data;

  sp_link_call (message->host->link, message->method, message->args, NULL, 0, NULL, NULL);
  g_variant_unref (message->args);
  g_free (message);
  return G_SOURCE_REMOVE;
}

/* Tell the keeper and go on. */
static void
tell_keeper (SpPluginHost *host, guint method, GVariant *args)
{
  Message *message = g_new0 (Message, 1);

  message->host = host;
  message->method = method;
  message->args = g_variant_ref_sink (args);
  sp_host_attach (host->main_context, send_message, message);
}

static char *
bounded (const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text != NULL ? text : "", -1);

  for (char *p = valid; *p != '\0'; p++)
    if (g_ascii_iscntrl (*p))
      *p = ' ';
  return g_utf8_strlen (valid, -1) > MAX_TEXT ? g_utf8_substring (valid, 0, MAX_TEXT)
                                              : g_steal_pointer (&valid);
}

/* ---- durable state ---------------------------------------------------------------------------------- */

static gboolean
remember (SpHost *host, const char *key, const char *value, GError **error)
{
  SpPluginHost *self = self_of (host);
  const char *fault = sp_host_view_fault (&self->view, key, value);
  g_autoptr (GVariant) reply = NULL;

  if (fault != NULL) {
    g_set_error (error, SP_ERROR, SP_ERROR_INTERNAL, "cannot remember: %s", fault);
    return FALSE;
  }
  g_mutex_lock (&self->remember_lock);
  reply = call_keeper (self, SP_PLUGIN_REMEMBER, g_variant_new ("(sms)", key, value), error);
  if (reply != NULL)
    sp_host_view_keep (&self->view, key, value);
  g_mutex_unlock (&self->remember_lock);
  return reply != NULL;
}

/* ---- health ----------------------------------------------------------------------------------------- */

static void
broken (SpHost *host, const GError *why)
{
  g_autofree char *text = why != NULL ? bounded (why->message) : NULL;

  tell_keeper (self_of (host), SP_PLUGIN_BROKEN, g_variant_new ("(ms)", text));
}

/* FALSE: one too many in this minute.  @ret_dropped: how many were, before this one. */
static gboolean
may_alarm (SpPluginHost *self, guint *ret_dropped)
{
  gint64 now = g_get_monotonic_time ();
  gboolean may;

  g_mutex_lock (&self->view.lock);
  if (self->alarm_window == 0 || now - self->alarm_window > G_TIME_SPAN_MINUTE) {
    self->alarm_window = now;
    self->n_alarms = 0;
  }
  may = self->n_alarms < ALARMS_A_MINUTE;
  *ret_dropped = self->n_dropped;
  self->n_alarms += may ? 1 : 0;
  self->n_dropped = may ? 0 : self->n_dropped + 1;
  g_mutex_unlock (&self->view.lock);
  return may;
}

static void
raise_alarm (SpHost *host, const char *what)
{
  g_autofree char *text = bounded (what);
  g_autofree char *whole = NULL;
  guint dropped;

  if (!may_alarm (self_of (host), &dropped))
    return;
  whole = dropped > 0
              ? g_strdup_printf ("%s (%u alarms before this one were dropped)", text, dropped)
              : g_strdup (text);
  tell_keeper (self_of (host), SP_PLUGIN_ALARM, g_variant_new ("(s)", whole));
}

/* ---- answers ---------------------------------------------------------------------------------------- */

static gboolean
is_text (const char *text)
{
  return text != NULL && strlen (text) <= 256 && g_utf8_validate (text, -1, NULL);
}

/* Ask the keeper what answers with (SpAnswerResult, sentence).  @args is consumed if floating. */
static SpAnswerResult
ask_keeper (SpHost *host, guint method, GVariant *args, char **ret_text)
{
  g_autofree char *text = NULL;
  g_autoptr (GVariant) reply = call_keeper (self_of (host), method, args, NULL);
  guint32 result;

  if (reply == NULL)
    return SP_ANSWER_TRY_AGAIN;
  g_variant_get (reply, "(us)", &result, &text);
  if (ret_text != NULL && *text != '\0')
    *ret_text = g_steal_pointer (&text);
  return result <= SP_ANSWER_TRY_AGAIN ? result : SP_ANSWER_TRY_AGAIN;
}

static SpAnswerResult
answer (SpHost *host, const SpAnswer *given, char **ret_text)
{
  SpAnswer known = { .size = 0 };
  g_autofree char *evidence = NULL;

  if (ret_text != NULL)
    *ret_text = NULL;
  memcpy (&known, given, MIN (sizeof known, given->size));
  if (!is_text (known.notice_id) || !is_text (known.choice_id) || !is_text (known.person))
    return SP_ANSWER_UNKNOWN;
  evidence = known.evidence != NULL ? bounded (known.evidence) : NULL;
  return ask_keeper (
      host, SP_PLUGIN_ANSWER,
      g_variant_new ("(sssms)", known.notice_id, known.choice_id, known.person, evidence),
      ret_text);
}

static SpAnswerResult
ask_command (SpHost *host, const char *person, const char *command, const char *evidence,
             char **ret_text)
{
  g_autofree char *text = evidence != NULL ? bounded (evidence) : NULL;

  if (ret_text != NULL)
    *ret_text = NULL;
  if (!is_text (person) || !is_text (command))
    return SP_ANSWER_UNKNOWN;
  return ask_keeper (host, SP_PLUGIN_COMMAND, g_variant_new ("(ssms)", person, command, text),
                     ret_text);
}

/* ---- machines --------------------------------------------------------------------------------------- */

static void
progress (SpHost *host, const char *what)
{
  g_autofree char *text = bounded (what);

  tell_keeper (self_of (host), SP_PLUGIN_PROGRESS, g_variant_new ("(s)", text));
}

static void
vm_changed (SpHost *host, const char *id)
{
  if (is_text (id))
    tell_keeper (self_of (host), SP_PLUGIN_VM_CHANGED, g_variant_new ("(s)", id));
}

static SpJsonNode *
json_read (const char *text, gsize length, guint32 flags, GError **error)
{
  return sp_json_parse (text, length, flags, error);
}

const SpHostApi sp_host_api = {
  .size = sizeof (SpHostApi),
  .config_string = sp_host_view_string,
  .config_int = sp_host_view_int,
  .config_list = sp_host_view_list,
  .config_secret = config_secret,
  .instance = sp_host_view_instance,
  .state_dir = sp_host_view_state_dir,
  .people = sp_host_view_people,
  .recall = sp_host_view_recall,
  .recall_each = sp_host_view_recall_each,
  .remember = remember,
  .broken = broken,
  .alarm = raise_alarm,
  .answer = answer,
  .json_read = json_read,
  .progress = progress,
  .vm_changed = vm_changed,
  .command = ask_command,
};
