/* test-journal.c - commits in groups: their order, and what is true after a store has failed */
#include <string.h>

#include "base/problem.h"
#include "test-clock.h"
#include "test-loop.h"
#include "test-ports.h"
#include "vault/journal.h"

typedef struct {
  TestClock clock;
  TestPorts *ports;
  SpKeys *keys;
  SpJournal *journal;
} Fixture;

typedef struct {
  gboolean done;
  GError *error;
  guint *counter;
  guint at; /* place in the order of the answers, from 1 */
} Commit;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  g_autoptr (SpSecret) master = sp_secret_new (SP_KEY_LENGTH);

  test_clock_init (&fixture->clock);
  fixture->ports = test_ports_new ();
  fixture->keys = sp_keys_new (master, "v");
  fixture->journal = sp_journal_new (fixture->keys, &fixture->ports->table, &fixture->clock.clock);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  test_ports_release (fixture->ports);
  test_drain ();
  sp_journal_free (fixture->journal);
  sp_keys_free (fixture->keys);
  test_ports_free (fixture->ports);
}

static void
on_committed (const GError *error, gpointer data)
{
  Commit *commit = data;

  g_assert_false (commit->done);
  commit->done = TRUE;
  commit->error = error ? g_error_copy (error) : NULL;
  commit->at = commit->counter ? ++*commit->counter : 0;
}

static void
start (Fixture *fixture, const char *key, Commit *commit)
{
  SpTxn *txn = sp_txn_new (fixture->journal);

  sp_txn_put (txn, "t", key, g_variant_new_string (key));
  sp_txn_audit (txn, "put", "key", key, "nothing", NULL, NULL);
  sp_journal_commit (fixture->journal, txn, on_committed, commit);
  g_assert_false (commit->done);
}

static void
finish (Commit *commit, int problem)
{
  test_run_until_set (&commit->done);
  if (problem < 0)
    g_assert_no_error (commit->error);
  else
    g_assert_error (commit->error, SP_PROBLEM, problem);
  g_clear_error (&commit->error);
}

static void
test_groups (Fixture *fixture, gconstpointer data)
{
  Commit commits[10] = { { 0 } };
  guint counter = 0;

  for (guint i = 0; i < 10; i++) {
    g_autofree char *key = g_strdup_printf ("k%u", i);

    commits[i].counter = &counter;
    start (fixture, key, &commits[i]);
  }
  for (guint i = 0; i < 10; i++) {
    finish (&commits[i], -1);
    g_assert_cmpuint (commits[i].at, ==, i + 1);
  }
  g_assert_cmpuint (fixture->ports->n_writes, ==, 1);
  g_assert_cmpuint (fixture->ports->n_batches, ==, 10);
  g_assert_cmpuint (sp_journal_seq (fixture->journal), ==, 10);
  g_assert_cmpuint (fixture->ports->head_seq, ==, 10);
}

static void
test_many_more_than_a_group (Fixture *fixture, gconstpointer data)
{
  Commit commits[300] = { { 0 } };
  guint counter = 0;

  for (guint i = 0; i < 300; i++) {
    commits[i].counter = &counter;
    start (fixture, i % 2 ? "a" : "b", &commits[i]);
  }
  for (guint i = 0; i < 300; i++) {
    finish (&commits[i], -1);
    g_assert_cmpuint (commits[i].at, ==, i + 1);
  }
  g_assert_cmpuint (fixture->ports->n_writes, <, 10);
}

static void
test_failed_without_effect (Fixture *fixture, gconstpointer data)
{
  Commit before = { 0 }, failed = { 0 }, after = { 0 };

  start (fixture, "a", &before);
  finish (&before, -1);
  test_ports_fail_writes (fixture->ports, TEST_FAULT_NO_EFFECT, 1);
  start (fixture, "a", &failed);
  finish (&failed, SP_PROBLEM_STORE);
  g_assert_cmpuint (sp_journal_seq (fixture->journal), ==, 1);
  start (fixture, "a", &after);
  finish (&after, -1);
  g_assert_cmpuint (sp_journal_seq (fixture->journal), ==, 2);
  g_assert_cmpuint (fixture->ports->fatals, ==, 0);
}

static void
test_failed_at_the_very_first (Fixture *fixture, gconstpointer data)
{
  Commit failed = { 0 }, after = { 0 };

  test_ports_fail_writes (fixture->ports, TEST_FAULT_NO_EFFECT, 1);
  start (fixture, "a", &failed);
  finish (&failed, SP_PROBLEM_STORE);
  start (fixture, "a", &after);
  finish (&after, -1);
}

static void
test_lost_reply (Fixture *fixture, gconstpointer data)
{
  Commit commits[3] = { { 0 } }, after = { 0 };

  test_ports_fail_writes (fixture->ports, TEST_FAULT_LOST_REPLY, 1);
  for (guint i = 0; i < 3; i++)
    start (fixture, "a", &commits[i]);
  for (guint i = 0; i < 3; i++)
    finish (&commits[i], -1);
  start (fixture, "a", &after);
  finish (&after, -1);
  g_assert_cmpuint (sp_journal_seq (fixture->journal), ==, 4);
  g_assert_cmpuint (fixture->ports->head_seq, ==, 4);
  g_assert_cmpuint (fixture->ports->fatals, ==, 0);
}

static void
test_head_is_looked_for_until_it_is_found (Fixture *fixture, gconstpointer data)
{
  Commit commit = { 0 };

  test_ports_fail_writes (fixture->ports, TEST_FAULT_LOST_REPLY, 1);
  fixture->ports->fault_reads = 2;
  start (fixture, "a", &commit);
  finish (&commit, -1);
  g_assert_cmpuint (fixture->ports->fault_reads, ==, 0);
}

static void
test_changed_behind (Fixture *fixture, gconstpointer data)
{
  Commit one = { 0 }, two = { 0 };
  GTree *saved;

  start (fixture, "a", &one);
  finish (&one, -1);
  saved = test_ports_save (fixture->ports);
  start (fixture, "b", &two);
  finish (&two, -1);
  memset (&two, 0, sizeof two);
  test_ports_restore (fixture->ports, saved);
  g_tree_unref (saved);
  test_ports_fail_writes (fixture->ports, TEST_FAULT_NO_EFFECT, 1);
  start (fixture, "c", &two);
  finish (&two, SP_PROBLEM_INTEGRITY);
  g_assert_cmpuint (fixture->ports->fatals, ==, 1);
}

static void
test_conflict_is_fatal (Fixture *fixture, gconstpointer data)
{
  Commit one = { 0 }, two = { 0 };

  start (fixture, "a", &one);
  finish (&one, -1);
  test_ports_remove (fixture->ports, "t/a");
  start (fixture, "a", &two);
  finish (&two, SP_PROBLEM_INTEGRITY);
  g_assert_cmpuint (fixture->ports->fatals, ==, 1);
}

/* What is with the store is not given up; what waits behind it is, after its time. */
static void
test_waiting_is_limited (Fixture *fixture, gconstpointer data)
{
  Commit sent = { 0 }, waits = { 0 };

  fixture->ports->hold_writes = TRUE;
  start (fixture, "a", &sent);
  test_drain ();
  start (fixture, "b", &waits);
  test_clock_advance (&fixture->clock, 11);
  finish (&waits, SP_PROBLEM_STORE);
  g_assert_false (sent.done);
  test_ports_release (fixture->ports);
  finish (&sent, -1);
  g_assert_cmpuint (test_ports_count (fixture->ports, "t"), ==, 1);
}

static void
add (const char *path, void (*test) (Fixture *, gconstpointer))
{
  g_test_add (path, Fixture, NULL, set_up, test, tear_down);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  add ("/journal/one-call-for-many-commits", test_groups);
  add ("/journal/many-more-than-a-group", test_many_more_than_a_group);
  add ("/journal/failed-without-effect", test_failed_without_effect);
  add ("/journal/failed-at-the-very-first", test_failed_at_the_very_first);
  add ("/journal/lost-reply-is-reconciled", test_lost_reply);
  add ("/journal/head-is-looked-for", test_head_is_looked_for_until_it_is_found);
  add ("/journal/changed-behind-is-fatal", test_changed_behind);
  add ("/journal/conflict-is-fatal", test_conflict_is_fatal);
  add ("/journal/waiting-is-limited", test_waiting_is_limited);
  return g_test_run ();
}
