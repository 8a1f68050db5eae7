/* check.c - check.h: the points in order, each in a child; what the children were blamed for at the end
 *
 * What must stay true: one fault, one failure.  A point whose child broke a rule is not judged; where a
 * gate is closed, or a call did not come to its end, nothing that follows is.
 */
#include "plugin/check/check.h"

#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/problem.h"
#include "plugin/check/case.h"
#include "plugin/check/listen.h"
#include "plugin/check/report.h"
#include "plugin/find.h"

#define LIMIT_MS 120000
#define LIVE_LIMIT_MS 600000
#define MAX_TEXTS 4u

typedef struct {
  const SpCheckSetup *setup;
  SpCheckEach each;
  gpointer data;
  char *path;
  char *room;
  guint kind; /* SpKind by the file's name; 0: it has none */
  guint n_cases;
  guint shape;
  char *closed; /* why nothing more is run; NULL: go on */
  char *away;   /* why nothing is run that needs the service */
  GPtrArray *texts[SP_N_RULES];
  gboolean failed;
} Run;

static void
give (Run *run, const char *name, const char *what, const char *mend, SpCheckVerdict verdict,
      const char *text)
{
  const SpCheckPoint point = {
    .name = name, .what = what, .mend = mend, .verdict = verdict, .text = text
  };

  run->failed |= verdict == SP_CHECK_FAILED;
  run->each (&point, run->data);
}

/* ---- rules ---------------------------------------------------------------------------------------------- */

static void
blame (Run *run, SpCheckRule rule, char *text)
{
  if (run->texts[rule]->len < MAX_TEXTS &&
      !g_ptr_array_find_with_equal_func (run->texts[rule], text, g_str_equal, NULL))
    g_ptr_array_add (run->texts[rule], text);
  else
    g_free (text);
}

static void
give_rule (Run *run, const SpCheckRuleRow *rule, GPtrArray *texts)
{
  g_autofree char *all = NULL;

  if (texts->len == 0) {
    give (run, rule->name, rule->what, rule->mend,
          run->closed != NULL ? SP_CHECK_SKIPPED : SP_CHECK_PASSED, run->closed);
    return;
  }
  g_ptr_array_add (texts, NULL);
  all = g_strjoinv ("\n", (char **) texts->pdata);
  give (run, rule->name, rule->what, rule->mend, SP_CHECK_FAILED, all);
}

static void
give_rules (Run *run)
{
  for (gsize i = 0; i < SP_N_RULES; i++)
    if (sp_check_rules[i].kind == 0 || sp_check_rules[i].kind == run->kind)
      give_rule (run, &sp_check_rules[i], run->texts[i]);
}

/* ---- outcomes ------------------------------------------------------------------------------------------- */

static char *
describe_end (int status)
{
  if (WIFSIGNALED (status))
    return g_strdup_printf ("signal %d, %s", WTERMSIG (status), g_strsignal (WTERMSIG (status)));
  return g_strdup_printf ("exit status %d", WEXITSTATUS (status));
}

static void
take_said (Run *run, const SpCheckOutcome *outcome)
{
  g_autofree char *text = NULL;
  g_autofree char *valid = NULL;

  /* It may well say the same in each process. */
  if (outcome->said->len == 0 || run->texts[SP_RULE_STDOUT]->len > 0)
    return;
  text = g_strndup ((const char *) outcome->said->data, outcome->said->len);
  valid = g_utf8_make_valid (text, -1);
  blame (run, SP_RULE_STDOUT, g_strdup_printf ("it wrote to stdout: %s", g_strchomp (valid)));
}

/* How the process ended, where that was not in good order. */
static void
take_end (Run *run, const SpCheckCase *point, const SpCheckOutcome *outcome, gboolean second)
{
  gboolean may_die = (point->flags & SP_CASE_KILLED) != 0 && !second;
  const char *call = outcome->call != NULL ? outcome->call : "what it does between calls";
  g_autofree char *end = describe_end (outcome->status);

  if (outcome->done || outcome->hangs || (may_die && WIFSIGNALED (outcome->status)))
    return;
  if (outcome->timed_out)
    blame (run, SP_RULE_DEADLINE,
           g_strdup_printf ("%s did not come to an end, and held up the clock as well", call));
  else
    blame (run, SP_RULE_SURVIVES, g_strdup_printf ("%s ended the process: %s", call, end));
}

static void
take_outcome (Run *run, const SpCheckCase *point, const SpCheckOutcome *outcome, gboolean second)
{
  for (guint i = 0; i < outcome->blames->len; i++) {
    const SpCheckBlame *it = g_ptr_array_index (outcome->blames, i);

    blame (run, it->rule, g_strdup (it->text));
  }
  take_said (run, outcome);
  take_end (run, point, outcome, second);
  if (outcome->shape >= 0)
    run->shape = (guint) outcome->shape;
  if (run->closed == NULL && (outcome->hangs || outcome->timed_out))
    run->closed = g_strdup ("not reached: a call did not come to its end, see contract/deadline");
  if (run->away == NULL && outcome->verdict == SP_CHECK_AWAY)
    run->away = g_strdup (outcome->text);
}

/* @outcome: of the last process of the point. */
static void
give_outcome (Run *run, const SpCheckCase *point, const SpCheckOutcome *outcome)
{
  SpCheckVerdict verdict = SP_CHECK_PASSED;
  const char *text = outcome->text;

  if (outcome->verdict != 0)
    verdict = outcome->verdict == SP_CHECK_FAILS ? SP_CHECK_FAILED : SP_CHECK_SKIPPED;
  else if (!outcome->done) {
    verdict = SP_CHECK_SKIPPED;
    text = "not judged: its process did not come to its end, see contract/survives and "
           "contract/deadline";
  }
  if ((point->flags & SP_CASE_SILENT) == 0)
    give (run, point->name, point->what, point->mend, verdict, text);
  if ((point->flags & SP_CASE_GATE) != 0 && run->closed == NULL &&
      (verdict == SP_CHECK_FAILED || !outcome->done))
    run->closed = g_strdup_printf ("not reached: see %s",
                                   verdict == SP_CHECK_FAILED ? point->name : "contract/survives");
}

/* ---- one point ------------------------------------------------------------------------------------------ */

static GVariant *
order_of (Run *run, const SpCheckCase *point, const char *folder, gboolean second)
{
  const SpCheckSetup *setup = run->setup;
  gboolean lingers = run->texts[SP_RULE_THREADS]->len > 0 || run->texts[SP_RULE_CHILDREN]->len > 0;

  return g_variant_ref_sink (g_variant_new (
      "(sssbubbb@a{ss}@a{say}@as)", run->path, point->name, folder, second, run->shape, setup->live,
      setup->given, lingers, setup->options, setup->secrets, setup->people));
}

static SpCheckOutcome *
run_process (Run *run, const SpCheckCase *point, const char *folder, gboolean second,
             GError **error)
{
  g_autoptr (GVariant) order = order_of (run, point, folder, second);
  SpCheckOutcome *outcome =
      sp_check_listen (order, run->setup->live ? LIVE_LIMIT_MS : LIMIT_MS, error);

  if (outcome != NULL)
    take_outcome (run, point, outcome, second);
  return outcome;
}

static gboolean
needs_second (const SpCheckCase *point, const SpCheckOutcome *outcome)
{
  return point->then != NULL && outcome->verdict == 0 && !outcome->hangs && !outcome->timed_out;
}

/* What came of the last process of a round; NULL: @error. */
static SpCheckOutcome *
run_round (Run *run, const SpCheckCase *point, const char *folder, GError **error)
{
  g_autoptr (SpCheckOutcome) first = run_process (run, point, folder, FALSE, error);

  if (first == NULL || !needs_second (point, first))
    return g_steal_pointer (&first);
  return run_process (run, point, folder, TRUE, error);
}

static gboolean
run_point (Run *run, const SpCheckCase *point, GError **error)
{
  g_autofree char *name = g_strdup_printf ("%u", run->n_cases++);
  g_autofree char *folder = g_build_filename (run->room, name, NULL);
  g_autoptr (SpCheckOutcome) outcome = NULL;

  if (mkdir (folder, 0700) != 0) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTERNAL, "cannot make %s", folder);
    return FALSE;
  }
  for (guint i = 0; i < MAX (point->rounds, 1); i++) {
    g_clear_pointer (&outcome, sp_check_outcome_free);
    outcome = run_round (run, point, folder, error);
    if (outcome == NULL)
      return FALSE;
    if (outcome->verdict != 0 || !outcome->done)
      break;
  }
  give_outcome (run, point, outcome);
  return TRUE;
}

/* Why @point is not run; NULL: it is. */
static const char *
reason_to_skip (const Run *run, const SpCheckCase *point)
{
  if (run->closed != NULL)
    return run->closed;
  if (run->away != NULL && (point->flags & SP_CASE_SERVICE) != 0)
    return run->away;
  if ((point->flags & SP_CASE_LIVE) != 0 && !run->setup->live)
    return "only with --live";
  return NULL;
}

static gboolean
run_group (Run *run, const SpCheckGroup *group, GError **error)
{
  for (gsize i = 0; i < group->n_cases; i++) {
    const SpCheckCase *point = &group->cases[i];
    const char *reason = reason_to_skip (run, point);

    if ((point->flags & SP_CASE_BESIDE) != 0)
      continue;
    if (reason == NULL && !run_point (run, point, error))
      return FALSE;
    if (reason != NULL && (point->flags & SP_CASE_SILENT) == 0)
      give (run, point->name, point->what, point->mend, SP_CHECK_SKIPPED, reason);
  }
  return TRUE;
}

/* ---- all ------------------------------------------------------------------------------------------------ */

static gboolean
run_all (Run *run, GError **error)
{
  const SpCheckGroup *group;

  for (gsize i = 0; (group = sp_check_group (i)) != NULL; i++)
    if ((group->kind == 0 || group->kind == run->kind) && !run_group (run, group, error))
      return FALSE;
  give_rules (run);
  return TRUE;
}

static void
take_kind (Run *run)
{
  g_autofree char *file = g_path_get_basename (run->path);
  g_autofree char *word = NULL;
  g_autofree char *name = NULL;
  SpKind kind;

  if (sp_plugin_split (file, &word, &name) && sp_kind_from_word (word, &kind))
    run->kind = kind;
}

static int
remove_entry (const char *path, const struct stat *st, int type, struct FTW *where)
{
  (void) remove (path);
  return 0;
}

static void
run_clear (Run *run)
{
  /* No link is followed: the plugin could write here. */
  if (run->room != NULL)
    (void) nftw (run->room, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
  for (gsize i = 0; i < SP_N_RULES; i++)
    g_ptr_array_unref (run->texts[i]);
  g_free (run->room);
  g_free (run->path);
  g_free (run->closed);
  g_free (run->away);
}

gboolean
sp_plugin_check (const SpCheckSetup *setup, SpCheckEach each, gpointer data, gboolean *ret_ok,
                 GError **error)
{
  Run run = { .setup = setup, .each = each, .data = data };
  int reaper = 0;
  gboolean ok;

  (void) prctl (PR_GET_CHILD_SUBREAPER, &reaper, 0, 0, 0);
  (void) prctl (PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  run.path = g_canonicalize_filename (setup->path, NULL);
  for (gsize i = 0; i < SP_N_RULES; i++)
    run.texts[i] = g_ptr_array_new_with_free_func (g_free);
  take_kind (&run);
  run.room = g_dir_make_tmp ("secret-proxy-check-XXXXXX", error);
  ok = run.room != NULL && run_all (&run, error);
  (void) prctl (PR_SET_CHILD_SUBREAPER, (unsigned long) reaper, 0, 0, 0);
  *ret_ok = ok && !run.failed;
  run_clear (&run);
  return ok;
}
