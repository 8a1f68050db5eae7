/* test-monitor.c - the client of the agent's monitor, and the lies that it is told in JSON: host/monitor/monitor.h */
#include "host/monitor/monitor.h"

#include <string.h>

#include "base/problem.h"
#include "monitor-case.h"

/* ---- greetings ------------------------------------------------------------------------------------------- */

static void
closes_at_once (int fd)
{
}

static void
closes_in_greeting (int fd)
{
  (void) fake_say (fd, "{\"QMP\": {\"vers");
}

static void
says_nothing (int fd)
{
  g_free (fake_hear (fd));
}

static void
is_a_web_server (int fd)
{
  (void) fake_say (fd, "HTTP/1.1 400 Bad Request\r\n\r\n");
  g_free (fake_hear (fd));
}

static void
never_ends_a_line (int fd)
{
  (void) fake_say (fd, "{\"QMP\": \"");
  while (fake_say (fd, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"))
    ;
}

static void
nests_lists (int fd)
{
  (void) (fake_say (fd, "{\"QMP\": ") && fake_repeat (fd, "[", 100000) &&
          fake_repeat (fd, "]", 100000) && fake_say (fd, "}\n"));
  g_free (fake_hear (fd));
}

static void
repeats_a_key (int fd)
{
  (void) fake_say (fd, "{\"QMP\": {}, \"QMP\": {}}\n");
  g_free (fake_hear (fd));
}

static void
speaks_latin_1 (int fd)
{
  (void) fake_say (fd, "{\"QMP\": {\"a\": \"\xe4\"}}\n");
  g_free (fake_hear (fd));
}

static void
sends_nul (int fd)
{
  static const char text[] = "{\"QMP\": {\"a\": \"\0\"}}\n";

  (void) fake_say_bytes (fd, text, sizeof text - 1);
  g_free (fake_hear (fd));
}

static void
begins_with_an_event (int fd)
{
  (void) fake_say (fd, "{\"event\": \"STOP\"}\n" GREETING);
  g_free (fake_hear (fd));
}

static void
refuses_capabilities (int fd)
{
  g_autofree char *line = NULL;

  (void) fake_say (fd, GREETING);
  line = fake_hear (fd);
  (void) fake_say (fd, "{\"error\": {\"class\": \"a\", \"desc\": \"busy\"}, \"id\": 1}\n");
  g_free (fake_hear (fd));
}

static const Greeting greetings[] = {
  { "closed-at-once-is-unreachable", closes_at_once, SP_PROBLEM_UNREACHABLE },
  { "closed-in-greeting-is-unreachable", closes_in_greeting, SP_PROBLEM_UNREACHABLE },
  { "silence-times-out", says_nothing, SP_PROBLEM_TIMED_OUT },
  { "another-protocol-is-refused", is_a_web_server, SP_PROBLEM_INTEGRITY },
  { "line-without-end-is-refused", never_ends_a_line, SP_PROBLEM_INTEGRITY },
  { "nested-lists-are-refused", nests_lists, SP_PROBLEM_INTEGRITY },
  { "repeated-key-is-refused", repeats_a_key, SP_PROBLEM_INTEGRITY },
  { "invalid-utf-8-is-refused", speaks_latin_1, SP_PROBLEM_INTEGRITY },
  { "nul-is-refused", sends_nul, SP_PROBLEM_INTEGRITY },
  { "event-before-greeting-is-refused", begins_with_an_event, SP_PROBLEM_INTEGRITY },
  { "refused-capabilities-are-a-conflict", refuses_capabilities, SP_PROBLEM_CONFLICT },
};

/* ---- answers ------------------------------------------------------------------------------------------------ */

static void
answers_everything (int fd)
{
  gint64 id;

  fake_greet (fd);
  for (;;) {
    g_autofree char *line = fake_hear (fd);

    if (line == NULL)
      return;
    id = fake_id (line);
    if (strstr (line, "hostfwd_remove") != NULL)
      (void) fake_return (fd, id, "\"host forwarding rule for tcp:" ADDRESS " removed\\r\\n\"");
    else
      (void) fake_return (fd, id, strstr (line, "human") ? "\"\"" : "{}");
    if (strstr (line, "quit") != NULL)
      return;
  }
}

static void
test_success (void)
{
  static const struct {
    SpMonitorVerb verb;
    const char *argument;
  } steps[] = {
    { SP_MONITOR_SAVE, NAME },   { SP_MONITOR_STOP, NULL },       { SP_MONITOR_GO_ON, NULL },
    { SP_MONITOR_FORGET, NAME }, { SP_MONITOR_RELEASE, ADDRESS }, { SP_MONITOR_CLAIM, ADDRESS },
    { SP_MONITOR_QUIT, NULL },
  };
  g_autoptr (GError) error = NULL;
  g_autoptr (SpMonitor) monitor = NULL;
  Fake fake;
  int fd = fake_start (&fake, answers_everything);

  monitor = sp_monitor_open (fd, fd, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (sp_monitor_dialect (monitor), ==, "QMP");
  for (gsize i = 0; i < G_N_ELEMENTS (steps); i++) {
    g_assert_true (sp_monitor_do (monitor, steps[i].verb, steps[i].argument, ENOUGH_MS, &error));
    g_assert_no_error (error);
  }
  g_assert_false (sp_monitor_do (monitor, SP_MONITOR_STOP, NULL, ENOUGH_MS, &error));
  g_assert_error (error, SP_PROBLEM, SP_PROBLEM_UNREACHABLE);
  fake_join (&fake);
}

static void
test_arguments (void)
{
  static const struct {
    SpMonitorVerb verb;
    const char *argument;
  } bad[] = {
    { SP_MONITOR_SAVE, NULL },
    { SP_MONITOR_SAVE, "" },
    { SP_MONITOR_SAVE, "a b" },
    { SP_MONITOR_SAVE, "a\nquit" },
    { SP_MONITOR_SAVE, "1" },
    { SP_MONITOR_SAVE, "-a" },
    { SP_MONITOR_STOP, "a" },
    { SP_MONITOR_RELEASE, "127.0.0.1" },
    { SP_MONITOR_RELEASE, "a:3737" },
    { SP_MONITOR_CLAIM, "127.0.0.1:0" },
    { SP_MONITOR_CLAIM, "127.0.0.1:3737\n" },
    { SP_MONITOR_CLAIM, "127.0.0.1:65536" },
  };
  g_autoptr (SpMonitor) monitor = NULL;
  Fake fake;
  int fd = fake_start (&fake, answers_everything);

  monitor = sp_monitor_open (fd, fd, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++) {
    g_autoptr (GError) error = NULL;

    g_assert_false (sp_monitor_do (monitor, bad[i].verb, bad[i].argument, ENOUGH_MS, &error));
    g_assert_error (error, SP_PROBLEM, SP_PROBLEM_INVALID);
  }
  g_assert_true (sp_monitor_do (monitor, SP_MONITOR_STOP, NULL, ENOUGH_MS, NULL));
  g_clear_pointer (&monitor, sp_monitor_free);
  fake_join (&fake);
}

static void
sends_a_gigabyte (int fd)
{
  g_autofree char *chunk = g_malloc (1 << 20);
  guint n = 0;

  memset (chunk, 'a', 1 << 20);
  fake_greet (fd);
  (void) fake_hear_id (fd);
  (void) fake_say (fd, "{\"return\": \"");
  while (n < 1024 && fake_say_bytes (fd, chunk, 1 << 20))
    n++;
  /* It was hung up long before that. */
  g_assert_cmpuint (n, <, 8);
}

static void
answers_another (int fd)
{
  fake_greet (fd);
  (void) fake_return (fd, fake_hear_id (fd) + 1, "{}");
  g_free (fake_hear (fd));
}

static void
answers_with_a_text_id (int fd)
{
  fake_greet (fd);
  (void) fake_hear_id (fd);
  (void) fake_say (fd, "{\"return\": {}, \"id\": \"2\"}\n");
  g_free (fake_hear (fd));
}

static void
answers_without_id (int fd)
{
  fake_greet (fd);
  (void) fake_hear_id (fd);
  (void) fake_say (fd, "{\"return\": {}}\n");
  g_free (fake_hear (fd));
}

static void
answers_in_another_order (int fd)
{
  gint64 id;

  fake_greet (fd);
  id = fake_hear_id (fd);
  (void) (fake_return (fd, id + 1, "{}") && fake_return (fd, id, "{}"));
  g_free (fake_hear (fd));
}

static void
answers_a_list (int fd)
{
  fake_greet (fd);
  (void) fake_return (fd, fake_hear_id (fd), "[]");
  g_free (fake_hear (fd));
}

static void
answers_text (int fd)
{
  fake_greet (fd);
  (void) fake_return (fd, fake_hear_id (fd), "\"\"");
  g_free (fake_hear (fd));
}

static void
greets_again (int fd)
{
  fake_greet (fd);
  (void) fake_hear_id (fd);
  (void) fake_say (fd, GREETING);
  g_free (fake_hear (fd));
}

static void
answers_both_ways (int fd)
{
  fake_greet (fd);
  (void) fake_hear_id (fd);
  (void) fake_say (fd, "{\"return\": {}, \"error\": {\"desc\": \"a\"}, \"id\": 2}\n");
  g_free (fake_hear (fd));
}

static void
floods_with_events (int fd)
{
  gint64 id;

  fake_greet (fd);
  id = fake_hear_id (fd);
  (void) (fake_repeat (fd, "{\"event\": \"STOP\"}\n", 1001) && fake_return (fd, id, "{}"));
  g_free (fake_hear (fd));
}

static void
sends_as_many_events_as_it_may (int fd)
{
  gint64 id;

  fake_greet (fd);
  id = fake_hear_id (fd);
  (void) (fake_repeat (fd, "{\"event\": \"STOP\"}\n", 1000) && fake_return (fd, id, "{}"));
  g_free (fake_hear (fd));
}

static void
sends_large_events (int fd)
{
  g_autofree char *blank = g_strnfill (200000, ' ');
  gint64 id;

  fake_greet (fd);
  id = fake_hear_id (fd);
  for (guint i = 0; i < 6; i++)
    (void) (fake_say (fd, "{\"event\": \"STOP\"") && fake_say (fd, blank) && fake_say (fd, "}\n"));
  (void) fake_return (fd, id, "{}");
  g_free (fake_hear (fd));
}

static void
trickles (int fd)
{
  fake_greet (fd);
  (void) fake_hear_id (fd);
  while (fake_say (fd, " "))
    g_usleep (SHORT_MS * 1000 / 4);
}

static void
is_silent (int fd)
{
  fake_greet (fd);
  (void) fake_hear_id (fd);
  g_free (fake_hear (fd));
}

static void
closes_in_reply (int fd)
{
  fake_greet (fd);
  (void) fake_hear_id (fd);
  (void) fake_say (fd, "{\"return\": {");
}

static void
errs_with_escapes (int fd)
{
  fake_greet (fd);
  (void) fake_hear_id (fd);
  (void) fake_say (
      fd, "{\"error\": {\"class\": \"a\", \"desc\": \"\\u001b]0;x\\u0007\xe2\x80\xae\\\\no\"}, "
          "\"id\": 2}\n");
  g_free (fake_hear (fd));
}

static void
refuses_at_length (int fd)
{
  g_autofree char *text = g_strnfill (100000, 'n');
  g_autofree char *json = g_strconcat ("\"Error: ", text, "\"", NULL);

  fake_greet (fd);
  (void) fake_return (fd, fake_hear_id (fd), json);
  g_free (fake_hear (fd));
}

static void
does_not_end (int fd)
{
  fake_greet (fd);
  (void) fake_return (fd, fake_hear_id (fd), "{}");
  g_free (fake_hear (fd));
}

static void
ends_without_answer (int fd)
{
  fake_greet (fd);
  (void) fake_hear_id (fd);
}

static void
shuts_down_and_stays (int fd)
{
  fake_greet (fd);
  (void) (fake_return (fd, fake_hear_id (fd), "{}") &&
          fake_say (fd, "{\"event\": \"SHUTDOWN\"}\n"));
  g_free (fake_hear (fd));
}

static const Answer answers[] = {
  { "gigabyte-line-is-refused", sends_a_gigabyte, SP_MONITOR_STOP, NULL, ENOUGH_MS,
    SP_PROBLEM_INTEGRITY, "262144" },
  { "answer-to-another-is-refused", answers_another, SP_MONITOR_STOP, NULL, ENOUGH_MS,
    SP_PROBLEM_INTEGRITY, "stop" },
  { "id-as-text-is-refused", answers_with_a_text_id, SP_MONITOR_STOP, NULL, ENOUGH_MS,
    SP_PROBLEM_INTEGRITY, "stop" },
  { "answer-without-id-is-refused", answers_without_id, SP_MONITOR_STOP, NULL, ENOUGH_MS,
    SP_PROBLEM_INTEGRITY, "stop" },
  { "answers-in-another-order-are-refused", answers_in_another_order, SP_MONITOR_STOP, NULL,
    ENOUGH_MS, SP_PROBLEM_INTEGRITY, "stop" },
  { "list-is-refused", answers_a_list, SP_MONITOR_STOP, NULL, ENOUGH_MS, SP_PROBLEM_INTEGRITY,
    "stop" },
  { "text-for-an-object-is-refused", answers_text, SP_MONITOR_STOP, NULL, ENOUGH_MS,
    SP_PROBLEM_INTEGRITY, "stop" },
  { "object-for-a-text-is-refused", does_not_end, SP_MONITOR_SAVE, NAME, ENOUGH_MS,
    SP_PROBLEM_INTEGRITY, "savevm " NAME },
  { "second-greeting-is-refused", greets_again, SP_MONITOR_STOP, NULL, ENOUGH_MS,
    SP_PROBLEM_INTEGRITY, "stop" },
  { "return-and-error-are-refused", answers_both_ways, SP_MONITOR_STOP, NULL, ENOUGH_MS,
    SP_PROBLEM_INTEGRITY, "stop" },
  { "event-flood-is-refused", floods_with_events, SP_MONITOR_STOP, NULL, ENOUGH_MS,
    SP_PROBLEM_INTEGRITY, "1000 events" },
  { "as-many-events-as-allowed-are-skipped", sends_as_many_events_as_it_may, SP_MONITOR_STOP, NULL,
    ENOUGH_MS, -1, NULL },
  { "more-than-a-megabyte-is-refused", sends_large_events, SP_MONITOR_STOP, NULL, ENOUGH_MS,
    SP_PROBLEM_INTEGRITY, "in all" },
  { "trickle-times-out", trickles, SP_MONITOR_STOP, NULL, SHORT_MS, SP_PROBLEM_TIMED_OUT, "stop" },
  { "silence-after-a-command-times-out", is_silent, SP_MONITOR_SAVE, NAME, SHORT_MS,
    SP_PROBLEM_TIMED_OUT, "savevm" },
  { "closed-in-reply-is-unreachable", closes_in_reply, SP_MONITOR_STOP, NULL, ENOUGH_MS,
    SP_PROBLEM_UNREACHABLE, "stop" },
  { "error-is-shown-escaped", errs_with_escapes, SP_MONITOR_STOP, NULL, ENOUGH_MS,
    SP_PROBLEM_CONFLICT, "(\\x1b]0;x\\x07\\xe2\\x80\\xae\\\\no)" },
  { "long-refusal-is-cut", refuses_at_length, SP_MONITOR_SAVE, NAME, ENOUGH_MS, SP_PROBLEM_CONFLICT,
    "nnn...)" },
  { "quit-waits-for-the-end", does_not_end, SP_MONITOR_QUIT, NULL, SHORT_MS, SP_PROBLEM_TIMED_OUT,
    "quit" },
  { "quit-needs-no-answer", ends_without_answer, SP_MONITOR_QUIT, NULL, ENOUGH_MS, -1, NULL },
  { "power-off-waits-for-the-end", does_not_end, SP_MONITOR_POWER_OFF, NULL, SHORT_MS,
    SP_PROBLEM_TIMED_OUT, "system_powerdown" },
  { "power-off-is-done-by-shutdown", shuts_down_and_stays, SP_MONITOR_POWER_OFF, NULL, ENOUGH_MS,
    -1, NULL },
  { "quit-is-not-done-by-shutdown", shuts_down_and_stays, SP_MONITOR_QUIT, NULL, SHORT_MS,
    SP_PROBLEM_TIMED_OUT, "quit" },
};

static void
refuses_and_goes_on (int fd)
{
  fake_greet (fd);
  (void) (fake_return (fd, fake_hear_id (fd), "\"Error: no\"") &&
          fake_return (fd, fake_hear_id (fd), "{}"));
  g_free (fake_hear (fd));
}

static void
test_after_refusal (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (SpMonitor) monitor = NULL;
  Fake fake;
  int fd = fake_start (&fake, refuses_and_goes_on);

  monitor = sp_monitor_open (fd, fd, NULL);
  g_assert_false (sp_monitor_do (monitor, SP_MONITOR_SAVE, NAME, ENOUGH_MS, &error));
  g_assert_error (error, SP_PROBLEM, SP_PROBLEM_CONFLICT);
  g_clear_error (&error);
  g_assert_true (sp_monitor_do (monitor, SP_MONITOR_STOP, NULL, ENOUGH_MS, &error));
  g_assert_no_error (error);
  g_clear_pointer (&monitor, sp_monitor_free);
  fake_join (&fake);
}

int
main (int argc, char **argv)
{
  if (argc == 2 && g_str_equal (argv[1], "--monitor-child"))
    return sp_monitor_child_main ();
  g_test_init (&argc, &argv, NULL);
  add_greetings ("/monitor/qmp/greeting/", greetings, G_N_ELEMENTS (greetings));
  add_answers ("/monitor/qmp/answer/", answers, G_N_ELEMENTS (answers));
  g_test_add_func ("/monitor/qmp/success-for-everything-works", test_success);
  g_test_add_func ("/monitor/qmp/argument-that-is-none-is-invalid", test_arguments);
  g_test_add_func ("/monitor/qmp/refusal-leaves-it-usable", test_after_refusal);
  return g_test_run ();
}
