/* request.h - one ask for one secret: what it is, what it may become, how it looks outside
 *
 * The life of a request is the table in request.c; a change that is not in it does not happen.
 *
 *      pending -> approved | denied | expired | cancelled;  approved -> used | expired | revoked
 */
#pragma once

#include <json-glib/json-glib.h>

#include "base/clock.h"

typedef enum {
  SP_REQUEST_PENDING,
  SP_REQUEST_APPROVED,
  SP_REQUEST_DENIED,
  SP_REQUEST_EXPIRED,
  SP_REQUEST_CANCELLED,
  SP_REQUEST_USED,
  SP_REQUEST_REVOKED,
  SP_N_REQUEST_STATUSES
} SpRequestStatus;

#define SP_REQUEST_TYPE "a{sv}"
#define SP_REDEEM_SECONDS 300

typedef struct {
  gint64 wall_us;
  gint64 boot_ms;
  char *boot_id; /* which boot boot_ms counts from */
} SpDeadline;

typedef struct {
  grefcount refs;
  /* Never changes. */
  char *id;
  guint64 number;         /* order of creation */
  char *agent_id, *agent; /* id and name */
  char *secret;
  char *reason;
  char *code;
  char *decoys[2]; /* for secrets with confirm = code; else NULL */
  gint64 created_us;
  char *idempotency_key; /* NULL: none */
  char *digest;          /* of what was asked, to compare with a repetition */
  /* Changes with the state. */
  SpRequestStatus status;
  SpDeadline deadline; /* end of the wait, or of the time to redeem */
  gint64 decided_us;   /* 0: not yet */
  char *decided_by;
  char *decided_via; /* the notifier that it was decided through; NULL: none, an administrator */
  gint64 ended_us; /* a person has cancelled or revoked it: when, who, and through which notifier */
  char *ended_by, *ended_via;
  guint grant_s;              /* approved for this long, any number of uses; 0: once */
  GPtrArray *votes;           /* names of approvers who have approved so far */
  guint vote_s;               /* the shortest time that they gave; 0: once */
  GPtrArray *unsettled;       /* notifiers that may still show it as open */
  GPtrArray *grant_unsettled; /* notifiers that may still show its grant as open */

  /* Not stored. */
  gboolean fresh;     /* not durable yet: it shows nowhere */
  gboolean busy;      /* a change of it is on its way to the store */
  GPtrArray *parked;  /* operations that wait for that: SpParked */
  GPtrArray *watched; /* long polls: SpParked */
  GHashTable *posted; /* notifiers that have it */
  GHashTable *grant_posted;
  guint failures; /* of notifiers, to show it or its end */
} SpRequest;

typedef struct {
  void (*func) (gpointer data);
  gpointer data;
} SpParked;

SpRequest *sp_request_new (void);
SpRequest *sp_request_ref (SpRequest *request);
void sp_request_unref (SpRequest *request);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpRequest, sp_request_unref)

/* A copy of all that is stored, to be changed and committed, and then put back. */
SpRequest *sp_request_copy (const SpRequest *request);
void sp_request_assign (SpRequest *request, const SpRequest *from);

/* TRUE and changed, or FALSE where the table does not know this step. */
gboolean sp_request_move (SpRequest *request, SpRequestStatus to);
gboolean sp_request_is_open (const SpRequest *request); /* pending or approved */
/* Open, or a notifier may still show it so. */
gboolean sp_request_is_live (const SpRequest *request);
const char *sp_request_status_name (SpRequestStatus status);
gboolean sp_request_status_from_name (const char *name, SpRequestStatus *ret_status);

/* The problem that a redeem meets in a state other than approved. */
GError *sp_request_problem (const SpRequest *request);

void sp_deadline_set (SpDeadline *deadline, const SpClock *clock, guint seconds);
/* Milliseconds until either clock says that it is over; 0: it is. */
gint64 sp_deadline_left_ms (const SpDeadline *deadline, const SpClock *clock);
/* After a restart: count the rest from this boot, where it was another. */
void sp_deadline_rebase (SpDeadline *deadline, const SpClock *clock);

GVariant *sp_request_to_variant (const SpRequest *request);
SpRequest *sp_request_from_variant (GVariant *value, GError **error);

/* As the API shows it.  @with_agent: for administrators. */
JsonNode *sp_request_to_json (const SpRequest *request, gboolean with_agent);
