/* try.c - the repetition of try.h
 *
 * What must stay true: a pause that Telegram asked for is no failure and is not counted; the object lives
 * until its last call has ended, whether somebody still listens or not.
 */
#include "try.h"

#include "pace.h"

struct _TgTry {
  TgBot *bot;
  const char *method;
  JsonObject *body;
  gint64 chat;
  guint max_tries, flags, failures;
  TgDone done; /* NULL: nobody listens */
  gpointer data;
  TgCall *call;
  GSource *timer;
};

static void try_call (TgTry *self);

static void
try_free (TgTry *self)
{
  g_hash_table_remove (self->bot->tries, self);
  tg_timer_clear (&self->timer);
  json_object_unref (self->body);
  g_free (self);
}

static gboolean
on_timer (gpointer data)
{
  TgTry *self = data;

  tg_timer_clear (&self->timer);
  try_call (self);
  return G_SOURCE_REMOVE;
}

static gboolean
is_passing (TgTry *self, const TgResult *result)
{
  if (self->done == NULL || self->bot->stopping)
    return FALSE;
  if (result->outcome == TG_FLOOD)
    return TRUE;
  if (result->outcome != TG_TRANSIENT && result->outcome != TG_UNREADABLE)
    return FALSE;
  if (result->unsure && (self->flags & TG_TRY_SURE_ONLY) != 0)
    return FALSE;
  self->failures++;
  return self->max_tries == 0 || self->failures < self->max_tries;
}

static void
on_result (const TgResult *result, gpointer data)
{
  TgTry *self = data;

  self->call = NULL;
  if (is_passing (self, result)) {
    guint delay = result->outcome == TG_FLOOD ? 0 : tg_backoff (self->failures);

    self->timer = tg_timer_new (self->bot->context, delay, on_timer, self);
    return;
  }
  if (self->done != NULL)
    self->done (result, self->data);
  try_free (self);
}

static void
try_call (TgTry *self)
{
  gboolean paced = (self->flags & TG_TRY_PACED) != 0;
  gint64 now = g_get_monotonic_time ();
  guint wait = paced ? tg_pace_wait (self->bot->pace, self->chat, now) : 0;

  if (wait > 0) {
    self->timer = tg_timer_new (self->bot->context, wait, on_timer, self);
    return;
  }
  if (paced)
    tg_pace_mark (self->bot->pace, self->chat, now);
  self->call = tg_api_call (self->bot->api, self->method, json_object_ref (self->body), self->chat,
                            TG_CALL_TIMEOUT, on_result, self);
}

TgTry *
tg_try_new (TgBot *bot, const char *method, JsonObject *body, gint64 chat, guint max_tries,
            guint flags, TgDone done, gpointer data)
{
  TgTry *self = g_new0 (TgTry, 1);

  self->bot = bot;
  self->method = method;
  self->body = body;
  self->chat = chat;
  self->max_tries = max_tries;
  self->flags = flags;
  self->done = done;
  self->data = data;
  g_hash_table_add (bot->tries, self);
  try_call (self);
  return self;
}

void
tg_try_stop (TgTry *self)
{
  self->done = NULL;
  if (self->call != NULL)
    tg_call_drop (self->call);
  else
    try_free (self);
}

void
tg_try_stop_all (TgBot *bot)
{
  g_autoptr (GList) tries = g_hash_table_get_keys (bot->tries);

  for (GList *at = tries; at != NULL; at = at->next)
    tg_try_stop (at->data);
}
