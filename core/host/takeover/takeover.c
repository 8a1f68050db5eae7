/* takeover.c - takeover.h: the tables of steps, the journal around them, and the ways back and forward
 *
 * What must stay true: no step begins before the journal says so; a folder that somebody else has put
 * something into is not ours to use or to remove.
 */
#include "host/takeover/takeover.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/problem.h"
#include "base/state.h"
#include "host/resident/admin-client.h"
#include "host/takeover/journal.h"
#include "host/takeover/private.h"
#include "host/vm/vm-control.h"

static const SpStep takeover_steps[] = {
  { 1, "signal received", sp_takeover_signal, NULL, FALSE },
  { 2, "monitor connected", sp_takeover_connect, NULL, FALSE },
  { 3, "checkpoint saved", sp_takeover_checkpoint, sp_takeover_undo_checkpoint, FALSE },
  { 4, "VM stopped", sp_takeover_stop, sp_takeover_undo_stop, FALSE },
  { 5, "disk copied", sp_takeover_copy, sp_takeover_undo_copy, FALSE },
  { 6, "image checked", sp_takeover_check, NULL, FALSE },
  { 7, "trust established", sp_takeover_trust, sp_takeover_undo_trust, FALSE },
  { 8, "keys made new", sp_takeover_keys, sp_takeover_undo_keys, FALSE },
  { 9, "started from host-owned files", sp_takeover_start, sp_takeover_undo_start, FALSE },
  { 10, "ownership proven", sp_takeover_prove, NULL, FALSE },
  { 11, "agent's access removed", sp_takeover_hand_over, NULL, TRUE },
  { 12, "agent's HTTP verified", sp_takeover_verify, NULL, TRUE },
  { 13, "approval workflow tested", sp_takeover_try, NULL, TRUE },
};

static const SpStep create_steps[] = {
  { 1, "trust established", sp_create_trust, sp_takeover_undo_trust, FALSE },
  { 2, "keys made new", sp_takeover_keys, sp_takeover_undo_keys, FALSE },
  { 3, "started from host-owned files", sp_takeover_start, sp_takeover_undo_start, FALSE },
  { 4, "ownership proven", sp_takeover_prove, NULL, FALSE },
};

typedef struct {
  SpTakeover takeover;
  SpTakeoverJournal journal;
  const SpStep *steps;
  gsize n_steps;
  int lock;
} Run;

void
sp_takeover_result_free (SpTakeoverResult *result)
{
  if (result == NULL)
    return;
  g_free (result->url);
  g_free (result->tls_pin);
  g_free (result->warning);
  g_free (result);
}

/* ---- what it begins with ------------------------------------------------------------------------------ */

static void
run_free (Run *run)
{
  SpTakeover *takeover = &run->takeover;

  g_clear_pointer (&takeover->monitor, sp_monitor_free);
  g_clear_pointer (&takeover->source, sp_source_free);
  g_clear_pointer (&takeover->image, sp_image_set_free);
  g_clear_pointer (&takeover->audit, sp_audit_free);
  g_clear_pointer (&takeover->cloud, sp_cloud_image_free);
  g_clear_pointer (&takeover->config, sp_config_free);
  g_clear_pointer (&takeover->catalog, sp_plugin_catalog_free);
  if (run->lock >= 0)
    (void) close (run->lock);
  if (takeover->fd >= 0)
    (void) close (takeover->fd);
  g_free (takeover->state);
  g_free (takeover->folder);
  g_free (takeover->image_id);
  g_free (takeover->disk_sha256);
  g_free (takeover->warning);
  if (takeover->left != NULL)
    g_string_free (takeover->left, TRUE);
  sp_takeover_journal_clear (&run->journal);
  g_free (run);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Run, run_free)

static gboolean
read_config (SpTakeover *takeover, GError **error)
{
  const SpTakeoverOptions *options = takeover->options;

  takeover->catalog = sp_plugin_catalog_new (options->plugin_dir);
  takeover->config =
      sp_config_read (options->config, sp_plugin_catalog_describe, takeover->catalog, error);
  if (takeover->config == NULL)
    return FALSE;
  takeover->vault = sp_config_vault (takeover->config, options->vault, error);
  if (takeover->vault == NULL)
    return FALSE;
  if (takeover->vault->vm == NULL) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG, "[vault %s] names no vm plugin: set vm = …",
                 takeover->vault->name);
    return FALSE;
  }
  if (options->source != NULL)
    takeover->from = sp_config_source (takeover->config, options->source, error);
  return options->source == NULL || takeover->from != NULL;
}

/* The folder, new or as an interrupted run left it. */
static gboolean
open_folder (Run *run, GError **error)
{
  SpTakeover *takeover = &run->takeover;

  takeover->folder = takeover->options->folder
                         ? g_canonicalize_filename (takeover->options->folder, NULL)
                         : g_build_filename (takeover->state, takeover->vault->name, NULL);
  takeover->state = takeover->state ? takeover->state : g_path_get_dirname (takeover->folder);
  if (g_mkdir_with_parents (takeover->state, 0755) != 0) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG, "cannot make %s: %s", takeover->state,
                 g_strerror (errno));
    return FALSE;
  }
  takeover->fd = sp_file_open_folder (takeover->folder, error);
  if (takeover->fd < 0)
    return FALSE;
  run->lock = sp_takeover_lock (takeover->fd, error);
  return run->lock >= 0;
}

static Run *
run_new (const SpTakeoverOptions *options, const SpStep *steps, gsize n_steps, GError **error)
{
  g_autoptr (Run) run = g_new0 (Run, 1);

  run->lock = run->takeover.fd = -1;
  run->steps = steps;
  run->n_steps = n_steps;
  run->takeover.options = options;
  run->takeover.state = sp_state_dir ();
  if (!read_config (&run->takeover, error) || !open_folder (run, error))
    return NULL;
  return g_steal_pointer (&run);
}

/* Of what was interrupted; one by `create` has no source. */
static gboolean
is_of_create (const Run *run)
{
  SpTakeoverJournal journal = { 0 };
  gboolean is = sp_takeover_journal_read (&journal, run->takeover.fd, NULL) && *journal.source == 0;

  sp_takeover_journal_clear (&journal);
  return is;
}

static gboolean
check_new (const Run *run, GError **error)
{
  const SpTakeover *takeover = &run->takeover;

  if (sp_takeover_journal_exists (takeover->fd) && is_of_create (run))
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFLICT,
                 "making vault %s was interrupted: 'secret-proxy create %s' begins again",
                 takeover->vault->name, takeover->vault->name);
  else if (sp_takeover_journal_exists (takeover->fd))
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFLICT,
                 "a takeover of vault %s was interrupted: finish it with 'takeover --resume', or "
                 "take it back with 'takeover --abort'",
                 takeover->vault->name);
  else if (!sp_takeover_folder_is_empty (takeover->fd))
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFLICT,
                 "there is a vault in %s already: name another one with --vault, or move it away",
                 takeover->folder);
  else
    return TRUE;
  return FALSE;
}

/* ---- the steps ---------------------------------------------------------------------------------------- */

static gboolean
on_begin (const SpStep *step, gpointer data, GError **error)
{
  Run *run = data;

  run->journal.step = step->number;
  run->journal.port = run->takeover.port;
  g_free (run->journal.image);
  run->journal.image = g_strdup (run->takeover.image_id);
  return sp_takeover_journal_write (&run->journal, run->takeover.fd, error);
}

static void
on_report (const SpStepReport *report, gpointer data)
{
  Run *run = data;

  run->takeover.options->report (report, (guint) run->n_steps, run->takeover.options->data);
}

void
sp_takeover_advise (GError **error, const char *advice)
{
  SpProblemCode code =
      error != NULL && *error != NULL ? sp_problem_code (*error) : SP_PROBLEM_INTERNAL;
  g_autofree char *message = NULL;

  if (code != SP_PROBLEM_INTEGRITY && code != SP_PROBLEM_NOT_FOUND &&
      code != SP_PROBLEM_TOO_LARGE && code != SP_PROBLEM_UNREACHABLE)
    return;
  message = (*error)->message;
  (*error)->message = g_strdup_printf ("%s; %s", message, advice);
}

void
sp_takeover_keep_left (SpTakeover *takeover, const char *what, GError *error)
{
  if (takeover->left == NULL)
    takeover->left = g_string_new (NULL);
  else
    g_string_append (takeover->left, "; ");
  g_string_append_printf (takeover->left, "%s: %s", what, error->message);
  g_error_free (error);
}

static void
remove_folder (Run *run)
{
  GError *error = NULL;

  if (run->takeover.runs)
    return;
  if (!sp_takeover_folder_remove (run->takeover.fd, run->takeover.folder, &error))
    sp_takeover_keep_left (&run->takeover, "removing the vault", error);
}

static SpTakeoverResult *
result_of (Run *run, GError **error)
{
  g_autoptr (SpAdmin) admin = sp_admin_open_folder (run->takeover.folder, error);
  g_autoptr (JsonNode) endpoint =
      admin ? sp_admin_call (admin, "host.endpoint", NULL, NULL, error) : NULL;
  SpTakeoverResult *result;

  if (endpoint == NULL)
    return NULL;
  result = g_new0 (SpTakeoverResult, 1);
  result->url = g_strdup (json_object_get_string_member (json_node_get_object (endpoint), "url"));
  result->tls_pin =
      g_strdup (json_object_get_string_member (json_node_get_object (endpoint), "tls_pin"));
  result->warning = g_steal_pointer (&run->takeover.warning);
  return result;
}

/* What a person must know beside what went wrong: where that leaves things. */
static void
propagate (const Run *run, GError **error, GError *why, gboolean undone)
{
  const GString *left = run->takeover.left;
  SpProblemCode code = sp_problem_code (why);

  /* Whose fault it is that something of the agent's is too large. */
  if (code == SP_PROBLEM_TOO_LARGE)
    code = SP_PROBLEM_INTEGRITY;
  g_set_error (error, SP_PROBLEM, code, "%s; %s%s", why->message,
               !undone        ? "the vault is the host's already: go on with 'takeover --resume'"
               : left == NULL ? "everything was taken back"
                              : "all else was taken back, but this was in vain: ",
               undone && left != NULL ? left->str : "");
  g_error_free (why);
}

static SpTakeoverResult *
run_from (Run *run, guint from, GError **error)
{
  const SpStepWatch watch = { on_begin, on_report, run };
  g_autoptr (GError) local = NULL;
  gboolean undone = FALSE;

  if (sp_steps_run (run->steps, run->n_steps, from, &run->takeover, &watch, &undone, &local)) {
    sp_takeover_journal_remove (run->takeover.fd);
    return result_of (run, error);
  }
  if (undone)
    remove_folder (run);
  propagate (run, error, g_steal_pointer (&local), undone);
  return NULL;
}

static void
begin_journal (Run *run)
{
  sp_takeover_journal_clear (&run->journal);
  run->journal.source = g_strdup (run->takeover.from ? run->takeover.from->name : "");
}

SpTakeoverResult *
sp_takeover_run (const SpTakeoverOptions *options, GError **error)
{
  g_autoptr (Run) run = run_new (options, takeover_steps, G_N_ELEMENTS (takeover_steps), error);

  if (run == NULL || !check_new (run, error))
    return NULL;
  begin_journal (run);
  return run_from (run, 1, error);
}

/* ---- after an interruption ----------------------------------------------------------------------------- */

static gboolean
read_journal (Run *run, GError **error)
{
  SpTakeover *takeover = &run->takeover;

  if (!sp_takeover_journal_read (&run->journal, takeover->fd, error)) {
    if (sp_takeover_folder_is_empty (takeover->fd))
      (void) rmdir (takeover->folder);
    return FALSE;
  }
  if (takeover->from != NULL && !g_str_equal (run->journal.source, takeover->from->name)) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFLICT,
                 "the interrupted takeover was of source '%s', not of '%s'", run->journal.source,
                 takeover->from->name);
    return FALSE;
  }
  takeover->port = run->journal.port;
  return TRUE;
}

/* FALSE: something of it runs still, so that the folder and its journal must stay.  @ret_left: what could
 * not be taken back at the agent's side. */
static gboolean
take_back (Run *run, char **ret_left, GError **error)
{
  SpTakeover *takeover = &run->takeover;

  sp_steps_undo (run->steps, run->n_steps, run->journal.step, takeover);
  g_clear_pointer (&takeover->monitor, sp_monitor_free);
  takeover->is_deaf = FALSE;
  *ret_left = takeover->left ? g_string_free (g_steal_pointer (&takeover->left), FALSE) : NULL;
  if (!takeover->runs)
    return TRUE;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFLICT,
               "%s: end that process, then start this again", *ret_left);
  return FALSE;
}

/* Where the agent did not reach the vault, the config may name another address by now: the vault is
 * started with that, and the agent told of it. */
static gboolean
begin_anew (Run *run, GError **error)
{
  gboolean ran;

  if (run->journal.step != SP_TAKEOVER_VERIFY)
    return TRUE;
  run->journal.step = SP_TAKEOVER_FINAL;
  return sp_vm_control_stop (run->takeover.folder, &ran, error);
}

/* The vault must run for what is left to do; it ended if the host did. */
static gboolean
go_on (Run *run, GError **error)
{
  SpTakeover *takeover = &run->takeover;
  const SpVmRunOptions vm = { .dir = takeover->folder,
                              .config = takeover->options->config,
                              .vault = takeover->vault->name,
                              .plugin_dir = takeover->options->plugin_dir };

  takeover->image_id = g_strdup (run->journal.image);
  return sp_vm_control_runs (takeover->folder) || sp_vm_control_start (&vm, error);
}

SpTakeoverResult *
sp_takeover_resume (const SpTakeoverOptions *options, GError **error)
{
  g_autoptr (Run) run = run_new (options, takeover_steps, G_N_ELEMENTS (takeover_steps), error);
  g_autofree char *left = NULL;

  if (run == NULL || !read_journal (run, error))
    return NULL;
  if (run->journal.step >= SP_TAKEOVER_FINAL)
    return begin_anew (run, error) && go_on (run, error) ? run_from (run, run->journal.step, error)
                                                         : NULL;
  /* What was copied and made may be half-made: begin again, with new keys, and nothing of the old. */
  if (!take_back (run, &left, error) || !sp_takeover_folder_clear (run->takeover.fd, error))
    return NULL;
  return run_from (run, 1, error);
}

gboolean
sp_takeover_abort (const SpTakeoverOptions *options, char **ret_left, GError **error)
{
  g_autoptr (Run) run = run_new (options, takeover_steps, G_N_ELEMENTS (takeover_steps), error);

  if (run == NULL || !read_journal (run, error))
    return FALSE;
  if (run->journal.step >= SP_TAKEOVER_FINAL) {
    g_set_error (
        error, SP_PROBLEM, SP_PROBLEM_CONFLICT,
        "the takeover had come to step %u, from which there is no way back: finish it with "
        "'takeover --resume'",
        run->journal.step);
    return FALSE;
  }
  return take_back (run, ret_left, error) &&
         sp_takeover_folder_remove (run->takeover.fd, run->takeover.folder, error);
}

/* ---- without an agent ----------------------------------------------------------------------------------- */

/* An interrupted one has nothing to settle with anybody: what is left of it goes. */
static gboolean
clear_interrupted (Run *run, GError **error)
{
  g_autofree char *left = NULL;

  if (!sp_takeover_journal_exists (run->takeover.fd) || !read_journal (run, NULL) ||
      *run->journal.source != 0)
    return TRUE;
  if (!take_back (run, &left, error) || !sp_takeover_folder_clear (run->takeover.fd, error))
    return FALSE;
  sp_takeover_journal_remove (run->takeover.fd);
  return TRUE;
}

SpTakeoverResult *
sp_create_run (const SpTakeoverOptions *options, GError **error)
{
  g_autoptr (Run) run = run_new (options, create_steps, G_N_ELEMENTS (create_steps), error);

  if (run == NULL || !clear_interrupted (run, error) || !check_new (run, error))
    return NULL;
  begin_journal (run);
  return run_from (run, 1, error);
}
