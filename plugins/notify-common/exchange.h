/* exchange.h - one bounded HTTP exchange of a notifier: a request, and an answer as far as it is wanted
 *
 * What a status means, what is repeated and what is said of it is its caller's.  All of it runs in the
 * context that nc_session_new() was given.
 *
 * What must stay true: no redirect is followed, nothing is unpacked, no password asked for, no proxy used; an
 * answer is read up to the caller's bound; a service can't keep the main loop from its timers; each exchange
 * ends exactly once.
 */
#pragma once

#include <libsoup/soup.h>

typedef struct _NcSession NcSession;
typedef struct _NcExchange NcExchange;

/* Valid during the callback only. */
typedef struct {
  const GError *error; /* NULL: an answer came, see the message */
  gboolean cancelled;  /* the caller has ended it: that is the error */
  const char
      *what; /* of the error, for people; not searched for secrets: a service may echo them */
  gboolean written; /* the request was on its way: it may have taken effect */
  SoupMessage *message;
  const char *body; /* "" where there is none; NUL-terminated */
  gsize length;
  gboolean complete; /* FALSE: there was more than the bound */
} NcEnd;

typedef void (*NcDone) (const NcEnd *end, gpointer data);

typedef struct {
  SoupMessage *message; /* taken */
  guint timeout;        /* milliseconds until the end of the answer */
  gsize most;           /* bytes of the answer that are read */
  NcDone done;          /* called exactly once, never before nc_exchange() returns */
  gpointer data;
} NcRequest;

/* @ca_file: NULL, the system's; of it SP_ERROR_CONFIG. */
NcSession *
nc_session_new (GMainContext *context, guint connections, const char *ca_file, GError **error);
/* End all exchanges, and wait at most a second for that.  None after it is sent. */
void nc_session_close (NcSession *session);
/* After nc_session_close().  FALSE: an exchange outlived its second, and still needs all that belongs to its
 * caller; that is better left. */
gboolean nc_session_free (NcSession *session);

/* It is the session's, and ends with its callback. */
NcExchange *nc_exchange (NcSession *session, const NcRequest *request);
/* Its callback comes later, with `cancelled`. */
void nc_exchange_cancel (NcExchange *exchange);
