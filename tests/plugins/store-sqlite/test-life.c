/* test-life.c - what store-sqlite says about itself, and what outlives stop and close */
#include "sql.h"

static void
test_description (Fixture *self)
{
  const SpPlugin *plugin = sp_plugin ();

  g_assert_cmpstr (plugin->name, ==, "sqlite");
  g_assert_cmpuint (plugin->n_options, ==, 1);
  g_assert_cmpuint (fixture_ops ()->flags, ==, 0);
}

static void
test_reopened (Fixture *self)
{
  g_autofree char *log = g_strconcat (self->path, "-wal", NULL);

  fixture_put (self, "k", 0, "one");
  fixture_put (self, "k", 1, "two");
  fixture_close (self);
  g_assert_false (g_file_test (log, G_FILE_TEST_EXISTS));
  fixture_open (self);
  fixture_assert_row (self, "k", 2, "two");
}

static void
test_calls_after_stop (Fixture *self)
{
  g_autoptr (GBytes) value = g_bytes_new_static ("v", 1);
  g_autoptr (GError) error = NULL;

  fixture_put (self, "k", 0, "one");
  sp_plugin ()->stop (self->store);
  g_assert_false (fixture_try_put (self, "k", -1, value, &error));
  g_assert_error (error, SP_ERROR, SP_ERROR_UNAVAILABLE);
  g_clear_error (&error);
  g_assert_true (sp_plugin ()->start (self->store, NULL, &error));
  g_assert_no_error (error);
  fixture_assert_row (self, "k", 1, "one");
}

static const FixtureCase cases[] = {
  { "description/says-that-it-lasts", test_description, TRUE },
  { "rows/survive-stop-and-start", test_reopened, FALSE },
  { "rows/calls-after-stop-are-refused", test_calls_after_stop, FALSE },
};

void
add_life_tests (void)
{
  fixture_add_cases (cases, G_N_ELEMENTS (cases));
}
