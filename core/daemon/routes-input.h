/* routes-input.h - what a request says, checked
 *
 * Everything that an agent can say is read and bounded here, before the keeper hears of it.  Errors are
 * SP_PROBLEM_INVALID with the field, SP_PROBLEM_UNAUTHORIZED for the token.  Pure.
 */
#pragma once

#include <json-glib/json-glib.h>

#include "daemon/http-head.h"

#define SP_ROUTES_MAX_TOKEN 256u
#define SP_ROUTES_MAX_ID 64u

/* Strings are NUL-terminated and fit; empty: not given. */
typedef struct {
  char token[SP_ROUTES_MAX_TOKEN + 1]; /* wiped by sp_route_input_clear() */
  char id[SP_ROUTES_MAX_ID + 1];
  char idempotency_key[128 + 1];
  char cursor[172 + 1]; /* a name of 128 bytes as base64url fits */
  char nonce[128 + 1];
  guint limit;        /* 0: not given */
  guint wait;         /* seconds */
  JsonObject *body;   /* owns the next two */
  const char *secret; /* UTF-8 */
  const char *reason;
  gint64 ttl; /* seconds; -1: not given */
} SpRouteInput;

void sp_route_input_clear (SpRouteInput *input);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (SpRouteInput, sp_route_input_clear)

/* TRUE and @ret_id where @id has the form that ids have. */
gboolean sp_route_read_id (SpHttpSlice id, char ret_id[SP_ROUTES_MAX_ID + 1]);
/* "Bearer TOKEN" (RFC 6750 section 2.1). */
gboolean sp_route_read_token (SpHttpSlice authorization, SpRouteInput *input, GError **error);
gboolean sp_route_read_idempotency_key (SpHttpSlice key, SpRouteInput *input, GError **error);
/* @allowed: the names that may be there, NULL-terminated. */
gboolean sp_route_read_query (SpHttpSlice query, const char *const *allowed, SpRouteInput *input,
                              GError **error);
/* application/json, in UTF-8 if it names a charset. */
gboolean sp_route_check_type (SpHttpSlice content_type, GError **error);
/* The body of POST /v1/requests. */
gboolean sp_route_read_request (SpHttpSlice body, SpRouteInput *input, GError **error);
/* A body that has nothing to say: nothing at all, or {}. */
gboolean sp_route_read_empty (SpHttpSlice body, GError **error);
