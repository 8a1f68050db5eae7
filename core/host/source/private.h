/* private.h - what the two ways into an agent VM share
 *
 * source.c is what callers see; a way is a table of functions.  Errors of a way name the file; source.c
 * puts the label in front.
 */
#pragma once

#include <sys/stat.h>

#include "host/source/process.h"
#include "host/source/sink.h"
#include "host/source/source.h"

#define SP_SOURCE_MAX_READ 4096u
#define SP_SOURCE_MAX_OUTPUT (64u * 1024u)
/* How the name of a program begins that may be ended. */
#define SP_SOURCE_MACHINE "qemu-system"
#define SP_SOURCE_NO_PROGRAM 127 /* the exit status of shells for it */

typedef struct {
  gboolean (*open) (SpSource *source, GError **error);
  void (*close) (SpSource *source);
  /* At most SP_SOURCE_MAX_READ + 1 bytes. */
  GByteArray *(*read) (SpSource *source, SpSourceFile file, GError **error);
  gboolean (*copy_disk) (SpSource *source, SpSourceSink *sink, GError **error);
  gboolean (*connect_monitor) (SpSource *source, int *ret_in, int *ret_out, GError **error);
  gboolean (*remove) (SpSource *source, SpSourceFile file, GError **error);
  gboolean (*write_agent) (SpSource *source, SpSecret *content, GError **error);
  /* @pid: above 1. */
  gboolean (*end_machine) (SpSource *source, pid_t pid, GError **error);
  /* SP_PROBLEM_NOT_FOUND: there is no such program. */
  gboolean (*run) (SpSource *source, const char *const *argv, guint timeout_ms, GByteArray *out,
                   int *ret_status, GError **error);
} SpSourceWay;

extern const SpSourceWay sp_source_local, sp_source_exec;

struct _SpSource {
  const SpSourceWay *way;
  char *name; /* of the section */
  char *label;
  char *base;                       /* the staging folder; without one, the disk's */
  char *paths[SP_SOURCE_N_FILES];   /* absolute, on the source */
  guint answer_ms, copy_ms, end_ms; /* how long it may take: one answer, the disk, a polite end */

  /* Local. */
  int folders[SP_SOURCE_N_FILES]; /* O_PATH; of files outside of @base their own, else @base's */
  SpSourceUser owner;

  /* Exec. */
  char **prefix;
  SpSourceProcess *relay; /* NULL: none */
};

/* Take @bytes into the GByteArray @data; SP_PROBLEM_TOO_LARGE beyond the two bounds. */
gboolean sp_source_take_file (gpointer data, const guint8 *bytes, gsize length, GError **error);
gboolean sp_source_take_output (gpointer data, const guint8 *bytes, gsize length, GError **error);

/* A string of what was taken; it may have zero bytes. */
char *sp_source_text (const GByteArray *bytes);

/* A deadline @ms from now. */
gint64 sp_source_deadline (guint ms);

/* The regular file @in, as fstat(2) saw it @before, into @sink: source-copy.c. */
gboolean
sp_source_copy_local (int in, const struct stat *before, SpSourceSink *sink, GError **error);

/* Ends the process @pid of the user @owner where it is a QEMU: source-end.c. */
gboolean sp_source_end_local (pid_t pid, uid_t owner, guint ms, GError **error);
