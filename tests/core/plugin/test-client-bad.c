/* test-client-bad.c - plugins that break the rules, links that break, clients that go early */
#include "client-fixture.h"

#include <unistd.h>

/* ---- plugins that break the rules -------------------------------------------------------------------- */

static void
test_false_without_error (void)
{
  Fixture fixture = { 0 };
  g_autofree char *message = NULL;

  fixture_setup_plain (&fixture, "notify-false-without-error.so");
  message = fixture_post (&fixture, "a", FALSE);
  g_assert_cmpstr (message, ==, "notify test: post() failed and did not say why: a bug of it");
  fixture_teardown (&fixture);
}

static void
test_true_with_error (void)
{
  Fixture fixture = { 0 };
  g_autofree char *message = NULL;

  fixture_setup_plain (&fixture, "notify-true-with-error.so");
  message = fixture_post (&fixture, "a", FALSE);
  g_assert_cmpstr (message, ==,
                   "notify test: post() succeeded and set an error all the same, a bug of it: no");
  fixture_teardown (&fixture);
}

static void
test_minds_deadline (void)
{
  Fixture fixture = { 0 };
  g_autofree char *message = NULL;

  fixture_setup_plain (&fixture, "notify-minds-deadline.so");
  fixture_wait_ready (&fixture);
  sp_client_set_deadline (fixture.client, 100);
  message = fixture_post (&fixture, "a", FALSE);
  g_assert_cmpstr (message, ==,
                   "notify test: post: no result within 100 ms: Operation was cancelled");
  /* It goes on in the same process. */
  g_assert_cmpint (sp_plugin_client_state (fixture.client), ==, SP_PLUGIN_TROUBLED);
  g_assert_true (sp_plugin_client_can_work (fixture.client));
  fixture_teardown (&fixture);
  g_assert_cmpuint (fixture.n_processes, ==, 1);
}

static void
test_ignores_deadline (void)
{
  Fixture fixture = { 0 };
  Result first, second;

  fixture_setup_plain (&fixture, "notify-ignores-deadline.so");
  fixture_wait_ready (&fixture);
  sp_client_set_deadline (fixture.client, 100);
  fixture_start_post (&fixture, "a", FALSE, &first);
  sp_client_set_deadline (fixture.client, 30000);
  fixture_start_post (&fixture, "b", FALSE, &second);
  WAIT_UNTIL (fixture.n_exits == 1);
  g_assert_cmpint (fixture.last_status, ==, SP_PLUGIN_HOST_OVERRUN);
  WAIT_UNTIL (second.n_done == 1);
  g_assert_cmpuint (first.n_done, ==, 1);
  g_assert_error (first.error, SP_PROBLEM, SP_PROBLEM_UNREACHABLE);
  g_assert_no_error (second.error);
  g_assert_cmpuint (fixture.n_processes, ==, 2);
  g_clear_error (&first.error);
  fixture_teardown (&fixture);
}

static void
test_dies_by_signal (void)
{
  Fixture fixture = { 0 };
  Result first, second;

  fixture_setup_plain (&fixture, "notify-dies.so");
  fixture_start_post (&fixture, "a", FALSE, &first);
  fixture_start_post (&fixture, "b", FALSE, &second);
  WAIT_UNTIL (first.n_done == 1 && second.n_done == 1);
  g_assert_error (first.error, SP_PROBLEM, SP_PROBLEM_UNREACHABLE);
  g_assert_no_error (second.error);
  g_assert_cmpuint (fixture.n_processes, ==, 2);
  g_clear_error (&first.error);
  fixture_teardown (&fixture);
}

static void
test_hangs_in_open (void)
{
  Fixture fixture = { 0 };
  Result result;

  fixture_setup_plain (&fixture, "notify-hangs-in-open.so");
  sp_client_set_deadline (fixture.client, 100);
  WAIT_UNTIL (fixture.n_exits == 1);
  g_assert_cmpint (fixture.last_status, ==, SP_PLUGIN_HOST_OVERRUN);
  g_assert_cmpint (sp_plugin_client_state (fixture.client), ==, SP_PLUGIN_DOWN);
  fixture_start_post (&fixture, "a", FALSE, &result);
  WAIT_UNTIL (result.n_done == 1);
  g_assert_error (result.error, SP_PROBLEM, SP_PROBLEM_UNREACHABLE);
  g_assert_true (g_str_has_prefix (result.error->message,
                                   "notify test: it did not get to this call in time: "));
  g_clear_error (&result.error);
  WAIT_UNTIL (fixture.n_processes == 2);
  fixture_teardown (&fixture);
}

static void
test_fails_in_open (void)
{
  Fixture fixture = { 0 };
  g_autofree char *waiting = NULL;
  g_autofree char *later = NULL;

  fixture_setup_plain (&fixture, "notify-fails-in-open.so");
  waiting = fixture_post (&fixture, "a", FALSE);
  g_assert_cmpstr (waiting, ==, "notify test: no such chat");
  g_assert_cmpint (sp_plugin_client_state (fixture.client), ==, SP_PLUGIN_FAILED);
  g_assert_cmpstr (sp_plugin_client_why (fixture.client), ==, "no such chat");
  later = fixture_post (&fixture, "b", FALSE);
  g_assert_cmpstr (later, ==, "notify test: no such chat");
  fixture_teardown (&fixture);
  g_assert_cmpuint (fixture.n_processes, ==, 1);
}

static void
test_wrong_settings (void)
{
  static const struct {
    const char *options, *secrets, *message;
  } cases[] = {
    { "{'intervall': '2s'}", "{}", "notify test: there is no option 'intervall'" },
    { "{'interval': '2h'}", "{}",
      "notify test: option 'interval': '2h' is out of range: 100ms to 1m" },
    { "{}", "{'interval': [0x41]}", "notify test: there is no secret option 'interval'" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    Fixture fixture = { 0 };
    g_autofree char *message = NULL;

    fixture_setup (&fixture, "notify-honest.so", cases[i].options, cases[i].secrets);
    message = fixture_post (&fixture, "a", FALSE);
    g_assert_cmpstr (message, ==, cases[i].message);
    g_assert_cmpint (sp_plugin_client_state (fixture.client), ==, SP_PLUGIN_FAILED);
    fixture_teardown (&fixture);
  }
}

/* ---- the link ---------------------------------------------------------------------------------------- */

static void
test_a_peer_that_talks_nonsense (void)
{
  Fixture fixture = { 0 };
  Result result;

  fixture_setup_plain (&fixture, "notify-honest.so");
  fixture.fake = TRUE;
  fixture_start_post (&fixture, "a", FALSE, &result);
  WAIT_UNTIL (fixture.n_processes == 1);
  g_assert_cmpint (write (fixture.fake_fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27), ==, 27);
  WAIT_UNTIL (fixture.n_exits == 1);
  /* The call was not given to anybody yet, so it survives. */
  WAIT_UNTIL (result.n_done == 1);
  g_assert_no_error (result.error);
  g_assert_cmpuint (fixture.n_processes, ==, 2);
  fixture_teardown (&fixture);
}

static void
free_client (const GError *error, gpointer data)
{
  Fixture *fixture = data;

  g_assert_nonnull (error);
  g_clear_pointer (&fixture->client, sp_plugin_client_free);
}

static void
test_freed_in_a_callback (void)
{
  Fixture fixture = { 0 };
  const SpNotice notice = { .size = sizeof notice, .id = "n1", .title = "x" };

  fixture_setup_plain (&fixture, "notify-dies.so");
  sp_plugin_client_post (fixture.client, &notice, free_client, &fixture);
  WAIT_UNTIL (fixture.client == NULL);
  fixture_teardown (&fixture);
}

static void
test_freed_with_calls_waiting (void)
{
  Fixture fixture = { 0 };
  Result first, second;

  fixture_setup_plain (&fixture, "notify-minds-deadline.so");
  fixture_wait_ready (&fixture);
  fixture_start_post (&fixture, "a", FALSE, &first);
  fixture_start_post (&fixture, "b", FALSE, &second);
  g_clear_pointer (&fixture.client, sp_plugin_client_free);
  g_assert_cmpuint (first.n_done, ==, 1);
  g_assert_cmpuint (second.n_done, ==, 1);
  g_assert_error (first.error, SP_PROBLEM, SP_PROBLEM_UNREACHABLE);
  g_assert_cmpstr (second.error->message, ==, "notify test: it is being stopped");
  g_clear_error (&first.error);
  g_clear_error (&second.error);
  fixture_teardown (&fixture);
  g_assert_cmpint (fixture.last_status, ==, SP_PLUGIN_HOST_OK);
}

int
main (int argc, char **argv)
{
  int status;

  if (fixture_main (argc, argv, &status))
    return status;
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/plugin/bad/false-without-error", test_false_without_error);
  g_test_add_func ("/plugin/bad/true-with-error", test_true_with_error);
  g_test_add_func ("/plugin/bad/minds-deadline-and-lives-on", test_minds_deadline);
  g_test_add_func ("/plugin/bad/ignores-deadline-and-is-ended", test_ignores_deadline);
  g_test_add_func ("/plugin/bad/dies-by-signal", test_dies_by_signal);
  g_test_add_func ("/plugin/bad/hangs-in-open", test_hangs_in_open);
  g_test_add_func ("/plugin/bad/fails-in-open", test_fails_in_open);
  g_test_add_func ("/plugin/bad/wrong-settings", test_wrong_settings);
  g_test_add_func ("/plugin/link/nonsense-ends-it", test_a_peer_that_talks_nonsense);
  g_test_add_func ("/plugin/link/freed-in-a-callback", test_freed_in_a_callback);
  g_test_add_func ("/plugin/link/freed-with-calls-waiting", test_freed_with_calls_waiting);
  return g_test_run ();
}
