/* self.h - run another verb of this program
 *
 * For what is a verb already and wants a process of its own: the proof of ownership and the trial of an
 * approval in a takeover speak HTTP as any client does.
 */
#pragma once

#include <gio/gio.h>

/* The path of this program; NULL with @error. */
char *sp_self_path (GError **error);
/* Our clean environment, with what names folders of ours, and @more ("NAME=VALUE", NULL-terminated, or
 * NULL); free with g_strfreev(). */
char **sp_self_environment (const char *const *more);

typedef struct {
  int status; /* exit status; -1: a signal */
  char *out;  /* stdout; wiped when it is freed, as it may be a value */
  char *err;
} SpSelfResult;

void sp_self_result_free (SpSelfResult *result);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpSelfResult, sp_self_result_free)

/* @args: without the program's name.  Blocks for at most @timeout_ms: SP_PROBLEM_TIMED_OUT. */
SpSelfResult *sp_self_run (const char *const *args, const char *const *more_environment,
                           guint timeout_ms, GError **error);
