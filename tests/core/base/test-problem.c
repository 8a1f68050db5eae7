/* test-problem.c - one table of problems: every row is whole, every border translates into it */
#include <secret-proxy/plugin.h>

#include "base/problem.h"
#include "test-loop.h"

static void
test_every_row_is_whole (void)
{
  g_autoptr (GHashTable) slugs = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint code = 0; code < SP_N_PROBLEMS; code++) {
    SpProblemCode back;

    g_assert_nonnull (sp_problem_slug (code));
    g_assert_nonnull (sp_problem_title (code));
    g_assert_true (g_hash_table_add (slugs, (gpointer) sp_problem_slug (code)));
    g_assert_cmpuint (sp_problem_status (code), >=, 400);
    g_assert_cmpuint (sp_problem_status (code), <=, 503);
    g_assert_cmpint (sp_problem_exit (code), >=, 1);
    g_assert_cmpint (sp_problem_exit (code), <=, 9);
    g_assert_true (sp_problem_from_slug (sp_problem_slug (code), &back));
    g_assert_cmpuint (back, ==, code);
  }
}

/* The contract of the agents' API. */
static void
test_http_statuses (void)
{
  static const struct {
    const char *slug;
    guint status;
  } table[] = {
    { "unauthorized", 401 }, { "denied", 403 },       { "not-found", 404 },
    { "pending", 409 },      { "expired", 410 },      { "used", 410 },
    { "cancelled", 410 },    { "revoked", 410 },      { "too-large", 413 },
    { "invalid", 400 },      { "unowned", 503 },      { "idempotency-mismatch", 422 },
    { "locked", 503 },       { "store", 503 },        { "tls-required", 426 },
    { "notifier", 503 },     { "rate-limited", 429 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (table); i++) {
    SpProblemCode code;

    g_assert_true (sp_problem_from_slug (table[i].slug, &code));
    g_assert_cmpuint (sp_problem_status (code), ==, table[i].status);
  }
}

static void
test_unknown_is_internal (void)
{
  SpProblemCode code;
  g_autoptr (GError) error = sp_problem_new_full (9999, "x", NULL, 0);

  g_assert_cmpstr (sp_problem_slug (9999), ==, "internal");
  g_assert_cmpuint (sp_problem_status (9999), ==, 500);
  g_assert_error (error, SP_PROBLEM, SP_PROBLEM_INTERNAL);
  g_assert_false (sp_problem_from_slug ("no-such", &code));
  g_assert_false (sp_problem_from_slug (NULL, &code));
}

/* What a process of ours ended with, and another of ours passes on. */
static void
test_exits_pass_through (void)
{
  for (int status = 1; status <= 9; status++)
    g_assert_cmpint (sp_problem_exit (sp_problem_from_exit (status)), ==, status);
  g_assert_cmpuint (sp_problem_from_exit (77), ==, SP_PROBLEM_INTERNAL);
}

static void
test_foreign_errors (void)
{
  const struct {
    GQuark domain;
    gint code;
    SpProblemCode expected;
  } table[] = {
    { SP_ERROR, SP_ERROR_CONFIG, SP_PROBLEM_CONFIG },
    { SP_ERROR, SP_ERROR_NOT_FOUND, SP_PROBLEM_NOT_FOUND },
    { SP_ERROR, SP_ERROR_CONFLICT, SP_PROBLEM_CONFLICT },
    { SP_ERROR, SP_ERROR_UNAVAILABLE, SP_PROBLEM_UNREACHABLE },
    { SP_ERROR, 77, SP_PROBLEM_INTERNAL },
    { SP_ERROR, -1, SP_PROBLEM_INTERNAL },
    { SP_PROBLEM, -1, SP_PROBLEM_INTERNAL },
    { SP_PROBLEM, SP_PROBLEM_USED, SP_PROBLEM_USED },
    { G_IO_ERROR, G_IO_ERROR_NOT_FOUND, SP_PROBLEM_NOT_FOUND },
    { G_IO_ERROR, G_IO_ERROR_TIMED_OUT, SP_PROBLEM_TIMED_OUT },
    { G_IO_ERROR, G_IO_ERROR_FAILED, SP_PROBLEM_INTERNAL },
    { G_FILE_ERROR, G_FILE_ERROR_NOENT, SP_PROBLEM_NOT_FOUND },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (table); i++) {
    g_autoptr (GError) error = g_error_new_literal (table[i].domain, table[i].code, "x");

    g_assert_cmpint (sp_problem_code (error), ==, table[i].expected);
    g_assert_null (sp_problem_field (error));
    g_assert_cmpuint (sp_problem_retry_after (error), ==, 0);
  }
}

static void
test_what_is_carried (void)
{
  g_autoptr (GError) invalid = NULL;
  g_autoptr (GError) copy = NULL;
  g_autoptr (GError) limited = NULL;

  sp_problem_set_invalid (&invalid, "ttl", "%s is %d", "ttl", 5);
  sp_problem_set_invalid (NULL, "ttl", "nobody asks");
  copy = g_error_copy (invalid);
  g_assert_error (copy, SP_PROBLEM, SP_PROBLEM_INVALID);
  g_assert_cmpstr (copy->message, ==, "ttl is 5");
  g_assert_cmpstr (sp_problem_field (copy), ==, "ttl");
  sp_problem_set_rate_limited (&limited, 30, "later");
  g_assert_error (limited, SP_PROBLEM, SP_PROBLEM_RATE_LIMITED);
  g_assert_cmpuint (sp_problem_retry_after (limited), ==, 30);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/problem/an-exit-status-passes-through", test_exits_pass_through);
  g_test_add_func ("/problem/every-row-is-whole", test_every_row_is_whole);
  g_test_add_func ("/problem/http-statuses", test_http_statuses);
  g_test_add_func ("/problem/unknown-is-internal", test_unknown_is_internal);
  g_test_add_func ("/problem/foreign-errors", test_foreign_errors);
  g_test_add_func ("/problem/what-is-carried", test_what_is_carried);
  return g_test_run ();
}
