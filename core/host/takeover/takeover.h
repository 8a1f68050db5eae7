/* takeover.h - the host makes an agent's vault VM its own, and `create`, the same without an agent's part
 *
 * Thirteen steps, each written to a journal in the vault's folder before it begins.  What fails or is
 * interrupted before step 11 is undone: the agent's VM runs as before, and nothing half-made stays.
 * From step 11 on, which takes the agent's access away, there is only the way forward.
 *
 * Security comes from what is done to the host's own copy; what happens at the agent's monitor is good
 * manners.  Called on the command line's thread; everything blocks, under deadlines.
 */
#pragma once

#include "host/steps.h"

typedef struct {
  const char *source;     /* [source NAME]; NULL for create */
  const char *vault;      /* [vault NAME]; NULL: the only one, or "default" */
  const char *folder;     /* NULL: STATE/VAULT */
  const char *config;     /* NULL: the one in /etc */
  const char *plugin_dir; /* NULL: the default one */
  const char *image;      /* create: which appliance; NULL: the newest */
  const char *accept; /* digests of findings, with commas between; NULL: only those of the config */
  guint approval_s;   /* how long step 13 waits for a person; 0: 120 */
  void (*report) (const SpStepReport *report, guint n_steps, gpointer data);
  void (*found) (GPtrArray *findings,
                 gpointer data); /* SpAuditFinding: what a disk is refused for */
  gpointer data;
} SpTakeoverOptions;

typedef struct {
  char *url, *tls_pin;
  char *warning; /* owned, but: …; NULL: none */
} SpTakeoverResult;

void sp_takeover_result_free (SpTakeoverResult *result);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpTakeoverResult, sp_takeover_result_free)

SpTakeoverResult *sp_takeover_run (const SpTakeoverOptions *options, GError **error);
/* Finish an interrupted one: from its step 11 on where it had come so far, else from the start again.
 * SP_PROBLEM_NOT_FOUND: none is interrupted. */
SpTakeoverResult *sp_takeover_resume (const SpTakeoverOptions *options, GError **error);
/* Take it back; SP_PROBLEM_CONFLICT where it had come to step 11.  @ret_left: what could not be taken back
 * at the agent's side, for people; NULL: nothing. */
gboolean sp_takeover_abort (const SpTakeoverOptions *options, char **ret_left, GError **error);

SpTakeoverResult *sp_create_run (const SpTakeoverOptions *options, GError **error);
