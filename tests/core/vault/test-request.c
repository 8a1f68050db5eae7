/* test-request.c - the life of one request: what it may become, when it is over, how it looks */
#include "base/problem.h"
#include "test-clock.h"
#include "test-loop.h"
#include "vault/request.h"

#define MOVES(from, to) [SP_REQUEST_##from][SP_REQUEST_##to] = TRUE

static const gboolean moves[SP_N_REQUEST_STATUSES][SP_N_REQUEST_STATUSES] = {
  MOVES (PENDING, APPROVED),  MOVES (PENDING, DENIED), MOVES (PENDING, EXPIRED),
  MOVES (PENDING, CANCELLED), MOVES (APPROVED, USED),  MOVES (APPROVED, EXPIRED),
  MOVES (APPROVED, REVOKED),
};

static void
test_every_pair (void)
{
  for (guint from = 0; from < SP_N_REQUEST_STATUSES; from++)
    for (guint to = 0; to < SP_N_REQUEST_STATUSES; to++) {
      g_autoptr (SpRequest) request = sp_request_new ();

      request->status = from;
      g_assert_cmpint (sp_request_move (request, to), ==, moves[from][to]);
      g_assert_cmpuint (request->status, ==, moves[from][to] ? to : from);
    }
}

static void
test_status_names (void)
{
  for (guint status = 0; status < SP_N_REQUEST_STATUSES; status++) {
    SpRequestStatus back;

    g_assert_true (sp_request_status_from_name (sp_request_status_name (status), &back));
    g_assert_cmpuint (back, ==, status);
  }
  g_assert_false (sp_request_status_from_name ("open", &(SpRequestStatus){ 0 }));
  g_assert_false (sp_request_status_from_name (NULL, &(SpRequestStatus){ 0 }));
}

static SpRequest *
full (void)
{
  SpRequest *request = sp_request_new ();

  request->id = g_strdup ("id1");
  request->number = 9;
  request->agent_id = g_strdup ("ag1");
  request->agent = g_strdup ("a");
  request->secret = g_strdup ("db");
  request->reason = g_strdup ("why \"so\"");
  request->code = g_strdup ("ABCD");
  request->decoys[0] = g_strdup ("EFGH");
  request->decoys[1] = g_strdup ("JKMN");
  request->created_us = G_GINT64_CONSTANT (1800000000) * G_USEC_PER_SEC;
  request->idempotency_key = g_strdup ("key");
  request->digest = g_strdup ("digest");
  request->deadline.wall_us = request->created_us + 600 * G_USEC_PER_SEC;
  request->deadline.boot_ms = 77;
  request->deadline.boot_id = g_strdup ("boot-1");
  request->vote_s = 60;
  g_ptr_array_add (request->votes, g_strdup ("alice"));
  g_ptr_array_add (request->unsettled, g_strdup ("tg"));
  g_ptr_array_add (request->grant_unsettled, g_strdup ("mail"));
  request->decided_via = g_strdup ("tg");
  request->ended_us = 7;
  request->ended_by = g_strdup ("bob");
  request->ended_via = g_strdup ("mail");
  return request;
}

static void
test_stored_form (void)
{
  g_autoptr (SpRequest) request = full ();
  g_autoptr (GVariant) stored = NULL;
  g_autoptr (GVariant) again = NULL;
  g_autoptr (SpRequest) back = NULL;
  g_autoptr (SpRequest) copy = NULL;

  request->status = SP_REQUEST_APPROVED;
  request->decided_us = 5;
  request->decided_by = g_strdup ("alice");
  request->grant_s = 60;
  stored = g_variant_ref_sink (sp_request_to_variant (request));
  back = sp_request_from_variant (stored, NULL);
  g_assert_nonnull (back);
  again = g_variant_ref_sink (sp_request_to_variant (back));
  g_assert_cmpvariant (stored, again);
  g_clear_pointer (&again, g_variant_unref);
  copy = sp_request_copy (request);
  again = g_variant_ref_sink (sp_request_to_variant (copy));
  g_assert_cmpvariant (stored, again);
}

/* As they were written before grants had notices: such a grant has none, and nobody is named. */
static void
test_stored_form_of_before (void)
{
  static const char *const added[] = { "decided-via", "ended", "ended-by", "ended-via",
                                       "grant-unsettled" };
  g_autoptr (SpRequest) request = full ();
  g_autoptr (GVariant) stored = g_variant_ref_sink (sp_request_to_variant (request));
  g_autoptr (GVariant) old = NULL;
  g_autoptr (SpRequest) back = NULL;
  g_auto (GVariantDict) dict;

  g_variant_dict_init (&dict, stored);
  for (gsize i = 0; i < G_N_ELEMENTS (added); i++)
    g_assert_true (g_variant_dict_remove (&dict, added[i]));
  old = g_variant_ref_sink (g_variant_dict_end (&dict));
  back = sp_request_from_variant (old, NULL);
  g_assert_nonnull (back);
  g_assert_cmpuint (back->unsettled->len, ==, 1);
  g_assert_cmpuint (back->grant_unsettled->len, ==, 0);
  g_assert_null (back->decided_via);
  g_assert_null (back->ended_by);
}

static void
test_stored_form_lacks_a_part (void)
{
  static const char *const needed[] = { "id",     "agent-id", "agent", "secret",
                                        "reason", "code",     "status" };
  g_autoptr (SpRequest) request = full ();
  g_autoptr (GVariant) stored = g_variant_ref_sink (sp_request_to_variant (request));

  for (gsize i = 0; i < G_N_ELEMENTS (needed); i++) {
    g_auto (GVariantDict) dict;
    g_autoptr (GVariant) cut = NULL;
    g_autoptr (GError) error = NULL;

    g_variant_dict_init (&dict, stored);
    g_assert_true (g_variant_dict_remove (&dict, needed[i]));
    cut = g_variant_ref_sink (g_variant_dict_end (&dict));
    g_assert_null (sp_request_from_variant (cut, &error));
    g_assert_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY);
  }
}

static void
check_json (SpRequestStatus status, gboolean decided, guint grant_s, gint64 uses_left)
{
  g_autoptr (SpRequest) request = full ();
  g_autoptr (JsonNode) node = NULL;
  JsonObject *object;

  request->status = status;
  request->grant_s = grant_s;
  request->decided_us = decided ? request->created_us + G_USEC_PER_SEC : 0;
  request->decided_by = decided ? g_strdup ("alice") : NULL;
  node = sp_request_to_json (request, FALSE);
  object = json_node_get_object (node);
  g_assert_cmpstr (json_object_get_string_member (object, "status"), ==,
                   sp_request_status_name (status));
  g_assert_cmpstr (json_object_get_string_member (object, "created_at"), ==,
                   "2027-01-15T08:00:00Z");
  g_assert_cmpstr (json_object_get_string_member (object, "expires_at"), ==,
                   "2027-01-15T08:10:00Z");
  g_assert_cmpint (json_object_has_member (object, "decided_at"), ==, decided);
  g_assert_cmpint (json_object_has_member (object, "decided_by"), ==, decided);
  g_assert_cmpint (json_object_get_int_member_with_default (object, "uses_left", -1), ==,
                   uses_left);
  g_assert_false (json_object_has_member (object, "agent"));
  g_assert_cmpuint (json_object_get_size (object), ==,
                    7u + (decided ? 2 : 0) + (uses_left >= 0 ? 1 : 0));
}

static void
test_outside_form (void)
{
  g_autoptr (SpRequest) request = full ();
  g_autoptr (JsonNode) node = sp_request_to_json (request, TRUE);

  g_assert_cmpstr (json_object_get_string_member (json_node_get_object (node), "agent"), ==, "a");
  check_json (SP_REQUEST_PENDING, FALSE, 0, -1);
  check_json (SP_REQUEST_CANCELLED, FALSE, 0, -1);
  check_json (SP_REQUEST_EXPIRED, FALSE, 0, -1);
  check_json (SP_REQUEST_DENIED, TRUE, 0, -1);
  check_json (SP_REQUEST_APPROVED, TRUE, 0, 1);
  check_json (SP_REQUEST_APPROVED, TRUE, 60, -1);
  check_json (SP_REQUEST_USED, TRUE, 0, 0);
  check_json (SP_REQUEST_EXPIRED, TRUE, 0, -1);
  check_json (SP_REQUEST_REVOKED, TRUE, 60, -1);
}

static void
test_problems (void)
{
  static const SpProblemCode codes[SP_N_REQUEST_STATUSES] = {
    [SP_REQUEST_PENDING] = SP_PROBLEM_PENDING,     [SP_REQUEST_APPROVED] = SP_PROBLEM_CONFLICT,
    [SP_REQUEST_DENIED] = SP_PROBLEM_DENIED,       [SP_REQUEST_EXPIRED] = SP_PROBLEM_EXPIRED,
    [SP_REQUEST_CANCELLED] = SP_PROBLEM_CANCELLED, [SP_REQUEST_USED] = SP_PROBLEM_USED,
    [SP_REQUEST_REVOKED] = SP_PROBLEM_REVOKED,
  };

  for (guint status = 0; status < SP_N_REQUEST_STATUSES; status++) {
    g_autoptr (SpRequest) request = full ();
    g_autoptr (GError) error = NULL;

    request->status = status;
    error = sp_request_problem (request);
    g_assert_error (error, SP_PROBLEM, (gint) codes[status]);
  }
}

/* ---- deadlines ---------------------------------------------------------------------------------------------- */

static void
test_either_clock_ends_it (void)
{
  TestClock clock;
  SpDeadline deadline = { 0 };

  test_clock_init (&clock);
  sp_deadline_set (&deadline, &clock.clock, 600);
  g_assert_cmpint (sp_deadline_left_ms (&deadline, &clock.clock), ==, 600 * 1000);
  test_clock_advance (&clock, 599);
  g_assert_cmpint (sp_deadline_left_ms (&deadline, &clock.clock), ==, 1000);
  test_clock_set_wall (&clock, 1);
  g_assert_cmpint (sp_deadline_left_ms (&deadline, &clock.clock), ==, 0);
  test_clock_set_wall (&clock, -3600);
  g_assert_cmpint (sp_deadline_left_ms (&deadline, &clock.clock), ==, 1000);
  clock.boot_ms += 1000;
  g_assert_cmpint (sp_deadline_left_ms (&deadline, &clock.clock), ==, 0);
  g_free (deadline.boot_id);
}

static void
test_never_held_longer_than_shown (void)
{
  TestClock clock;
  SpDeadline deadline = { 0 };

  test_clock_init (&clock);
  clock.wall_us += 999999;
  sp_deadline_set (&deadline, &clock.clock, 30);
  g_assert_cmpint (deadline.wall_us % G_USEC_PER_SEC, ==, 0);
  g_assert_cmpint (deadline.wall_us, <=, clock.wall_us + 30 * G_USEC_PER_SEC);
  g_free (deadline.boot_id);
}

static void
test_rebase (void)
{
  TestClock clock;
  SpDeadline deadline = { 0 };

  test_clock_init (&clock);
  sp_deadline_set (&deadline, &clock.clock, 600);
  test_clock_advance (&clock, 100);
  sp_deadline_rebase (&deadline, &clock.clock);
  g_assert_cmpint (sp_deadline_left_ms (&deadline, &clock.clock), ==, 500 * 1000);
  test_clock_reboot (&clock, 100);
  sp_deadline_rebase (&deadline, &clock.clock);
  g_assert_cmpstr (deadline.boot_id, ==, clock.boot_id);
  g_assert_cmpint (sp_deadline_left_ms (&deadline, &clock.clock), ==, 400 * 1000);
  test_clock_set_wall (&clock, -3600);
  clock.boot_ms += 400 * 1000;
  g_assert_cmpint (sp_deadline_left_ms (&deadline, &clock.clock), ==, 0);
  test_clock_reboot (&clock, 7200);
  sp_deadline_rebase (&deadline, &clock.clock);
  g_assert_cmpint (sp_deadline_left_ms (&deadline, &clock.clock), ==, 0);
  g_free (deadline.boot_id);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/request/every-pair-of-states", test_every_pair);
  g_test_add_func ("/request/status-names", test_status_names);
  g_test_add_func ("/request/stored-form", test_stored_form);
  g_test_add_func ("/request/stored-form-of-before", test_stored_form_of_before);
  g_test_add_func ("/request/stored-form-lacks-a-part", test_stored_form_lacks_a_part);
  g_test_add_func ("/request/outside-form", test_outside_form);
  g_test_add_func ("/request/problems", test_problems);
  g_test_add_func ("/request/deadline/either-clock-ends-it", test_either_clock_ends_it);
  g_test_add_func ("/request/deadline/never-later-than-shown", test_never_held_longer_than_shown);
  g_test_add_func ("/request/deadline/counted-anew-after-a-restart", test_rebase);
  return g_test_run ();
}
