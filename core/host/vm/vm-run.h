/* vm-run.h - the resident process of a vault in a machine: `secret-proxy vm run`
 *
 * It owns the machine: when it ends, the machine ends.  A systemd unit runs one for each vault.
 */
#pragma once

#include <gio/gio.h>

typedef struct {
  const char *dir;        /* the vault's folder */
  const char *config;     /* NULL: the one in /etc */
  const char *vault;      /* which [vault NAME] of it */
  const char *plugin_dir; /* NULL: the default one */
  gboolean maintenance;   /* with a way in by SSH; of a cloud image only */
  guint start_ms; /* sp_vm_control_start(): how long it waits where no unit does; 0: as is usual */
} SpVmRunOptions;

/* Runs in the foreground until SIGINT, SIGTERM or SIGHUP: TRUE then.  Call it on the main thread.
 * Once the vault is unlocked the first line on stdout is {"ready":true,"url","tls_pin","admin","pid",
 * "acceleration"}, and $NOTIFY_SOCKET is told (sd_notify(3)). */
gboolean sp_vm_run (const SpVmRunOptions *options, GError **error);
