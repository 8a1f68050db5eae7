/* resident.h - the far end of the admin channel: unlocks the keeper, and speaks for it
 *
 * docs/admin-channel.md is the contract.  The keeper may restart at any time: it comes back with a new
 * session and locked, is unlocked again, and what was asked of the old one has failed with `locked`.
 * Administrators are relayed: the ids of their calls become HOST:NUMBER, with numbers that are never
 * used twice, so an answer that comes too late finds nobody.
 *
 * Everything happens on the thread-default GMainContext; no call blocks.  The program must ignore
 * SIGPIPE, since clients may leave at any time.
 */
#pragma once

#include "base/rpc.h"
#include "host/resident/anchor.h"

typedef struct _SpResident SpResident;

/* A call of an administrator's that is answered later. */
typedef struct _SpResidentAsk SpResidentAsk;

typedef struct {
  /* The request to send; called at each new session of the keeper. */
  SpRpcMessage *(*unlock_message) (const char *id, gpointer data, GError **error);
  /* The keeper is unlocked, or refused; then resident_unlock() may be tried again. */
  void (*unlocked) (gpointer data);
  void (*refused) (const GError *error, gpointer data);
  /* The answers to host.endpoint and host.ownership; NULL with @error set where there is none yet. */
  JsonNode *(*endpoint) (gpointer data, GError **error);
  JsonNode *(*ownership) (gpointer data, GError **error);
  /* To host.machine; unset: there is no such call. */
  JsonNode *(*machine) (gpointer data, GError **error);
  /* A notification "plugin.…" of the keeper's newest session; unset: they are dropped. */
  void (*plugin) (const SpRpcMessage *message, gpointer data);
  /* The keeper that sent them is no more; may come when there was none.  Unset: nobody cares. */
  void (*keeper_gone) (gpointer data);
  /* host.apply: to be answered with sp_resident_answer(), now or later; unset: there is no such call. */
  void (*apply) (JsonObject *params, SpResidentAsk *ask, gpointer data);
} SpResidentEvents;

/* @anchor may be NULL; it must outlive the resident. */
SpResident *sp_resident_new (const SpResidentEvents *events, SpAnchor *anchor, gpointer data);
void sp_resident_free (SpResident *resident);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpResident, sp_resident_free)

/* The keeper is at the other end of @fd (taken).  Replaces an earlier one. */
void sp_resident_attach (SpResident *resident, int fd);
/* The keeper is gone. */
void sp_resident_detach (SpResident *resident);
/* Unlock again after refused(). */
void sp_resident_unlock (SpResident *resident);
/* Exactly one of @result, which is consumed, and @error; the client may be gone.  Frees @ask. */
void sp_resident_answer (SpResidentAsk *ask, JsonNode *result, const GError *error);

/* Exactly one of @result and @error is set. */
typedef void (*SpResidentAnswer) (JsonNode *result, const GError *error, gpointer data);
/* Ask the keeper something of the host's own.  @message, without an id, is consumed.  @answer comes once,
 * perhaps before this returns. */
void sp_resident_ask (SpResident *resident, SpRpcMessage *message, SpResidentAnswer answer,
                      gpointer data);
/* Ask the keeper to end everything in good order (vault.shutdown); nothing where there is none. */
void sp_resident_shut_down (SpResident *resident);
/* Send @notification to the keeper, with our session in it; nothing where there is no keeper. */
void sp_resident_notify (SpResident *resident, SpRpcMessage *notification);
gboolean sp_resident_is_unlocked (const SpResident *resident);

/* Serve administrators who connect to @listener (taken), a socket of sp_admin_listen(). */
void sp_resident_listen (SpResident *resident, int listener);
/* Serve one at the other end of @fd (taken). */
void sp_resident_add_client (SpResident *resident, int fd);
guint sp_resident_n_clients (const SpResident *resident);

/* How long an answer may take; 60 s unless set. */
void sp_resident_set_timeout (SpResident *resident, guint ms);
