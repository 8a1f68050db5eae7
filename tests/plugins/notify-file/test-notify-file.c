/* test-notify-file.c - the file notifier with a host of the test's own */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gstdio.h>
#include <secret-proxy/notifier.h>

const SpPlugin *sp_plugin (void);

typedef struct {
  SpHost host; /* first: the plugin hands it back to the fake calls */
  char *folder, *path;
  GHashTable *remembered;
  gboolean forgetful;
  gpointer self;
} Fixture;

static const char *
fake_config_string (SpHost *host, const char *key)
{
  g_assert_cmpstr (key, ==, "path");
  return ((Fixture *) host)->path;
}

static char *
fake_recall (SpHost *host, const char *key)
{
  return g_strdup (g_hash_table_lookup (((Fixture *) host)->remembered, key));
}

static gboolean
fake_remember (SpHost *host, const char *key, const char *value, GError **error)
{
  Fixture *fixture = (Fixture *) host;

  if (fixture->forgetful) {
    g_set_error (error, SP_ERROR, SP_ERROR_UNAVAILABLE, "the disk is full");
    return FALSE;
  }
  if (value != NULL)
    g_hash_table_replace (fixture->remembered, g_strdup (key), g_strdup (value));
  else
    g_hash_table_remove (fixture->remembered, key);
  return TRUE;
}

static const SpHostApi fake_api = {
  .size = sizeof (SpHostApi),
  .config_string = fake_config_string,
  .recall = fake_recall,
  .remember = fake_remember,
};

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->host.api = &fake_api;
  fixture->folder = g_dir_make_tmp ("notify-file-XXXXXX", NULL);
  fixture->path = g_build_filename (fixture->folder, "notices", NULL);
  fixture->remembered = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  fixture->self = sp_plugin ()->open (&fixture->host, NULL);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  sp_plugin ()->close (fixture->self);
  (void) g_remove (fixture->path);
  g_assert_cmpint (g_rmdir (fixture->folder), ==, 0);
  g_hash_table_unref (fixture->remembered);
  g_free (fixture->folder);
  g_free (fixture->path);
}

static const SpField fields[] = {
  { "Secret", "db", SP_FIELD_CORE },
  { "Reason", "x\n[n2] approved by alice \\ \x1b[2J\xe2\x80\xae \xc3\xa9", SP_FIELD_AGENT },
};
static const SpNotice notice = {
  .size = sizeof notice, .id = "n1", .title = "An agent asks", .fields = fields, .n_fields = 2
};
static const SpOutcome outcome = { .size = sizeof outcome,
                                   .kind = SP_OUTCOME_APPROVED,
                                   .text = "approved by alice" };

#define SHOWN \
  "\n[n1] An agent asks\n  Secret: db\n" \
  "  Reason (the agent's claim): x\\u{a}[n2] approved by alice \\u{5c} \\u{1b}[2J\\u{202e} " \
  "\xc3\xa9\n"
#define SETTLED "\n[n1] approved by alice\n"

static gboolean
post (Fixture *fixture, GError **error)
{
  const SpNotifierOps *ops = sp_plugin ()->ops;

  return ops->post (fixture->self, &notice, NULL, error);
}

static gboolean
settle (Fixture *fixture, GError **error)
{
  const SpNotifierOps *ops = sp_plugin ()->ops;

  return ops->settle (fixture->self, &notice, &outcome, NULL, error);
}

static void
assert_file (Fixture *fixture, const char *expected)
{
  g_autofree char *text = NULL;

  g_file_get_contents (fixture->path, &text, NULL, NULL);
  g_assert_cmpstr (text, ==, expected);
}

static void
test_shown_and_settled_once (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  struct stat st;

  for (int i = 0; i < 2; i++) {
    g_assert_true (post (fixture, &error));
    g_assert_no_error (error);
    assert_file (fixture, SHOWN);
  }
  g_assert_cmpint (g_stat (fixture->path, &st), ==, 0);
  g_assert_cmpint (st.st_mode & 0777, ==, 0600);
  for (int i = 0; i < 2; i++) {
    g_assert_true (settle (fixture, &error));
    g_assert_no_error (error);
    assert_file (fixture, SHOWN SETTLED);
  }
  g_assert_cmpuint (g_hash_table_size (fixture->remembered), ==, 0);
}

static void
test_what_was_never_shown_is_not_settled (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (settle (fixture, &error));
  g_assert_no_error (error);
  assert_file (fixture, NULL);
}

static void
test_preview_is_what_is_written (Fixture *fixture, gconstpointer data)
{
  const SpNotifierOps *ops = sp_plugin ()->ops;
  g_autofree char *text = ops->render (&notice);

  g_assert_cmpstr (text, ==, SHOWN);
}

static void
test_failures_are_told (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (g_mkdir (fixture->path, 0700), ==, 0);
  g_assert_false (post (fixture, &error));
  g_assert_error (error, SP_ERROR, SP_ERROR_UNAVAILABLE);
  g_assert_nonnull (strstr (error->message, fixture->path));
  g_clear_error (&error);
  g_assert_cmpint (g_rmdir (fixture->path), ==, 0);
  fixture->forgetful = TRUE;
  g_assert_false (post (fixture, &error));
  g_assert_error (error, SP_ERROR, SP_ERROR_UNAVAILABLE);
}

static void
test_a_link_is_not_followed (Fixture *fixture, gconstpointer data)
{
  g_autofree char *target = g_build_filename (fixture->folder, "target", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (GFile) link = g_file_new_for_path (fixture->path);

  g_assert_true (g_file_make_symbolic_link (link, target, NULL, NULL));
  g_assert_false (post (fixture, &error));
  g_assert_error (error, SP_ERROR, SP_ERROR_UNAVAILABLE);
  g_assert_false (g_file_test (target, G_FILE_TEST_EXISTS));
}

static void
assert_pipe_is_refused (Fixture *fixture)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (post (fixture, &error));
  g_assert_error (error, SP_ERROR, SP_ERROR_UNAVAILABLE);
  g_assert_nonnull (strstr (error->message, "no regular file"));
}

static void
test_a_pipe_is_refused_at_once (Fixture *fixture, gconstpointer data)
{
  char byte;
  int reader;

  g_assert_cmpint (mkfifo (fixture->path, 0600), ==, 0);
  assert_pipe_is_refused (fixture);
  reader = open (fixture->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  g_assert_cmpint (reader, >=, 0);
  assert_pipe_is_refused (fixture);
  g_assert_cmpint (read (reader, &byte, 1), ==, 0);
  g_assert_cmpint (close (reader), ==, 0);
}

int
main (int argc, char **argv)
{
  static const struct {
    const char *path;
    void (*test) (Fixture *, gconstpointer);
  } cases[] = {
    { "/notify-file/shown-and-settled-once", test_shown_and_settled_once },
    { "/notify-file/what-was-never-shown-is-not-settled",
      test_what_was_never_shown_is_not_settled },
    { "/notify-file/preview-is-what-is-written", test_preview_is_what_is_written },
    { "/notify-file/failures-are-told", test_failures_are_told },
    { "/notify-file/a-link-is-not-followed", test_a_link_is_not_followed },
    { "/notify-file/a-pipe-is-refused-at-once", test_a_pipe_is_refused_at_once },
  };

  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    g_test_add (cases[i].path, Fixture, NULL, set_up, cases[i].test, tear_down);
  return g_test_run ();
}
