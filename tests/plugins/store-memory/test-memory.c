/* test-memory.c - the suite of every store over store-memory, and that it says what it does not keep */
#include "fixture.h"

static void
test_description (Fixture *self)
{
  g_assert_cmpstr (sp_plugin ()->name, ==, "memory");
  g_assert_cmpuint (fixture_ops ()->flags, ==, SP_STORE_VOLATILE);
}

static void
test_gone_when_closed (Fixture *self)
{
  fixture_put (self, "k", 0, "one");
  fixture_close (self);
  fixture_open (self);
  fixture_assert_row (self, "k", 0, NULL);
}

/* What a value is cut out of is not kept alive by it. */
static void
test_values_are_copies (Fixture *self)
{
  char bytes[] = "one";
  g_autoptr (GBytes) value = g_bytes_new_static (bytes, 3);
  g_autoptr (GError) error = NULL;

  g_assert_true (fixture_try_put (self, "k", 0, value, &error));
  bytes[0] = 'x';
  fixture_assert_row (self, "k", 1, "one");
}

/* Tables whose names begin alike. */
static void
test_tables_are_apart (Fixture *self)
{
  g_autoptr (GBytes) value = g_bytes_new_static ("v", 1);
  g_autoptr (GError) error = NULL;
  SpWrite writes[] = { { "t", "a", 0, value }, { "t!", "b", 0, value }, { "tt", "c", 0, value } };
  SpBatch batch = { writes, 3, 0 };
  g_autofree char *keys = NULL;

  g_assert_true (fixture_ops ()->write (self->store, &batch, 1, NULL, &error));
  g_assert_no_error (error);
  keys = fixture_keys (self, "t", NULL);
  g_assert_cmpstr (keys, ==, "a ");
}

static const FixtureCase cases[] = {
  { "description/says-that-it-does-not-last", test_description, TRUE },
  { "rows/gone-when-closed", test_gone_when_closed, FALSE },
  { "rows/values-are-copies", test_values_are_copies, FALSE },
  { "scan/tables-are-apart", test_tables_are_apart, FALSE },
};

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  add_rows_tests ();
  fixture_add_cases (cases, G_N_ELEMENTS (cases));
  return g_test_run ();
}
