/* resident-private.h - what resident.c (the keeper's side) and resident-clients.c share */
#pragma once

#include "host/resident/resident.h"

#define SP_MAX_OPEN_CALLS 64u /* of one client */

typedef enum {
  SP_RESIDENT_DOWN,      /* nobody at the other end, or not heard of yet */
  SP_RESIDENT_LOCKED,    /* heard of; not unlocked, or it refused */
  SP_RESIDENT_UNLOCKING, /* waiting for its answer */
  SP_RESIDENT_UNLOCKED,
} SpResidentState;

struct _SpResident {
  SpResidentEvents events;
  SpAnchor *anchor;
  gpointer data;
  GMainContext *context;
  guint timeout_ms;
  char *session; /* ours */
  guint64 n_calls;
  SpRpc *keeper;
  char *keeper_session; /* NULL: not heard of yet */
  SpResidentState state;
  GHashTable *calls;  /* id -> SpResidentCall, what was asked of this session of the keeper */
  GPtrArray *clients; /* SpResidentClient */
  int listener;
  GSource *listening;
};

typedef struct {
  SpResident *resident;
  SpRpc *rpc;
  guint n_calls;
} SpResidentClient;

typedef struct {
  SpResident *resident;
  char *id;                 /* ours */
  SpResidentClient *client; /* NULL: the host's own */
  SpResidentAnswer answer;  /* of the host's own; NULL: the unlock */
  gpointer data;
  char *client_id;
  GSource *timer;
} SpResidentCall;

/* ---- resident.c --------------------------------------------------------------------------------------- */
/* A call that is open; @client NULL: the host's own.  It ends by itself when its time has run out. */
SpResidentCall *
sp_resident_call_new (SpResident *resident, SpResidentClient *client, const char *client_id);
void sp_resident_call_free (gpointer call);
GError *sp_resident_locked_error (SpResident *resident);
void sp_resident_tell_keeper (SpResident *resident, const SpRpcMessage *message);

/* ---- resident-clients.c ------------------------------------------------------------------------------- */
void sp_resident_client_free (gpointer client);
