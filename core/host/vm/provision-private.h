/* provision-private.h - between the files of provision.h: the steps, and what they do for each kind of image */
#pragma once

#include "host/appliance/image-set.h"
#include "host/cloud/catalog.h"
#include "host/cloud/seed.h"
#include "host/source/source.h"
#include "host/vm/provision.h"
#include "host/vm/vm-spec.h"
#include "host/vm/vm.h"

#define SP_PROVISION_LOOPBACK "127.0.0.1"
/* The one card of a cloud image's machine, by which the seed names it: a local address, as each such machine
 * is in a network of its own. */
#define SP_PROVISION_MAC "52:54:00:37:37:01"

typedef struct _Provision Provision;

/* What differs. */
typedef struct {
  const char *memory, *disk; /* where the options say nothing */
  guint boot_s;
  gboolean (*check) (Provision *provision, GError **error);
  gboolean (*get_image) (Provision *provision, char **ret_message, GError **error);
  gboolean (*make_disk) (Provision *provision, GError **error);
  gboolean (*make_seed) (Provision *provision, char **ret_message, gboolean *ret_skipped,
                         GError **error);
} ProvisionKind;

struct _Provision {
  const SpProvisionOptions *options;
  const ProvisionKind *kind;
  char *staging;
  char *state; /* of the plugin host */
  char *paths[SP_SOURCE_N_FILES];
  SpPluginCatalog *catalog;
  SpConfig *config; /* one [vm] section, made of the options */
  const SpConfigInstance *instance;
  SpVmSettings *settings;
  char *folder;        /* of the image; NULL: it is made of `source` */
  SpCloudBase *source; /* NULL: there is a folder */
  SpCloudRuntime runtime;
  char *container;   /* the archive that is a disk of the machine's; NULL: it has none */
  SpImageSet *image; /* one of them */
  SpCloudImage *cloud;
  SpVm *vm;
  char *id, *cmdline, *base;
  guint try_ms; /* how long an answer may take on this machine, as far as it is known */
};

/* ---- provision-image.c --------------------------------------------------------------------------------- */
gboolean sp_provision_is_cloud (const Provision *provision);
/* Which kind it will be: `kind`, and `folder` or `source`.  Nothing is made or fetched. */
gboolean sp_provision_choose (Provision *provision, GError **error);
const char *sp_provision_image_id (const Provision *provision);
void sp_provision_clear_image (Provision *provision);
/* The image that was made in the staging folder. */
void sp_provision_discard_image (Provision *provision);

typedef struct {
  SpVmSpec spec;
  SpVmDisk disks[3];
  SpVmForward forwards[2];
} ProvisionSpec;

/* The machine; it points into @provision and @ret_spec. */
void sp_provision_spec (Provision *provision, ProvisionSpec *ret_spec);
/* What the ready file says of an image. */
char *sp_provision_ready_text (const Provision *provision, const char *image_id);

/* ---- provision-seed.c ---------------------------------------------------------------------------------- */
/* @mac: of the machine. */
gboolean
sp_provision_make_seed (Provision *provision, const char *mac, char **ret_message, GError **error);
void sp_provision_discard_seed (Provision *provision);

/* ---- provision-plan.c ---------------------------------------------------------------------------------- */
#define SP_PROVISION_STEPS 8u
/* What step @number (from 1) would do: lines for people; NULL with @error. */
char *sp_provision_plan_step (Provision *provision, guint number, GError **error);
