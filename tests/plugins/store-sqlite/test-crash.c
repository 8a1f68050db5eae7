/* test-crash.c - killed in mid-write
 *
 * A child writes numbered batches and reports each number that was acknowledged; it is killed after
 * a random number of reports.  Whatever was reported must be there afterwards, and every batch
 * whole.
 */
#include "sql.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS 20
#define ROWS_IN_BATCH 4
#define PAYLOAD 3000 /* bytes of a value: a batch spans several pages */

/* Batch N rewrites rows 0..3 with N in each, and adds the row "n-N". */
static gboolean
write_batch (Fixture *self, guint number)
{
  g_autofree char *payload = g_strdup_printf ("%0*u", PAYLOAD, number);
  g_autofree char *own = g_strdup_printf ("n-%08u", number);
  g_autoptr (GBytes) value = g_bytes_new (payload, PAYLOAD);
  g_autoptr (GBytes) small = g_bytes_new (payload + PAYLOAD - 8, 8);
  SpWrite writes[ROWS_IN_BATCH + 1] = {
    { "t", "row-0", -1, value }, { "t", "row-1", -1, value }, { "t", "row-2", -1, value },
    { "t", "row-3", -1, value }, { "n", own, 0, small },
  };
  SpBatch batch = { writes, ROWS_IN_BATCH + 1, 0 };

  return fixture_ops ()->write (self->store, &batch, 1, NULL, NULL) &&
         batch.result == SP_BATCH_DONE;
}

static void
write_until_killed (Fixture *self, guint number, int report)
{
  if (!fixture_try_open (self, NULL))
    _exit (1);
  for (;; number++)
    if (!write_batch (self, number) || write (report, &number, sizeof number) != sizeof number)
      _exit (1);
}

/* Kills the child after @reports numbers and a little spin; returns the last number that came. */
static guint
kill_in_mid_write (Fixture *self, guint first, guint reports)
{
  int ends[2], status;
  guint number, last = first - 1;
  pid_t child;

  g_assert_cmpint (pipe (ends), ==, 0);
  child = fork ();
  g_assert_cmpint (child, >=, 0);
  if (child == 0)
    write_until_killed (self, first, ends[1]);
  close (ends[1]);
  for (guint i = 0; i < reports && read (ends[0], &number, sizeof number) == sizeof number; i++)
    last = number;
  g_usleep ((gulong) g_test_rand_int_range (0, 3000)); /* a random moment within a batch */
  g_assert_cmpint (kill (child, SIGKILL), ==, 0);
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  g_assert_true (WIFSIGNALED (status));
  while (read (ends[0], &number, sizeof number) == sizeof number)
    last = number;
  close (ends[0]);
  return last;
}

static gboolean
check_number (const char *key, gint64 revision, GBytes *value, gpointer data)
{
  guint *expected = data;
  g_autofree char *want = g_strdup_printf ("n-%08u", ++*expected);

  g_assert_cmpstr (key, ==, want);
  g_assert_cmpint (revision, ==, 1);
  g_assert_cmpmem (g_bytes_get_data (value, NULL), g_bytes_get_size (value), want + 2, 8);
  return TRUE;
}

/* The numbers 1..N are all there, and the shared rows all have N.  Returns N. */
static guint
check_whole (Fixture *self)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *payload = NULL;
  guint last = 0;

  g_assert_true (fixture_ops ()->scan (self->store, "n", NULL, check_number, &last, NULL, &error));
  g_assert_no_error (error);
  payload = last > 0 ? g_strdup_printf ("%0*u", PAYLOAD, last) : NULL;
  for (guint i = 0; i < ROWS_IN_BATCH; i++) {
    char key[8];

    g_snprintf (key, sizeof key, "row-%u", i);
    fixture_assert_row (self, key, last, payload);
  }
  return last;
}

static void
test_killed (Fixture *self)
{
  guint there = 0;

  for (guint round = 0; round < ROUNDS; round++) {
    guint reports = (guint) g_test_rand_int_range (0, 40);
    guint acknowledged = kill_in_mid_write (self, there + 1, reports);

    fixture_open (self);
    there = check_whole (self);
    /* One more may have been written without its report having left. */
    g_assert_cmpuint (there, >=, acknowledged);
    g_assert_cmpuint (there, <=, acknowledged + 1);
    fixture_close (self);
  }
  g_assert_cmpuint (there, >, ROUNDS);
}

/* The very first start is killed at random moments, too: what it leaves is never refused. */
static void
test_killed_at_first_start (Fixture *self)
{
  for (guint round = 0; round < ROUNDS; round++) {
    int status;
    pid_t child = fork ();

    g_assert_cmpint (child, >=, 0);
    if (child == 0)
      _exit (fixture_try_open (self, NULL) ? 0 : 1);
    g_usleep ((gulong) g_test_rand_int_range (0, 8000));
    kill (child, SIGKILL);
    g_assert_cmpint (waitpid (child, &status, 0), ==, child);
    g_assert_false (WIFEXITED (status) && WEXITSTATUS (status) != 0);
    fixture_open (self);
    fixture_close (self);
    g_assert_cmpint (unlink (self->path), ==, 0);
  }
}

static const FixtureCase cases[] = {
  { "crash/acknowledged-batches-survive-whole", test_killed, TRUE },
  { "crash/half-made-database-is-finished", test_killed_at_first_start, TRUE },
};

void
add_crash_tests (void)
{
  fixture_add_cases (cases, G_N_ELEMENTS (cases));
}
