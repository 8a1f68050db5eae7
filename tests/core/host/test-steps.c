/* test-steps.c - tables of steps: host/steps.h */
#include "host/steps.h"

#include "base/problem.h"

/* What happened, in order, as words. */
static gboolean
note (GString *log, const char *what)
{
  if (log->len > 0)
    g_string_append_c (log, ' ');
  g_string_append (log, what);
  return TRUE;
}

static gboolean
run_one (gpointer log, char **ret_message, gboolean *ret_skipped, GError **error)
{
  return note (log, "one");
}

static gboolean
run_skipped (gpointer log, char **ret_message, gboolean *ret_skipped, GError **error)
{
  *ret_skipped = TRUE;
  *ret_message = g_strdup ("not today");
  return note (log, "skipped");
}

static gboolean
run_failing (gpointer log, char **ret_message, gboolean *ret_skipped, GError **error)
{
  g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_STORE, "the disk is full");
  note (log, "failing");
  return FALSE;
}

static void
undo_one (gpointer log)
{
  note (log, "undo-one");
}

static void
undo_failing (gpointer log)
{
  note (log, "undo-failing");
}

static gboolean
on_begin (const SpStep *step, gpointer log, GError **error)
{
  return note (log, "begin");
}

static gboolean
on_begin_refused (const SpStep *step, gpointer log, GError **error)
{
  g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_STORE, "no journal");
  return FALSE;
}

static void
on_report (const SpStepReport *report, gpointer log)
{
  note (log, sp_step_words[report->status]);
}

static const SpStep good[] = {
  { 1, "first", run_one, undo_one, FALSE },
  { 2, "second", run_skipped, NULL, FALSE },
};
static const SpStep failing[] = {
  { 1, "first", run_one, undo_one, FALSE },
  { 2, "second", run_failing, undo_failing, FALSE },
  { 3, "third", run_one, NULL, FALSE },
};
static const SpStep final[] = {
  { 1, "first", run_one, undo_one, FALSE },
  { 2, "second", run_one, NULL, TRUE },
  { 3, "third", run_failing, undo_failing, FALSE },
};

static void
assert_run (const SpStep *steps, gsize n, guint from, gboolean undone, const char *expected,
            const char *message)
{
  g_autoptr (GString) log = g_string_new (NULL);
  const SpStepWatch watch = { on_begin, on_report, log };
  g_autoptr (GError) error = NULL;
  gboolean was_undone = !undone;
  gboolean ok = sp_steps_run (steps, n, from, log, &watch, &was_undone, &error);

  g_assert_cmpint (ok, ==, message == NULL);
  g_assert_cmpstr (log->str, ==, expected);
  g_assert_cmpstr (error ? error->message : NULL, ==, message);
  g_assert_cmpint (was_undone, ==, undone);
}

static void
test_all (void)
{
  assert_run (good, G_N_ELEMENTS (good), 1, FALSE, "begin one ok begin skipped skipped", NULL);
}

static void
test_from (void)
{
  assert_run (good, G_N_ELEMENTS (good), 2, FALSE, "begin skipped skipped", NULL);
}

static void
test_failure_is_undone_backwards (void)
{
  assert_run (failing, G_N_ELEMENTS (failing), 1, TRUE,
              "begin one ok begin failing failed undo-failing undo-one",
              "step 2, second: the disk is full");
}

static void
test_nothing_is_undone_after_a_final_step (void)
{
  assert_run (final, G_N_ELEMENTS (final), 1, FALSE,
              "begin one ok begin one ok begin failing failed", "step 3, third: the disk is full");
}

static void
test_undo_up_to (void)
{
  g_autoptr (GString) log = g_string_new (NULL);

  sp_steps_undo (failing, G_N_ELEMENTS (failing), 1, log);
  g_assert_cmpstr (log->str, ==, "undo-one");
}

/* What the journal does not know of must not have begun. */
static void
test_step_without_a_journal_does_not_begin (void)
{
  g_autoptr (GString) log = g_string_new (NULL);
  const SpStepWatch watch = { on_begin_refused, on_report, log };
  g_autoptr (GError) error = NULL;
  gboolean undone = FALSE;

  g_assert_false (sp_steps_run (good, G_N_ELEMENTS (good), 1, log, &watch, &undone, &error));
  g_assert_error (error, SP_PROBLEM, SP_PROBLEM_STORE);
  g_assert_cmpstr (log->str, ==, "undo-one");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/steps/all-are-run-and-told", test_all);
  g_test_add_func ("/steps/begin-in-the-middle", test_from);
  g_test_add_func ("/steps/failure-is-undone-backwards", test_failure_is_undone_backwards);
  g_test_add_func ("/steps/no-way-back-after-a-final-step",
                   test_nothing_is_undone_after_a_final_step);
  g_test_add_func ("/steps/undo-up-to-a-step", test_undo_up_to);
  g_test_add_func ("/steps/no-step-without-its-journal",
                   test_step_without_a_journal_does_not_begin);
  return g_test_run ();
}
