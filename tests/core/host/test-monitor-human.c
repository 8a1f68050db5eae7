/* test-monitor-human.c - the client at a monitor for people, and at what pretends to be one */
#include "host/monitor/monitor.h"

#include <string.h>

#include "base/problem.h"
#include "monitor-case.h"

/* ---- greetings -------------------------------------------------------------------------------------------- */

static void
greets_as_a_human_without_end (int fd)
{
  (void) fake_say (fd, "QEMU 7.2.0 monitor\r\n");
  while (fake_say (fd, "hello, hello, hello, hello, hello, hello, hello, hello, hello, hello\r\n"))
    ;
}

static void
greets_as_a_human_with_nul (int fd)
{
  static const char text[] = "QEMU \0 monitor\r\n(qemu) ";

  (void) fake_say_bytes (fd, text, sizeof text - 1);
  g_free (fake_hear (fd));
}

static const Greeting greetings[] = {
  { "endless-greeting-is-refused", greets_as_a_human_without_end, SP_PROBLEM_INTEGRITY },
  { "nul-in-greeting-is-refused", greets_as_a_human_with_nul, SP_PROBLEM_INTEGRITY },
};

/* ---- answers ------------------------------------------------------------------------------------ */

static void
human (int fd, const char *answer)
{
  g_autofree char *line = NULL;

  (void) fake_say (fd, BANNER);
  while ((line = fake_hear (fd)) != NULL) {
    fake_echo (fd, line);
    (void) (fake_say (fd, answer) && fake_say (fd, "(qemu) "));
    g_clear_pointer (&line, g_free);
  }
}

static void
human_agrees (int fd)
{
  human (fd, "");
}

static void
human_refuses (int fd)
{
  human (fd, "Error: Device 'virtio0' is \033[2Jwritable\r\n");
}

static void
human_sends_nul (int fd)
{
  static const char text[] = "Error\0\r\n(qemu) ";
  g_autofree char *line = NULL;

  (void) fake_say (fd, BANNER);
  line = fake_hear (fd);
  fake_echo (fd, line);
  (void) fake_say_bytes (fd, text, sizeof text - 1);
  g_free (fake_hear (fd));
}

static void
human_echoes_another (int fd)
{
  (void) fake_say (fd, BANNER);
  g_free (fake_hear (fd));
  fake_echo (fd, "quit");
  (void) fake_say (fd, "(qemu) ");
  g_free (fake_hear (fd));
}

static void
human_clears_the_screen (int fd)
{
  (void) fake_say (fd, BANNER);
  g_free (fake_hear (fd));
  (void) fake_say (fd, "\033[2Jstop\r\n(qemu) ");
  g_free (fake_hear (fd));
}

static void
human_never_stops (int fd)
{
  g_autofree char *line = NULL;

  (void) fake_say (fd, BANNER);
  line = fake_hear (fd);
  fake_echo (fd, line);
  while (fake_say (fd, "more and more and more and more and more and more\r\n(qemu) no\r\n"))
    ;
}

static void
human_removes_a_forward (int fd)
{
  human (fd, "host forwarding rule for tcp:" ADDRESS " removed\r\n");
}

static void
human_finds_no_forward (int fd)
{
  human (fd, "host forwarding rule for tcp:" ADDRESS " not found\r\n");
}

static void
human_quits (int fd)
{
  g_autofree char *line = NULL;

  (void) fake_say (fd, BANNER);
  line = fake_hear (fd);
  fake_echo (fd, line);
}

static const Answer answers[] = {
  { "no-answer-is-success", human_agrees, SP_MONITOR_SAVE, NAME, ENOUGH_MS, -1, NULL },
  { "words-are-a-refusal", human_refuses, SP_MONITOR_SAVE, NAME, ENOUGH_MS, SP_PROBLEM_CONFLICT,
    "(Error: Device 'virtio0' is \\x1b[2Jwritable)" },
  { "nul-is-refused", human_sends_nul, SP_MONITOR_SAVE, NAME, ENOUGH_MS, SP_PROBLEM_INTEGRITY,
    "savevm" },
  { "another-echo-is-refused", human_echoes_another, SP_MONITOR_STOP, NULL, ENOUGH_MS,
    SP_PROBLEM_INTEGRITY, "echo" },
  { "other-escapes-are-refused", human_clears_the_screen, SP_MONITOR_STOP, NULL, ENOUGH_MS,
    SP_PROBLEM_INTEGRITY, "echo" },
  { "answer-without-end-is-refused", human_never_stops, SP_MONITOR_STOP, NULL, ENOUGH_MS,
    SP_PROBLEM_INTEGRITY, "in all" },
  { "removed-forward-is-success", human_removes_a_forward, SP_MONITOR_RELEASE, ADDRESS, ENOUGH_MS,
    -1, NULL },
  { "forward-that-is-not-there-is-a-conflict", human_finds_no_forward, SP_MONITOR_RELEASE, ADDRESS,
    ENOUGH_MS, SP_PROBLEM_CONFLICT, "not found" },
  { "words-of-one-verb-are-none-of-another", human_removes_a_forward, SP_MONITOR_CLAIM, ADDRESS,
    ENOUGH_MS, SP_PROBLEM_CONFLICT, "hostfwd_add" },
  { "quit-ends", human_quits, SP_MONITOR_QUIT, NULL, ENOUGH_MS, -1, NULL },
  { "quit-waits-for-the-end", human_agrees, SP_MONITOR_QUIT, NULL, SHORT_MS, SP_PROBLEM_TIMED_OUT,
    "quit" },
};

static void
human_talks_unasked (int fd)
{
  g_autofree char *line = NULL;

  (void) fake_say (fd, BANNER);
  line = fake_hear (fd);
  fake_echo (fd, line);
  (void) fake_say (fd, "(qemu) ");
  g_free (line);
  line = fake_hear (fd);
  (void) fake_say (fd, "by the way: ");
  fake_echo (fd, line);
  (void) fake_say (fd, "(qemu) ");
  g_free (fake_hear (fd));
}

/* What was said between two commands is no part of an echo. */
static void
test_unasked (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (SpMonitor) monitor = NULL;
  Fake fake;
  int fd = fake_start (&fake, human_talks_unasked);

  monitor = sp_monitor_open (fd, fd, NULL);
  g_assert_cmpstr (sp_monitor_dialect (monitor), ==, "human monitor");
  g_assert_true (sp_monitor_do (monitor, SP_MONITOR_STOP, NULL, ENOUGH_MS, &error));
  g_assert_false (sp_monitor_do (monitor, SP_MONITOR_GO_ON, NULL, ENOUGH_MS, &error));
  g_assert_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY);
  g_clear_pointer (&monitor, sp_monitor_free);
  fake_join (&fake);
}

int
main (int argc, char **argv)
{
  if (argc == 2 && g_str_equal (argv[1], "--monitor-child"))
    return sp_monitor_child_main ();
  g_test_init (&argc, &argv, NULL);
  add_greetings ("/monitor/human/greeting/", greetings, G_N_ELEMENTS (greetings));
  add_answers ("/monitor/human/answer/", answers, G_N_ELEMENTS (answers));
  g_test_add_func ("/monitor/human/what-nobody-asked-for-is-no-answer", test_unasked);
  return g_test_run ();
}
