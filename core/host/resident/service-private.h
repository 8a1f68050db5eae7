/* service-private.h - what service.c (life) and service-claims.c (what the vault is told and says) share */
#pragma once

#include "host/resident/notifiers.h"
#include "host/resident/resident.h"
#include "host/resident/service.h"
#include "host/resident/unlock.h"

typedef struct _SpServiceApply SpServiceApply;

struct _SpService {
  char *path; /* absolute */
  int folder, lock;
  char *plugin_dir;
  SpPluginCatalog *catalog;
  char *own_config, *config_file; /* the vault's own; the one it was started with, NULL: none */
  const char *built_in;
  SpConfig *config;     /* the one that holds */
  GPtrArray *configs;   /* SpConfig: that, and those of which parts run on until a restart */
  SpConfigVault *vault; /* what runs: of the config that holds, but for what needs a restart */
  SpConfigInstance own_store; /* its store, where that is another one than the config says */
  SpServiceApply *apply;      /* a config is being applied; NULL: none */
  gboolean tls_required, tls_optional; /* the second: where the config does not say */
  SpHostKeys *keys;
  SpSecret *marks_key; /* unlock.h; a vault does not outlive this process */
  SpAnchor *anchor;
  SpResident *resident;
  SpNotifiers *notifiers; /* those with `where = host` */
  SpServiceBackend backend;
  gpointer data;
  char *trust, *acceleration, *statement, *signature;
  JsonObject *measurement;
  gboolean maintenance;
  char *image; /* as in the claim */
  guint index;
  char *url;
  gint64 started_us;
  guint backoff_ms;
  guint again;      /* source: start or unlock again */
  gboolean running; /* the backend has started something that has not ended */
  gboolean ready;   /* it was unlocked once */
  gboolean stopping;
  gboolean has_terminal;
  gboolean apply_wanted; /* by a signal, and not begun yet */
  GMainLoop *loop;
  GError *error;
};

/* ---- service.c ------------------------------------------------------------------------------------------- */
/* End in good order; @error NULL: as asked. */
void sp_service_finish (SpService *service, const GError *error);
void sp_service_try_later (SpService *service, GSourceFunc func);

/* From @given, else the vault's own file @own where it is there, else @built_in, else the one in /etc. */
SpConfig *sp_service_read (const char *own, const char *given, const char *built_in,
                           SpPluginCatalog *catalog, GError **error);

/* ---- service-merge.c ------------------------------------------------------------------------------------- */
/* With a list of notifiers of its own, and strings that stay. */
SpConfigVault *sp_config_vault_copy (const SpConfigVault *vault);
void sp_config_vault_free (SpConfigVault *vault);
/* What can run now of @config: the vault as it would be, and in @restart what has to wait ("vault NAME: KEY").
 * SP_PROBLEM_CONFIG where nobody could approve until then. */
SpConfigVault *sp_service_merge (const SpService *service, const SpConfig *config,
                                 SpPluginCatalog *catalog, GPtrArray *restart, GError **error);

/* ---- service-apply.c ------------------------------------------------------------------------------------- */
/* Read the config file anew and have the keeper take what can run now.  @config: the file that is meant;
 * NULL: whichever it is.  @ask NULL: nobody waits; how it went is said on stderr. */
void
sp_service_apply (SpService *service, gboolean dry_run, const char *config, SpResidentAsk *ask);
void sp_service_apply_free (SpServiceApply *apply);
/* The same as soon as the vault has its keys and takes no other one: however many signals come until then,
 * what the file says after the last of them holds. */
void sp_service_apply_soon (SpService *service);
/* That may be so now. */
void sp_service_apply_wanted (SpService *service);
/* The vault as the keeper is about to take it; as it is where no other config is on its way. */
const SpConfigVault *sp_service_coming (const SpService *service);

/* ---- service-claims.c ------------------------------------------------------------------------------------ */
SpResident *sp_service_resident_new (SpService *service);
SpNotifiers *sp_service_notifiers_new (SpService *service);
/* The statement with the approvers of @config, signed. */
gboolean sp_service_state (const SpService *service, const SpConfig *config, char **ret_statement,
                           char **ret_signature, GError **error);
/* For messages to the keeper; @config and @vault as they are to be. */
SpUnlock
sp_service_unlock_of (const SpService *service, const SpConfig *config, const SpConfigVault *vault);
