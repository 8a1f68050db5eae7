/* client.h - an open plugin as the keeper sees it: a queue of calls with deadlines
 *
 * The plugin itself sits in another process, the plugin host.  The client knows how to open it there,
 * gives it one call at a time, and treats it as expendable: a plugin host that dies, breaks the
 * protocol or overruns a deadline is killed and started again with back-off (100 ms, doubled up to 10
 * s, reset after 20 s of health), and opened anew with the same setup.  Calls that wait survive
 * that; the call in flight fails with SP_PROBLEM_UNREACHABLE ("may or may not have happened").  What a
 * plugin only kept in its memory is gone then, such as which machines there are: state_changed() tells.
 *
 * Asynchronous: everything on the thread-default GMainContext; done() is called exactly once and
 * never before the call returns.
 */
#pragma once

#include <json-glib/json-glib.h>
#include <secret-proxy/notifier.h>
#include <secret-proxy/store.h>
#include <secret-proxy/vm.h>

#include "base/link.h"

typedef struct _SpPluginClient SpPluginClient;

typedef enum {
  SP_PLUGIN_DOWN,     /* no process, or not opened yet */
  SP_PLUGIN_READY,    /* started */
  SP_PLUGIN_TROUBLED, /* started, but it says that it can't do its work (broken()), or what it was last
                         given to show failed */
  SP_PLUGIN_FAILED, /* open or start failed for a reason that only an admin can mend; tried again
                         once a minute */
} SpPluginState;

typedef struct {
  SpKind kind;
  const char *instance; /* the config file's name for it */
  const char *path;     /* of the .so */
  GVariant *options;    /* a{ss}, as in the config file */
  GVariant *secrets;    /* a{say}: option -> value; wiped with the client */
  GVariant *people;     /* as: the approvers' ids at this notifier */
  const char *failed;   /* why it can't even be tried: it is FAILED for good; NULL: it can */
} SpPluginSetup;

typedef struct {
  /* A new process is wanted: answer with sp_plugin_client_attach(), or _exited(). */
  void (*want_process) (SpPluginClient *client, gpointer data);
  /* The process must go. */
  void (*kill_process) (SpPluginClient *client, gpointer data);
  /* Asked for at each opening: what remember() kept, a{ss}; floating or a reference of its own.
   * NULL: nothing. */
  GVariant *(*recall) (SpPluginClient *client, gpointer data);
  /* remember(): answer with sp_link_call_reply (call, g_variant_new ("()"), NULL) once durable, or
   * _fail().  @value NULL: forget. */
  void (*remember) (SpPluginClient *client, const char *key, const char *value, SpLinkCall *call,
                    gpointer data);
  /* answer(): answer the call with g_variant_new ("(us)", SpAnswerResult, sentence). */
  void (*answer) (SpPluginClient *client, const char *notice_id, const char *choice_id,
                  const char *person, const char *evidence, SpLinkCall *call, gpointer data);
  /* command(): answered like answer().  NULL: there are none. */
  void (*command) (SpPluginClient *client, const char *person, const char *command,
                   const char *evidence, SpLinkCall *call, gpointer data);
  void (*alarm) (SpPluginClient *client, const char *what, gpointer data);
  void (*state_changed) (SpPluginClient *client, gpointer data);
  /* progress() and vm_changed() of a plugin; NULL: not asked for. */
  void (*progress) (SpPluginClient *client, const char *what, gpointer data);
  void (*vm_changed) (SpPluginClient *client, const char *id, gpointer data);
} SpPluginEvents;

/* @setup and @events are copied.  Asks for a process at once (from an idle). */
SpPluginClient *
sp_plugin_client_new (const SpPluginSetup *setup, const SpPluginEvents *events, gpointer data);
/* Stops the plugin as well as can be done without waiting; waiting calls fail. */
void sp_plugin_client_free (SpPluginClient *client);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpPluginClient, sp_plugin_client_free)

/* The process is there, @fd (taken) is the link to it. */
void sp_plugin_client_attach (SpPluginClient *client, int fd);
/* The process has ended (or could not be started). */
void sp_plugin_client_exited (SpPluginClient *client);
/* The same, where it is known @why; NULL: it is not. */
void sp_plugin_client_exited_because (SpPluginClient *client, const char *why);

/* End the process, and ask for none until _resume(); calls wait. */
void sp_plugin_client_suspend (SpPluginClient *client);
void sp_plugin_client_resume (SpPluginClient *client);
/* Its first opening has come to an end, good or bad. */
gboolean sp_plugin_client_tried (const SpPluginClient *client);

SpPluginState sp_plugin_client_state (const SpPluginClient *client);
const char *sp_plugin_client_why (const SpPluginClient *client); /* NULL while READY */
/* It is started and does not say that it can't do its work: what failed last may succeed next. */
gboolean sp_plugin_client_can_work (const SpPluginClient *client);
/* Since when it is in this state: µs, wall clock. */
gint64 sp_plugin_client_since (const SpPluginClient *client);
const char *sp_plugin_client_instance (const SpPluginClient *client);
SpKind sp_plugin_client_kind (const SpPluginClient *client);
/* {"name","kind","plugin"?,"state","why"?,"since"} */
JsonObject *sp_plugin_client_to_json (const SpPluginClient *client);

typedef void (*SpPluginDone) (const GError *error, gpointer data);

/* ---- notifiers.  The struct and all in it is copied.  Deadline: 60 s in the plugin. ------------- */
void sp_plugin_client_post (SpPluginClient *client, const SpNotice *notice, SpPluginDone done,
                            gpointer data);
void sp_plugin_client_settle (SpPluginClient *client, const SpNotice *notice,
                              const SpOutcome *outcome, SpPluginDone done, gpointer data);

/* ---- stores.  Deadline: 10 s in the plugin (scan: 60 s). ------------------------------------------ */
/* @results: one SpBatchResult a batch, while the callback runs; NULL where @error is set. */
typedef void (*SpPluginWritten) (const guint32 *results, gsize n_results, const GError *error,
                                 gpointer data);
void sp_plugin_client_write (SpPluginClient *client, const SpBatch *batches, gsize n_batches,
                             SpPluginWritten done, gpointer data);

typedef void (*SpPluginRead) (GBytes *value, gint64 revision, const GError *error, gpointer data);
void sp_plugin_client_read (SpPluginClient *client, const char *table, const char *key,
                            SpPluginRead done, gpointer data);

/* At most @limit rows after @after (NULL: from the start), and at most about 4 MiB of them; @more:
 * there are further ones.  @row is called for each, then @done. */
typedef void (*SpPluginScanned) (gboolean more, const GError *error, gpointer data);
void sp_plugin_client_scan (SpPluginClient *client, const char *table, const char *after,
                            guint limit, SpRowFunc row, SpPluginScanned done, gpointer data);

/* ---- machines.  What is handed over is copied.  Deadlines in the plugin: probe, start and stop 60 s,
 * create and destroy 30 s, the others 10 s. -------------------------------------------------------- */

/* @probe, @info: while the callback runs; NULL where @error is set. */
typedef void (*SpPluginProbed) (const SpVmProbe *probe, const GError *error, gpointer data);
void sp_plugin_client_vm_probe (SpPluginClient *client, SpPluginProbed done, gpointer data);

void sp_plugin_client_vm_create (SpPluginClient *client, const SpVmSpec *spec, SpPluginDone done,
                                 gpointer data);
void sp_plugin_client_vm_start (SpPluginClient *client, const char *id, SpPluginDone done,
                                gpointer data);
void sp_plugin_client_vm_stop (SpPluginClient *client, const char *id, gboolean force,
                               SpPluginDone done, gpointer data);
void sp_plugin_client_vm_destroy (SpPluginClient *client, const char *id, SpPluginDone done,
                                  gpointer data);

typedef void (*SpPluginInspected) (const SpVmInfo *info, const GError *error, gpointer data);
void sp_plugin_client_vm_inspect (SpPluginClient *client, const char *id, SpPluginInspected done,
                                  gpointer data);

typedef struct {
  const char *id;
  guint32 state; /* SpVmState */
} SpPluginMachine;

typedef void (*SpPluginListed) (const SpPluginMachine *machines, gsize n_machines,
                                const GError *error, gpointer data);
void sp_plugin_client_vm_list (SpPluginClient *client, SpPluginListed done, gpointer data);
