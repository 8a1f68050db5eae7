/* test-monitor.c - a monitor that a guest may have taken over */
#include "monitor.h"

#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <secret-proxy/vm.h>

#include "base/json.h"

#define GREETING "{\"QMP\":{}}\n"

typedef struct {
  SpHostApi api;
  SpHost host;
  int peer;
  SpQemuMonitor *monitor;
  const char *answer;
} Fake;

static JsonNode *
read_json (const char *text, gsize length, guint32 flags, GError **error)
{
  return sp_json_parse (text, length, flags, error);
}

static void
set_up (Fake *fake, gconstpointer data)
{
  int pair[2];

  fake->api = (SpHostApi){ .size = sizeof fake->api, .json_read = read_json };
  fake->host.api = &fake->api;
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
  fake->peer = pair[1];
  fake->monitor = sp_qemu_monitor_new (&fake->host, pair[0]);
}

static void
tear_down (Fake *fake, gconstpointer data)
{
  sp_qemu_monitor_free (fake->monitor);
  if (fake->peer >= 0)
    (void) close (fake->peer);
}

static void
say (Fake *fake, const char *text)
{
  g_assert_cmpint (send (fake->peer, text, strlen (text), 0), ==, (gssize) strlen (text));
}

/* The answer to the next command. */
static gboolean
on_command (int fd, GIOCondition condition, gpointer data)
{
  Fake *fake = data;
  char command[200];

  g_assert_cmpint (recv (fd, command, sizeof command, MSG_DONTWAIT), >, 0);
  say (fake, fake->answer);
  return G_SOURCE_REMOVE;
}

static void
will_answer (Fake *fake, const char *answer)
{
  fake->answer = answer;
  (void) g_unix_fd_add (fake->peer, G_IO_IN, on_command, fake);
}

static void
begin (Fake *fake)
{
  g_autoptr (GError) error = NULL;

  say (fake, GREETING);
  will_answer (fake, "{\"return\":{},\"id\":1}\n");
  g_assert_true (sp_qemu_monitor_begin (fake->monitor, 5000, NULL, &error));
  g_assert_no_error (error);
}

static void
assert_error (Fake *fake, const char *what)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (sp_qemu_monitor_do (fake->monitor, "stop", NULL, &error));
  g_assert_nonnull (error);
  if (strstr (error->message, what) == NULL)
    g_error ("'%s' does not say '%s'", error->message, what);
}

static void
test_answers_count_for_their_question_only (Fake *fake, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  guint32 state;

  begin (fake);
  will_answer (fake, "{\"return\":{\"status\":\"paused\"},\"id\":1}\n"
                     "{\"event\":\"SHUTDOWN\",\"data\":{\"reason\":\"guest-reset\"}}\n"
                     "{\"return\":{\"status\":\"running\"},\"id\":2}\n");
  g_assert_true (sp_qemu_monitor_state (fake->monitor, &state, NULL, &error));
  g_assert_cmpuint (state, ==, SP_VM_RUNNING);
  g_assert_cmpstr (sp_qemu_monitor_shutdown (fake->monitor), ==, "guest-reset");
}

static void
count (gpointer data)
{
  ++*(guint *) data;
}

/* Nobody sees from outside that a guest was stopped. */
static void
test_a_full_disk_is_told_of (Fake *fake, gconstpointer data)
{
  guint told = 0;

  begin (fake);
  sp_qemu_monitor_on_disk_error (fake->monitor, count, &told);
  say (fake, "{\"event\":\"STOP\"}\n"
             "{\"event\":\"BLOCK_IO_ERROR\",\"data\":{\"action\":\"report\",\"nospace\":false}}\n"
             "{\"event\":\"STOP\"}\n");
  sp_qemu_monitor_drain (fake->monitor);
  g_assert_cmpuint (told, ==, 0);
  g_assert_null (sp_qemu_monitor_disk_error (fake->monitor));
  say (fake, "{\"event\":\"BLOCK_IO_ERROR\",\"data\":{\"action\":\"stop\",\"nospace\":true}}\n"
             "{\"event\":\"STOP\"}\n");
  sp_qemu_monitor_drain (fake->monitor);
  g_assert_cmpuint (told, ==, 1);
  g_assert_nonnull (strstr (sp_qemu_monitor_disk_error (fake->monitor), "file system is full"));
}

static void
test_a_refusal_is_shown_escaped (Fake *fake, gconstpointer data)
{
  begin (fake);
  will_answer (fake, "{\"error\":{\"desc\":\"no \\u001b[31m\"},\"id\":2}\n");
  assert_error (fake, "QEMU refused stop: no \\033[31m");
}

static void
test_what_makes_no_sense_ends_it (Fake *fake, gconstpointer data)
{
  static const char *const texts[] = { "[1]\n", "}\n", "\n", "{\"id\":2,\"id\":2}\n" };

  begin (fake);
  will_answer (fake, texts[GPOINTER_TO_SIZE (data)]);
  assert_error (fake, "closed the connection");
}

static void
test_an_endless_line_ends_it (Fake *fake, gconstpointer data)
{
  g_autofree char *much = g_strnfill (64 * 1024, 'x');

  begin (fake);
  for (guint i = 0; i < 8; i++) {
    /* It may be cut off before all is said. */
    (void) send (fake->peer, much, 64 * 1024, MSG_NOSIGNAL | MSG_DONTWAIT);
    sp_qemu_monitor_drain (fake->monitor);
  }
  assert_error (fake, "is gone");
}

static void
test_silence_has_an_end (Fake *fake, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (sp_qemu_monitor_begin (fake->monitor, 50, NULL, &error));
  g_assert_cmpstr (error->message, ==, "QEMU's monitor does not answer");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/vm-qemu/monitor/answers-count-for-their-question-only", Fake, NULL, set_up,
              test_answers_count_for_their_question_only, tear_down);
  g_test_add ("/vm-qemu/monitor/a-full-disk-is-told-of", Fake, NULL, set_up,
              test_a_full_disk_is_told_of, tear_down);
  g_test_add ("/vm-qemu/monitor/a-refusal-is-shown-escaped", Fake, NULL, set_up,
              test_a_refusal_is_shown_escaped, tear_down);
  for (gsize i = 0; i < 4; i++) {
    g_autofree char *name =
        g_strdup_printf ("/vm-qemu/monitor/what-makes-no-sense-ends-it/%u", (guint) i);

    g_test_add (name, Fake, GSIZE_TO_POINTER (i), set_up, test_what_makes_no_sense_ends_it,
                tear_down);
  }
  g_test_add ("/vm-qemu/monitor/an-endless-line-ends-it", Fake, NULL, set_up,
              test_an_endless_line_ends_it, tear_down);
  g_test_add ("/vm-qemu/monitor/silence-has-an-end", Fake, NULL, set_up, test_silence_has_an_end,
              tear_down);
  return g_test_run ();
}
