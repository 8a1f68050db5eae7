/* parent.h - the process that starts all others and starts them again
 *
 * It holds nothing but descriptors: the listening socket, which outlives every gate, so that agents'
 * connections wait in its queue while a gate is exchanged; and the admin channel, which outlives every
 * keeper.  It parses nothing: what it gets from the keeper are fixed records.
 */
#pragma once

#include <gio/gio.h>
#include <sys/types.h>

typedef struct {
  char *listen;    /* ADDRESS:PORT; port 0: a free one */
  char *state_dir; /* the plugins' folders are made in it */
  int admin_fd;    /* -1: none: nobody owns this vault */
  /* 0: all run as the running user.  Else, for root: the keeper runs as this user, the gate as the next
   * one, then one for each slot; none of them has a name or owns anything but its plugin's folder. */
  uid_t first_user;
} SpParentOptions;

/* Runs until SIGTERM, SIGINT, or an administrator's vault.shutdown.  Returns the exit status. */
int sp_parent_run (const SpParentOptions *options);
