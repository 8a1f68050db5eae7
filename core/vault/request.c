/* request.c - request.h */
#include "vault/request.h"

#include "base/problem.h"

static const struct {
  const char *name;
  SpProblemCode problem;
  const char *sentence;
} statuses[SP_N_REQUEST_STATUSES] = {
  [SP_REQUEST_PENDING] = { "pending", SP_PROBLEM_PENDING, "nobody has decided yet" },
  [SP_REQUEST_APPROVED] = { "approved", SP_PROBLEM_CONFLICT, "it is approved" },
  [SP_REQUEST_DENIED] = { "denied", SP_PROBLEM_DENIED, "it was denied" },
  [SP_REQUEST_EXPIRED] = { "expired", SP_PROBLEM_EXPIRED, "its time is over; ask again" },
  [SP_REQUEST_CANCELLED] = { "cancelled", SP_PROBLEM_CANCELLED, "it was cancelled" },
  [SP_REQUEST_USED] = { "used", SP_PROBLEM_USED, "the value was handed out already; ask again" },
  [SP_REQUEST_REVOKED] = { "revoked", SP_PROBLEM_REVOKED, "the approval was revoked" },
};

static const struct {
  SpRequestStatus from, to;
} transitions[] = {
  { SP_REQUEST_PENDING, SP_REQUEST_APPROVED }, { SP_REQUEST_PENDING, SP_REQUEST_DENIED },
  { SP_REQUEST_PENDING, SP_REQUEST_EXPIRED },  { SP_REQUEST_PENDING, SP_REQUEST_CANCELLED },
  { SP_REQUEST_APPROVED, SP_REQUEST_USED },    { SP_REQUEST_APPROVED, SP_REQUEST_EXPIRED },
  { SP_REQUEST_APPROVED, SP_REQUEST_REVOKED },
};

/* ---- life ------------------------------------------------------------------------------------------------- */

SpRequest *
sp_request_new (void)
{
  SpRequest *request = g_new0 (SpRequest, 1);

  g_ref_count_init (&request->refs);
  request->votes = g_ptr_array_new_with_free_func (g_free);
  request->unsettled = g_ptr_array_new_with_free_func (g_free);
  request->grant_unsettled = g_ptr_array_new_with_free_func (g_free);
  request->parked = g_ptr_array_new_with_free_func (g_free);
  request->watched = g_ptr_array_new_with_free_func (g_free);
  request->posted = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  request->grant_posted = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  return request;
}

SpRequest *
sp_request_ref (SpRequest *request)
{
  g_ref_count_inc (&request->refs);
  return request;
}

void
sp_request_unref (SpRequest *request)
{
  if (request == NULL || !g_ref_count_dec (&request->refs))
    return;
  g_free (request->id);
  g_free (request->agent_id);
  g_free (request->agent);
  g_free (request->secret);
  g_free (request->reason);
  g_free (request->code);
  g_free (request->decoys[0]);
  g_free (request->decoys[1]);
  g_free (request->idempotency_key);
  g_free (request->digest);
  g_free (request->deadline.boot_id);
  g_free (request->decided_by);
  g_free (request->decided_via);
  g_free (request->ended_by);
  g_free (request->ended_via);
  g_ptr_array_unref (request->votes);
  g_ptr_array_unref (request->unsettled);
  g_ptr_array_unref (request->grant_unsettled);
  g_ptr_array_unref (request->parked);
  g_ptr_array_unref (request->watched);
  g_hash_table_unref (request->posted);
  g_hash_table_unref (request->grant_posted);
  g_free (request);
}

static void
copy_strings (GPtrArray *to, const GPtrArray *from)
{
  g_ptr_array_set_size (to, 0);
  for (guint i = 0; i < from->len; i++)
    g_ptr_array_add (to, g_strdup (g_ptr_array_index (from, i)));
}

static void
replace_string (char **to, const char *from)
{
  char *copy = g_strdup (from);

  g_free (*to);
  *to = copy;
}

void
sp_request_assign (SpRequest *request, const SpRequest *from)
{
  request->status = from->status;
  request->deadline.wall_us = from->deadline.wall_us;
  request->deadline.boot_ms = from->deadline.boot_ms;
  replace_string (&request->deadline.boot_id, from->deadline.boot_id);
  request->decided_us = from->decided_us;
  replace_string (&request->decided_by, from->decided_by);
  replace_string (&request->decided_via, from->decided_via);
  request->ended_us = from->ended_us;
  replace_string (&request->ended_by, from->ended_by);
  replace_string (&request->ended_via, from->ended_via);
  request->grant_s = from->grant_s;
  request->vote_s = from->vote_s;
  copy_strings (request->votes, from->votes);
  copy_strings (request->unsettled, from->unsettled);
  copy_strings (request->grant_unsettled, from->grant_unsettled);
}

SpRequest *
sp_request_copy (const SpRequest *request)
{
  SpRequest *copy = sp_request_new ();

  copy->id = g_strdup (request->id);
  copy->number = request->number;
  copy->agent_id = g_strdup (request->agent_id);
  copy->agent = g_strdup (request->agent);
  copy->secret = g_strdup (request->secret);
  copy->reason = g_strdup (request->reason);
  copy->code = g_strdup (request->code);
  copy->decoys[0] = g_strdup (request->decoys[0]);
  copy->decoys[1] = g_strdup (request->decoys[1]);
  copy->created_us = request->created_us;
  copy->idempotency_key = g_strdup (request->idempotency_key);
  copy->digest = g_strdup (request->digest);
  sp_request_assign (copy, request);
  return copy;
}

/* ---- state ------------------------------------------------------------------------------------------------ */

gboolean
sp_request_move (SpRequest *request, SpRequestStatus to)
{
  for (gsize i = 0; i < G_N_ELEMENTS (transitions); i++)
    if (transitions[i].from == request->status && transitions[i].to == to) {
      request->status = to;
      return TRUE;
    }
  return FALSE;
}

gboolean
sp_request_is_open (const SpRequest *request)
{
  return request->status == SP_REQUEST_PENDING || request->status == SP_REQUEST_APPROVED;
}

gboolean
sp_request_is_live (const SpRequest *request)
{
  return sp_request_is_open (request) || request->unsettled->len > 0 ||
         request->grant_unsettled->len > 0;
}

const char *
sp_request_status_name (SpRequestStatus status)
{
  return statuses[status].name;
}

gboolean
sp_request_status_from_name (const char *name, SpRequestStatus *ret_status)
{
  for (guint i = 0; i < SP_N_REQUEST_STATUSES; i++)
    if (g_strcmp0 (name, statuses[i].name) == 0) {
      *ret_status = i;
      return TRUE;
    }
  return FALSE;
}

GError *
sp_request_problem (const SpRequest *request)
{
  return g_error_new (SP_PROBLEM, (gint) statuses[request->status].problem, "request %s: %s",
                      request->id, statuses[request->status].sentence);
}

/* ---- deadlines -------------------------------------------------------------------------------------------- */

void
sp_deadline_set (SpDeadline *deadline, const SpClock *clock, guint seconds)
{
  /* Whole seconds outside: what is shown must not be later than what is held. */
  gint64 wall = sp_clock_wall_us (clock) / G_USEC_PER_SEC + (gint64) seconds;

  deadline->wall_us = wall * G_USEC_PER_SEC;
  deadline->boot_ms = sp_clock_boot_ms (clock) + (gint64) seconds * 1000;
  replace_string (&deadline->boot_id, clock->boot_id (clock->data));
}

gint64
sp_deadline_left_ms (const SpDeadline *deadline, const SpClock *clock)
{
  gint64 by_wall = (deadline->wall_us - sp_clock_wall_us (clock) + 999) / 1000;
  gint64 by_boot = deadline->boot_ms - sp_clock_boot_ms (clock);

  return MAX (0, MIN (by_wall, by_boot));
}

void
sp_deadline_rebase (SpDeadline *deadline, const SpClock *clock)
{
  if (g_strcmp0 (deadline->boot_id, clock->boot_id (clock->data)) == 0)
    return;
  deadline->boot_ms =
      sp_clock_boot_ms (clock) + (deadline->wall_us - sp_clock_wall_us (clock)) / 1000;
  replace_string (&deadline->boot_id, clock->boot_id (clock->data));
}

/* ---- stored form -------------------------------------------------------------------------------------------- */

static void
add_text (GVariantBuilder *builder, const char *name, const char *value)
{
  if (value != NULL)
    g_variant_builder_add (builder, "{sv}", name, g_variant_new_string (value));
}

static void
add_number (GVariantBuilder *builder, const char *name, gint64 value)
{
  if (value != 0)
    g_variant_builder_add (builder, "{sv}", name, g_variant_new_int64 (value));
}

static void
add_texts (GVariantBuilder *builder, const char *name, const GPtrArray *values)
{
  if (values->len > 0)
    g_variant_builder_add (builder, "{sv}", name,
                           g_variant_new_strv ((const char *const *) values->pdata, values->len));
}

GVariant *
sp_request_to_variant (const SpRequest *request)
{
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE (SP_REQUEST_TYPE));
  add_text (&builder, "id", request->id);
  add_number (&builder, "number", (gint64) request->number);
  add_text (&builder, "agent-id", request->agent_id);
  add_text (&builder, "agent", request->agent);
  add_text (&builder, "secret", request->secret);
  add_text (&builder, "reason", request->reason);
  add_text (&builder, "code", request->code);
  add_text (&builder, "decoy-1", request->decoys[0]);
  add_text (&builder, "decoy-2", request->decoys[1]);
  add_number (&builder, "created", request->created_us);
  add_text (&builder, "idempotency-key", request->idempotency_key);
  add_text (&builder, "digest", request->digest);
  add_text (&builder, "status", statuses[request->status].name);
  add_number (&builder, "deadline-wall", request->deadline.wall_us);
  add_number (&builder, "deadline-boot", request->deadline.boot_ms);
  add_text (&builder, "boot-id", request->deadline.boot_id);
  add_number (&builder, "decided", request->decided_us);
  add_text (&builder, "decided-by", request->decided_by);
  add_text (&builder, "decided-via", request->decided_via);
  add_number (&builder, "ended", request->ended_us);
  add_text (&builder, "ended-by", request->ended_by);
  add_text (&builder, "ended-via", request->ended_via);
  add_number (&builder, "grant", request->grant_s);
  add_number (&builder, "vote", request->vote_s);
  add_texts (&builder, "votes", request->votes);
  add_texts (&builder, "unsettled", request->unsettled);
  add_texts (&builder, "grant-unsettled", request->grant_unsettled);
  return g_variant_builder_end (&builder);
}

static gint64
take_number (GVariant *value, const char *name)
{
  gint64 number = 0;

  (void) g_variant_lookup (value, name, "x", &number);
  return number;
}

static void
take_texts (GVariant *value, const char *name, GPtrArray *to)
{
  g_auto (GStrv) texts = NULL;

  if (g_variant_lookup (value, name, "^as", &texts))
    for (char **text = texts; *text != NULL; text++)
      g_ptr_array_add (to, g_strdup (*text));
}

SpRequest *
sp_request_from_variant (GVariant *value, GError **error)
{
  g_autoptr (SpRequest) request = sp_request_new ();
  const char *status = NULL;

  (void) g_variant_lookup (value, "decoy-1", "s", &request->decoys[0]);
  (void) g_variant_lookup (value, "decoy-2", "s", &request->decoys[1]);
  (void) g_variant_lookup (value, "idempotency-key", "s", &request->idempotency_key);
  (void) g_variant_lookup (value, "digest", "s", &request->digest);
  (void) g_variant_lookup (value, "boot-id", "s", &request->deadline.boot_id);
  (void) g_variant_lookup (value, "decided-by", "s", &request->decided_by);
  (void) g_variant_lookup (value, "decided-via", "s", &request->decided_via);
  (void) g_variant_lookup (value, "ended-by", "s", &request->ended_by);
  (void) g_variant_lookup (value, "ended-via", "s", &request->ended_via);
  request->ended_us = take_number (value, "ended");
  request->number = (guint64) take_number (value, "number");
  request->created_us = take_number (value, "created");
  request->deadline.wall_us = take_number (value, "deadline-wall");
  request->deadline.boot_ms = take_number (value, "deadline-boot");
  request->decided_us = take_number (value, "decided");
  request->grant_s = (guint) take_number (value, "grant");
  request->vote_s = (guint) take_number (value, "vote");
  take_texts (value, "votes", request->votes);
  take_texts (value, "unsettled", request->unsettled);
  take_texts (value, "grant-unsettled", request->grant_unsettled);
  if (!g_variant_lookup (value, "id", "s", &request->id) ||
      !g_variant_lookup (value, "agent-id", "s", &request->agent_id) ||
      !g_variant_lookup (value, "agent", "s", &request->agent) ||
      !g_variant_lookup (value, "secret", "s", &request->secret) ||
      !g_variant_lookup (value, "reason", "s", &request->reason) ||
      !g_variant_lookup (value, "code", "s", &request->code) ||
      !g_variant_lookup (value, "status", "&s", &status) ||
      !sp_request_status_from_name (status, &request->status)) {
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY, "a request lacks a part");
    return NULL;
  }
  return g_steal_pointer (&request);
}

/* ---- outside form --------------------------------------------------------------------------------------------- */

static void
set_time (JsonObject *object, const char *name, gint64 wall_us)
{
  g_autofree char *text = sp_time_format (wall_us);

  json_object_set_string_member (object, name, text);
}

JsonNode *
sp_request_to_json (const SpRequest *request, gboolean with_agent)
{
  JsonNode *node = json_node_new (JSON_NODE_OBJECT);
  JsonObject *object = json_object_new ();
  gboolean once = request->decided_us != 0 && request->grant_s == 0;

  json_node_take_object (node, object);
  json_object_set_string_member (object, "id", request->id);
  json_object_set_string_member (object, "status", statuses[request->status].name);
  if (with_agent)
    json_object_set_string_member (object, "agent", request->agent);
  json_object_set_string_member (object, "secret", request->secret);
  json_object_set_string_member (object, "reason", request->reason);
  json_object_set_string_member (object, "code", request->code);
  set_time (object, "created_at", request->created_us);
  set_time (object, "expires_at", request->deadline.wall_us);
  if (request->decided_us != 0) {
    set_time (object, "decided_at", request->decided_us);
    json_object_set_string_member (object, "decided_by", request->decided_by);
  }
  if (once && (request->status == SP_REQUEST_APPROVED || request->status == SP_REQUEST_USED))
    json_object_set_int_member (object, "uses_left", request->status == SP_REQUEST_APPROVED);
  return node;
}
