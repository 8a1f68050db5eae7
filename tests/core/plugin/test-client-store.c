/* test-client-store.c - stores, through client and plugin host */
#include "client-fixture.h"

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

  fixture_setup_plain (&fixture, "store-memory.so");
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
  fixture_teardown (&fixture);
  g_string_free (result.seen, TRUE);
}

static void
test_scan_in_pages (void)
{
  Fixture fixture = { 0 };
  StoreResult result = { .seen = g_string_new (NULL) };

  fixture_setup_plain (&fixture, "store-memory.so");
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
  fixture_teardown (&fixture);
  g_string_free (result.seen, TRUE);
}

static void
test_scan_is_bounded_in_bytes (void)
{
  Fixture fixture = { 0 };
  StoreResult result = { .seen = g_string_new (NULL) };
  g_autofree char *data = g_strnfill (256 * 1024, 'x');
  g_autoptr (GBytes) value = g_bytes_new_static (data, 256 * 1024);

  fixture_setup_plain (&fixture, "store-memory.so");
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
  fixture_teardown (&fixture);
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

  fixture_setup_plain (&fixture, "store-memory.so");
  sp_plugin_client_write (fixture.client, &batch, 1, on_written, &result);
  g_assert_cmpuint (result.n_done, ==, 0);
  WAIT_UNTIL (result.n_done == 1);
  g_assert_error (result.error, SP_PROBLEM, SP_PROBLEM_TOO_LARGE);
  g_clear_error (&result.error);
  fixture_teardown (&fixture);
  g_string_free (result.seen, TRUE);
}

static void
test_a_careless_store (void)
{
  Fixture fixture = { 0 };
  StoreResult result = { .seen = g_string_new (NULL) };
  const SpWrite write = { "t", "k", 0, NULL };
  const SpBatch batch = { &write, 1, 0 };

  fixture_setup_plain (&fixture, "store-careless.so");
  sp_plugin_client_read (fixture.client, "t", "a", on_read, &result);
  assert_seen (&result, "", "store test: read() succeeded and gave no value: a bug of it");
  sp_plugin_client_write (fixture.client, &batch, 1, on_written, &result);
  assert_seen (&result, "",
               "store test: write() succeeded and left batch 1 without a result: a bug of it");
  sp_plugin_client_scan (fixture.client, "t", NULL, 10, on_row, on_scanned, &result);
  assert_seen (&result, "", "store test: scan() gave rows out of order: a bug of it");
  fixture_teardown (&fixture);
  g_string_free (result.seen, TRUE);
}

int
main (int argc, char **argv)
{
  int status;

  if (fixture_main (argc, argv, &status))
    return status;
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/plugin/store/read-write-scan", test_store);
  g_test_add_func ("/plugin/store/scan-in-pages", test_scan_in_pages);
  g_test_add_func ("/plugin/store/scan-is-bounded-in-bytes", test_scan_is_bounded_in_bytes);
  g_test_add_func ("/plugin/store/write-too-large", test_a_write_that_is_too_large);
  g_test_add_func ("/plugin/store/careless", test_a_careless_store);
  return g_test_run ();
}
