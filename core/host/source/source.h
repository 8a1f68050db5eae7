/* source.h - reach into an agent VM: its staging folder, its monitor, its shell
 *
 * Two ways.  With `exec` set, programs are run by that command (multipass exec, ssh, limactl shell)
 * and files are streams of theirs; nothing of the far side is opened here.  Without it the folder is
 * on this machine and belongs to another user: it is opened once, and what is in it beneath that
 * descriptor only, never through a link, never what is not a regular file (or socket) of that user.
 *
 * What must stay true: the agent supplies no paths; every read is bounded in bytes and time; nothing
 * that comes back reaches a terminal or a log unescaped.  All calls block, under deadlines; the process
 * ignores SIGPIPE.
 */
#pragma once

#include <gio/gio.h>

#include "base/config.h"
#include "base/secret.h"

#define SP_STAGING_DISK "disk.qcow2"
#define SP_STAGING_SEED "seed.iso"
#define SP_STAGING_MONITOR "monitor.sock"
#define SP_STAGING_PID "qemu.pid"
#define SP_STAGING_READY "READY_FOR_TAKEOVER"
#define SP_STAGING_AGENT "agent.json"

typedef enum {
  SP_SOURCE_DISK,
  SP_SOURCE_SEED,
  SP_SOURCE_MONITOR,
  SP_SOURCE_PID,
  SP_SOURCE_READY,
  SP_SOURCE_AGENT,
  SP_SOURCE_N_FILES
} SpSourceFile;

typedef struct _SpSource SpSource;

/* Without `staging` the folder of `disk` stands for it.  The staging folder's owner is who the agent is;
 * for root that must not be root itself, for another user it must be that user.
 * SP_PROBLEM_NOT_FOUND: no such folder; SP_PROBLEM_INTEGRITY: it is a link, others can write to it or to
 * what is above it (/tmp: anybody), …; SP_PROBLEM_CONFIG: `exec` is no command, or a path would need
 * quotes; SP_PROBLEM_UNREACHABLE, SP_PROBLEM_TIMED_OUT: the command of `exec` does not work. */
SpSource *sp_source_open (const SpConfigSource *config, GError **error);
void sp_source_free (SpSource *source);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpSource, sp_source_free)

/* For messages: "the staging folder /… (multipass exec …)". */
const char *sp_source_label (const SpSource *source);
/* Whether it is on this machine (no `exec`), so that its ports are this machine's. */
gboolean sp_source_is_local (const SpSource *source);

/* All of a small file (ready, pid).  SP_PROBLEM_NOT_FOUND: it is not there; SP_PROBLEM_TOO_LARGE: more
 * than 4096 bytes; SP_PROBLEM_INTEGRITY: it is no regular file of the agent's, or has a zero byte. */
char *sp_source_read (SpSource *source, SpSourceFile file, GError **error);

/* @done of @total bytes; total 0: not known. */
typedef void (*SpSourceProgress) (guint64 done, guint64 total, gpointer data);
/* The disk, in one stream, into @out (empty, at its start), holes kept; @ret_sha256: hex, of the whole
 * file.  SP_PROBLEM_TOO_LARGE: more than @max_bytes; SP_PROBLEM_TIMED_OUT: slower than 10
 * minutes, or nothing has come for 30 s; SP_PROBLEM_STORE: too little room here; SP_PROBLEM_INTEGRITY: it was written to meanwhile.
 * @out is then worthless. */
gboolean
sp_source_copy_disk (SpSource *source, int out, guint64 max_bytes, SpSourceProgress progress,
                     gpointer data, char **ret_sha256, GError **error);

/* A stream to the monitor socket: directly, or by `secret-proxy relay SOCKET` or socat on the far
 * side; there the first byte of the greeting has come by then.  The descriptors are the caller's, and the
 * same one where the socket is on this machine; a relay ends with @source or with the next call. */
gboolean sp_source_connect_monitor (SpSource *source, int *ret_in, int *ret_out, GError **error);

/* Remove it; what is not there is removed. */
gboolean sp_source_remove (SpSource *source, SpSourceFile file, GError **error);
/* Write agent.json, 0600, the agent's, in one step. */
gboolean sp_source_write_agent (SpSource *source, SpSecret *content, GError **error);

/* End the QEMU that qemu.pid names, where it still runs and is the agent's: TERM, then KILL.  TRUE: it
 * does not run any more, or nothing is known of one.  SP_PROBLEM_INTEGRITY: the file names something
 * else, which was left alone. */
gboolean sp_source_end_machine (SpSource *source, GError **error);

/* Run a program where the agent is, as the agent; its stdout (at most 64 KiB), and its exit status
 * (127: there is no such program; -1: a signal ended it).  At most @timeout_ms.  With `exec` a shell may
 * read @argv on the far side, so it must need no quotes. */
gboolean sp_source_run (SpSource *source, const char *const *argv, guint timeout_ms, char **ret_out,
                        int *ret_status, GError **error);
