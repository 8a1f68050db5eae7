/* hook.h - one open instance: what its parts share
 *
 * All parts run in the plugin's one thread and its main context.
 */
#pragma once

#include "body.h"
#include "http.h"
#include "notices.h"

typedef struct _WhPoll WhPoll;
typedef struct _WhProbe WhProbe;

/* What a person should look into; each kind at most once in ten minutes. */
typedef enum {
  WH_ALARM_UNSIGNED,
  WH_ALARM_FORGED,
  WH_ALARM_STALE,
  WH_ALARM_BROKEN,
  WH_ALARM_UNKNOWN,
  WH_ALARM_UNREACHED,
  WH_N_ALARMS,
} WhAlarm;

/* Both must work for the instance to work. */
typedef enum {
  WH_SIDE_SEND,
  WH_SIDE_POLL,
  WH_N_SIDES,
} WhSide;

typedef struct {
  SpHost *host;
  GMainContext *context;
  const WhTemplate *template;
  WhMaker maker;
  GUri *uri;           /* where all is posted */
  GUri *answers;       /* NULL: none are fetched */
  char *answers_text;  /* the same as text, for buttons */
  char *topic;         /* of ntfy, for everybody; NULL: none such */
  char **targets;      /* persons' topics, or "-": the service as a whole */
  guint poll_interval; /* ms */
  WhHttp *http;
  WhNotices *notices;
  WhPoll *poll; /* NULL: nothing is polled */
  WhProbe *probe;
  guint sending;     /* post() or settle() is under way */
  gint64 send_after; /* monotonic: the service is to be left alone until then */
  guint send_failures;
  gboolean stopping;

  char *trouble[WH_N_SIDES]; /* NULL: none */
  gboolean told;             /* the core knows of some */
  gint64 alarmed[WH_N_ALARMS];
} WhHook;

void wh_hook_alarm (WhHook *hook, WhAlarm kind, const char *format, ...) G_GNUC_PRINTF (3, 4);
/* @why: what is wrong on @side; NULL: it works. */
void wh_hook_health (WhHook *hook, WhSide side, const char *why);

/* Milliseconds to wait after @failures failures in a row (1 s doubling to 60 s, with jitter), and no less than
 * @pause seconds. */
guint wh_hook_backoff (guint failures, guint pause);

/* Run @func once, @delay milliseconds from now.  Destroy and unref it. */
GSource *wh_hook_timer (WhHook *hook, guint delay, GSourceFunc func, gpointer data);
void wh_timer_clear (GSource **timer);

/* @object as bytes; it is unreffed. */
GBytes *wh_body_bytes (JsonObject *object);
/* Send @body (NULL: a GET of @uri), signed where the template has it so. */
WhCall *wh_hook_send (WhHook *hook, GUri *uri, GBytes *body, const char *delivery, WhDone done,
                      gpointer data);
