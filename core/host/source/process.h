/* process.h - a program that belongs to a source: pipes, a deadline, and an end in any case
 *
 * It is the leader of a session of its own, so that it can't ask at a terminal and ends together with
 * what it has started.  What it says is of a stranger: the caller bounds stdout, stderr is bounded here.
 *
 * What must stay true: the caller ignores SIGPIPE; the program does not.
 */
#pragma once

#include <gio/gio.h>
#include <sys/types.h>

typedef struct _SpSourceProcess SpSourceProcess;

typedef struct {
  uid_t uid;
  gid_t gid;
} SpSourceUser;

/* Start @argv with a clean environment in the folder /; as @user without other groups and for ever (NULL:
 * as this process is).  SP_PROBLEM_NOT_FOUND: there is no such program; SP_PROBLEM_UNREACHABLE: it can't
 * be run. */
SpSourceProcess *
sp_source_process_start (const char *const *argv, const SpSourceUser *user, GError **error);
/* Ends it where it runs. */
void sp_source_process_free (SpSourceProcess *process);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpSourceProcess, sp_source_process_free)

/* Takes a piece of stdout; FALSE with @error ends the run. */
typedef gboolean (*SpSourceTake) (gpointer data, const guint8 *bytes, gsize length, GError **error);

/* From now on it times out, too, once it has said nothing for @quiet_ms. */
void sp_source_process_expect_talk (SpSourceProcess *process, guint quiet_ms);

/* Give it @input and take its output until it has ended.  @deadline is of g_get_monotonic_time();
 * SP_PROBLEM_TIMED_OUT after it. */
gboolean sp_source_process_run (SpSourceProcess *process, gconstpointer input, gsize length,
                                gint64 deadline, SpSourceTake take, gpointer data, GError **error);

/* Wait until it has said a first byte, which stays in the pipe, or has ended: @ret_ended. */
gboolean sp_source_process_wait (SpSourceProcess *process, gint64 deadline, gboolean *ret_ended,
                                 GError **error);
/* Its stdout and stdin, from now on the caller's. */
void sp_source_process_take_pipes (SpSourceProcess *process, int *ret_out, int *ret_in);

/* Once it has ended: the exit status; -1: a signal ended it. */
int sp_source_process_status (const SpSourceProcess *process);
/* ": " and its stderr as one harmless line; "" where it said nothing. */
char *sp_source_process_complaint (const SpSourceProcess *process);
