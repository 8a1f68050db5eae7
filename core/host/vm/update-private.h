/* update-private.h - between update.c (the tables) and update-steps.c (what they do) */
#pragma once

#include "host/appliance/image-set.h"
#include "host/vm/update.h"
#include "host/vm/vault-record.h"

typedef struct {
  const SpUpdateOptions *options;
  char *state;
  int fd;      /* the vault's folder */
  int moving;  /* the lock of takeover/journal.h, for the whole of it */
  int running; /* the lock of a resident process, while none may run; -1: not held */
  SpVaultRecord *record;
  SpImageSet *image; /* where to */
  gboolean ran;      /* a resident process was there when it began */
  gboolean well;     /* and its vault worked */
  gboolean exchanged;
  GString *left; /* what could not be taken back; NULL: nothing */
} SpUpdate;

typedef gboolean
SpUpdateStep (gpointer data, char **ret_message, gboolean *ret_skipped, GError **error);

SpUpdateStep sp_update_choose, sp_rollback_choose, sp_rollback_choose_data;
SpUpdateStep sp_update_stop, sp_update_copy, sp_update_exchange, sp_rollback_put_back;
SpUpdateStep sp_update_start, sp_update_prove, sp_update_keep, sp_rollback_finish;
void sp_update_undo_stop (gpointer data);
void sp_update_undo_copy (gpointer data);
void sp_update_undo_exchange (gpointer data);
