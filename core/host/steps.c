/* steps.c - steps.h */
#include "host/steps.h"

const char *const sp_step_words[] = {
  [SP_STEP_OK] = "ok", [SP_STEP_FAILED] = "failed", [SP_STEP_SKIPPED] = "skipped"
};

void
sp_steps_undo (const SpStep *steps, gsize n_steps, guint last, gpointer data)
{
  for (gsize i = n_steps; i-- > 0;)
    if (steps[i].number <= last && steps[i].undo != NULL)
      steps[i].undo (data);
}

static gboolean
begin_step (const SpStep *step, const SpStepWatch *watch, GError **error)
{
  if (watch->begin (step, watch->data, error))
    return TRUE;
  g_prefix_error (error, "step %u, %s: ", step->number, step->name);
  return FALSE;
}

static gboolean
run_step (const SpStep *step, gpointer data, const SpStepWatch *watch, GError **error)
{
  g_autofree char *message = NULL;
  g_autoptr (GError) local = NULL;
  gboolean skipped = FALSE;
  gint64 began = g_get_monotonic_time ();
  SpStepReport report = { .step = step };

  report.status = step->run (data, &message, &skipped, &local) ? SP_STEP_OK : SP_STEP_FAILED;
  if (skipped && report.status == SP_STEP_OK)
    report.status = SP_STEP_SKIPPED;
  report.ms = (g_get_monotonic_time () - began) / 1000;
  report.message = local != NULL ? local->message : message;
  watch->report (&report, watch->data);
  if (local == NULL)
    return TRUE;
  g_propagate_prefixed_error (error, g_steal_pointer (&local), "step %u, %s: ", step->number,
                              step->name);
  return FALSE;
}

gboolean
sp_steps_run (const SpStep *steps, gsize n_steps, guint from, gpointer data,
              const SpStepWatch *watch, gboolean *ret_undone, GError **error)
{
  gboolean final = FALSE;

  *ret_undone = FALSE;
  for (gsize i = 0; i < n_steps; i++) {
    gboolean begun;

    if (steps[i].number < from)
      continue;
    begun = begin_step (&steps[i], watch, error);
    final = final || (begun && steps[i].final);
    if (begun && run_step (&steps[i], data, watch, error))
      continue;
    if (!final)
      sp_steps_undo (steps, n_steps, steps[i].number, data);
    *ret_undone = !final;
    return FALSE;
  }
  return TRUE;
}
