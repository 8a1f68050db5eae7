/* delivery.h - one notice on its way to one chat
 */
#pragma once

#include "bot.h"

typedef enum {
  TG_DELIVERY_OPEN,
  TG_DELIVERY_SENT,
  TG_DELIVERY_FAILED,
} TgDeliveryState;

struct _TgDelivery {
  TgBot *bot;
  TgPlace *place;
  char *html, *plain;
  JsonObject *keyboard; /* NULL: for information only */
  gint64 remind_at;     /* for the notice, once it is shown; 0: never */
  gboolean as_plain;
  gboolean active; /* somebody waits for it */
  TgDeliveryState state;
  TgOutcome outcome; /* the last */
  TgCall *call;
  GSource *timer;
  gint64 due; /* monotonic: when the timer fires */
  char *problem;
};

/* The delivery of @notice to @place, which owns it; nothing is sent yet. */
TgDelivery *tg_delivery_new (TgBot *bot, TgPlace *place, const SpNotice *notice);
void tg_delivery_start (TgDelivery *delivery);
/* Start nothing more.  TRUE: nothing is under way either. */
gboolean tg_delivery_halt (TgDelivery *delivery);

/* Whether @place may still get the message by what is under way. */
gboolean tg_delivery_is_open (const TgPlace *place);
/* Whether what is open there has nothing to do for so long that others should be served meanwhile. */
gboolean tg_delivery_is_held (const TgPlace *place);
