/* test-client.c - client and plugin host together, over real processes, with plugins of tests/bad
 *
 * $SP_TEST_PLUGINS is the folder where they were built.  A plugin host is this program, started once
 * more.
 */
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/problem.h"
#include "plugin/client-private.h"
#include "plugin/host.h"

#define LIMIT_S 60 /* a test that waits longer than this has failed */

typedef struct {
  SpPluginClient *client;
  GSubprocess *process;
  char *state_dir;
  guint n_processes;
  guint n_exits;
  int last_status; /* exit status, or -1: a signal */
  gboolean fake;   /* the next process is a socket that the test holds */
  int fake_fd;
  gboolean forgetful; /* remember() fails */
  GHashTable *remembered;
  GPtrArray *alarms;
  GString *answers;
} Fixture;

/* ---- waiting for events ------------------------------------------------------------------------------ */

static gboolean
on_limit (gpointer data)
{
  g_error ("nothing came within %d s", LIMIT_S);
  return G_SOURCE_REMOVE;
}

#define WAIT_UNTIL(condition) \
  do { \
    guint limit_ = g_timeout_add_seconds (LIMIT_S, on_limit, NULL); \
    while (!(condition)) \
      g_main_context_iteration (NULL, TRUE); \
    g_source_remove (limit_); \
  } while (0)

/* ---- the keeper's side ------------------------------------------------------------------------------- */

static void
on_process_end (GObject *object, GAsyncResult *result, gpointer data)
{
  Fixture *fixture = data;
  GSubprocess *process = G_SUBPROCESS (object);

  (void) g_subprocess_wait_finish (process, result, NULL);
  fixture->n_exits++;
  fixture->last_status =
      g_subprocess_get_if_exited (process) ? g_subprocess_get_exit_status (process) : -1;
  g_clear_object (&fixture->process);
  if (fixture->client != NULL)
    sp_plugin_client_exited (fixture->client);
}

static void
want_process (SpPluginClient *client, gpointer data)
{
  Fixture *fixture = data;
  g_autoptr (GSubprocessLauncher) launcher = g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_NONE);
  g_autofree char *program = g_file_read_link ("/proc/self/exe", NULL);
  g_autoptr (GError) error = NULL;
  int fds[2];

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
  fixture->n_processes++;
  if (fixture->fake) {
    fixture->fake_fd = fds[1];
  } else {
    g_subprocess_launcher_take_fd (launcher, fds[1], 3);
    fixture->process = g_subprocess_launcher_spawn (launcher, &error, program, "--plugin-host",
                                                    fixture->state_dir, NULL);
    g_assert_no_error (error);
    g_subprocess_wait_async (fixture->process, NULL, on_process_end, fixture);
  }
  sp_plugin_client_attach (client, fds[0]);
}

static gboolean
on_fake_exit (gpointer data)
{
  Fixture *fixture = data;

  fixture->fake = FALSE;
  (void) close (fixture->fake_fd);
  fixture->n_exits++;
  sp_plugin_client_exited (fixture->client);
  return G_SOURCE_REMOVE;
}

static void
kill_process (SpPluginClient *client, gpointer data)
{
  Fixture *fixture = data;

  if (fixture->fake)
    g_idle_add (on_fake_exit, fixture);
  else if (fixture->process != NULL)
    g_subprocess_force_exit (fixture->process);
}

static GVariant *
recall (SpPluginClient *client, gpointer data)
{
  Fixture *fixture = data;
  GVariantBuilder all;
  GHashTableIter iter;
  gpointer key, value;

  g_variant_builder_init (&all, G_VARIANT_TYPE ("a{ss}"));
  g_hash_table_iter_init (&iter, fixture->remembered);
  while (g_hash_table_iter_next (&iter, &key, &value))
    g_variant_builder_add (&all, "{ss}", key, value);
  return g_variant_builder_end (&all);
}

static void
remember (SpPluginClient *client, const char *key, const char *value, SpLinkCall *call,
          gpointer data)
{
  Fixture *fixture = data;
  g_autoptr (GError) error = g_error_new_literal (SP_PROBLEM, SP_PROBLEM_STORE, "the disk is full");

  if (fixture->forgetful) {
    sp_link_call_fail (call, error);
    return;
  }
  if (value != NULL)
    g_hash_table_replace (fixture->remembered, g_strdup (key), g_strdup (value));
  else
    g_hash_table_remove (fixture->remembered, key);
  sp_link_call_reply (call, g_variant_new ("()"), NULL);
}

static void
take_answer (SpPluginClient *client, const char *notice_id, const char *choice_id,
             const char *person, const char *evidence, SpLinkCall *call, gpointer data)
{
  Fixture *fixture = data;

  g_string_append_printf (fixture->answers, "%s %s %s %s;", notice_id, choice_id, person,
                          evidence != NULL ? evidence : "-");
  sp_link_call_reply (call, g_variant_new ("(us)", SP_ANSWER_COUNTED, "one more is needed"), NULL);
}

static void
take_alarm (SpPluginClient *client, const char *what, gpointer data)
{
  Fixture *fixture = data;

  g_ptr_array_add (fixture->alarms, g_strdup (what));
}

static const SpPluginEvents events = { .want_process = want_process,
                                       .kill_process = kill_process,
                                       .recall = recall,
                                       .remember = remember,
                                       .answer = take_answer,
                                       .alarm = take_alarm };

static GVariant *
parse (const char *type, const char *text)
{
  return g_variant_parse (G_VARIANT_TYPE (type), text, NULL, NULL, NULL);
}

/* @file: "notify-honest.so" */
static void
setup (Fixture *fixture, const char *file, const char *options, const char *secrets)
{
  g_autofree char *path = g_build_filename (g_getenv ("SP_TEST_PLUGINS"), file, NULL);
  const SpPluginSetup plugin = {
    .kind = g_str_has_prefix (file, "store-") ? SP_KIND_STORE : SP_KIND_NOTIFIER,
    .instance = "test",
    .path = path,
    .options = parse ("a{ss}", options),
    .secrets = parse ("a{say}", secrets),
    .people = parse ("as", "['42', '43']"),
  };

  fixture->state_dir = g_dir_make_tmp ("sp-client-XXXXXX", NULL);
  fixture->remembered = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  fixture->alarms = g_ptr_array_new_with_free_func (g_free);
  fixture->answers = g_string_new (NULL);
  fixture->client = sp_plugin_client_new (&plugin, &events, fixture);
}

static void
setup_plain (Fixture *fixture, const char *file)
{
  setup (fixture, file, "{}", "{}");
}

static void
wait_ready (Fixture *fixture)
{
  WAIT_UNTIL (sp_plugin_client_state (fixture->client) == SP_PLUGIN_READY);
}

static void
teardown (Fixture *fixture)
{
  static const char *const folders[] = { "notify-test", "store-test" };

  g_clear_pointer (&fixture->client, sp_plugin_client_free);
  WAIT_UNTIL (fixture->process == NULL);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  for (gsize i = 0; i < G_N_ELEMENTS (folders); i++) {
    g_autofree char *folder = g_build_filename (fixture->state_dir, folders[i], NULL);

    g_rmdir (folder);
  }
  g_assert_cmpint (g_rmdir (fixture->state_dir), ==, 0);
  g_free (fixture->state_dir);
  g_hash_table_unref (fixture->remembered);
  g_ptr_array_unref (fixture->alarms);
  g_string_free (fixture->answers, TRUE);
}

/* ---- calls and their results ------------------------------------------------------------------------- */

typedef struct {
  guint n_done;
  GError *error;
} Result;

static void
on_done (const GError *error, gpointer data)
{
  Result *result = data;

  result->n_done++;
  result->error = error != NULL ? g_error_copy (error) : NULL;
}

static void
start_post (Fixture *fixture, const char *title, gboolean with_choices, Result *result)
{
  const SpField fields[] = { { "Agent", "molty", SP_FIELD_AGENT } };
  const SpChoice choices[] = { { "yes", "Approve", SP_CHOICE_APPROVE } };
  const SpNotice notice = { .size = sizeof notice,
                            .id = "n1",
                            .title = title,
                            .fields = fields,
                            .n_fields = with_choices ? 1 : 0,
                            .choices = choices,
                            .n_choices = with_choices ? 1 : 0 };

  *result = (Result){ 0 };
  sp_plugin_client_post (fixture->client, &notice, on_done, result);
  g_assert_cmpuint (result->n_done, ==, 0);
}

/* NULL where it went well; the message otherwise. */
static char *
post (Fixture *fixture, const char *title, gboolean with_choices)
{
  Result result;
  char *message;

  start_post (fixture, title, with_choices, &result);
  WAIT_UNTIL (result.n_done > 0);
  message = result.error != NULL ? g_strdup (result.error->message) : NULL;
  g_clear_error (&result.error);
  return message;
}

static const char *
alarm_at (const Fixture *fixture, guint i)
{
  return i < fixture->alarms->len ? g_ptr_array_index (fixture->alarms, i) : NULL;
}

/* ---- notifiers --------------------------------------------------------------------------------------- */

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

  setup (&fixture, "notify-honest.so", "{'interval': '500ms'}", "{'token': [0x41, 0x42, 0x43]}");
  g_assert_cmpint (sp_plugin_client_state (fixture.client), ==, SP_PLUGIN_DOWN);
  message = post (&fixture, "Hello", FALSE);
  g_assert_cmpstr (message, ==, NULL);
  g_assert_cmpint (sp_plugin_client_state (fixture.client), ==, SP_PLUGIN_READY);
  g_assert_null (sp_plugin_client_why (fixture.client));
  WAIT_UNTIL (fixture.alarms->len == 1);
  g_assert_cmpstr (alarm_at (&fixture, 0), ==, "post 1 of Hello, every 500 ms, token of 3");
  sp_plugin_client_settle (fixture.client, &notice, &outcome, on_done, &result);
  WAIT_UNTIL (result.n_done > 0 && fixture.alarms->len == 2);
  g_assert_no_error (result.error);
  g_assert_cmpstr (alarm_at (&fixture, 1), ==, "settled: approved by alice");
  teardown (&fixture);
  g_assert_cmpuint (fixture.n_processes, ==, 1);
  g_assert_cmpint (fixture.last_status, ==, SP_PLUGIN_HOST_OK);
}

static void
test_the_answer_s_way (void)
{
  Fixture fixture = { 0 };
  g_autofree char *message = NULL;

  setup_plain (&fixture, "notify-honest.so");
  message = post (&fixture, "Hello", TRUE);
  g_assert_cmpstr (message, ==, NULL);
  WAIT_UNTIL (fixture.alarms->len == 2);
  g_assert_cmpstr (fixture.answers->str, ==, "n1 yes 42 -;");
  g_assert_cmpstr (alarm_at (&fixture, 1), ==, "answered: 1, one more is needed");
  teardown (&fixture);
}

static void
test_memory_outlives_the_process (void)
{
  Fixture fixture = { 0 };
  g_autofree char *first = NULL;
  g_autofree char *second = NULL;

  setup_plain (&fixture, "notify-honest.so");
  first = post (&fixture, "a", FALSE);
  g_assert_cmpstr (first, ==, NULL);
  g_subprocess_force_exit (fixture.process);
  WAIT_UNTIL (fixture.n_exits == 1);
  second = post (&fixture, "b", FALSE);
  g_assert_cmpstr (second, ==, NULL);
  WAIT_UNTIL (fixture.alarms->len == 2);
  g_assert_cmpstr (alarm_at (&fixture, 1), ==, "post 2 of b, every 2000 ms, token of 0");
  teardown (&fixture);
  g_assert_cmpuint (fixture.n_processes, ==, 2);
}

static void
test_much_memory (void)
{
  Fixture fixture = { 0 };
  g_autofree char *value = g_strnfill (8000, 'v');
  g_autofree char *message = NULL;

  setup_plain (&fixture, "notify-honest.so");
  /* More than one frame holds. */
  for (guint i = 0; i < 2000; i++)
    g_hash_table_replace (fixture.remembered, g_strdup_printf ("k%u", i), g_strdup (value));
  g_hash_table_replace (fixture.remembered, g_strdup ("posts"), g_strdup ("41"));
  message = post (&fixture, "c", FALSE);
  g_assert_cmpstr (message, ==, NULL);
  WAIT_UNTIL (fixture.alarms->len == 1);
  g_assert_true (g_str_has_prefix (alarm_at (&fixture, 0), "post 42 of c"));
  teardown (&fixture);
}

static void
test_what_is_not_durable_fails (void)
{
  Fixture fixture = { 0 };
  g_autofree char *message = NULL;

  setup_plain (&fixture, "notify-honest.so");
  fixture.forgetful = TRUE;
  message = post (&fixture, "a", FALSE);
  g_assert_cmpstr (message, ==, "notify test: the disk is full");
  teardown (&fixture);
}

static void
test_alarms_are_limited (void)
{
  Fixture fixture = { 0 };

  setup_plain (&fixture, "notify-honest.so");
  for (guint i = 0; i < 15; i++)
    g_free (post (&fixture, "a", FALSE));
  /* Alarms and results share one link, so all that were sent have come. */
  g_assert_cmpuint (fixture.alarms->len, ==, 10);
  teardown (&fixture);
}

static void
test_trouble_shows (void)
{
  Fixture fixture = { 0 };
  g_autofree char *first = NULL;
  g_autofree char *second = NULL;

  setup_plain (&fixture, "notify-troubled.so");
  first = post (&fixture, "a", TRUE);
  WAIT_UNTIL (sp_plugin_client_state (fixture.client) == SP_PLUGIN_TROUBLED);
  g_assert_cmpstr (sp_plugin_client_why (fixture.client), ==, "the service is away");
  second = post (&fixture, "a", FALSE);
  WAIT_UNTIL (sp_plugin_client_state (fixture.client) == SP_PLUGIN_READY);
  g_assert_cmpstr (first, ==, NULL);
  g_assert_cmpstr (second, ==, NULL);
  teardown (&fixture);
}

/* ---- plugins that break the rules -------------------------------------------------------------------- */

static void
test_false_without_error (void)
{
  Fixture fixture = { 0 };
  g_autofree char *message = NULL;

  setup_plain (&fixture, "notify-false-without-error.so");
  message = post (&fixture, "a", FALSE);
  g_assert_cmpstr (message, ==, "notify test: post() failed and did not say why: a bug of it");
  teardown (&fixture);
}

static void
test_true_with_error (void)
{
  Fixture fixture = { 0 };
  g_autofree char *message = NULL;

  setup_plain (&fixture, "notify-true-with-error.so");
  message = post (&fixture, "a", FALSE);
  g_assert_cmpstr (message, ==,
                   "notify test: post() succeeded and set an error all the same, a bug of it: no");
  teardown (&fixture);
}

static void
test_minds_deadline (void)
{
  Fixture fixture = { 0 };
  g_autofree char *message = NULL;

  setup_plain (&fixture, "notify-minds-deadline.so");
  wait_ready (&fixture);
  sp_client_set_deadline (fixture.client, 100);
  message = post (&fixture, "a", FALSE);
  g_assert_cmpstr (message, ==,
                   "notify test: post: no result within 100 ms: Operation was cancelled");
  g_assert_cmpint (sp_plugin_client_state (fixture.client), ==, SP_PLUGIN_READY);
  teardown (&fixture);
  g_assert_cmpuint (fixture.n_processes, ==, 1);
}

static void
test_ignores_deadline (void)
{
  Fixture fixture = { 0 };
  Result first, second;

  setup_plain (&fixture, "notify-ignores-deadline.so");
  wait_ready (&fixture);
  sp_client_set_deadline (fixture.client, 100);
  start_post (&fixture, "a", FALSE, &first);
  sp_client_set_deadline (fixture.client, 30000);
  start_post (&fixture, "b", FALSE, &second);
  WAIT_UNTIL (fixture.n_exits == 1);
  g_assert_cmpint (fixture.last_status, ==, SP_PLUGIN_HOST_OVERRUN);
  WAIT_UNTIL (second.n_done == 1);
  g_assert_cmpuint (first.n_done, ==, 1);
  g_assert_error (first.error, SP_PROBLEM, SP_PROBLEM_UNREACHABLE);
  g_assert_no_error (second.error);
  g_assert_cmpuint (fixture.n_processes, ==, 2);
  g_clear_error (&first.error);
  teardown (&fixture);
}

static void
test_dies_by_signal (void)
{
  Fixture fixture = { 0 };
  Result first, second;

  setup_plain (&fixture, "notify-dies.so");
  start_post (&fixture, "a", FALSE, &first);
  start_post (&fixture, "b", FALSE, &second);
  WAIT_UNTIL (first.n_done == 1 && second.n_done == 1);
  g_assert_error (first.error, SP_PROBLEM, SP_PROBLEM_UNREACHABLE);
  g_assert_no_error (second.error);
  g_assert_cmpuint (fixture.n_processes, ==, 2);
  g_clear_error (&first.error);
  teardown (&fixture);
}

static void
test_hangs_in_open (void)
{
  Fixture fixture = { 0 };
  Result result;

  setup_plain (&fixture, "notify-hangs-in-open.so");
  sp_client_set_deadline (fixture.client, 100);
  WAIT_UNTIL (fixture.n_exits == 1);
  g_assert_cmpint (fixture.last_status, ==, SP_PLUGIN_HOST_OVERRUN);
  g_assert_cmpint (sp_plugin_client_state (fixture.client), ==, SP_PLUGIN_DOWN);
  start_post (&fixture, "a", FALSE, &result);
  WAIT_UNTIL (result.n_done == 1);
  g_assert_error (result.error, SP_PROBLEM, SP_PROBLEM_UNREACHABLE);
  g_assert_true (g_str_has_prefix (result.error->message,
                                   "notify test: it did not get to this call in time: "));
  g_clear_error (&result.error);
  WAIT_UNTIL (fixture.n_processes == 2);
  teardown (&fixture);
}

static void
test_fails_in_open (void)
{
  Fixture fixture = { 0 };
  g_autofree char *waiting = NULL;
  g_autofree char *later = NULL;

  setup_plain (&fixture, "notify-fails-in-open.so");
  waiting = post (&fixture, "a", FALSE);
  g_assert_cmpstr (waiting, ==, "notify test: no such chat");
  g_assert_cmpint (sp_plugin_client_state (fixture.client), ==, SP_PLUGIN_FAILED);
  g_assert_cmpstr (sp_plugin_client_why (fixture.client), ==, "no such chat");
  later = post (&fixture, "b", FALSE);
  g_assert_cmpstr (later, ==, "notify test: no such chat");
  teardown (&fixture);
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

    setup (&fixture, "notify-honest.so", cases[i].options, cases[i].secrets);
    message = post (&fixture, "a", FALSE);
    g_assert_cmpstr (message, ==, cases[i].message);
    g_assert_cmpint (sp_plugin_client_state (fixture.client), ==, SP_PLUGIN_FAILED);
    teardown (&fixture);
  }
}

/* ---- the link ---------------------------------------------------------------------------------------- */

static void
test_a_peer_that_talks_nonsense (void)
{
  Fixture fixture = { 0 };
  g_autofree char *message = NULL;
  Result result;

  setup_plain (&fixture, "notify-honest.so");
  fixture.fake = TRUE;
  start_post (&fixture, "a", FALSE, &result);
  WAIT_UNTIL (fixture.n_processes == 1);
  g_assert_cmpint (write (fixture.fake_fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27), ==, 27);
  WAIT_UNTIL (fixture.n_exits == 1);
  /* The call was not given to anybody yet, so it survives. */
  WAIT_UNTIL (result.n_done == 1);
  g_assert_no_error (result.error);
  g_assert_cmpuint (fixture.n_processes, ==, 2);
  teardown (&fixture);
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

  setup_plain (&fixture, "notify-dies.so");
  sp_plugin_client_post (fixture.client, &notice, free_client, &fixture);
  WAIT_UNTIL (fixture.client == NULL);
  teardown (&fixture);
}

static void
test_freed_with_calls_waiting (void)
{
  Fixture fixture = { 0 };
  Result first, second;

  setup_plain (&fixture, "notify-minds-deadline.so");
  wait_ready (&fixture);
  start_post (&fixture, "a", FALSE, &first);
  start_post (&fixture, "b", FALSE, &second);
  g_clear_pointer (&fixture.client, sp_plugin_client_free);
  g_assert_cmpuint (first.n_done, ==, 1);
  g_assert_cmpuint (second.n_done, ==, 1);
  g_assert_error (first.error, SP_PROBLEM, SP_PROBLEM_UNREACHABLE);
  g_assert_cmpstr (second.error->message, ==, "notify test: it is being stopped");
  g_clear_error (&first.error);
  g_clear_error (&second.error);
  teardown (&fixture);
  g_assert_cmpint (fixture.last_status, ==, SP_PLUGIN_HOST_OK);
}

/* ---- stores ------------------------------------------------------------------------------------------ */

typedef struct {
  guint n_done;
  GError *error;
  GString *seen; /* results, rows */
  gboolean more;
  gsize size;
} StoreResult;

static void
on_written (const guint32 *results, gsize n_results, const GError *error, gpointer data)
{
  StoreResult *result = data;

  for (gsize i = 0; i < n_results; i++)
    g_string_append_printf (result->seen, "%u;", results[i]);
  result->error = error != NULL ? g_error_copy (error) : NULL;
  result->n_done++;
}

static void
on_read (GBytes *value, gint64 revision, const GError *error, gpointer data)
{
  StoreResult *result = data;

  if (value != NULL) {
    result->size = g_bytes_get_size (value);
    g_string_append_printf (result->seen, "%" G_GINT64_FORMAT ";", revision);
  }
  result->error = error != NULL ? g_error_copy (error) : NULL;
  result->n_done++;
}

static gboolean
on_row (const char *key, gint64 revision, GBytes *value, gpointer data)
{
  StoreResult *result = data;

  g_string_append_printf (result->seen, "%s;", key);
  return TRUE;
}

static void
on_scanned (gboolean more, const GError *error, gpointer data)
{
  StoreResult *result = data;

  result->more = more;
  result->error = error != NULL ? g_error_copy (error) : NULL;
  result->n_done++;
}

/* Wait, and assert what was seen and how it ended. */
static void
assert_seen (StoreResult *result, const char *seen, const char *message)
{
  WAIT_UNTIL (result->n_done == 1);
  g_assert_cmpstr (result->seen->str, ==, seen);
  g_assert_cmpstr (result->error != NULL ? result->error->message : NULL, ==, message);
  g_clear_error (&result->error);
  g_string_truncate (result->seen, 0);
  result->n_done = 0;
}

static void
write_rows (Fixture *fixture, StoreResult *result)
{
  g_autoptr (GBytes) value = g_bytes_new_static ("value", 5);
  const SpWrite five[] = {
    { "t", "a", 0, value }, { "t", "b", 0, value }, { "t", "c", -1, value },
    { "t", "d", 0, value }, { "t", "e", 0, value },
  };
  const SpWrite stale[] = { { "t", "a", 7, value } };
  const SpBatch batches[] = { { five, 5, 0 }, { stale, 1, 0 } };

  sp_plugin_client_write (fixture->client, batches, 2, on_written, result);
  assert_seen (result, "1;2;", NULL);
}

static void
test_store (void)
{
  Fixture fixture = { 0 };
  StoreResult result = { .seen = g_string_new (NULL) };
  const SpWrite removal[] = { { "t", "b", 1, NULL } };
  const SpBatch batch = { removal, 1, 0 };

  setup_plain (&fixture, "store-memory.so");
  write_rows (&fixture, &result);
  sp_plugin_client_read (fixture.client, "t", "a", on_read, &result);
  assert_seen (&result, "1;", NULL);
  g_assert_cmpuint (result.size, ==, 5);
  sp_plugin_client_read (fixture.client, "t", "x", on_read, &result);
  WAIT_UNTIL (result.n_done == 1);
  g_assert_error (result.error, SP_ERROR, SP_ERROR_NOT_FOUND);
  assert_seen (&result, "", "store test: no row 'x'");
  sp_plugin_client_write (fixture.client, &batch, 1, on_written, &result);
  assert_seen (&result, "1;", NULL);
  sp_plugin_client_scan (fixture.client, "t", NULL, 100, on_row, on_scanned, &result);
  assert_seen (&result, "a;c;d;e;", NULL);
  g_assert_false (result.more);
  teardown (&fixture);
  g_string_free (result.seen, TRUE);
}

static void
test_scan_in_pages (void)
{
  Fixture fixture = { 0 };
  StoreResult result = { .seen = g_string_new (NULL) };

  setup_plain (&fixture, "store-memory.so");
  write_rows (&fixture, &result);
  sp_plugin_client_scan (fixture.client, "t", NULL, 2, on_row, on_scanned, &result);
  assert_seen (&result, "a;b;", NULL);
  g_assert_true (result.more);
  sp_plugin_client_scan (fixture.client, "t", "b", 2, on_row, on_scanned, &result);
  assert_seen (&result, "c;d;", NULL);
  g_assert_true (result.more);
  sp_plugin_client_scan (fixture.client, "t", "d", 2, on_row, on_scanned, &result);
  assert_seen (&result, "e;", NULL);
  g_assert_false (result.more);
  teardown (&fixture);
  g_string_free (result.seen, TRUE);
}

static void
test_scan_is_bounded_in_bytes (void)
{
  Fixture fixture = { 0 };
  StoreResult result = { .seen = g_string_new (NULL) };
  g_autofree char *data = g_strnfill (256 * 1024, 'x');
  g_autoptr (GBytes) value = g_bytes_new_static (data, 256 * 1024);

  setup_plain (&fixture, "store-memory.so");
  for (guint i = 0; i < 20; i++) {
    g_autofree char *key = g_strdup_printf ("k%02u", i);
    const SpWrite write = { "t", key, 0, value };
    const SpBatch batch = { &write, 1, 0 };

    sp_plugin_client_write (fixture.client, &batch, 1, on_written, &result);
    assert_seen (&result, "1;", NULL);
  }
  sp_plugin_client_scan (fixture.client, "t", NULL, 100, on_row, on_scanned, &result);
  assert_seen (&result, "k00;k01;k02;k03;k04;k05;k06;k07;k08;k09;k10;k11;k12;k13;k14;", NULL);
  g_assert_true (result.more);
  teardown (&fixture);
  g_string_free (result.seen, TRUE);
}

static void
test_a_write_that_is_too_large (void)
{
  Fixture fixture = { 0 };
  StoreResult result = { .seen = g_string_new (NULL) };
  g_autofree char *data = g_strnfill (9 * 1024 * 1024, 'x');
  g_autoptr (GBytes) value = g_bytes_new_static (data, 9 * 1024 * 1024);
  const SpWrite write = { "t", "k", 0, value };
  const SpBatch batch = { &write, 1, 0 };

  setup_plain (&fixture, "store-memory.so");
  sp_plugin_client_write (fixture.client, &batch, 1, on_written, &result);
  g_assert_cmpuint (result.n_done, ==, 0);
  WAIT_UNTIL (result.n_done == 1);
  g_assert_error (result.error, SP_PROBLEM, SP_PROBLEM_TOO_LARGE);
  g_clear_error (&result.error);
  teardown (&fixture);
  g_string_free (result.seen, TRUE);
}

static void
test_a_careless_store (void)
{
  Fixture fixture = { 0 };
  StoreResult result = { .seen = g_string_new (NULL) };
  const SpWrite write = { "t", "k", 0, NULL };
  const SpBatch batch = { &write, 1, 0 };

  setup_plain (&fixture, "store-careless.so");
  sp_plugin_client_read (fixture.client, "t", "a", on_read, &result);
  assert_seen (&result, "", "store test: read() succeeded and gave no value: a bug of it");
  sp_plugin_client_write (fixture.client, &batch, 1, on_written, &result);
  assert_seen (&result, "",
               "store test: write() succeeded and left batch 1 without a result: a bug of it");
  sp_plugin_client_scan (fixture.client, "t", NULL, 10, on_row, on_scanned, &result);
  assert_seen (&result, "", "store test: scan() gave rows out of order: a bug of it");
  teardown (&fixture);
  g_string_free (result.seen, TRUE);
}

int
main (int argc, char **argv)
{
  if (argc == 3 && strcmp (argv[1], "--plugin-host") == 0)
    return sp_plugin_host_run (3, argv[2]);
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/plugin/notify/post-and-settle", test_post_and_settle);
  g_test_add_func ("/plugin/notify/the-answer-s-way", test_the_answer_s_way);
  g_test_add_func ("/plugin/notify/memory-outlives-the-process", test_memory_outlives_the_process);
  g_test_add_func ("/plugin/notify/much-memory", test_much_memory);
  g_test_add_func ("/plugin/notify/what-is-not-durable-fails", test_what_is_not_durable_fails);
  g_test_add_func ("/plugin/notify/alarms-are-limited", test_alarms_are_limited);
  g_test_add_func ("/plugin/notify/trouble-shows", test_trouble_shows);
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
  g_test_add_func ("/plugin/store/read-write-scan", test_store);
  g_test_add_func ("/plugin/store/scan-in-pages", test_scan_in_pages);
  g_test_add_func ("/plugin/store/scan-is-bounded-in-bytes", test_scan_is_bounded_in_bytes);
  g_test_add_func ("/plugin/store/write-too-large", test_a_write_that_is_too_large);
  g_test_add_func ("/plugin/store/careless", test_a_careless_store);
  return g_test_run ();
}
