/* private.h - what the steps of a takeover share
 *
 * A step's undo may run in another process than its run did (takeover --abort), so it relies on the
 * config and on what lies in the folder, and not on what run() left here.
 */
#pragma once

#include "host/appliance/image-set.h"
#include "host/audit/audit.h"
#include "host/cloud/cloud-image.h"
#include "host/monitor/monitor.h"
#include "host/source/source.h"
#include "host/takeover/takeover.h"
#include "host/vm/vault-record.h"
#include "host/vm/vm-spec.h"
#include "plugin/info.h"

#define SP_TAKEOVER_FINAL 11u /* from here on there is no way back */
#define SP_TAKEOVER_VERIFY 12u
#define SP_TAKEOVER_STEPS 13u

typedef struct {
  const SpTakeoverOptions *options;
  char *state; /* where vaults and images lie */
  SpPluginCatalog *catalog;
  SpConfig *config;
  const SpConfigVault *vault;
  const SpConfigSource *from; /* NULL: create */
  char *folder;               /* the vault's, absolute */
  int fd;                     /* of it */
  const char *trust; /* how it comes to be trusted: one of the words below; NULL: not known yet */
  char *image_id;    /* what it boots, or is made of; NULL: not known yet */
  SpImageSet *image; /* of these two one, once it is opened: */
  SpCloudImage *cloud;
  SpAudit *audit;   /* from step 7 to step 8, trust `audited` */
  gboolean has_kvm; /* guests were seen to run under it */
  SpSource *source;
  guint16 port; /* where the agent's vault listens */
  SpMonitor *monitor;
  gboolean is_deaf;  /* the monitor: while taking back it was tried in vain */
  char *disk_sha256; /* of the agent's disk, as copied */
  char *warning;
  gboolean runs; /* the vault, although it was to be ended: nothing of it may be removed */
  GString *left; /* what could not be taken back, for people; NULL: nothing */
} SpTakeover;

/* ---- one function a step: TRUE, or @error -------------------------------------------------------------- */
gboolean sp_takeover_signal (gpointer takeover, char **ret_message, gboolean *ret_skipped,
                             GError **error); /* 1 */
gboolean sp_takeover_connect (gpointer takeover, char **ret_message, gboolean *ret_skipped,
                              GError **error); /* 2 */
gboolean sp_takeover_checkpoint (gpointer takeover, char **ret_message, gboolean *ret_skipped,
                                 GError **error); /* 3 */
gboolean sp_takeover_stop (gpointer takeover, char **ret_message, gboolean *ret_skipped,
                           GError **error); /* 4 */
gboolean sp_takeover_copy (gpointer takeover, char **ret_message, gboolean *ret_skipped,
                           GError **error); /* 5 */
gboolean sp_takeover_check (gpointer takeover, char **ret_message, gboolean *ret_skipped,
                            GError **error); /* 6 */
gboolean sp_takeover_trust (gpointer takeover, char **ret_message, gboolean *ret_skipped,
                            GError **error); /* 7 */
gboolean sp_create_trust (gpointer takeover, char **ret_message, gboolean *ret_skipped,
                          GError **error); /* 7, without an agent's part */
gboolean sp_takeover_keys (gpointer takeover, char **ret_message, gboolean *ret_skipped,
                           GError **error); /* 8 */
gboolean sp_takeover_start (gpointer takeover, char **ret_message, gboolean *ret_skipped,
                            GError **error); /* 9 */
gboolean sp_takeover_prove (gpointer takeover, char **ret_message, gboolean *ret_skipped,
                            GError **error); /* 10 */
gboolean sp_takeover_hand_over (gpointer takeover, char **ret_message, gboolean *ret_skipped,
                                GError **error); /* 11 */
gboolean sp_takeover_verify (gpointer takeover, char **ret_message, gboolean *ret_skipped,
                             GError **error); /* 12 */
gboolean sp_takeover_try (gpointer takeover, char **ret_message, gboolean *ret_skipped,
                          GError **error); /* 13 */

void sp_takeover_undo_checkpoint (gpointer takeover);
void sp_takeover_undo_stop (gpointer takeover);
void sp_takeover_undo_copy (gpointer takeover);
void sp_takeover_undo_trust (gpointer takeover);
void sp_takeover_undo_keys (gpointer takeover);
void sp_takeover_undo_start (gpointer takeover);

/* ---- cloud.c: the same steps where it boots a disk of its own --------------------------------------------- */
/* The id that @given, an id or the name of a base, stands for; NULL: NULL. */
char *sp_takeover_image_id (const char *state, const char *given);
/* Whether the image @id of this host is a cloud image. */
gboolean sp_takeover_is_cloud (const char *state, const char *id, gboolean *ret_is, GError **error);
/* Whether nothing of the agent's disk is used, so that it need not even be copied. */
gboolean sp_takeover_is_rebuilt (const SpTakeover *takeover);
gboolean sp_takeover_open_cloud (SpTakeover *takeover, const char *id, GError **error);
/* Whatever image the agent @claimed (NULL: none) to have booted.  @ret_why: which and why, for people. */
gboolean sp_takeover_choose_cloud (SpTakeover *takeover, const char *claimed, char **ret_why,
                                   GError **error);
gboolean sp_takeover_make_system (SpTakeover *takeover, char **ret_message, GError **error);
gboolean sp_takeover_make_seed (SpTakeover *takeover, const SpVaultRecord *record,
                                const SpVmSettings *settings, GError **error);
void sp_takeover_undo_seed (const SpTakeover *takeover);

/* ---- audit.c: the same steps where it boots the agent's disk ----------------------------------------------- */
gboolean sp_takeover_is_audited (const SpTakeover *takeover);
gboolean
sp_takeover_choose_base (SpTakeover *takeover, const char *claimed, char **ret_why, GError **error);
/* Before anything is touched: are the digests well-formed? */
gboolean sp_takeover_check_accepted (const SpTakeover *takeover, GError **error);
gboolean sp_takeover_audit (SpTakeover *takeover, char **ret_message, GError **error);
/* @login: of the one account; @host_key, @host_public: the machine's own. */
gboolean sp_takeover_rekey (SpTakeover *takeover, const char *login, SpSecret *host_key,
                            const char *host_public, GError **error);

/* ---- what several of them need --------------------------------------------------------------------------- */
#define SP_TAKEOVER_COPY "incoming.qcow2"

/* Of the source, opened when it is first asked for. */
SpSource *sp_takeover_source (SpTakeover *takeover, GError **error);
#define SP_TAKEOVER_ANEW "have the agent run 'secret-proxy provision' anew, then start again"
/* Add what to do, where the error is about something of the agent's. */
void sp_takeover_advise (GError **error, const char *advice);
/* Keep in @left that @what did not work (@error taken). */
void sp_takeover_keep_left (SpTakeover *takeover, const char *what, GError *error);
/* The monitor, likewise. */
SpMonitor *sp_takeover_monitor (SpTakeover *takeover, GError **error);
/* "…/" as --vault takes it. */
char *sp_takeover_vault_argument (const SpTakeover *takeover);
