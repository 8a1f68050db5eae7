/* update-private.h - between update.c (the tables) and update-steps.c (what they do) */
#pragma once

#include "host/cloud/cloud-image.h"
#include "host/vm/image-files.h"
#include "host/vm/update.h"
#include "host/vm/vault-record.h"

typedef struct _SpUpdate SpUpdate;

/* An image that the vault has, had or is to have. */
typedef struct {
  char *id, *version;
  SpCloudImage *cloud; /* of which files of the vault's folder are made; NULL: of none */
} SpUpdateImage;

void sp_update_image_free (SpUpdateImage *image);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpUpdateImage, sp_update_image_free)

/* What is exchanged where a vault moves to another image: a row for each kind of vault. */
typedef struct {
  const char *build; /* the command that makes such an image */
  /* One to move to, with every byte checked; NULL: the newest of this host. */
  SpUpdateImage *(*find) (const SpUpdate *update, const char *id, GError **error);
  /* The one of now or of before, whole as far as it is needed to boot it. */
  SpUpdateImage *(*find_known) (const SpUpdate *update, const SpVaultRecord *of, const char *id,
                                GError **error);
  /* Before anything is touched: does it fit in here? */
  gboolean (*check) (SpUpdate *update, GError **error);
  /* The files to come, into SP_IMAGE_DRAFT; unset: nothing but the record is exchanged. */
  gboolean (*make) (SpUpdate *update, int draft, char **ret_message, gboolean *ret_skipped,
                    GError **error);
} SpUpdateKind;

/* In the order of their tables in update.c. */
typedef enum { SP_UPDATE_APPLIANCE, SP_UPDATE_CLOUD, SP_N_UPDATE_KINDS } SpUpdateKindId;
extern const SpUpdateKind sp_update_kinds[SP_N_UPDATE_KINDS];
SpUpdateKindId sp_update_kind_of (const SpVaultRecord *record);

struct _SpUpdate {
  const SpUpdateOptions *options;
  char *state;
  int fd;      /* the vault's folder */
  int moving;  /* the lock of takeover/journal.h, for the whole of it */
  int running; /* the lock of a resident process, while none may run; -1: not held */
  SpVaultRecord *record;
  const SpUpdateKind *kind;
  SpUpdateImage *image;  /* where to */
  SpVaultRecord *origin; /* what the record says of how that is trusted; NULL: the same as now */
  SpImageFrom from;
  gboolean stays; /* the machine's own disk: it is the same in the other image */
  gboolean ran;   /* a resident process was there when it began */
  gboolean well;  /* and its vault worked */
  gboolean exchanged;
  GString *left; /* what could not be taken back; NULL: nothing */
};

typedef gboolean
SpUpdateStep (gpointer data, char **ret_message, gboolean *ret_skipped, GError **error);

SpUpdateStep sp_update_choose, sp_rollback_choose, sp_rollback_choose_data;
SpUpdateStep sp_update_make, sp_update_stop, sp_update_copy, sp_update_exchange,
    sp_rollback_put_back;
SpUpdateStep sp_update_start, sp_update_prove, sp_update_keep, sp_rollback_finish;
void sp_update_undo_make (gpointer data);
void sp_update_undo_stop (gpointer data);
void sp_update_undo_copy (gpointer data);
void sp_update_undo_exchange (gpointer data);
