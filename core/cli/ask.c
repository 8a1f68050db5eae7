/* ask.c - ask.h
 *
 * What must stay true: a request that we made and no longer wait for is withdrawn, so that nobody
 * approves what nobody takes.
 */
#include "cli/ask.h"

#include <string.h>

#include "base/json.h"
#include "base/problem.h"
#include "base/random.h"
#include "cli/output.h"

#define WAIT_S 50u
#define FIRST_BACKOFF_MS 200u
#define LAST_BACKOFF_MS 5000u
#define ASK_US (60 * G_USEC_PER_SEC)    /* how long to try to ask */
#define REDEEM_US (20 * G_USEC_PER_SEC) /* how long to try to redeem */
#define SLACK_US (10 * G_USEC_PER_SEC)  /* for the vault to say that it has run out */
#define MAX_PAGES 20u

void
sp_ask_free (SpAsk *ask)
{
  if (ask == NULL)
    return;
  g_free (ask->secret);
  g_free (ask->id);
  g_free (ask);
}

void
sp_answer_value_free (SpAnswerValue *value)
{
  if (value == NULL)
    return;
  sp_secret_unref (value->value);
  g_free (value->encoding);
  g_free (value);
}

/* ---- calling until it works --------------------------------------------------------------------------- */

/* Sleep, unless interrupted. */
static gboolean
pause_for (guint ms, GCancellable *cancellable, GError **error)
{
  GPollFD fd;

  if (g_cancellable_make_pollfd (cancellable, &fd)) {
    (void) g_poll (&fd, 1, (int) ms);
    g_cancellable_release_fd (cancellable);
  }
  if (!g_cancellable_is_cancelled (cancellable))
    return TRUE;
  g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_CANCELLED, "interrupted");
  return FALSE;
}

static JsonObject *
call_until (SpAgentClient *client, const SpAgentCall *call, gint64 until_us,
            GCancellable *cancellable, GError **error)
{
  guint backoff_ms = FIRST_BACKOFF_MS;

  for (;;) {
    g_autoptr (GError) local = NULL;
    JsonObject *answer = sp_agent_client_call (client, call, cancellable, &local);

    if (answer != NULL)
      return answer;
    if (!sp_agent_may_retry (local) ||
        g_get_monotonic_time () + backoff_ms * G_TIME_SPAN_MILLISECOND > until_us) {
      g_propagate_error (error, g_steal_pointer (&local));
      return NULL;
    }
    if (!pause_for (backoff_ms, cancellable, error))
      return NULL;
    backoff_ms = MIN (backoff_ms * 2, LAST_BACKOFF_MS);
  }
}

static const char *
text_member (JsonObject *object, const char *name)
{
  const char *text = NULL;

  (void) sp_json_get_string (object, name, &text, NULL);
  return text ? text : "";
}

/* ---- a grant that is there already ------------------------------------------------------------------------ */

static gboolean
is_grant_for (JsonObject *request, const char *secret)
{
  return g_str_equal (text_member (request, "secret"), secret) &&
         g_str_equal (text_member (request, "status"), "approved") &&
         !json_object_has_member (request, "uses_left");
}

static char *
grant_in_page (JsonObject *page, const char *secret)
{
  JsonNode *member = json_object_get_member (page, "items");
  JsonArray *items = member && JSON_NODE_HOLDS_ARRAY (member) ? json_node_get_array (member) : NULL;

  for (guint i = 0; items != NULL && i < json_array_get_length (items); i++) {
    JsonNode *item = json_array_get_element (items, i);

    if (JSON_NODE_HOLDS_OBJECT (item) && is_grant_for (json_node_get_object (item), secret))
      return g_strdup (text_member (json_node_get_object (item), "id"));
  }
  return NULL;
}

static gboolean
find_grant (SpAgentClient *client, const char *secret, char **ret_id, GCancellable *cancellable,
            GError **error)
{
  gint64 until_us = g_get_monotonic_time () + ASK_US;
  g_autofree char *path = g_strdup ("/v1/requests");

  for (guint i = 0; i < MAX_PAGES; i++) {
    const SpAgentCall call = { .method = "GET", .path = path };
    g_autoptr (JsonObject) page = call_until (client, &call, until_us, cancellable, error);
    g_autofree char *next = NULL;

    if (page == NULL)
      return FALSE;
    *ret_id = grant_in_page (page, secret);
    next = g_uri_escape_string (text_member (page, "next"), NULL, FALSE);
    if (*ret_id != NULL || *next == 0)
      return TRUE;
    g_free (path);
    path = g_strconcat ("/v1/requests?cursor=", next, NULL);
  }
  return TRUE;
}

/* ---- asking ---------------------------------------------------------------------------------------------------- */

static JsonNode *
body_of (const SpAskWhat *what)
{
  JsonNode *node = json_node_new (JSON_NODE_OBJECT);
  JsonObject *object = json_object_new ();

  json_node_take_object (node, object);
  json_object_set_string_member (object, "secret", what->secret);
  json_object_set_string_member (object, "reason", what->reason);
  if (what->ttl >= 0)
    json_object_set_int_member (object, "ttl", what->ttl);
  return node;
}

/* How long it waits, by the vault's clock, which may not be ours. */
static gint64
lifetime_us (JsonObject *request)
{
  g_autoptr (GDateTime) from =
      g_date_time_new_from_iso8601 (text_member (request, "created_at"), NULL);
  g_autoptr (GDateTime) to =
      g_date_time_new_from_iso8601 (text_member (request, "expires_at"), NULL);

  return from && to ? CLAMP (g_date_time_difference (to, from), 0, G_TIME_SPAN_DAY)
                    : G_TIME_SPAN_HOUR;
}

static SpAsk *
ask_new (const char *secret, const char *id, gint64 until_us)
{
  SpAsk *ask = g_new0 (SpAsk, 1);

  ask->secret = g_strdup (secret);
  ask->id = g_strdup (id);
  ask->until_us = until_us;
  return ask;
}

/* An id becomes part of a path. */
static gboolean
is_id (const char *id)
{
  gsize length = strlen (id);

  for (gsize i = 0; i < length; i++)
    if (!g_ascii_isalnum (id[i]) && id[i] != '-' && id[i] != '_')
      return FALSE;
  return length > 0 && length <= 128;
}

static SpAsk *
ask_anew (SpAgentClient *client, const SpAskWhat *what, GCancellable *cancellable, GError **error)
{
  gint64 now = g_get_monotonic_time ();
  g_autofree char *key = sp_random_id (18);
  g_autoptr (JsonNode) body = body_of (what);
  const SpAgentCall call = {
    .method = "POST", .path = "/v1/requests", .idempotency_key = key, .body = body
  };
  g_autoptr (JsonObject) request = call_until (client, &call, now + ASK_US, cancellable, error);
  g_autofree char *code = NULL;
  SpAsk *ask;

  if (request == NULL)
    return NULL;
  if (!is_id (text_member (request, "id"))) {
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_INTERNAL,
                         "the vault's answer has no id of a request");
    return NULL;
  }
  ask = ask_new (what->secret, text_member (request, "id"),
                 g_get_monotonic_time () + lifetime_us (request));
  ask->open = TRUE;
  code = sp_escape_text (text_member (request, "code"));
  g_printerr ("asked for %s, code %s; waiting for a person to decide\n", what->secret, code);
  return ask;
}

SpAsk *
sp_ask_start (SpAgentClient *client, const SpAskWhat *what, GCancellable *cancellable,
              GError **error)
{
  g_autofree char *id = NULL;
  SpAsk *ask;

  if (!what->fresh && !find_grant (client, what->secret, &id, cancellable, error))
    return NULL;
  if (id == NULL || !is_id (id))
    return ask_anew (client, what, cancellable, error);
  ask = ask_new (what->secret, id, g_get_monotonic_time ());
  ask->grant = TRUE;
  return ask;
}

/* ---- waiting ---------------------------------------------------------------------------------------------------- */

static gboolean
fail_status (SpAsk *ask, const char *status, GError **error)
{
  static const struct {
    const char *status;
    SpProblemCode code;
    const char *what;
  } rows[] = {
    { "denied", SP_PROBLEM_DENIED, "was denied" },
    { "expired", SP_PROBLEM_EXPIRED, "has expired: nobody decided in time" },
    { "cancelled", SP_PROBLEM_CANCELLED, "was cancelled" },
    { "revoked", SP_PROBLEM_REVOKED, "was revoked" },
    { "used", SP_PROBLEM_USED, "was used already" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    if (g_str_equal (status, rows[i].status)) {
      g_set_error (error, SP_PROBLEM, rows[i].code, "the request for %s %s", ask->secret,
                   rows[i].what);
      return FALSE;
    }
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTERNAL,
               "the request for %s is in a state that this program does not know", ask->secret);
  return FALSE;
}

gboolean
sp_ask_wait (SpAgentClient *client, SpAsk *ask, GCancellable *cancellable, GError **error)
{
  g_autofree char *path = g_strdup_printf ("/v1/requests/%s?wait=%u", ask->id, WAIT_S);
  const SpAgentCall call = { .method = "GET", .path = path, .timeout_s = WAIT_S + 25 };

  while (ask->open) {
    g_autoptr (JsonObject) request =
        call_until (client, &call, ask->until_us + SLACK_US, cancellable, error);
    const char *status;

    if (request == NULL)
      return FALSE;
    status = text_member (request, "status");
    if (g_str_equal (status, "pending")) {
      /* A vault that answers at once must not be asked in a loop without rest. */
      if (!pause_for (50, cancellable, error))
        return FALSE;
      continue;
    }
    ask->open = FALSE;
    if (!g_str_equal (status, "approved"))
      return fail_status (ask, status, error);
  }
  return TRUE;
}

void
sp_ask_cancel (SpAgentClient *client, SpAsk *ask)
{
  g_autofree char *path = g_strconcat ("/v1/requests/", ask->id, NULL);
  const SpAgentCall call = { .method = "DELETE", .path = path, .timeout_s = 5 };
  g_autoptr (JsonObject) request = NULL;

  if (!ask->open)
    return;
  ask->open = FALSE;
  request = sp_agent_client_call (client, &call, NULL, NULL);
}

/* ---- redeeming --------------------------------------------------------------------------------------------------- */

static SpAnswerValue *
value_of (JsonObject *answer, GError **error)
{
  const char *text = NULL, *encoding = "utf-8";
  g_autoptr (SpAnswerValue) value = g_new0 (SpAnswerValue, 1);

  if (!sp_json_get_string (answer, "value", &text, error) ||
      !sp_json_get_string (answer, "encoding", &encoding, error) ||
      !sp_json_get_int (answer, "version", &value->version, error))
    return NULL;
  if (text != NULL && g_str_equal (encoding, "base64"))
    value->value = sp_secret_from_base64 (text, strlen (text));
  else if (text != NULL && g_str_equal (encoding, "utf-8"))
    value->value = sp_secret_new_from (text, strlen (text));
  if (value->value == NULL) {
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_INTERNAL,
                         "the vault's answer has no value that can be read");
    return NULL;
  }
  value->encoding = g_strdup (encoding);
  return g_steal_pointer (&value);
}

SpAnswerValue *
sp_ask_redeem (SpAgentClient *client, SpAsk *ask, GCancellable *cancellable, GError **error)
{
  g_autofree char *path = g_strdup_printf ("/v1/requests/%s/redeem", ask->id);
  const SpAgentCall call = { .method = "POST", .path = path };
  g_autoptr (JsonObject) answer =
      call_until (client, &call, g_get_monotonic_time () + REDEEM_US, cancellable, error);

  return answer ? value_of (answer, error) : NULL;
}
