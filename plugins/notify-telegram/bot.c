/* bot.c - what bot.h shares
 *
 * What must stay true: the core hears of a change of health, not of each failure; waiting never stops the
 * poll or the taps, since they live in the context that is run.
 */
#define G_LOG_DOMAIN "notify-telegram"
#include "bot.h"

#define ALARM_GAP (10 * 60 * G_USEC_PER_SEC)

static const SpErrorCode health_codes[] = {
  [TG_HEALTH_UNREACHABLE] = SP_ERROR_UNAVAILABLE, [TG_HEALTH_TOKEN] = SP_ERROR_CONFIG,
  [TG_HEALTH_CONFLICT] = SP_ERROR_CONFLICT,       [TG_HEALTH_WEBHOOK] = SP_ERROR_CONFLICT,
  [TG_HEALTH_IDENTITY] = SP_ERROR_CONFIG,         [TG_HEALTH_TAMPERED] = SP_ERROR_CONFLICT,
};

void
tg_bot_alarm (TgBot *bot, TgAlarm kind, const char *format, ...)
{
  gint64 now = g_get_monotonic_time ();
  g_autofree char *text = NULL;
  va_list args;

  if (bot->alarmed[kind] != 0 && now - bot->alarmed[kind] < ALARM_GAP)
    return;
  bot->alarmed[kind] = now;
  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  bot->host->api->alarm (bot->host, text);
}

void
tg_bot_health (TgBot *bot, TgHealth health, const char *why)
{
  TgHealth before = bot->health;
  g_autoptr (GError) error = NULL;

  if (health == TG_HEALTH_GOOD && g_hash_table_size (bot->spoilt) > 0) {
    health = TG_HEALTH_TAMPERED;
    why =
        "a message that asks for a decision was changed by somebody else, so the bot token may be "
        "in other hands; make a new one with @BotFather";
  }
  if (health == before)
    return;
  bot->health = health;
  if (health != TG_HEALTH_GOOD)
    error = g_error_new_literal (SP_ERROR, (gint) health_codes[health], why);
  else if (before == TG_HEALTH_UNKNOWN)
    return;
  bot->host->api->broken (bot->host, error);
}

void
tg_bot_spoilt (TgBot *bot, TgNotice *notice)
{
  g_hash_table_add (bot->spoilt, g_strdup (notice->id));
  if (bot->health == TG_HEALTH_GOOD)
    tg_bot_health (bot, TG_HEALTH_GOOD, NULL);
}

void
tg_bot_unspoilt (TgBot *bot, TgNotice *notice)
{
  if (g_hash_table_remove (bot->spoilt, notice->id) && bot->health == TG_HEALTH_TAMPERED)
    tg_bot_health (bot, TG_HEALTH_GOOD, NULL);
}

gboolean
tg_bot_lists (TgBot *bot, gint64 user)
{
  g_autofree char *person = g_strdup_printf ("%" G_GINT64_FORMAT, user);
  const char *const *people = bot->host->api->people (bot->host);

  return people != NULL && g_strv_contains (people, person);
}

gboolean
tg_bot_may_call (TgBot *bot, GError **error)
{
  if (bot->health != TG_HEALTH_TOKEN)
    return TRUE;
  g_set_error (
      error, SP_ERROR, SP_ERROR_UNAVAILABLE,
      "telegram does not accept the bot token; put the right one where bot-token points to");
  return FALSE;
}

/* In whatever thread cancels.  A GCancellableSource would do the same, but is never freed where the
 * cancelling and its end meet. */
static void
on_cancelled (GCancellable *cancellable, gpointer context)
{
  g_main_context_wakeup (context);
}

gboolean
tg_bot_wait (TgBot *bot, TgOver over, gpointer data, GCancellable *cancellable)
{
  gulong wake = 0;

  if (cancellable != NULL)
    wake = g_cancellable_connect (cancellable, G_CALLBACK (on_cancelled), bot->context, NULL);
  while (!over (data) && !g_cancellable_is_cancelled (cancellable))
    g_main_context_iteration (bot->context, TRUE);
  g_cancellable_disconnect (cancellable, wake);
  return over (data);
}
