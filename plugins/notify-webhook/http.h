/* http.h - one request to the service, and what its answer means
 *
 * Nothing here repeats a request.  All of it runs in the thread-default context of wh_http_new().
 */
#pragma once

#include <secret-proxy/plugin.h>

#define WH_BODY_MAX 65536u /* bytes of an answer that are read */
#define WH_PAUSE_MAX 300u  /* seconds that a service may ask to be left alone */

typedef struct _WhHttp WhHttp;
typedef struct _WhCall WhCall;

typedef enum {
  WH_OK,        /* 2xx */
  WH_REFUSED,   /* it said no, and will again */
  WH_TRANSIENT, /* out of reach, busy, or in trouble */
  WH_CANCELLED,
} WhOutcome;

/* Valid during the callback only. */
typedef struct {
  WhOutcome outcome;
  guint status; /* 0: no answer came */
  const char
      *what;   /* for people: host, status and first line, with no secret in it; NULL with WH_OK */
  guint pause; /* seconds that it asked to be left alone; 0: it did not */
  const char *signature; /* of that header; NULL: none */
  const char *body;
  gsize length;
  gboolean complete; /* FALSE: there was more than WH_BODY_MAX */
} WhReply;

typedef void (*WhDone) (const WhReply *reply, gpointer data);

typedef struct {
  GUri *uri;
  GBytes *body;          /* JSON; NULL: a GET */
  const char *signature; /* NULL: none */
  const char *delivery;  /* NULL: none */
} WhRequest;

typedef struct {
  GUri *uri;           /* the service; a token goes to no other origin */
  const char *ca_file; /* NULL: the system's */
  GBytes *token;       /* NULL: none */
  guint timeout;       /* milliseconds for a request with its answer */
  GPtrArray *hidden;   /* char *: what must not show in a text */
} WhHttpOptions;

/* Keeps what it needs of @options.  SP_ERROR_CONFIG. */
WhHttp *wh_http_new (const WhHttpOptions *options, GError **error);
/* End all calls with WH_CANCELLED, and wait at most a second for that.  No call after it is sent. */
void wh_http_close (WhHttp *http);
void wh_http_free (WhHttp *http);

/* @done is called exactly once, never before this returns; the call ends with it. */
WhCall *wh_http_send (WhHttp *http, const WhRequest *request, WhDone done, gpointer data);
/* End it with WH_CANCELLED. */
void wh_call_cancel (WhCall *call);

/* "https://host:port", as a URI without path. */
GUri *wh_origin (GUri *uri);
