/* program.h - one run of the program: told a line of JSON, listened to, ended
 *
 * It is the leader of a session and a process group of its own, and ends with the plugin.
 */
#pragma once

#include <secret-proxy/plugin.h>

#define NX_MAX_OUT 4096u /* bytes of an answer */

typedef struct {
  const char *const *argv; /* the first is a path */
  char **environment;
} NxCommand;

typedef struct {
  int status;       /* of exit(); -1: ended by a signal */
  const char *out;  /* what it wrote to its stdout, @out_length bytes; NUL-terminated */
  gsize out_length; /* beyond NX_MAX_OUT: it was more than that */
  const char *last; /* the last line of its stderr, cleaned; "" where there is none */
} NxEnd;

typedef struct _NxProgram NxProgram;

/* @end: while it runs.  The program is the callee's to free. */
typedef void (*NxEnded) (NxProgram *program, const NxEnd *end, gpointer data);

/* What a program gets of this process's surroundings, and @more ("NAME=VALUE"); free with g_strfreev(). */
char **nx_environment (const char *const *more);

/* On the thread-default GMainContext.  @input is copied. */
NxProgram *nx_program_start (const NxCommand *command, const char *input, NxEnded ended,
                             gpointer data, GError **error);
/* Kills it, and its process group, where it still runs; ended() is not called any more. */
void nx_program_free (NxProgram *program);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (NxProgram, nx_program_free)
