/* service.h - the resident process of a vault, whatever the vault runs in
 *
 * It reads the config, holds the keys, unlocks the keeper, keeps the audit anchor, serves admin.sock
 * and starts again what dies.  What it starts is a backend's business: a daemon beside it (local.c), or
 * a machine (vm-run.c).
 *
 * Everything happens on the main context of the main thread; no call blocks.
 */
#pragma once

#include <json-glib/json-glib.h>

#include "base/config.h"
#include "host/resident/anchor.h"
#include "host/keys.h"
#include "plugin/info.h"

typedef struct _SpService SpService;

/* What the ownership statement says beside keys and people. */
typedef struct {
  const char *trust, *acceleration;
  JsonObject *measurement; /* NULL: nothing is measured */
  const char *image;       /* what boots; NULL: it runs in no machine */
  guint index;             /* how often that was exchanged */
  gboolean maintenance;    /* there is a way in by SSH */
} SpServiceClaim;

typedef struct {
  /* Begin; sp_service_attach() or sp_service_ended() follows, now or later. */
  gboolean (*start) (gpointer data, GError **error);
  /* In good order, then sp_service_ended(). */
  void (*stop) (gpointer data);
  /* Where @instance's plugin lies for the keeper, and the options as it must see them; unset: where it
   * lies here, as they are in the config file.  Free the path, unref the options. */
  gboolean (*map) (const SpConfigInstance *instance, char **ret_path, GVariant **ret_options,
                   gpointer data, GError **error);
  /* Whether @instance, in a config that is to be applied, can be opened without a restart; else @ret_key is
   * the key that can't change.  Unset: it can. */
  gboolean (*fits) (const SpConfigInstance *instance, SpPluginCatalog *catalog, char **ret_key,
                    gpointer data);
  /* {"state",…}: of the machine; for host.machine. */
  JsonObject *(*describe) (gpointer data);
  /* It is unlocked; @again: it was before. */
  void (*unlocked) (gboolean again, gpointer data);
} SpServiceBackend;

typedef struct {
  const char *dir;        /* the vault's folder */
  const char *config;     /* NULL: DIR/secret-proxy.conf where it is there, else @built_in */
  const char *built_in;   /* NULL: /etc/secret-proxy/secret-proxy.conf instead */
  const char *vault;      /* which [vault NAME]; NULL: the only one, or "default" */
  const char *plugin_dir; /* NULL: the default one */
  const char
      *store; /* the plugin that keeps the rows, whatever the config says; NULL: as that says */
  gboolean make_keys;    /* make what is missing of the keys on the first run */
  gboolean tls_optional; /* where the config does not say */
} SpServiceSetup;

/* Takes the lock of the folder.  @setup is not kept, @backend is copied. */
SpService *sp_service_open (const SpServiceSetup *setup, const SpServiceBackend *backend,
                            gpointer data, GError **error);
void sp_service_free (SpService *service);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpService, sp_service_free)

/* In the foreground until SIGINT or SIGTERM: TRUE then.  SIGHUP has it read its config file again and apply it;
 * where it has a terminal it means that the terminal is gone, and ends it, too. */
gboolean sp_service_run (SpService *service, GError **error);

/* ---- for backends ------------------------------------------------------------------------------------ */
/* What the statement says from now on; before sp_service_attach(). */
gboolean sp_service_claim (SpService *service, const SpServiceClaim *claim, GError **error);
/* The admin channel is @fd (taken), agents reach the vault at @url. */
void sp_service_attach (SpService *service, int fd, const char *url);
/* The admin channel is gone. */
void sp_service_detach (SpService *service);
/* Ask the keeper to end everything in good order. */
void sp_service_shut_down (SpService *service);
/* What was started has ended, or could not be started.  It is started again, with back-off, where it
 * has worked before; otherwise the service ends with @error. */
void sp_service_ended (SpService *service, const GError *error);
gboolean sp_service_is_stopping (const SpService *service);
gboolean sp_service_is_unlocked (const SpService *service);

const char *sp_service_path (const SpService *service); /* absolute */
int sp_service_folder (const SpService *service);       /* a descriptor of it */
const SpConfigVault *sp_service_vault (const SpService *service);
SpPluginCatalog *sp_service_catalog (const SpService *service);
const char *sp_service_plugin_dir (const SpService *service); /* NULL: the default one */
const SpHostKeys *sp_service_keys (const SpService *service);
const char *sp_service_url (const SpService *service); /* NULL: not known yet */

/* "127.0.0.1", 3737 -> "127.0.0.1:3737"; an IPv6 address gets brackets. */
char *sp_listen_text (const char *host, int port);
