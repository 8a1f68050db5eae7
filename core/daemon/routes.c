/* routes.c - the table, and the way of every request through it
 *
 * A row says what a request must look like, which call of the keeper it is, and how the two translate.
 * From the rows follow 404 (no row has the path), 405 (none has the method too), 426 and 401; they are
 * given before the body is read.
 *
 * What must stay true: nothing but /health and /v1/ownership is served without TLS unless the keeper
 * allowed it; every call that was parked is counted until the keeper has answered it, whether or not
 * its client is still there.
 */
#include "daemon/routes.h"

#include <string.h>

#include "base/problem.h"
#include "daemon/gate-protocol.h"
#include "daemon/routes-input.h"
#include "daemon/routes-redeem.h"

typedef enum {
  ROUTE_OPEN = 1 << 0,    /* no token, and no TLS */
  ROUTE_ALWAYS = 1 << 1,  /* also before the keeper has said how to serve */
  ROUTE_LIMITED = 1 << 2, /* takes from SP_GATE_LIMIT_OWNERSHIP */
  ROUTE_JSON = 1 << 3,    /* has a body */
  ROUTE_EMPTY = 1 << 4,   /* may have a body that says nothing */
} RouteFlags;

typedef struct {
  SpHttpMethod method;
  const char *path; /* "{id}" stands for an id */
  RouteFlags flags;
  const char *query[3]; /* the names that may be there */
  SpGateCall call;
  GVariant *(*build) (const SpRouteInput *input);
  void (*answer) (SpHttpConn *conn, GVariant *reply, GBytes *blob);
} Route;

/* ---- to the keeper ------------------------------------------------------------------------------ */

/* The token as a value whose memory is wiped. */
static GVariant *
token_value (const SpRouteInput *input)
{
  g_autoptr (GBytes) bytes = sp_link_wiped_bytes (input->token, strlen (input->token) + 1);

  return g_variant_new_from_bytes (G_VARIANT_TYPE_STRING, bytes, TRUE);
}

static GVariant *
build_nothing (const SpRouteInput *input)
{
  return g_variant_new ("()");
}

static GVariant *
build_ownership (const SpRouteInput *input)
{
  return g_variant_new ("(s)", input->nonce);
}

static GVariant *
build_secrets (const SpRouteInput *input)
{
  return g_variant_new ("(@ss)", token_value (input), input->cursor);
}

static GVariant *
build_list (const SpRouteInput *input)
{
  return g_variant_new ("(@ssu)", token_value (input), input->cursor, input->limit);
}

static GVariant *
build_create (const SpRouteInput *input)
{
  return g_variant_new ("(@ssssx)", token_value (input), input->idempotency_key, input->secret,
                        input->reason, input->ttl);
}

static GVariant *
build_get (const SpRouteInput *input)
{
  return g_variant_new ("(@ssu)", token_value (input), input->id, input->wait * 1000);
}

static GVariant *
build_id (const SpRouteInput *input)
{
  return g_variant_new ("(@ss)", token_value (input), input->id);
}

/* ---- and back ----------------------------------------------------------------------------------- */

static void
fail_internal (SpHttpConn *conn, const char *why)
{
  g_autoptr (GError) error = g_error_new_literal (SP_PROBLEM, SP_PROBLEM_INTERNAL, why);

  sp_http_conn_fail (conn, error, NULL);
}

static void
answer_body (SpHttpConn *conn, GVariant *reply, GBytes *blob)
{
  SpHttpResponse response = { .status = 200 };

  g_variant_get (reply, "(&s)", &response.body);
  response.length = strlen (response.body);
  sp_http_conn_respond (conn, &response);
}

static void
answer_health (SpHttpConn *conn, GVariant *reply, GBytes *blob)
{
  SpHttpResponse response = { 0 };

  g_variant_get (reply, "(u&s)", &response.status, &response.body);
  response.length = strlen (response.body);
  sp_http_conn_respond (conn, &response);
}

static void
answer_created (SpHttpConn *conn, GVariant *reply, GBytes *blob)
{
  SpHttpResponse response = { .status = 201 };
  const char *id;
  char checked[SP_ROUTES_MAX_ID + 1];
  g_autofree char *location = NULL;

  g_variant_get (reply, "(&s&s)", &id, &response.body);
  if (!sp_route_read_id ((SpHttpSlice){ id, strlen (id) }, checked)) {
    fail_internal (conn, "the keeper made an id that is none");
    return;
  }
  location = g_strconcat ("/v1/requests/", checked, NULL);
  response.location = location;
  response.length = strlen (response.body);
  sp_http_conn_respond (conn, &response);
}

static void
answer_redeem (SpHttpConn *conn, GVariant *reply, GBytes *blob)
{
  g_autoptr (SpSecret) body = NULL;
  const char *secret;
  guint32 version;

  g_variant_get (reply, "(&su)", &secret, &version);
  if (blob == NULL) {
    fail_internal (conn, "the keeper sent no value");
    return;
  }
  body = sp_route_redeem_body (secret, version, g_bytes_get_data (blob, NULL),
                               g_bytes_get_size (blob));
  sp_http_conn_respond (conn, &(SpHttpResponse){ .status = 200, .secret = body });
}

/* Before the keeper has said how to serve it should refuse everything, and knows why. */
static void
answer_not_ready (SpHttpConn *conn, GVariant *reply, GBytes *blob)
{
  g_autoptr (GError) error =
      g_error_new_literal (SP_PROBLEM, SP_PROBLEM_LOCKED, "the vault is starting");

  sp_http_conn_fail (conn, error, NULL);
}

/* ---- the table ---------------------------------------------------------------------------------- */

static const Route routes[] = {
  { SP_HTTP_GET,
    "/health",
    ROUTE_OPEN | ROUTE_ALWAYS,
    { NULL },
    SP_GATE_HEALTH,
    build_nothing,
    answer_health },
  { SP_HTTP_GET,
    "/v1/ownership",
    ROUTE_OPEN | ROUTE_LIMITED,
    { "nonce" },
    SP_GATE_OWNERSHIP,
    build_ownership,
    answer_body },
  { SP_HTTP_GET, "/v1/secrets", 0, { "cursor" }, SP_GATE_SECRETS, build_secrets, answer_body },
  { SP_HTTP_GET, "/v1/requests", 0, { "cursor", "limit" }, SP_GATE_LIST, build_list, answer_body },
  { SP_HTTP_POST,
    "/v1/requests",
    ROUTE_JSON,
    { NULL },
    SP_GATE_CREATE,
    build_create,
    answer_created },
  { SP_HTTP_GET, "/v1/requests/{id}", 0, { "wait" }, SP_GATE_GET, build_get, answer_body },
  { SP_HTTP_DELETE, "/v1/requests/{id}", 0, { NULL }, SP_GATE_CANCEL, build_id, answer_body },
  { SP_HTTP_POST,
    "/v1/requests/{id}/redeem",
    ROUTE_EMPTY,
    { NULL },
    SP_GATE_REDEEM,
    build_id,
    answer_redeem },
};

/* Takes the place of every row but ROUTE_ALWAYS until then.  It has no token on purpose: nothing but
 * the keeper's refusal is wanted. */
static const Route not_ready = {
  .flags = ROUTE_OPEN, .call = SP_GATE_SECRETS, .build = build_secrets, .answer = answer_not_ready
};

static gboolean
match_path (const Route *route, SpHttpSlice path, char id[SP_ROUTES_MAX_ID + 1])
{
  const char *mark = strstr (route->path, "{id}");
  gsize before = mark ? (gsize) (mark - route->path) : 0;
  gsize after = mark ? strlen (mark + 4) : 0;

  if (mark == NULL)
    return sp_http_slice_is (path, route->path);
  if (path.length <= before + after || memcmp (path.text, route->path, before) != 0 ||
      memcmp (path.text + path.length - after, mark + 4, after) != 0)
    return FALSE;
  return sp_route_read_id ((SpHttpSlice){ path.text + before, path.length - before - after }, id);
}

static const char *
method_name (SpHttpMethod method)
{
  static const char *const names[] = {
    [SP_HTTP_GET] = "GET", [SP_HTTP_POST] = "POST", [SP_HTTP_DELETE] = "DELETE"
  };
  return names[method];
}

/* The row for @head; NULL: @ret_allow has the methods that the path has, or nothing. */
static const Route *
find_route (const SpHttpHead *head, GString *ret_allow)
{
  char id[SP_ROUTES_MAX_ID + 1];

  for (guint i = 0; i < G_N_ELEMENTS (routes); i++) {
    if (!match_path (&routes[i], head->path, id))
      continue;
    if (routes[i].method == head->method)
      return &routes[i];
    g_string_append_printf (ret_allow, "%s%s", ret_allow->len > 0 ? ", " : "",
                            method_name (routes[i].method));
  }
  return NULL;
}

/* ---- refusing ----------------------------------------------------------------------------------- */

/* Who has no token gets a few answers that say so, and then waits. */
static void
fail (SpRoutes *self, SpHttpConn *conn, const GError *error)
{
  g_autoptr (GError) limited = NULL;
  guint retry_after = 0;

  if (sp_problem_code (error) == SP_PROBLEM_UNAUTHORIZED &&
      !sp_gate_limits_take (self->limits, sp_http_conn_peer (conn), SP_GATE_LIMIT_UNAUTHORIZED,
                            g_get_monotonic_time (), &retry_after))
    sp_problem_set_rate_limited (&limited, retry_after, "too many requests without a valid token");
  sp_http_conn_fail (conn, limited ? limited : error, NULL);
}

static gboolean
fail_no_route (SpHttpConn *conn, GString *allow)
{
  g_autoptr (GError) error = NULL;

  if (allow->len > 0)
    error = g_error_new_literal (SP_PROBLEM, SP_PROBLEM_METHOD_NOT_ALLOWED,
                                 "this path has other methods");
  else
    error = g_error_new_literal (SP_PROBLEM, SP_PROBLEM_NOT_FOUND, "there is no such path");
  sp_http_conn_fail (conn, error, allow->len > 0 ? allow->str : NULL);
  return FALSE;
}

static gboolean
check_body (const Route *route, const SpHttpHead *head, GError **error)
{
  if ((route->flags & ROUTE_JSON) != 0 ||
      ((route->flags & ROUTE_EMPTY) != 0 && head->content_type.text != NULL))
    return sp_route_check_type (head->content_type, error);
  if (head->content_length == 0 || (route->flags & ROUTE_EMPTY) != 0)
    return TRUE;
  sp_problem_set_invalid (error, "body", "this call has no body");
  return FALSE;
}

static gboolean
check_head (SpRoutes *self, const Route *route, const SpHttpRequest *request, GError **error)
{
  g_auto (SpRouteInput) input = { 0 };

  if (route == &not_ready)
    return TRUE;
  if (!request->tls && !self->plain && (route->flags & ROUTE_OPEN) == 0) {
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_TLS_REQUIRED,
                         "this vault answers over TLS only; use https");
    return FALSE;
  }
  if ((route->flags & ROUTE_OPEN) == 0 &&
      !sp_route_read_token (request->head.authorization, &input, error))
    return FALSE;
  return check_body (route, &request->head, error);
}

static gboolean
on_head (SpHttpConn *conn, SpHttpRequest *request, gpointer data)
{
  SpRoutes *self = data;
  g_autoptr (GString) allow = g_string_new (NULL);
  g_autoptr (GError) error = NULL;
  const Route *route = find_route (&request->head, allow);

  if (!self->ready && (route == NULL || (route->flags & ROUTE_ALWAYS) == 0))
    route = &not_ready;
  if (route == NULL)
    return fail_no_route (conn, allow);
  request->route = route;
  if (check_head (self, route, request, &error))
    return TRUE;
  fail (self, conn, error);
  return FALSE;
}

/* ---- serving ------------------------------------------------------------------------------------ */

/* From the call to the keeper's answer. */
typedef struct {
  SpRoutes *routes;
  SpHttpConn *conn;
  const Route *route;
  gboolean parked;
} Exchange;

/* A keeper that complains about the token that not_ready does not have would serve already. */
static gboolean
is_refusal (const Route *route, const GError *error)
{
  return error != NULL &&
         (route != &not_ready || sp_problem_code (error) != SP_PROBLEM_UNAUTHORIZED);
}

static void
on_answer (GVariant *reply, GBytes *blob, const GError *error, gpointer data)
{
  g_autofree Exchange *exchange = data;
  g_autoptr (SpHttpConn) conn = exchange->conn;

  if (exchange->parked)
    exchange->routes->parked--;
  if (is_refusal (exchange->route, error))
    fail (exchange->routes, conn, error);
  else
    exchange->route->answer (conn, reply, blob);
}

static gboolean
read_input (const Route *route, const SpHttpRequest *request, SpRouteInput *input, GError **error)
{
  const SpHttpHead *head = &request->head;

  if (route == &not_ready)
    return TRUE;
  if (!sp_route_read_query (head->query, route->query, input, error))
    return FALSE;
  if (route->call == SP_GATE_OWNERSHIP && *input->nonce == '\0') {
    sp_problem_set_invalid (error, "nonce", "must be given");
    return FALSE;
  }
  if ((route->flags & ROUTE_OPEN) != 0)
    return TRUE;
  (void) match_path (route, head->path, input->id);
  return sp_route_read_token (head->authorization, input, error) &&
         sp_route_read_idempotency_key (head->idempotency_key, input, error) &&
         ((route->flags & ROUTE_JSON) == 0 ||
          sp_route_read_request (request->body, input, error)) &&
         ((route->flags & ROUTE_EMPTY) == 0 || sp_route_read_empty (request->body, error));
}

static gboolean
check_limits (SpRoutes *self, const Route *route, SpHttpConn *conn, const SpRouteInput *input,
              GError **error)
{
  guint retry_after = 1;

  if ((route->flags & ROUTE_LIMITED) != 0 &&
      !sp_gate_limits_take (self->limits, sp_http_conn_peer (conn), SP_GATE_LIMIT_OWNERSHIP,
                            g_get_monotonic_time (), &retry_after)) {
    sp_problem_set_rate_limited (error, retry_after, "too many requests from this address");
    return FALSE;
  }
  if (input->wait > 0 && self->parked >= SP_ROUTES_MAX_PARKED) {
    sp_problem_set_rate_limited (error, retry_after, "too many requests wait already");
    return FALSE;
  }
  return TRUE;
}

static void
on_serve (SpHttpConn *conn, const SpHttpRequest *request, gpointer data)
{
  SpRoutes *self = data;
  const Route *route = request->route;
  g_auto (SpRouteInput) input = { .ttl = -1 };
  g_autoptr (GError) error = NULL;
  Exchange *exchange;

  if (!read_input (route, request, &input, &error) ||
      !check_limits (self, route, conn, &input, &error)) {
    fail (self, conn, error);
    return;
  }
  exchange = g_new (Exchange, 1);
  *exchange = (Exchange){ self, sp_http_conn_ref (conn), route, input.wait > 0 };
  if (exchange->parked) {
    self->parked++;
    sp_http_conn_watch_client (conn);
  }
  sp_link_call (self->link, route->call, route->build (&input), NULL,
                input.wait * 1000 + self->answer_ms, on_answer, exchange);
}

const SpHttpHandler sp_routes_handler = { .head = on_head, .serve = on_serve };
