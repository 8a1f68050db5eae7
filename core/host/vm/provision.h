/* provision.h - the agent's part: build a vault VM and say that it is ready to be taken over
 *
 * Needs no root and no config file.  What it makes lies in one folder, the staging folder, under fixed
 * names; the VM goes on when this has ended.  Nothing here is trusted by the host.
 */
#pragma once

#include "host/steps.h"

typedef struct {
  const char *staging; /* made where it is not there */
  /* A folder of an image (either kind); or the base of a cloud image, as host/cloud/catalog.h knows it: a
   * name, a file, an address. */
  const char *image;
  const char *sha512;    /* of such a base; NULL: not given */
  const char *templates; /* of such an image; NULL: the built-in ones */
  const char *runtime;   /* of such an image; NULL: a service, or whatever a prepared one has */
  const char *vm;        /* the vm plugin; NULL: the default one */
  const char *plugin_dir;
  const char *memory, *disk; /* sizes as in the config file; NULL: as the kind of image needs */
  guint16 port;              /* of this machine's loopback */
  guint16 ssh_port;          /* the same, for a cloud image's sshd; 0: none */
  guint boot_s; /* how long the vault may take until it answers; 0: as its kind needs */
  void (*report) (const SpStepReport *report, guint n_steps, gpointer data);
  gpointer data;
} SpProvisionOptions;

/* @text: what a step would do, in lines for people: addresses, commands, contents of files. */
typedef void (*SpProvisionPlan) (guint number, guint n_steps, const char *name, const char *text,
                                 gpointer data);

/* Only tell; nothing is fetched, written or started. */
gboolean sp_provision_plan (const SpProvisionOptions *options, SpProvisionPlan plan, gpointer data,
                            GError **error);
gboolean sp_provision_run (const SpProvisionOptions *options, GError **error);
