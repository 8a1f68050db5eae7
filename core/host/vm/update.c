/* update.c - update.h: the tables of steps, and what they begin with */
#include "host/vm/update.h"

#include <unistd.h>

#include "base/file.h"
#include "base/problem.h"
#include "base/state.h"
#include "host/takeover/journal.h"
#include "host/vm/settle.h"
#include "host/vm/update-private.h"
#include "host/vm/vault-copy.h"
#include "host/vm/vm-control.h"

static const SpStep update_steps[] = {
  { 1, "image chosen", sp_update_choose, NULL, FALSE },
  { 2, "vault stopped", sp_update_stop, sp_update_undo_stop, FALSE },
  { 3, "data copied", sp_update_copy, sp_update_undo_copy, FALSE },
  { 4, "image exchanged", sp_update_exchange, sp_update_undo_exchange, FALSE },
  { 5, "started with the other image", sp_update_start, NULL, FALSE },
  { 6, "ownership proven", sp_update_prove, NULL, FALSE },
  { 7, "image kept", sp_update_keep, NULL, FALSE },
};

/* Where files of the vault's folder are made for it. */
static const SpStep making_steps[] = {
  { 1, "image chosen", sp_update_choose, NULL, FALSE },
  { 2, "system disk made", sp_update_make, sp_update_undo_make, FALSE },
  { 3, "vault stopped", sp_update_stop, sp_update_undo_stop, FALSE },
  { 4, "data copied", sp_update_copy, sp_update_undo_copy, FALSE },
  { 5, "image exchanged", sp_update_exchange, sp_update_undo_exchange, FALSE },
  { 6, "started with the other image", sp_update_start, NULL, FALSE },
  { 7, "ownership proven", sp_update_prove, NULL, FALSE },
  { 8, "image kept", sp_update_keep, NULL, FALSE },
};

static const SpStep rollback_steps[] = {
  { 1, "image of before found", sp_rollback_choose, NULL, FALSE },
  { 2, "vault stopped", sp_update_stop, sp_update_undo_stop, FALSE },
  { 3, "data copied", sp_update_copy, sp_update_undo_copy, FALSE },
  { 4, "image exchanged", sp_update_exchange, sp_update_undo_exchange, FALSE },
  { 5, "started with the image of before", sp_update_start, NULL, FALSE },
  { 6, "ownership proven", sp_update_prove, NULL, FALSE },
  { 7, "image kept", sp_update_keep, NULL, FALSE },
};

static const SpStep data_steps[] = {
  { 1, "image and data of before found", sp_rollback_choose_data, NULL, FALSE },
  { 2, "vault stopped", sp_update_stop, sp_update_undo_stop, FALSE },
  { 3, "image and data put back", sp_rollback_put_back, NULL, TRUE },
  { 4, "started with the image of before", sp_update_start, NULL, TRUE },
  { 5, "ownership proven", sp_update_prove, NULL, TRUE },
  { 6, "newer data removed", sp_rollback_finish, NULL, TRUE },
};

typedef struct {
  const SpStep *steps;
  gsize n_steps;
} Table;

#define TABLE(steps) \
  { \
    steps, G_N_ELEMENTS (steps) \
  }

static const Table updates[SP_N_UPDATE_KINDS] = {
  [SP_UPDATE_APPLIANCE] = TABLE (update_steps),
  [SP_UPDATE_CLOUD] = TABLE (making_steps),
};
/* The way back is the same for all. */
static const Table rollback[SP_N_UPDATE_KINDS] = {
  [SP_UPDATE_APPLIANCE] = TABLE (rollback_steps),
  [SP_UPDATE_CLOUD] = TABLE (rollback_steps),
};
static const Table rollback_data[SP_N_UPDATE_KINDS] = {
  [SP_UPDATE_APPLIANCE] = TABLE (data_steps),
  [SP_UPDATE_CLOUD] = TABLE (data_steps),
};

typedef struct {
  SpUpdate update;
  const Table *table;
} Run;

void
sp_update_result_free (SpUpdateResult *result)
{
  if (result == NULL)
    return;
  g_free (result->image);
  g_free (result->version);
  g_free (result->previous);
  g_free (result);
}

static void
clear (SpUpdate *update)
{
  const int descriptors[] = { update->running, update->moving, update->fd };

  for (gsize i = 0; i < G_N_ELEMENTS (descriptors); i++)
    if (descriptors[i] >= 0)
      (void) close (descriptors[i]);
  g_free (update->state);
  sp_vault_record_free (update->record);
  sp_vault_record_free (update->origin);
  sp_update_image_free (update->image);
  if (update->left != NULL)
    g_string_free (update->left, TRUE);
}

/* ---- what it begins with ------------------------------------------------------------------------------ */

/* A run before this one may have been killed. */
static gboolean
settle (SpUpdate *update, GError **error)
{
  gboolean ran;

  if ((update->record->on_trial || update->record->restoring) &&
      !sp_vm_control_stop (update->options->folder, &ran, error))
    return FALSE;
  if (!sp_vault_settle_held (update->fd, error))
    return FALSE;
  sp_vault_record_free (update->record);
  update->record = sp_vault_record_read (update->fd, error);
  if (update->record != NULL)
    update->kind = &sp_update_kinds[sp_update_kind_of (update->record)];
  return update->record != NULL;
}

static gboolean
begin (SpUpdate *update, GError **error)
{
  update->state = sp_state_dir ();
  update->fd = sp_file_open_folder (update->options->folder, error);
  update->moving = update->fd >= 0 ? sp_takeover_lock (update->fd, error) : -1;
  if (update->moving < 0)
    return FALSE;
  if (sp_takeover_journal_exists (update->fd)) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFLICT,
                 "the vault's takeover has not come to its end: 'takeover --resume' first");
    return FALSE;
  }
  update->record = sp_vault_record_read (update->fd, error);
  update->ran = sp_vm_control_runs (update->options->folder);
  return update->record != NULL && settle (update, error);
}

/* ---- the steps ---------------------------------------------------------------------------------------- */

/* The record on the disk is the journal: nothing else is needed to go back. */
static gboolean
on_begin (const SpStep *step, gpointer data, GError **error)
{
  return TRUE;
}

static void
on_report (const SpStepReport *report, gpointer data)
{
  Run *run = data;

  run->update.options->report (report, (guint) run->table->n_steps, run->update.options->data);
}

/* Where that leaves things. */
static void
propagate (const Run *run, GError **error, const GError *why, gboolean undone)
{
  const SpUpdate *update = &run->update;
  const char *left = update->left ? update->left->str : "";

  if (!undone)
    g_set_error (error, SP_PROBLEM, (gint) sp_problem_code (why),
                 "%s; the way back is not left for that: mend what is wrong, then 'secret-proxy vm "
                 "start' goes on with it; the newer data is kept as " SP_VAULT_AFTER
                 " in the vault's folder",
                 why->message);
  else
    g_set_error (error, SP_PROBLEM, (gint) sp_problem_code (why), "%s; %s%.12s…%s%s", why->message,
                 update->left  ? "all else was taken back, to image "
                 : update->ran ? "the vault runs as before, with image "
                               : "the vault is stopped as before, with image ",
                 update->record->image, update->left ? ", but this was in vain: " : "", left);
}

static SpUpdateResult *
result_of (const SpUpdate *update)
{
  SpUpdateResult *result = g_new0 (SpUpdateResult, 1);

  result->image = g_strdup (update->record->image);
  result->version = g_strdup (update->image->version);
  result->previous = g_strdup (update->record->previous);
  result->runs = update->ran;
  return result;
}

/* @tables: for each kind. */
static SpUpdateResult *
run_all (const SpUpdateOptions *options, const Table *tables, GError **error)
{
  Run run = { .update = { .options = options, .fd = -1, .moving = -1, .running = -1 } };
  const SpStepWatch watch = { on_begin, on_report, &run };
  g_autoptr (GError) local = NULL;
  SpUpdateResult *result = NULL;
  gboolean undone = FALSE;

  if (!begin (&run.update, error)) {
    clear (&run.update);
    return NULL;
  }
  run.table = &tables[sp_update_kind_of (run.update.record)];
  if (sp_steps_run (run.table->steps, run.table->n_steps, 1, &run.update, &watch, &undone, &local))
    result = result_of (&run.update);
  else
    propagate (&run, error, local, undone);
  clear (&run.update);
  return result;
}

SpUpdateResult *
sp_update_run (const SpUpdateOptions *options, GError **error)
{
  return run_all (options, updates, error);
}

SpUpdateResult *
sp_rollback_run (const SpUpdateOptions *options, gboolean data, GError **error)
{
  return run_all (options, data ? rollback_data : rollback, error);
}
