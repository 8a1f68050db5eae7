/* notify-telegram - asks a person on Telegram, by a bot of their own
 *
 * This file is the plugin's face: options, life cycle, and the calls of a notifier, handed on to the part
 * that does the work.
 *
 *      api, classify   one call of the Bot API, and what its answer means
 *      try             a call repeated until it ends
 *      poll            the long poll; health
 *      update, taps    what an update says; what becomes of a tap
 *      words, commands, confirm    what people write; what becomes of that
 *      chats           which chats there are, out of reach, moved
 *      content, notices, record    what is shown where; its form in the core's memory
 *      send, delivery  bringing a notice to its chats
 *      pace, bucket, queue, digest how fast; what waits in a storm
 *      remind, settle  a word at half time; the end
 *      text, message   what is sent
 *
 * Everything runs in the plugin's one thread.  What must stay true: open() touches no network, start()
 * waits for none, and stop() leaves nothing running.
 */
#define G_LOG_DOMAIN "notify-telegram"
#include <string.h>

#include "chats.h"
#include "commands.h"
#include "confirm.h"
#include "digest.h"
#include "pace.h"
#include "poll.h"
#include "queue.h"
#include "remind.h"
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
  { "topic", SP_OPTION_INT, .min = 1, .max = G_MAXINT32,
    .help = "number of the topic for notices, where the chat is a group with topics" },
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

/* The bot's own id, which its token begins with; 0 where it does not. */
static gint64
id_of (GBytes *token)
{
  gsize length;
  const char *text = g_bytes_get_data (token, &length);
  gint64 id = 0;

  for (gsize i = 0; i < length && i < 16 && g_ascii_isdigit (text[i]); i++)
    id = id * 10 + g_ascii_digit_value (text[i]);
  return id;
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
  tg_confirm_free (bot->confirm);
  tg_commands_free (bot->commands);
  tg_remind_free (bot->remind);
  tg_digest_free (bot->digest);
  tg_queue_free (bot->queue);
  tg_notices_free (bot->notices);
  tg_pace_free (bot->pace);
  tg_api_free (bot->api);
  g_clear_pointer (&bot->tries, g_hash_table_unref);
  g_clear_pointer (&bot->chats, g_array_unref);
  g_clear_pointer (&bot->lost, g_hash_table_unref);
  g_clear_pointer (&bot->spoilt, g_hash_table_unref);
  g_free (bot->name);
  g_clear_pointer (&bot->context, g_main_context_unref);
  g_free (bot);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TgBot, telegram_close)

/* The parts, none of which does anything yet. */
static void
make_parts (TgBot *bot)
{
  bot->tries = g_hash_table_new (NULL, NULL);
  bot->lost = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  bot->spoilt = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  bot->pace = tg_pace_new ();
  bot->notices = tg_notices_new (bot->host);
  bot->queue = tg_queue_new (bot);
  bot->digest = tg_digest_new (bot);
  bot->remind = tg_remind_new (bot);
  bot->commands = tg_commands_new (bot);
  bot->confirm = tg_confirm_new (bot);
  bot->taps = tg_taps_new (bot);
}

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
  bot->topic = sp_config_int (host, "topic");
  bot->id = id_of (token);
  bot->poll_timeout = (guint) (sp_config_int (host, "poll-timeout") / 1000);
  bot->api =
      tg_api_new (host, bot->context, token, base, sp_config_string (host, "ca-file"), error);
  if (bot->api == NULL)
    return NULL;
  make_parts (bot);
  return g_steal_pointer (&bot);
}

static gboolean
telegram_start (gpointer self, GCancellable *cancellable, GError **error)
{
  TgBot *bot = self;

  tg_chats_load (bot);
  tg_notices_load (bot->notices);
  tg_digest_load (bot->digest);
  tg_queue_load (bot->queue);
  tg_remind_plan (bot->remind);
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
