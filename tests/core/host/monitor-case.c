/* monitor-case.c - monitor-case.h: one client for each row */
#include "monitor-case.h"

#include <string.h>

#include "base/problem.h"

static void
test_greeting (gconstpointer data)
{
  const Greeting *greeting = data;
  g_autoptr (GError) error = NULL;
  Fake fake;
  int fd = fake_start (&fake, greeting->play);

  g_assert_null (sp_monitor_open (fd, fd, &error));
  g_assert_error (error, SP_PROBLEM, greeting->code);
  /* It was found out, and not by a crash. */
  g_assert_null (strstr (error->message, "by signal"));
  fake_join (&fake);
}

static void
assert_answer (const Answer *answer, gboolean done, const GError *error)
{
  if (answer->code < 0) {
    g_assert_no_error (error);
    g_assert_true (done);
    return;
  }
  g_assert_false (done);
  g_assert_error (error, SP_PROBLEM, answer->code);
  g_assert_nonnull (strstr (error->message, answer->message));
  g_assert_null (strstr (error->message, "by signal"));
  for (const char *p = error->message; *p != 0; p++)
    g_assert_true (g_ascii_isprint (*p));
  /* 200 characters of the monitor's, and our own. */
  g_assert_cmpuint (strlen (error->message), <, 500);
}

static void
test_answer (gconstpointer data)
{
  const Answer *answer = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (SpMonitor) monitor = NULL;
  gboolean done;
  Fake fake;
  int fd = fake_start (&fake, answer->play);

  monitor = sp_monitor_open (fd, fd, &error);
  g_assert_no_error (error);
  done = sp_monitor_do (monitor, answer->verb, answer->argument, answer->timeout_ms, &error);
  assert_answer (answer, done, error);
  g_clear_pointer (&monitor, sp_monitor_free);
  fake_join (&fake);
}

void
add_greetings (const char *path, const Greeting *rows, gsize n)
{
  for (gsize i = 0; i < n; i++) {
    g_autofree char *name = g_strconcat (path, rows[i].name, NULL);

    g_test_add_data_func (name, &rows[i], test_greeting);
  }
}

void
add_answers (const char *path, const Answer *rows, gsize n)
{
  for (gsize i = 0; i < n; i++) {
    g_autofree char *name = g_strconcat (path, rows[i].name, NULL);

    g_test_add_data_func (name, &rows[i], test_answer);
  }
}
