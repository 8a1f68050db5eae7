/* try.h - a call that is repeated until it ends one way or the other
 *
 * For calls that do no harm when they arrive twice (edits), and with a bound for those that should not
 * (answers to taps: repeated only where the first surely had no effect).
 */
#pragma once

#include "bot.h"

typedef struct _TgTry TgTry;

typedef enum {
  TG_TRY_SURE_ONLY = 1 << 0, /* do not repeat what may have taken effect */
  TG_TRY_PACED = 1 << 1,     /* a message: not faster than a chat may get them */
} TgTryFlags;

/* @body is taken.  @max_tries 0: no bound.  @done gets the last result, once; never before this returns. */
TgTry *tg_try_new (TgBot *bot, const char *method, JsonObject *body, gint64 chat, guint max_tries,
                   guint flags, TgDone done, gpointer data);
/* Stop trying; @done is not called any more. */
void tg_try_stop (TgTry *self);
/* Stop all of @bot. */
void tg_try_stop_all (TgBot *bot);
