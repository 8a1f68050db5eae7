/* provision.h - the agent's part: build a vault VM and say that it is ready to be taken over
 *
 * Needs no root and no config file.  What it makes lies in one folder, the staging folder, under fixed
 * names; the VM goes on when this has ended.  Nothing here is trusted by the host.
 */
#pragma once

#include "host/steps.h"

typedef struct {
  const char *staging; /* made where it is not there */
  const char *image;   /* a folder as sp_image_set_export() writes it */
  const char *vm;      /* the vm plugin; NULL: the default one */
  const char *plugin_dir;
  const char *memory, *disk; /* sizes as in the config file; NULL: 128M, 256M */
  guint16 port;              /* of this machine's loopback */
  guint boot_s;              /* how long the vault may take until it answers; 0: 240 */
  void (*report) (const SpStepReport *report, guint n_steps, gpointer data);
  gpointer data;
} SpProvisionOptions;

gboolean sp_provision_run (const SpProvisionOptions *options, GError **error);
