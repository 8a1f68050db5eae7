/* client-private.h - between the files of the client
 *
 * client.c is the life of the process, client-queue.c gives it one call at a time, client-serve.c
 * takes what it calls back; client-notify.c, client-store.c and client-vm.c only turn arguments into
 * values and results back.
 */
#pragma once

#include "plugin/client.h"
#include "plugin/protocol.h"

/* On top of a deadline; longer than the plugin host's own patience, which strikes first. */
#define SP_CLIENT_PATIENCE_MS 5000

typedef struct _SpClientCall SpClientCall;

/* Exactly one of @reply and @error.  The call is freed afterwards. */
typedef void (*SpClientFinish) (SpClientCall *call, GVariant *reply, const GError *error);

struct _SpClientCall {
  SpPluginClient *client;
  guint method; /* SpPluginCall */
  GVariant *args;
  guint deadline_ms;
  GSource *expiry; /* while it waits for its turn */
  GError *doom;    /* it can't succeed; it fails from the main loop */

  SpClientFinish finish;
  GCallback done; /* of the type that @finish knows */
  SpRowFunc row;
  gpointer data;
};

typedef enum {
  SP_CLIENT_IDLE,
  SP_CLIENT_WANTED,
  SP_CLIENT_OPENING,
  SP_CLIENT_STARTING,
  SP_CLIENT_SERVING,
  SP_CLIENT_DYING,
} SpClientPhase;

struct _SpPluginClient {
  grefcount refs;
  gboolean freed;
  SpPluginEvents events;
  gpointer data;
  GMainContext *context;

  SpKind kind;
  char *instance;
  char *label; /* "notify telegram", for errors */
  char *path;
  GVariant *options;
  GVariant *people;
  GBytes *secrets;
  guint deadline_ms; /* of a test; 0: the usual ones */

  SpClientPhase phase;
  SpLink *link;
  gboolean lost;  /* the process has closed its link; how it ended is still to be heard */
  GSource *timer; /* until the next process is asked for */
  guint backoff_ms;
  guint retry_ms;
  gboolean suspended;
  gboolean tried;
  gint64 serving_since; /* monotonic; 0: not serving */

  SpPluginState state;
  char *trouble; /* what the running plugin says with broken(); NULL: nothing */
  char *why;
  gint64 since;

  GQueue waiting; /* SpClientCall */
  SpClientCall *current;
};

/* A counted reference keeps the memory while a callback runs; the client itself may be freed. */
typedef SpPluginClient SpClientRef;
SpClientRef *sp_client_ref (SpPluginClient *client);
void sp_client_unref (SpClientRef *client);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpClientRef, sp_client_unref)

GSource *sp_client_timer (SpPluginClient *client, guint ms, GSourceFunc func, gpointer data);
void sp_client_timer_clear (GSource **timer);

/* ---- client.c --------------------------------------------------------------------------------------- */

/* End the process; it is asked for again in time. */
void sp_client_bring_down (SpPluginClient *client, SpPluginState state, const char *why);
/* READY or TROUBLED, while it serves. */
void sp_client_update_health (SpPluginClient *client);

/* ---- client-queue.c --------------------------------------------------------------------------------- */

/* Give the plugin the next call, if it can take one. */
void sp_client_pump (SpPluginClient *client);
void sp_client_fail_waiting (SpPluginClient *client, const GError *error);

/* ---- client-serve.c --------------------------------------------------------------------------------- */

/* For sp_plugin_upcalls; their data is the client. */
extern const SpLinkHandler sp_client_handlers[SP_PLUGIN_N_UPCALLS];

/* ---- for client-notify.c, client-store.c, client-vm.c, and tests ------------------------------------ */

/* The deadline that a call gets in the plugin: @usual, unless a test has set another. */
guint sp_client_deadline (const SpPluginClient *client, guint usual);
void sp_client_set_deadline (SpPluginClient *client, guint ms);

/* Put a call at the end of the queue.  @args is consumed if floating. */
void sp_client_submit (SpPluginClient *client, guint method, GVariant *args, guint deadline_ms,
                       SpClientFinish finish, GCallback done, SpRowFunc row, gpointer data);
