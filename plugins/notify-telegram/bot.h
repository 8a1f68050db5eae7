/* bot.h - one open instance: what its parts share
 *
 * All parts run in the plugin's one thread and its main context.
 */
#pragma once

#include <secret-proxy/notifier.h>

#include "api.h"
#include "notices.h"

#define TG_CALL_TIMEOUT 20000u /* ms, of everything but the long poll */

typedef struct _TgPoll TgPoll;
typedef struct _TgTaps TgTaps;
typedef struct _TgPace TgPace;
typedef struct _TgQueue TgQueue;
typedef struct _TgDigest TgDigest;
typedef struct _TgRemind TgRemind;
typedef struct _TgCommands TgCommands;
typedef struct _TgConfirm TgConfirm;

/* What a person should look into; each kind at most once in ten minutes. */
typedef enum {
  TG_ALARM_CONFLICT,
  TG_ALARM_WEBHOOK,
  TG_ALARM_POISON,
  TG_ALARM_FORGED,
  TG_ALARM_STALE_BUTTON,
  TG_ALARM_TAMPERED,
  TG_ALARM_UNREACHED,
  TG_ALARM_MISSING,
  TG_ALARM_IDENTITY,
  TG_ALARM_TOPIC,
  TG_N_ALARMS,
} TgAlarm;

/* Why the instance can't do its work. */
typedef enum {
  TG_HEALTH_UNKNOWN, /* nothing was said yet */
  TG_HEALTH_GOOD,
  TG_HEALTH_UNREACHABLE,
  TG_HEALTH_TOKEN,
  TG_HEALTH_CONFLICT,
  TG_HEALTH_WEBHOOK,
  TG_HEALTH_IDENTITY, /* the token belongs to another bot than it says */
  TG_HEALTH_TAMPERED, /* somebody else changes our messages */
} TgHealth;

typedef struct {
  SpHost *host;
  GMainContext *context;
  TgApi *api;
  TgNotices *notices;
  TgPace *pace;
  TgTaps *taps;
  TgPoll *poll;
  TgQueue *queue;
  TgDigest *digest;
  TgRemind *remind;
  TgCommands *commands;
  TgConfirm *confirm;
  GHashTable *tries;  /* TgTry, as a set: try.c's */
  GArray *chats;      /* gint64: where notices are shown */
  GHashTable *lost;   /* gint64, as a set: those out of reach, chats.c's */
  GHashTable *spoilt; /* ids of open notices that somebody changed, as a set */
  gint64 topic;       /* of the forum, 0: none */
  gint64 id;          /* the bot's own, as the token says */
  char *name;         /* its user name; NULL: not known yet */
  guint poll_timeout; /* seconds */
  gboolean stopping;

  TgHealth health;
  gint64 alarmed[TG_N_ALARMS]; /* monotonic time, 0: never */
} TgBot;

void tg_bot_alarm (TgBot *bot, TgAlarm kind, const char *format, ...) G_GNUC_PRINTF (3, 4);

/* Tell the core once for each change of @health; @why for people, NULL with TG_HEALTH_GOOD. */
void tg_bot_health (TgBot *bot, TgHealth health, const char *why);

/* Somebody changed a message of @notice, which is open; and: it is not any more. */
void tg_bot_spoilt (TgBot *bot, TgNotice *notice);
void tg_bot_unspoilt (TgBot *bot, TgNotice *notice);

/* Whether @user is listed as an approver. */
gboolean tg_bot_lists (TgBot *bot, gint64 user);

/* Whether a try is worth it at all: SP_ERROR_UNAVAILABLE while the token is refused. */
gboolean tg_bot_may_call (TgBot *bot, GError **error);

/* Run the context until @over says so or @cancellable fires; TRUE: @over. */
typedef gboolean (*TgOver) (gpointer data);
gboolean tg_bot_wait (TgBot *bot, TgOver over, gpointer data, GCancellable *cancellable);
