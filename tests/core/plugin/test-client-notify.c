/* test-client-notify.c - notifiers that keep the rules, through client and plugin host */
#include "client-fixture.h"

static void
test_post_and_settle (void)
{
  Fixture fixture = { 0 };
  const SpNotice notice = { .size = sizeof notice, .id = "n1", .title = "Hello" };
  const SpOutcome outcome = { .size = sizeof outcome,
                              .kind = SP_OUTCOME_APPROVED,
                              .text = "approved by alice" };
  g_autofree char *message = NULL;
  Result result = { 0 };

  fixture_setup (&fixture, "notify-honest.so", "{'interval': '500ms'}",
                 "{'token': [0x41, 0x42, 0x43]}");
  g_assert_cmpint (sp_plugin_client_state (fixture.client), ==, SP_PLUGIN_DOWN);
  message = fixture_post (&fixture, "Hello", FALSE);
  g_assert_cmpstr (message, ==, NULL);
  g_assert_cmpint (sp_plugin_client_state (fixture.client), ==, SP_PLUGIN_READY);
  g_assert_null (sp_plugin_client_why (fixture.client));
  WAIT_UNTIL (fixture.alarms->len == 1);
  g_assert_cmpstr (fixture_alarm (&fixture, 0), ==, "post 1 of Hello, every 500 ms, token of 3");
  sp_plugin_client_settle (fixture.client, &notice, &outcome, fixture_on_done, &result);
  WAIT_UNTIL (result.n_done > 0 && fixture.alarms->len == 2);
  g_assert_no_error (result.error);
  g_assert_cmpstr (fixture_alarm (&fixture, 1), ==, "settled: approved by alice");
  fixture_teardown (&fixture);
  g_assert_cmpuint (fixture.n_processes, ==, 1);
  g_assert_cmpint (fixture.last_status, ==, SP_PLUGIN_HOST_OK);
}

static void
test_the_answer_s_way (void)
{
  Fixture fixture = { 0 };
  g_autofree char *message = NULL;

  fixture_setup_plain (&fixture, "notify-honest.so");
  message = fixture_post (&fixture, "Hello", TRUE);
  g_assert_cmpstr (message, ==, NULL);
  WAIT_UNTIL (fixture.alarms->len == 2);
  g_assert_cmpstr (fixture.answers->str, ==, "n1 yes 42 -;");
  g_assert_cmpstr (fixture_alarm (&fixture, 1), ==, "answered: 1, one more is needed");
  fixture_teardown (&fixture);
}

static void
test_memory_outlives_the_process (void)
{
  Fixture fixture = { 0 };
  g_autofree char *first = NULL;
  g_autofree char *second = NULL;

  fixture_setup_plain (&fixture, "notify-honest.so");
  first = fixture_post (&fixture, "a", FALSE);
  g_assert_cmpstr (first, ==, NULL);
  g_subprocess_force_exit (fixture.process);
  WAIT_UNTIL (fixture.n_exits == 1);
  second = fixture_post (&fixture, "b", FALSE);
  g_assert_cmpstr (second, ==, NULL);
  WAIT_UNTIL (fixture.alarms->len == 2);
  g_assert_cmpstr (fixture_alarm (&fixture, 1), ==, "post 2 of b, every 2000 ms, token of 0");
  fixture_teardown (&fixture);
  g_assert_cmpuint (fixture.n_processes, ==, 2);
}

static void
test_much_memory (void)
{
  Fixture fixture = { 0 };
  g_autofree char *value = g_strnfill (8000, 'v');
  g_autofree char *message = NULL;

  fixture_setup_plain (&fixture, "notify-honest.so");
  /* More than one frame holds. */
  for (guint i = 0; i < 2000; i++)
    g_hash_table_replace (fixture.remembered, g_strdup_printf ("k%u", i), g_strdup (value));
  g_hash_table_replace (fixture.remembered, g_strdup ("posts"), g_strdup ("41"));
  message = fixture_post (&fixture, "c", FALSE);
  g_assert_cmpstr (message, ==, NULL);
  WAIT_UNTIL (fixture.alarms->len == 1);
  g_assert_true (g_str_has_prefix (fixture_alarm (&fixture, 0), "post 42 of c"));
  fixture_teardown (&fixture);
}

static void
test_what_is_not_durable_fails (void)
{
  Fixture fixture = { 0 };
  g_autofree char *message = NULL;

  fixture_setup_plain (&fixture, "notify-honest.so");
  fixture.forgetful = TRUE;
  message = fixture_post (&fixture, "a", FALSE);
  g_assert_cmpstr (message, ==, "notify test: the disk is full");
  fixture_teardown (&fixture);
}

static void
test_alarms_are_limited (void)
{
  Fixture fixture = { 0 };

  fixture_setup_plain (&fixture, "notify-honest.so");
  for (guint i = 0; i < 15; i++)
    g_free (fixture_post (&fixture, "a", FALSE));
  /* Alarms and results share one link, so all that were sent have come. */
  g_assert_cmpuint (fixture.alarms->len, ==, 10);
  fixture_teardown (&fixture);
}

static void
test_trouble_shows (void)
{
  Fixture fixture = { 0 };
  g_autofree char *first = NULL;
  g_autofree char *second = NULL;

  fixture_setup_plain (&fixture, "notify-troubled.so");
  first = fixture_post (&fixture, "a", TRUE);
  WAIT_UNTIL (sp_plugin_client_state (fixture.client) == SP_PLUGIN_TROUBLED);
  g_assert_cmpstr (sp_plugin_client_why (fixture.client), ==, "the service is away");
  second = fixture_post (&fixture, "a", FALSE);
  WAIT_UNTIL (sp_plugin_client_state (fixture.client) == SP_PLUGIN_READY);
  g_assert_cmpstr (first, ==, NULL);
  g_assert_cmpstr (second, ==, NULL);
  fixture_teardown (&fixture);
}

/* Without a process calls wait, and there is none until it is asked for. */
static void
test_suspended (void)
{
  Fixture fixture = { 0 };
  Result result;

  fixture_setup_plain (&fixture, "notify-honest.so");
  fixture_wait_ready (&fixture);
  sp_plugin_client_suspend (fixture.client);
  g_assert_cmpint (sp_plugin_client_state (fixture.client), ==, SP_PLUGIN_DOWN);
  fixture_start_post (&fixture, "a", FALSE, &result);
  WAIT_UNTIL (fixture.n_exits == 1);
  for (guint i = 0; i < 100; i++)
    g_main_context_iteration (NULL, FALSE);
  g_assert_cmpuint (result.n_done, ==, 0);
  g_assert_cmpuint (fixture.n_processes, ==, 1);
  sp_plugin_client_resume (fixture.client);
  WAIT_UNTIL (result.n_done == 1);
  g_assert_no_error (result.error);
  g_assert_cmpuint (fixture.n_processes, ==, 2);
  fixture_teardown (&fixture);
}

static void
test_suspended_before_it_has_begun (void)
{
  Fixture fixture = { 0 };

  fixture_setup_plain (&fixture, "notify-honest.so");
  sp_plugin_client_suspend (fixture.client);
  for (guint i = 0; i < 100; i++)
    g_main_context_iteration (NULL, FALSE);
  g_assert_cmpuint (fixture.n_processes, ==, 0);
  g_assert_false (sp_plugin_client_tried (fixture.client));
  sp_plugin_client_resume (fixture.client);
  fixture_wait_ready (&fixture);
  g_assert_true (sp_plugin_client_tried (fixture.client));
  fixture_teardown (&fixture);
}

static void
test_failed_for_good (void)
{
  const SpPluginSetup setup = { .kind = SP_KIND_NOTIFIER, .instance = "x", .failed = "why" };
  const SpPluginEvents events = { .want_process = NULL };
  SpPluginClient *client = sp_plugin_client_new (&setup, &events, NULL);
  const SpNotice notice = { .size = sizeof notice, .id = "i", .title = "t" };
  g_autoptr (JsonObject) json = sp_plugin_client_to_json (client);
  Result result = { 0 };

  g_assert_cmpstr (json_object_get_string_member (json, "state"), ==, "failed");
  g_assert_cmpstr (json_object_get_string_member (json, "why"), ==, "why");
  g_assert_false (json_object_has_member (json, "plugin"));
  sp_plugin_client_post (client, &notice, fixture_on_done, &result);
  WAIT_UNTIL (result.n_done == 1);
  g_assert_error (result.error, SP_PROBLEM, SP_PROBLEM_CONFIG);
  g_clear_error (&result.error);
  /* Nor when a change of it is taken back: there is nothing that could be opened. */
  sp_plugin_client_suspend (client);
  sp_plugin_client_resume (client);
  for (guint i = 0; i < 100; i++)
    g_main_context_iteration (NULL, FALSE);
  g_assert_cmpint (sp_plugin_client_state (client), ==, SP_PLUGIN_FAILED);
  sp_plugin_client_free (client);
}

/* Built against headers that are older than this core: tests/old-headers. */
static void
test_an_old_plugin_is_used (void)
{
  Fixture fixture = { 0 };
  const SpNotice notice = { .size = sizeof notice, .id = "n1", .title = "Hello" };
  const SpOutcome outcome = { .size = sizeof outcome,
                              .kind = SP_OUTCOME_APPROVED,
                              .text = "approved by alice" };
  g_autofree char *message = NULL;
  Result result = { 0 };

  fixture_setup (&fixture, "../old-headers/notify-old.so", "{'room': 'attic'}", "{}");
  message = fixture_post (&fixture, "Hello", TRUE);
  g_assert_cmpstr (message, ==, NULL);
  WAIT_UNTIL (fixture.alarms->len == 2);
  g_assert_cmpstr (fixture_alarm (&fixture, 0), ==, "Hello Agent=molty");
  g_assert_cmpstr (fixture.answers->str, ==, "n1 yes 42 attic;");
  g_assert_cmpstr (fixture_alarm (&fixture, 1), ==, "answered: 1, one more is needed");
  sp_plugin_client_settle (fixture.client, &notice, &outcome, fixture_on_done, &result);
  WAIT_UNTIL (result.n_done > 0 && fixture.alarms->len == 3);
  g_assert_no_error (result.error);
  g_assert_cmpstr (fixture_alarm (&fixture, 2), ==, "Hello Agent=molty: approved by alice");
  g_assert_cmpuint (g_hash_table_size (fixture.remembered), ==, 0);
  fixture_teardown (&fixture);
}

int
main (int argc, char **argv)
{
  int status;

  if (fixture_main (argc, argv, &status))
    return status;
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/plugin/notify/post-and-settle", test_post_and_settle);
  g_test_add_func ("/plugin/notify/the-answer-s-way", test_the_answer_s_way);
  g_test_add_func ("/plugin/notify/memory-outlives-the-process", test_memory_outlives_the_process);
  g_test_add_func ("/plugin/notify/much-memory", test_much_memory);
  g_test_add_func ("/plugin/notify/what-is-not-durable-fails", test_what_is_not_durable_fails);
  g_test_add_func ("/plugin/notify/alarms-are-limited", test_alarms_are_limited);
  g_test_add_func ("/plugin/notify/trouble-shows", test_trouble_shows);
  g_test_add_func ("/plugin/notify/suspended", test_suspended);
  g_test_add_func ("/plugin/notify/suspended-before-it-has-begun",
                   test_suspended_before_it_has_begun);
  g_test_add_func ("/plugin/notify/failed-for-good", test_failed_for_good);
  g_test_add_func ("/plugin/notify/an-old-plugin-is-used", test_an_old_plugin_is_used);
  return g_test_run ();
}
