/* notify-webhook - asks people through a service that is reached by HTTP: one's own, ntfy, Slack
 *
 * This file is the plugin's face: options, life cycle, and the calls of a notifier, handed on to the part
 * that does the work.
 *
 *      http            one request, and what its answer means
 *      sign, token     who wrote a body; what a button sends
 *      body-…, text    what is sent, for each kind of service
 *      send, probe     bringing it there; whether anybody is there
 *      poll, lines     fetching answers
 *      answers         what becomes of one
 *      notices         what was sent where, in the core's memory
 *      health          trouble, alarms, time
 *
 * Everything runs in the plugin's one thread.  What must stay true: all connections go out, none comes in;
 * open() touches no network, start() waits for none, and stop() leaves nothing running.
 */
#include <libsoup/soup.h>
#include <string.h>

#include "hook.h"
#include "poll.h"
#include "probe.h"
#include "send.h"
#include "sign.h"
#include "text.h"

#define ONE_TARGET "-"
#define TOPIC_MAX 64u
#define TOKEN_MAX 512u

static const SpOption options[] = {
  { "url", SP_OPTION_URL, SP_OPTION_REQUIRED, .help = "where notices are posted" },
  { "url-suffix", SP_OPTION_SECRET,
    .help = "what is appended to url, where that part of the address is a secret itself" },
  { "secret", SP_OPTION_SECRET,
    .help = "the key of all signatures, 16 bytes or more; required for json, and with answers" },
  { "template", SP_OPTION_CHOICE, .fallback = "json", .choices = "json|ntfy|slack",
    .help = "what kind of service it is" },
  { "answers", SP_OPTION_URL,
    .help = "where answers are fetched; for ntfy, the topic for answers" },
  { "poll-interval", SP_OPTION_DURATION, .fallback = "5s", .min = 1000, .max = 3600000,
    .help = "how often answers are fetched while a notice is open" },
  { "token", SP_OPTION_SECRET, .help = "a bearer token that the service asks for" },
  { "ca-file", SP_OPTION_PATH,
    .help = "certificates to trust for the service, instead of the system's" },
  { "timeout", SP_OPTION_DURATION, .fallback = "15s", .min = 1000, .max = 50000,
    .help = "how long one request may take with its answer" },
};

/* ---- options ------------------------------------------------------------------------------------------ */

static gboolean config_error (GError **error, const char *format, ...) G_GNUC_PRINTF (2, 3);

static gboolean
config_error (GError **error, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error_literal (error, SP_ERROR, SP_ERROR_CONFIG, text);
  return FALSE;
}

/* A secret without the newline that a file ends with; NULL: not set.  It must not show from now on. */
static GBytes *
take_secret (SpHost *host, const char *key, GPtrArray *hidden)
{
  g_autoptr (GBytes) secret = host->api->config_secret (host, key);
  gsize length = 0;
  const char *text = secret != NULL ? g_bytes_get_data (secret, &length) : NULL;

  while (length > 0 && g_ascii_isspace (text[length - 1]))
    length--;
  if (length == 0)
    return NULL;
  g_ptr_array_add (hidden, g_strndup (text, length));
  return g_bytes_new_from_bytes (secret, 0, length);
}

static void
wipe_text (gpointer text)
{
  explicit_bzero (text, strlen (text));
  g_free (text);
}

static gboolean
is_header_text (GBytes *token)
{
  gsize length;
  const char *text = g_bytes_get_data (token, &length);

  for (gsize i = 0; i < length; i++)
    if (!g_ascii_isgraph (text[i]))
      return FALSE;
  return length <= TOKEN_MAX;
}

static GUri *
take_uri (const char *text, const char *key, GError **error)
{
  g_autoptr (GUri) uri = g_uri_parse (text, SOUP_HTTP_URI_FLAGS, NULL);

  if (uri != NULL && g_uri_get_host (uri) != NULL && g_uri_get_userinfo (uri) == NULL)
    return g_steal_pointer (&uri);
  config_error (error, "%s is no address that can be used", key);
  return NULL;
}

/* @suffix, which is a secret, appended to url: it must name a place on the same server. */
static GUri *
take_url (SpHost *host, GBytes *suffix, GError **error)
{
  const char *text = sp_config_string (host, "url");
  g_autoptr (GUri) base = take_uri (text, "url", error);
  g_autoptr (GUri) whole = NULL;
  g_autofree char *joined = NULL;

  if (base == NULL || suffix == NULL)
    return g_steal_pointer (&base);
  joined = g_strdup_printf ("%s%.*s", text, (int) g_bytes_get_size (suffix),
                            (const char *) g_bytes_get_data (suffix, NULL));
  whole = take_uri (joined, "url with url-suffix", error);
  explicit_bzero (joined, strlen (joined));
  if (whole == NULL)
    return NULL;
  if (g_strcmp0 (g_uri_get_host (whole), g_uri_get_host (base)) == 0 &&
      g_uri_get_port (whole) == g_uri_get_port (base))
    return g_steal_pointer (&whole);
  config_error (error, "url-suffix changes the server that url names: end url with a slash");
  return NULL;
}

/* After take_addresses(): where nothing is signed, no key is needed. */
static gboolean
take_key (WhHook *hook, GPtrArray *hidden, GError **error)
{
  hook->maker.key = take_secret (hook->host, "secret", hidden);
  if (hook->maker.key == NULL && !hook->template->json && hook->answers == NULL)
    return TRUE;
  if (hook->maker.key != NULL && g_bytes_get_size (hook->maker.key) >= WH_KEY_MIN)
    return TRUE;
  return config_error (
      error, "secret must be %u bytes or more; make one with: openssl rand -hex 32", WH_KEY_MIN);
}

static gboolean
take_addresses (WhHook *hook, GPtrArray *hidden, GError **error)
{
  g_autoptr (GBytes) suffix = take_secret (hook->host, "url-suffix", hidden);

  hook->template = wh_template_find (sp_config_string (hook->host, "template"));
  hook->maker.instance = hook->host->api->instance (hook->host);
  hook->uri = take_url (hook->host, suffix, error);
  hook->answers_text = g_strdup (sp_config_string (hook->host, "answers"));
  if (hook->uri == NULL)
    return FALSE;
  if (hook->answers_text == NULL)
    return TRUE;
  if (hook->template == &wh_template_slack)
    return config_error (
        error, "template slack can't bring answers back: take answers out of the section");
  hook->maker.answers = hook->answers_text;
  hook->answers = take_uri (hook->answers_text, "answers", error);
  return hook->answers != NULL;
}

/* ---- ntfy --------------------------------------------------------------------------------------------------- */

static gboolean
is_topic (const char *text)
{
  gsize length = strspn (text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");

  return length > 0 && length <= TOPIC_MAX && text[length] == '\0';
}

/* Where answers go is in each button, so it has one form only. */
static gboolean
check_answers_topic (WhHook *hook, GError **error)
{
  if (hook->answers == NULL ||
      (is_topic (g_uri_get_path (hook->answers) + 1) && g_uri_get_query (hook->answers) == NULL))
    return TRUE;
  return config_error (error, "answers must be the address of one topic of ntfy, such as "
                              "https://ntfy.example/my-answers");
}

/* One message serves all. */
static void
take_one_target (WhHook *hook, const char *name)
{
  char **old = hook->targets;
  const char *const one[] = { name, NULL };

  hook->targets = g_strdupv ((char **) one);
  g_strfreev (old);
}

/* One topic for all can't tell who tapped. */
static gboolean
take_shared_topic (WhHook *hook, GError **error)
{
  if (!is_topic (hook->topic) || g_uri_get_query (hook->uri) != NULL)
    return config_error (error, "url must be the address of ntfy's server, or of one topic there");
  if (hook->answers != NULL && hook->targets[0] != NULL && hook->targets[1] != NULL)
    return config_error (
        error, "everybody who reads the topic in url could answer for anybody else: leave the "
               "topic out of url and give each approver a topic, or list one approver");
  hook->maker.topic = hook->topic;
  take_one_target (hook, hook->targets[0] != NULL ? hook->targets[0] : ONE_TARGET);
  return TRUE;
}

static gboolean
take_ntfy (WhHook *hook, GError **error)
{
  const char *path = g_uri_get_path (hook->uri);
  GUri *origin;

  hook->targets = g_strdupv ((char **) hook->host->api->people (hook->host));
  if (path[0] == '/' && path[1] != '\0') {
    hook->topic = g_strdup (path + 1);
    if (!take_shared_topic (hook, error))
      return FALSE;
  }
  for (char **person = hook->targets; hook->maker.topic == NULL && *person != NULL; person++)
    if (!is_topic (*person))
      return config_error (
          error, "the approver \"%s\" is no topic of ntfy: 1 to 64 letters, digits, _ or -",
          *person);
  if (!check_answers_topic (hook, error))
    return FALSE;
  /* A message with a topic in it is posted to the server itself. */
  origin = wh_origin (hook->uri);
  g_uri_unref (hook->uri);
  hook->uri = origin;
  return TRUE;
}

/* ---- life --------------------------------------------------------------------------------------------------- */

static void
webhook_close (gpointer self)
{
  WhHook *hook = self;

  wh_poll_free (hook->poll);
  wh_probe_free (hook->probe);
  wh_notices_free (hook->notices);
  wh_http_free (hook->http);
  g_clear_pointer (&hook->maker.key, g_bytes_unref);
  g_clear_pointer (&hook->uri, g_uri_unref);
  g_clear_pointer (&hook->answers, g_uri_unref);
  g_free (hook->answers_text);
  g_free (hook->topic);
  g_strfreev (hook->targets);
  g_clear_pointer (&hook->context, g_main_context_unref);
  for (guint i = 0; i < WH_N_SIDES; i++)
    g_free (hook->trouble[i]);
  g_free (hook);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (WhHook, webhook_close)

static gboolean
take_options (WhHook *hook, GPtrArray *hidden, GError **error)
{
  if (!take_addresses (hook, hidden, error) || !take_key (hook, hidden, error))
    return FALSE;
  if (hook->template == &wh_template_ntfy)
    return take_ntfy (hook, error);
  take_one_target (hook, ONE_TARGET);
  return TRUE;
}

static gboolean
open_http (WhHook *hook, GPtrArray *hidden, GError **error)
{
  g_autoptr (GBytes) token = take_secret (hook->host, "token", hidden);
  WhHttpOptions http = {
    .uri = hook->uri,
    .ca_file = sp_config_string (hook->host, "ca-file"),
    .token = token,
    .timeout = (guint) sp_config_int (hook->host, "timeout"),
    .hidden = hidden,
  };

  if (token != NULL && !is_header_text (token))
    return config_error (error, "token holds something that is no bearer token");
  hook->http = wh_http_new (&http, error);
  return hook->http != NULL;
}

static gpointer
webhook_open (SpHost *host, GError **error)
{
  g_autoptr (WhHook) hook = g_new0 (WhHook, 1);
  g_autoptr (GPtrArray) hidden = g_ptr_array_new_with_free_func (wipe_text);

  hook->host = host;
  hook->context = g_main_context_ref_thread_default ();
  hook->poll_interval = (guint) sp_config_int (host, "poll-interval");
  if (!take_options (hook, hidden, error) || !open_http (hook, hidden, error))
    return NULL;
  hook->notices = wh_notices_new (host);
  return g_steal_pointer (&hook);
}

static gboolean
webhook_start (gpointer self, GCancellable *cancellable, GError **error)
{
  WhHook *hook = self;

  wh_notices_load (hook->notices);
  hook->probe = wh_probe_new (hook);
  if (hook->answers != NULL)
    hook->poll = wh_poll_new (hook);
  return TRUE;
}

static void
webhook_stop (gpointer self)
{
  WhHook *hook = self;

  hook->stopping = TRUE;
  wh_http_close (hook->http);
}

/* ---- the calls of a notifier ---------------------------------------------------------------------------------- */

static gboolean
webhook_post (gpointer self, const SpNotice *notice, GCancellable *cancellable, GError **error)
{
  WhHook *hook = self;

  wh_poll_wake (hook->poll);
  return wh_send_post (hook, notice, cancellable, error);
}

static gboolean
webhook_settle (gpointer self, const SpNotice *notice, const SpOutcome *outcome,
                GCancellable *cancellable, GError **error)
{
  return wh_send_settle (self, notice, outcome, cancellable, error);
}

/* The text that the templates for people share. */
static char *
webhook_render (const SpNotice *notice)
{
  g_autofree char *title = wh_text_clean (notice->title, WH_VALUE_MAX);
  g_autofree char *body = wh_text_body (notice);

  return g_strdup_printf ("%s\n%s", title, body);
}

static const SpNotifierOps ops = {
  .post = webhook_post,
  .settle = webhook_settle,
  .render = webhook_render,
};

SP_NOTIFIER_PLUGIN (
    &ops, .name = "webhook", .version = "1",
    .summary = "ask people through a service reached by HTTP: your own, ntfy, Slack",
    SP_OPTIONS (options), .open = webhook_open, .start = webhook_start, .stop = webhook_stop,
    .close = webhook_close)
