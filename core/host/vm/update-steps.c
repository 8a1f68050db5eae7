/* update-steps.c - what happens in each step of update.h
 *
 * What must stay true: the record says `on_trial` from before the new image boots until it has proven itself;
 * while data and record are changed no resident process can start, as its lock is held here.
 */
#include <string.h>
#include <unistd.h>

#include "base/problem.h"
#include "host/resident/admin-socket.h"
#include "host/vm/prove.h"
#include "host/vm/update-private.h"
#include "host/vm/vault-copy.h"
#include "host/vm/vm-control.h"

#define WELL_MS 60000
#define LOOK_MS 100
#define TRIES 3u

static SpVmRunOptions
vm_of (const SpUpdate *update, guint start_ms)
{
  return (SpVmRunOptions){ .dir = update->options->folder,
                           .config = update->options->config,
                           .vault = update->options->vault,
                           .plugin_dir = update->options->plugin_dir,
                           .start_ms = start_ms };
}

static void
keep_left (SpUpdate *update, const char *what, GError *error)
{
  if (update->left == NULL)
    update->left = g_string_new (NULL);
  else
    g_string_append (update->left, "; ");
  g_string_append_printf (update->left, "%s: %s", what, error->message);
  g_error_free (error);
}

static void
let_run (SpUpdate *update)
{
  if (update->running >= 0)
    (void) close (update->running);
  update->running = -1;
}

/* ---- which image ------------------------------------------------------------------------------------- */

static gboolean
check_version (const SpUpdate *update, const SpUpdateImage *now, GError **error)
{
  const char *newest = update->record->newest ? update->record->newest : now->version;

  if (update->options->older || strverscmp (update->image->version, newest) >= 0)
    return TRUE;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFLICT,
               "image %.12s… has version %s, and the vault has had version %s: an older one may "
               "have flaws that are known by now; name --older if you mean it",
               update->image->id, update->image->version, newest);
  return FALSE;
}

static gboolean
check_other (const SpUpdate *update, GError **error)
{
  if (!g_str_equal (update->image->id, update->record->image))
    return TRUE;
  if (update->options->image != NULL)
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFLICT, "the vault has image %.12s… already",
                 update->image->id);
  else
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFLICT,
                 "the vault has image %.12s… already, the newest of this host: 'secret-proxy %s' "
                 "makes one of today's packages",
                 update->image->id, update->kind->build);
  return FALSE;
}

static void
tell_image (const SpUpdate *update, char **ret_message)
{
  *ret_message = g_strdup_printf ("%.12s…, version %s, in the place of %.12s…", update->image->id,
                                  update->image->version, update->record->image);
}

gboolean
sp_update_choose (gpointer data, char **ret_message, gboolean *ret_skipped, GError **error)
{
  SpUpdate *update = data;
  g_autoptr (SpUpdateImage) now = NULL;

  update->image = update->kind->find (update, update->options->image, error);
  if (update->image == NULL || !check_other (update, error))
    return FALSE;
  /* Whole, or there would be no way back. */
  now = update->kind->find_known (update, update->record, update->record->image, error);
  if (now == NULL) {
    g_prefix_error (error, "the image of now, which would be the way back: ");
    return FALSE;
  }
  if (!check_version (update, now, error) || !update->kind->check (update, error))
    return FALSE;
  sp_vault_record_had (update->record, now->version);
  tell_image (update, ret_message);
  return TRUE;
}

/* Those of the image of before, where it has any. */
static gboolean
find_files (SpUpdate *update, const char *id, GError **error)
{
  if (update->kind->make == NULL)
    return TRUE;
  update->from = SP_IMAGE_FROM_BEFORE;
  update->origin = sp_image_files_before (update->fd, id);
  if (update->origin == NULL)
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_CONFLICT,
                         "what the vault's machine booted then is not there any more: 'vm update "
                         "--older --image …' makes it anew");
  return update->origin != NULL;
}

gboolean
sp_rollback_choose (gpointer data, char **ret_message, gboolean *ret_skipped, GError **error)
{
  SpUpdate *update = data;
  const char *id = update->record->previous;

  if (id == NULL) {
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_CONFLICT,
                         "the vault has had no other image to go back to");
    return FALSE;
  }
  if (find_files (update, id, error))
    update->image = update->kind->find_known (
        update, update->origin ? update->origin : update->record, id, error);
  if (update->image == NULL) {
    g_prefix_error (error, "the image of before: ");
    return FALSE;
  }
  tell_image (update, ret_message);
  return TRUE;
}

/* The copy is of before the last move; or of before one that was taken back after it had opened the store. */
gboolean
sp_rollback_choose_data (gpointer data, char **ret_message, gboolean *ret_skipped, GError **error)
{
  SpUpdate *update = data;
  const SpVaultRecord *record = update->record;

  if (sp_vault_copy_is_of (update->fd, record->previous))
    return sp_rollback_choose (data, ret_message, ret_skipped, error);
  if (!sp_vault_copy_is_of (update->fd, record->image)) {
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_CONFLICT,
                         "there is no copy of the data from before the last move: go back without "
                         "--data, or restore a back-up");
    return FALSE;
  }
  update->image = update->kind->find_known (update, record, record->image, error);
  if (update->image == NULL)
    return FALSE;
  *ret_message = g_strdup_printf ("%.12s…, as it is now; the data of before the move that was "
                                  "taken back",
                                  record->image);
  return TRUE;
}

/* ---- what the other image needs ----------------------------------------------------------------------- */

gboolean
sp_update_make (gpointer data, char **ret_message, gboolean *ret_skipped, GError **error)
{
  SpUpdate *update = data;
  int draft = sp_image_files_draft (update->fd, error);
  gboolean ok = draft >= 0 && update->kind->make (update, draft, ret_message, ret_skipped, error);

  if (draft >= 0)
    (void) close (draft);
  return ok;
}

void
sp_update_undo_make (gpointer data)
{
  sp_image_files_drop_draft (((SpUpdate *) data)->fd);
}

/* ---- stopping, and starting again ------------------------------------------------------------------------- */

gboolean
sp_update_stop (gpointer data, char **ret_message, gboolean *ret_skipped, GError **error)
{
  SpUpdate *update = data;
  gboolean ran = FALSE;

  update->well = sp_vm_is_well (update->options->folder);
  if (!sp_vm_control_stop (update->options->folder, &ran, error))
    return FALSE;
  update->ran = update->ran || ran;
  *ret_skipped = !ran;
  *ret_message = g_strdup (ran ? "in good order" : "it did not run");
  update->running = sp_admin_lock (update->fd, error);
  return update->running >= 0;
}

void
sp_update_undo_stop (gpointer data)
{
  SpUpdate *update = data;
  const SpVmRunOptions vm = vm_of (update, 0);
  GError *error = NULL;

  let_run (update);
  if (update->ran && !sp_vm_control_runs (update->options->folder) &&
      !sp_vm_control_start (&vm, &error))
    keep_left (update, "starting the vault again", error);
}

/* ---- the copy ---------------------------------------------------------------------------------------------- */

gboolean
sp_update_copy (gpointer data, char **ret_message, gboolean *ret_skipped, GError **error)
{
  SpUpdate *update = data;

  *ret_skipped = update->options->no_copy;
  if (update->options->no_copy)
    *ret_message = g_strdup ("as --no-copy says: there will be no way back for the data");
  return update->options->no_copy || sp_vault_copy_make (update->fd, ret_message, error);
}

void
sp_update_undo_copy (gpointer data)
{
  sp_vault_copy_undo (((SpUpdate *) data)->fd);
}

/* ---- the record --------------------------------------------------------------------------------------------- */

/* What is known of the image of now stays with its files. */
static gboolean
set_aside (const SpUpdate *update, GError **error)
{
  return update->origin == NULL || sp_image_files_set_aside (update->fd, update->record, error);
}

static void
take_origin (SpUpdate *update)
{
  if (update->origin != NULL)
    sp_vault_record_take_origin (update->record, update->origin);
}

gboolean
sp_update_exchange (gpointer data, char **ret_message, gboolean *ret_skipped, GError **error)
{
  SpUpdate *update = data;
  SpVaultRecord *record = update->record;
  g_autofree char *trust = g_strdup (record->trust);

  if (!set_aside (update, error))
    return FALSE;
  sp_vault_record_try (record, update->image->id);
  take_origin (update);
  update->exchanged = TRUE;
  if (!sp_vault_record_write (record, update->fd, error) ||
      !sp_image_files_exchange (update->fd, update->from, error))
    return FALSE;
  *ret_message = g_str_equal (trust, record->trust)
                     ? g_strdup_printf ("on trial, rollback index %u", record->index)
                     : g_strdup_printf ("on trial, rollback index %u; trust %s, and no more %s",
                                        record->index, record->trust, trust);
  return TRUE;
}

/* A unit may be started again by systemd between the two, so until the lock is ours. */
static gboolean
end_it (SpUpdate *update, GError **error)
{
  for (guint i = 0; update->running < 0 && i < TRIES; i++) {
    if (!sp_vm_control_end (update->options->folder, error))
      return FALSE;
    g_clear_error (error);
    update->running = sp_admin_lock (update->fd, error);
  }
  return update->running >= 0;
}

void
sp_update_undo_exchange (gpointer data)
{
  SpUpdate *update = data;
  g_autoptr (GError) error = NULL;

  if (!update->exchanged)
    return;
  if (end_it (update, &error) && sp_image_files_take_back (update->fd, update->record, &error)) {
    sp_vault_record_go_back (update->record);
    (void) (sp_vault_record_write (update->record, update->fd, &error) &&
            sp_image_files_settle (update->fd, update->record, &error));
  }
  if (error != NULL)
    keep_left (update, "going back to the image of before", g_steal_pointer (&error));
  update->exchanged = FALSE;
}

gboolean
sp_rollback_put_back (gpointer data, char **ret_message, gboolean *ret_skipped, GError **error)
{
  SpUpdate *update = data;
  SpVaultRecord *record = update->record;
  guint64 lost = sp_vault_copy_age (update->fd);

  if (!set_aside (update, error))
    return FALSE;
  sp_vault_record_restore (record, update->image->id);
  take_origin (update);
  if (!sp_vault_record_write (record, update->fd, error) ||
      !sp_image_files_exchange (update->fd, SP_IMAGE_FROM_BEFORE, error) ||
      !sp_vault_copy_restore (update->fd, error))
    return FALSE;
  record->restoring = FALSE;
  *ret_message = g_strdup_printf ("without the newest %" G_GUINT64_FORMAT
                                  " entries of the audit log, and what they tell of",
                                  lost);
  return sp_vault_record_write (record, update->fd, error) &&
         sp_image_files_settle (update->fd, record, error);
}

/* ---- the proof ------------------------------------------------------------------------------------------------ */

gboolean
sp_update_start (gpointer data, char **ret_message, gboolean *ret_skipped, GError **error)
{
  SpUpdate *update = data;
  const SpVmRunOptions vm = vm_of (update, update->options->start_ms);

  let_run (update);
  if (!sp_vm_control_start (&vm, error))
    return FALSE;
  *ret_message = g_strdup ("unlocked with the keys that it had");
  return TRUE;
}

static gboolean
wait_well (const SpUpdate *update, GError **error)
{
  gint64 end = g_get_monotonic_time () + WELL_MS * G_TIME_SPAN_MILLISECOND;

  while (!sp_vm_is_well (update->options->folder)) {
    if (g_get_monotonic_time () > end) {
      g_set_error (error, SP_PROBLEM, SP_PROBLEM_TIMED_OUT,
                   "a plugin that worked with the image of before has not worked for %d s",
                   WELL_MS / 1000);
      return FALSE;
    }
    g_usleep (LOOK_MS * G_TIME_SPAN_MILLISECOND);
  }
  return sp_vm_serves (update->options->folder, error);
}

/* What did not work before need not work now. */
gboolean
sp_update_prove (gpointer data, char **ret_message, gboolean *ret_skipped, GError **error)
{
  SpUpdate *update = data;

  if (!sp_vm_prove (update->options->folder, error) || (update->well && !wait_well (update, error)))
    return FALSE;
  *ret_message = g_strdup (update->well ? "over HTTPS, with a fresh nonce; all plugins work"
                                        : "over HTTPS, with a fresh nonce");
  return TRUE;
}

/* ---- the end ---------------------------------------------------------------------------------------------------- */

/* As it was found. */
static gboolean
stop_again (const SpUpdate *update, GError **error)
{
  gboolean ran;

  return update->ran || sp_vm_control_stop (update->options->folder, &ran, error);
}

gboolean
sp_update_keep (gpointer data, char **ret_message, gboolean *ret_skipped, GError **error)
{
  SpUpdate *update = data;
  g_autoptr (GError) local = NULL;

  sp_vault_record_keep (update->record, update->image->version);
  if (!sp_vault_record_write (update->record, update->fd, error))
    return FALSE;
  update->exchanged = FALSE;
  if (!sp_image_files_settle (update->fd, update->record, error))
    return FALSE;
  (void) sp_vault_copy_adopt (update->fd, &local);
  *ret_message = g_strdup_printf (
      "%.12s… stays, and what goes with it%s%s", update->record->previous,
      local ? "; but there is no way back for the data: " : "", local ? local->message : "");
  return stop_again (update, error);
}

gboolean
sp_rollback_finish (gpointer data, char **ret_message, gboolean *ret_skipped, GError **error)
{
  SpUpdate *update = data;

  sp_vault_copy_finish (update->fd);
  *ret_message = g_strdup ("what came after is gone");
  return stop_again (update, error);
}
