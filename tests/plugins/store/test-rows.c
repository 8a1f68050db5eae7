/* test-rows.c - read, write and scan as secret-proxy/store.h documents them: what every store must do */
#include "fixture.h"

static void
test_empty (Fixture *self)
{
  g_autofree char *keys = fixture_keys (self, "t", NULL);

  fixture_assert_row (self, "a", 0, NULL);
  g_assert_cmpstr (keys, ==, "");
}

static void
assert_kept (Fixture *self, const char *key, gconstpointer data, gsize size)
{
  g_autoptr (GBytes) value = g_bytes_new (data, size);
  g_autoptr (GBytes) got = NULL;
  g_autoptr (GError) error = NULL;
  gint64 revision = 0;

  fixture_try_put (self, key, -1, value, &error);
  g_assert_no_error (error);
  fixture_ops ()->read (self->store, "t", key, &got, &revision, NULL, &error);
  g_assert_no_error (error);
  g_assert_true (g_bytes_equal (value, got));
  g_assert_cmpint (revision, ==, 1);
}

static void
test_sizes (Fixture *self)
{
  const gsize most = 256 * 1024;
  g_autofree char *large = g_malloc0 (1024 * 1024);
  g_autoptr (GBytes) too_large = g_bytes_new (large, 1024 * 1024);
  g_autoptr (GBytes) one_more = g_bytes_new (large, most + 1);
  g_autoptr (GError) error = NULL;

  memset (large, 0xa5, most);
  assert_kept (self, "most", large, most);
  assert_kept (self, "none", "", 0);
  assert_kept (self, "null", NULL, 0);
  assert_kept (self, "nul-bytes", "\0a\0\0b\0", 6);
  g_assert_false (fixture_try_put (self, "k", -1, too_large, &error));
  g_assert_error (error, SP_ERROR, SP_ERROR_REFUSED);
  g_clear_error (&error);
  g_assert_false (fixture_try_put (self, "k", -1, one_more, &error));
  g_assert_error (error, SP_ERROR, SP_ERROR_REFUSED);
  fixture_assert_row (self, "k", 0, NULL);
}

static void
assert_key_refused (Fixture *self, const char *key)
{
  g_autoptr (GBytes) value = g_bytes_new_static ("v", 1);
  g_autoptr (GError) error = NULL;

  g_assert_false (fixture_try_put (self, key, -1, value, &error));
  g_assert_error (error, SP_ERROR, SP_ERROR_REFUSED);
}

static void
test_keys (Fixture *self)
{
  g_autofree char *longest = g_strnfill (128, 'k');
  g_autofree char *too_long = g_strnfill (129, 'k');

  g_assert_cmpint (fixture_put (self, longest, 0, "v"), ==, SP_BATCH_DONE);
  fixture_assert_row (self, longest, 1, "v");
  assert_key_refused (self, too_long);
  assert_key_refused (self, "");
  assert_key_refused (self, "line\n");
  assert_key_refused (self, "\xc3\xa9");
}

static void
test_one_bad_write_refuses_all (Fixture *self)
{
  g_autoptr (GBytes) value = g_bytes_new_static ("v", 1);
  g_autoptr (GError) error = NULL;
  SpWrite good = { "t", "good", -1, value };
  SpWrite bad = { "t", "", -1, value };
  SpBatch batches[] = { { &good, 1, 0 }, { &bad, 1, 0 } };

  g_assert_false (fixture_ops ()->write (self->store, batches, 2, NULL, &error));
  g_assert_error (error, SP_ERROR, SP_ERROR_REFUSED);
  fixture_assert_row (self, "good", 0, NULL);
}

static void
test_byte_order (Fixture *self)
{
  static const char *const keys[] = { "b", "a~", "a", "Z", "a.", "10", "9", "aa", "~", "!" };
  g_autofree char *all = NULL;
  g_autofree char *after_a = NULL;
  g_autofree char *after_absent = NULL;
  g_autofree char *after_last = NULL;
  g_autofree char *other_table = NULL;

  for (gsize i = 0; i < G_N_ELEMENTS (keys); i++)
    fixture_put (self, keys[i], 0, keys[i]);
  all = fixture_keys (self, "t", NULL);
  after_a = fixture_keys (self, "t", "a");
  after_absent = fixture_keys (self, "t", "aab");
  after_last = fixture_keys (self, "t", "~");
  other_table = fixture_keys (self, "u", NULL);
  g_assert_cmpstr (all, ==, "! 10 9 Z a a. aa a~ b ~ ");
  g_assert_cmpstr (after_a, ==, "a. aa a~ b ~ ");
  g_assert_cmpstr (after_absent, ==, "a~ b ~ ");
  g_assert_cmpstr (after_last, ==, "");
  g_assert_cmpstr (other_table, ==, "");
}

static gboolean
stop_at_second (const char *key, gint64 revision, GBytes *value, gpointer data)
{
  guint *rows = data;

  g_assert_cmpint (revision, ==, 1);
  g_assert_cmpuint (g_bytes_get_size (value), ==, 1);
  return ++*rows < 2;
}

static void
test_scan_stops (Fixture *self)
{
  g_autoptr (GError) error = NULL;
  guint rows = 0;

  fixture_put (self, "a", 0, "1");
  fixture_put (self, "b", 0, "2");
  fixture_put (self, "c", 0, "3");
  g_assert_true (
      fixture_ops ()->scan (self->store, "t", NULL, stop_at_second, &rows, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (rows, ==, 2);
  g_assert_cmpint (fixture_put (self, "a", 1, "4"), ==, SP_BATCH_DONE);
}

static void
test_revisions (Fixture *self)
{
  g_assert_cmpint (fixture_put (self, "k", 1, "x"), ==, SP_BATCH_CONFLICT);
  g_assert_cmpint (fixture_put (self, "k", 0, "one"), ==, SP_BATCH_DONE);
  fixture_assert_row (self, "k", 1, "one");
  g_assert_cmpint (fixture_put (self, "k", 0, "x"), ==, SP_BATCH_CONFLICT);
  g_assert_cmpint (fixture_put (self, "k", 2, "x"), ==, SP_BATCH_CONFLICT);
  g_assert_cmpint (fixture_put (self, "k", -1, "two"), ==, SP_BATCH_DONE);
  g_assert_cmpint (fixture_put (self, "k", 2, "three"), ==, SP_BATCH_DONE);
  fixture_assert_row (self, "k", 3, "three");
}

static void
test_removal (Fixture *self)
{
  fixture_put (self, "k", 0, "one");
  fixture_put (self, "k", 1, "two");
  g_assert_cmpint (fixture_put (self, "k", 1, NULL), ==, SP_BATCH_CONFLICT);
  g_assert_cmpint (fixture_put (self, "k", 2, NULL), ==, SP_BATCH_DONE);
  fixture_assert_row (self, "k", 0, NULL);
  g_assert_cmpint (fixture_put (self, "k", 2, NULL), ==, SP_BATCH_CONFLICT);
  g_assert_cmpint (fixture_put (self, "k", -1, NULL), ==, SP_BATCH_DONE);
  g_assert_cmpint (fixture_put (self, "k", 0, NULL), ==, SP_BATCH_DONE);
  g_assert_cmpint (fixture_put (self, "k", 0, "again"), ==, SP_BATCH_DONE);
  fixture_assert_row (self, "k", 1, "again");
}

static void
test_conflict_leaves_others (Fixture *self)
{
  g_autoptr (GBytes) value = g_bytes_new_static ("v", 1);
  g_autoptr (GError) error = NULL;
  SpWrite first[] = { { "t", "a", 0, value }, { "t", "b", 0, value } };
  SpWrite conflicting[] = { { "t", "c", 0, value }, { "t", "a", -1, NULL }, { "t", "b", 7, NULL } };
  SpWrite last[] = { { "t", "a", 1, value }, { "u", "a", 0, value } };
  SpBatch batches[] = { { first, 2, 0 }, { conflicting, 3, 0 }, { last, 2, 0 } };
  g_autofree char *keys = NULL;

  g_assert_true (fixture_ops ()->write (self->store, batches, 3, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (batches[0].result, ==, SP_BATCH_DONE);
  g_assert_cmpuint (batches[1].result, ==, SP_BATCH_CONFLICT);
  g_assert_cmpuint (batches[2].result, ==, SP_BATCH_DONE);
  keys = fixture_keys (self, "t", NULL);
  g_assert_cmpstr (keys, ==, "a b ");
  fixture_assert_row (self, "a", 2, "v");
  fixture_assert_row (self, "b", 1, "v");
}

static void
test_same_key_in_batch (Fixture *self)
{
  g_autoptr (GBytes) one = g_bytes_new_static ("1", 1);
  g_autoptr (GBytes) two = g_bytes_new_static ("2", 1);
  g_autoptr (GError) error = NULL;
  SpWrite writes[] = { { "t", "k", 0, one }, { "t", "k", 1, NULL }, { "t", "k", 0, two } };
  SpBatch batches[] = { { writes, 3, 0 }, { NULL, 0, 0 } };

  g_assert_true (fixture_ops ()->write (self->store, batches, 2, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (batches[1].result, ==, SP_BATCH_DONE);
  fixture_assert_row (self, "k", 1, "2");
}

static void
test_names_itself (Fixture *self)
{
  const SpPlugin *plugin = sp_plugin ();

  g_assert_cmpuint (plugin->abi, ==, SP_PLUGIN_ABI);
  g_assert_cmpuint (plugin->kind, ==, SP_KIND_STORE);
  g_assert_cmpuint (plugin->ops_abi, ==, SP_STORE_ABI);
}

static void
test_cancelled_before (Fixture *self)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GBytes) value = NULL;
  g_autoptr (GError) error = NULL;
  SpWrite write = { "t", "k", -1, NULL };
  SpBatch batch = { &write, 1, 0 };
  gint64 revision;

  fixture_put (self, "k", 0, "v");
  g_cancellable_cancel (cancellable);
  g_assert_false (fixture_ops ()->write (self->store, &batch, 1, cancellable, &error));
  g_assert_error (error, SP_ERROR, SP_ERROR_UNAVAILABLE);
  g_clear_error (&error);
  g_assert_false (
      fixture_ops ()->read (self->store, "t", "k", &value, &revision, cancellable, &error));
  g_assert_error (error, SP_ERROR, SP_ERROR_UNAVAILABLE);
  fixture_assert_row (self, "k", 1, "v");
}

static const FixtureCase cases[] = {
  { "description/names-kind-and-abi", test_names_itself, TRUE },
  { "rows/empty-store-has-none", test_empty, FALSE },
  { "rows/values-up-to-256-KiB-come-back-unchanged", test_sizes, FALSE },
  { "rows/keys-outside-the-limits-are-refused", test_keys, FALSE },
  { "write/one-bad-write-refuses-all", test_one_bad_write_refuses_all, FALSE },
  { "write/expected-revision-decides", test_revisions, FALSE },
  { "write/removed-row-starts-anew", test_removal, FALSE },
  { "write/conflict-touches-its-batch-only", test_conflict_leaves_others, FALSE },
  { "write/later-writes-see-earlier-ones", test_same_key_in_batch, FALSE },
  { "scan/goes-by-bytes-from-after", test_byte_order, FALSE },
  { "scan/stops-when-told", test_scan_stops, FALSE },
  { "deadline/cancelled-call-does-nothing", test_cancelled_before, FALSE },
};

void
add_rows_tests (void)
{
  fixture_add_cases (cases, G_N_ELEMENTS (cases));
}
