/* local.h - a vault on this machine without a VM
 *
 * For trying, for containers and for tests: the daemon runs as a child of this process, as the same
 * user, so nothing isolates it; the trust level is `local`, and everyone is told so.
 */
#pragma once

#include <gio/gio.h>

typedef struct {
  const char *dir;        /* the vault's folder; NULL: keys and rows are gone when it ends */
  const char *config;     /* NULL: DIR/secret-proxy.conf if it is there, else built-in defaults */
  const char *vault;      /* which [vault NAME] of it; NULL: the only one, or "default" */
  const char *plugin_dir; /* NULL: the default one */
  const char *listen;     /* "0.0.0.0:3737"; NULL: as configured */
  const char *url;        /* what agents are told; NULL: where it listens */
  int port;               /* -1: as in @listen, or configured; 0: a free one */
} SpLocalOptions;

/* Runs in the foreground until SIGINT or SIGTERM: TRUE then.  Call it on the main thread.  Once the
 * vault is unlocked the first line on stdout is {"ready":true,"url","tls_pin","admin","pid"}. */
gboolean sp_local_run (const SpLocalOptions *options, GError **error);
