/* sandbox.h - run a tool on bytes of the agent's, as if it would be taken over
 *
 * bubblewrap gives it namespaces of its own (no network, no other process), a file system that has
 * /usr read-only and the one file, a user that owns nothing (where root runs it; else the running user,
 * who is nobody inside); rlimits bound memory and processor time, and it can't write to files; a wall
 * clock ends it.
 */
#pragma once

#include <gio/gio.h>

typedef struct {
  const char *const *argv; /* argv[0]: a name in /usr/bin; "{in}" stands for the path of the file */
  int in_fd;          /* a sealed memfd (no writing, no other length), shown as {in}; -1: none */
  guint64 max_memory; /* bytes of address space */
  guint max_seconds;  /* of processor time and on the wall clock */
  gsize max_output;   /* bytes of stdout and stderr, each; more ends it */
} SpSandboxJob;

typedef struct {
  int status; /* exit status; -1: ended by a signal or by us, see error */
  char *out;  /* not escaped, NUL-terminated */
  char *err;
} SpSandboxResult;

void sp_sandbox_result_free (SpSandboxResult *result);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpSandboxResult, sp_sandbox_result_free)

/* A file with a name would not do as {in}: the user that owns nothing could not open it, or could write
 * to it.
 *
 * NULL: it could not be run, or overran a bound (SP_PROBLEM_TIMED_OUT, SP_PROBLEM_TOO_LARGE), or a
 * signal ended it (SP_PROBLEM_INTEGRITY).  Blocks. */
SpSandboxResult *sp_sandbox_run (const SpSandboxJob *job, GError **error);
