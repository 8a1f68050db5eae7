/* service-private.h - what service.c (life) and service-claims.c (what the vault is told and says) share */
#pragma once

#include "host/resident/notifiers.h"
#include "host/resident/resident.h"
#include "host/resident/service.h"

struct _SpService {
  char *path; /* absolute */
  int folder, lock;
  char *plugin_dir;
  SpPluginCatalog *catalog;
  SpConfig *config;
  const SpConfigVault *vault;
  gboolean tls_required;
  SpHostKeys *keys;
  SpAnchor *anchor;
  SpResident *resident;
  SpNotifiers *notifiers; /* those with `where = host` */
  SpServiceBackend backend;
  gpointer data;
  char *trust, *statement, *signature;
  char *url;
  gint64 started_us;
  guint backoff_ms;
  guint again;      /* source: start or unlock again */
  gboolean running; /* the backend has started something that has not ended */
  gboolean ready;   /* it was unlocked once */
  gboolean stopping;
  GMainLoop *loop;
  GError *error;
};

/* ---- service.c ------------------------------------------------------------------------------------------- */
/* End in good order; @error NULL: as asked. */
void sp_service_finish (SpService *service, const GError *error);
void sp_service_try_later (SpService *service, GSourceFunc func);

/* ---- service-claims.c ------------------------------------------------------------------------------------ */
SpResident *sp_service_resident_new (SpService *service);
SpNotifiers *sp_service_notifiers_new (SpService *service);
