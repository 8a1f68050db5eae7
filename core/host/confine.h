/* confine.h - a child of ours that reads what strangers wrote, and gives up everything first
 *
 * The program executes itself with a hidden role.  In that role it becomes a user that owns nothing, has
 * /dev/null and the descriptors that it was given, can open no other, start no process, and has little
 * memory and processor time.  What it can still do is to answer its parent.
 *
 * What must stay true: where one of these can't be given up, not a byte is read.
 */
#pragma once

#include <gio/gio.h>

typedef struct {
  const char *name;    /* as ps(1) shows it */
  const char *purpose; /* of its user: base/user.h */
  int last_fd;         /* 3 up to this one are kept */
  guint64 max_memory;  /* of addresses, in bytes */
  guint64 max_file;    /* that it may write to, in bytes; 0: to none */
  guint max_seconds;   /* of processor time */
} SpConfinement;

/* The child's side, before anything else. */
gboolean sp_confine (const SpConfinement *confinement);

/* The parent's side: this program with @argv (argv[0] is put in its place; NULL-terminated), and @fds as
 * 3 and up.  It is to be waited for. */
gboolean
sp_confined_spawn (const char **argv, const int *fds, gsize n_fds, GPid *ret_pid, GError **error);
/* Kill it where it still runs; how it ended, as of waitpid(2). */
int sp_confined_end (GPid pid);
