/* sandbox-child.h - what each sandbox of ours begins with: the first words of bwrap(1), and its bounds
 *
 * bwrap makes the namespaces without privileges, so root gives them up first, for a user of its own.
 *
 * What must stay true: where a bound or the user can't be set, nothing is run.
 */
#pragma once

#include <glib.h>
#include <sys/types.h>

#define SP_SANDBOX_BWRAP "/usr/bin/bwrap"
#define SP_SANDBOX_PACKAGE "bubblewrap"
/* What a complaint begins with that is not the tool's. */
#define SP_SANDBOX_COMPLAINS "bwrap: "

typedef struct {
  uid_t uid;           /* whom it becomes, where root starts it */
  pid_t parent;        /* it dies with this one */
  guint64 max_memory;  /* bytes of address space, of each process */
  guint64 max_file;    /* bytes that one file may grow to; 0: nothing can be written to */
  guint64 max_files;   /* descriptors */
  guint64 max_seconds; /* of processor time, of each process */
} SpSandboxBounds;

/* No network, no other process, nobody's user, /usr read-only, /proc.  Folders and devices are the caller's
 * to add, and "--remount-ro / --chdir / --" last.  @argv does not own its words. */
void sp_sandbox_begin (GPtrArray *argv);
void sp_sandbox_add (GPtrArray *argv, const char *const *words, gsize n);

/* A GSpawnChildSetupFunc; @bounds: SpSandboxBounds. */
void sp_sandbox_in_child (gpointer bounds);
