/* notify-telegram - asks a person on Telegram, by a bot of their own
 *
 * This file is the plugin's face: options, life cycle, and the calls of a notifier, handed on to the part
 * that does the work.
 *
 *      api, classify   one call of the Bot API, and what its answer means
 *      try             a call repeated until it ends
 *      poll            the long poll; health
 *      update, taps    what an update says; what becomes of a tap
 *      notices, record what is shown where; its form in the core's memory
 *      pace, send      bringing a notice to its chats
 *      settle          closing it there
 *      text            the message itself
 *
 * Everything runs in the plugin's one thread.  What must stay true: open() touches no network, start()
 * waits for none, and stop() leaves nothing running.
 */
#define G_LOG_DOMAIN "notify-telegram"
#include <string.h>

#include "bot.h"
#include "pace.h"
#include "poll.h"
#include "send.h"
#include "settle.h"
#include "taps.h"
#include "text.h"
#include "try.h"
#include "update.h"

#define TOKEN_MAX 128u
#define POLL_MAX_MS 50000 /* the server's own bound */
#define CHAT_MAX (G_GINT64_CONSTANT (1) << 52)

static const SpOption options[] = {
  { "bot-token", SP_OPTION_SECRET, SP_OPTION_REQUIRED,
    .help = "the bot's token, as @BotFather gave it" },
  { "api-base", SP_OPTION_URL, .fallback = "https://api.telegram.org",
    .help = "where the Bot API is served" },
  { "ca-file", SP_OPTION_PATH,
    .help = "certificates to trust for api-base, instead of the system's" },
  { "poll-timeout", SP_OPTION_DURATION, .fallback = "25s", .min = 1000, .max = POLL_MAX_MS,
    .help = "how long one request for answers waits at the server" },
  { "chat", SP_OPTION_INT, .min = -CHAT_MAX, .max = CHAT_MAX,
    .help = "numeric id of one chat for all notices; without it, each approver's private chat" },
};

/* ---- options ------------------------------------------------------------------------------------------ */

/* The token without the newline that a file ends with.  Only its form is checked: whether it is right,
 * Telegram says. */
static GBytes *
take_token (SpHost *host, GError **error)
{
  g_autoptr (GBytes) secret = host->api->config_secret (host, "bot-token");
  gsize length = 0;
  const char *text = secret != NULL ? g_bytes_get_data (secret, &length) : NULL;
  gsize fits = 0;

  while (length > 0 && g_ascii_isspace (text[length - 1]))
    length--;
  while (fits < length && (g_ascii_isalnum (text[fits]) || strchr (":_-", text[fits]) != NULL))
    fits++;
  if (length > 0 && length <= TOKEN_MAX && fits == length)
    return g_bytes_new_from_bytes (secret, 0, length);
  g_set_error (error, SP_ERROR, SP_ERROR_CONFIG,
               "bot-token does not hold a bot token; one looks like 123456:letters-and-digits");
  return NULL;
}

static gboolean
is_loopback (const char *name)
{
  g_autoptr (GInetAddress) address = g_inet_address_new_from_string (name);

  return address != NULL ? g_inet_address_get_is_loopback (address)
                         : strcmp (name, "localhost") == 0;
}

/* The core has checked it too; but a token in clear text on a network can't be taken back. */
static char *
take_base (SpHost *host, GError **error)
{
  const char *text = sp_config_string (host, "api-base");
  g_autoptr (GUri) uri = g_uri_parse (text != NULL ? text : "", G_URI_FLAGS_NONE, NULL);
  const char *name = uri != NULL ? g_uri_get_host (uri) : NULL;
  g_autofree char *base = g_strdup (text);

  if (name == NULL || *name == '\0' || g_uri_get_userinfo (uri) != NULL ||
      g_uri_get_query (uri) != NULL || g_uri_get_fragment (uri) != NULL ||
      !(strcmp (g_uri_get_scheme (uri), "https") == 0 ||
        (strcmp (g_uri_get_scheme (uri), "http") == 0 && is_loopback (name)))) {
    g_set_error (
        error, SP_ERROR, SP_ERROR_CONFIG,
        "api-base must be an https address, or http to this machine, and nothing but that");
    return NULL;
  }
  while (g_str_has_suffix (base, "/"))
    base[strlen (base) - 1] = '\0';
  return g_steal_pointer (&base);
}

static gboolean
add_person (GArray *chats, const char *person, GError **error)
{
  gint64 id;

  if (!g_ascii_string_to_signed (person, 10, G_MININT64, G_MAXINT64, &id, NULL) ||
      !tg_is_person (id)) {
    g_set_error (
        error, SP_ERROR, SP_ERROR_CONFIG,
        "the approver \"%s\" is not the numeric user id of a person; a name, a group or an "
        "anonymous admin cannot approve",
        person);
    return FALSE;
  }
  g_array_append_val (chats, id);
  return TRUE;
}

/* Where notices go: the one chat, or each approver's private chat, whose id is the person's. */
static GArray *
take_chats (SpHost *host, GError **error)
{
  g_autoptr (GArray) chats = g_array_new (FALSE, FALSE, sizeof (gint64));
  const char *const *people = host->api->people (host);
  gint64 chat = sp_config_int (host, "chat");

  for (; people != NULL && *people != NULL; people++)
    if (!add_person (chats, *people, error))
      return NULL;
  if (chats->len == 0) {
    g_set_error (error, SP_ERROR, SP_ERROR_CONFIG, "no approver is listed for it");
    return NULL;
  }
  if (chat != 0) {
    g_array_set_size (chats, 0);
    g_array_append_val (chats, chat);
  }
  return g_steal_pointer (&chats);
}

/* ---- life --------------------------------------------------------------------------------------------------- */

static void
telegram_close (gpointer self)
{
  TgBot *bot = self;

  tg_poll_free (bot->poll);
  tg_taps_free (bot->taps);
  tg_notices_free (bot->notices);
  tg_pace_free (bot->pace);
  tg_api_free (bot->api);
  g_clear_pointer (&bot->tries, g_hash_table_unref);
  g_clear_pointer (&bot->chats, g_array_unref);
  g_clear_pointer (&bot->context, g_main_context_unref);
  g_free (bot);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TgBot, telegram_close)

static gpointer
telegram_open (SpHost *host, GError **error)
{
  g_autoptr (TgBot) bot = g_new0 (TgBot, 1);
  g_autoptr (GBytes) token = take_token (host, error);
  g_autofree char *base = NULL;

  if (token == NULL || (base = take_base (host, error)) == NULL ||
      (bot->chats = take_chats (host, error)) == NULL)
    return NULL;
  bot->host = host;
  bot->context = g_main_context_ref_thread_default ();
  bot->poll_timeout = (guint) (sp_config_int (host, "poll-timeout") / 1000);
  bot->api =
      tg_api_new (host, bot->context, token, base, sp_config_string (host, "ca-file"), error);
  if (bot->api == NULL)
    return NULL;
  bot->tries = g_hash_table_new (NULL, NULL);
  bot->pace = tg_pace_new ();
  bot->notices = tg_notices_new (host);
  bot->taps = tg_taps_new (bot);
  return g_steal_pointer (&bot);
}

static gboolean
telegram_start (gpointer self, GCancellable *cancellable, GError **error)
{
  TgBot *bot = self;

  tg_notices_load (bot->notices);
  bot->poll = tg_poll_new (bot);
  return TRUE;
}

static void
telegram_stop (gpointer self)
{
  TgBot *bot = self;

  bot->stopping = TRUE;
  tg_try_stop_all (bot);
  tg_api_close (bot->api);
}

/* ---- the calls of a notifier ------------------------------------------------------------------------------------ */

static gboolean
telegram_post (gpointer self, const SpNotice *notice, GCancellable *cancellable, GError **error)
{
  return tg_send_post (self, notice, cancellable, error);
}

static gboolean
telegram_settle (gpointer self, const SpNotice *notice, const SpOutcome *outcome,
                 GCancellable *cancellable, GError **error)
{
  return tg_settle (self, notice, outcome, cancellable, error);
}

static char *
telegram_render (const SpNotice *notice)
{
  return tg_text_render (notice, NULL, TG_TEXT_PLAIN);
}

static const SpNotifierOps ops = {
  .max_text = TG_TEXT_MAX_UNITS,
  .post = telegram_post,
  .settle = telegram_settle,
  .render = telegram_render,
};

SP_NOTIFIER_PLUGIN (&ops, .name = "telegram", .version = "1",
                    .summary = "ask a person on Telegram, by a bot", SP_OPTIONS (options),
                    .open = telegram_open, .start = telegram_start, .stop = telegram_stop,
                    .close = telegram_close)
