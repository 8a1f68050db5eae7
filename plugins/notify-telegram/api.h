/* api.h - one call of the Bot API
 *
 * A call is sent, answered and classified; nothing here repeats one.  All of it runs in the context that
 * tg_api_new() was given.  Flood control is kept here, since it binds every caller: a call waits until
 * the pauses for its chat and for the whole bot, as Telegram set them, are over.
 */
#pragma once

#include <secret-proxy/json.h>

typedef struct _TgApi TgApi;
typedef struct _TgCall TgCall;

typedef enum {
  TG_OK,
  TG_SAME,         /* "message is not modified": as good as done */
  TG_NO_MESSAGE,   /* the message to edit is gone, or can't be edited */
  TG_STALE,        /* the tap is too old to be answered */
  TG_BAD_ENTITIES, /* the text's markup was not understood */
  TG_MIGRATED,     /* the group has another id now */
  TG_NO_CHAT,      /* blocked, kicked, not found: permanent for this chat */
  TG_NO_TOPIC,     /* the forum topic is not there */
  TG_REFUSED,      /* another permanent no */
  TG_TOKEN,        /* the token is not valid */
  TG_CONFLICT,     /* another program polls with this token */
  TG_WEBHOOK,      /* a webhook is set, so polling is not possible */
  TG_FLOOD,        /* too many requests; the pause is kept already */
  TG_TRANSIENT,    /* out of reach, or an answer that is none */
  TG_UNREADABLE,   /* 200, but the reader does not take the body: see body */
  TG_CANCELLED,    /* tg_call_drop(), tg_api_close() */
  TG_N_OUTCOMES,
} TgOutcome;

/* Valid during the callback only. */
typedef struct {
  TgOutcome outcome;
  gboolean unsure;  /* it failed, but may have taken effect all the same */
  const char *what; /* for people, without the token; NULL with TG_OK */
  JsonNode *result; /* with TG_OK */
  gint64 migrated;  /* with TG_MIGRATED: the new chat id */
  const char *body; /* with TG_UNREADABLE: the bytes so far */
  gsize length;
} TgResult;

typedef void (*TgDone) (const TgResult *result, gpointer data);

/* @token is kept; @base without a slash at its end; @ca_file may be NULL.  SP_ERROR_CONFIG. */
TgApi *tg_api_new (SpHost *host, GMainContext *context, GBytes *token, const char *base,
                   const char *ca_file, GError **error);
/* Ends all calls with TG_CANCELLED, and waits at most a second for that.  No call after it is sent. */
void tg_api_close (TgApi *api);
void tg_api_free (TgApi *api);

/* Send @method with @body (taken; an object; NULL: no parameters).  @chat: the chat that it writes to, 0:
 * none.  @timeout: milliseconds from sending to the end of the answer.  @done is called exactly once,
 * never before this returns; the call is the API's, and ends with it. */
TgCall *tg_api_call (TgApi *api, const char *method, JsonObject *body, gint64 chat, guint timeout,
                     TgDone done, gpointer data);
/* End @call with TG_CANCELLED if it still waits for a pause; one that was sent goes on. */
void tg_call_drop (TgCall *call);
/* End @call in any case. */
void tg_call_cancel (TgCall *call);

/* Milliseconds that Telegram has asked us to leave @chat, or the bot as a whole, alone; 0: none. */
guint tg_api_pause (TgApi *api, gint64 chat);

/* Run @call with @data once, @delay milliseconds from now, in @context.  Destroy and unref it. */
GSource *tg_timer_new (GMainContext *context, guint delay, GSourceFunc func, gpointer data);
void tg_timer_clear (GSource **timer);

/* Milliseconds to wait after @failures failures in a row: 1 s doubling to 60 s, with jitter. */
guint tg_backoff (guint failures);
