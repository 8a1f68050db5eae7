/* keeper-private.h - what the files of the keeper share */
#pragma once

#include "base/link.h"
#include "base/rpc.h"
#include "daemon/control.h"
#include "daemon/keeper-tunnel.h"
#include "plugin/client.h"
#include "vault/vault.h"

typedef struct _SpKeeper SpKeeper;
typedef struct _SpKeeperConfig SpKeeperConfig;
typedef struct _SpKeeperApply SpKeeperApply;

typedef struct {
  SpKeeper *keeper;
  guint slot;
  gboolean on_host;  /* its process is not the parent's, but the host's: its slot stays empty */
  char *plugin;      /* path; NULL: it could not even be tried */
  gboolean critical; /* the vault does not serve without it */
  GHashTable *marks; /* what it was opened with: key -> text, or digest of a secret */
  SpPluginClient *client;
} SpKeeperPlugin;

struct _SpKeeper {
  GMainLoop *loop;
  int control;
  guint control_source;
  gboolean owned;

  SpRpc *admin;
  char *session;    /* ours */
  guint head_timer; /* a new audit head waits to be told */
  guint64 head_seq;
  char *head_hex;
  char *host_session; /* the newest that we have heard of; NULL: none */

  SpLink *gate;
  guint gate_backoff_ms, gate_timer;
  gboolean ending;   /* the ports lead nowhere any more */
  gint64 gate_since; /* monotonic */

  /* From vault.unlock on. */
  gboolean unlocking, unlocked;
  char *unlock_id;        /* the call to answer; NULL: answered */
  SpKeeperConfig *config; /* what it brought, until the vault is open */
  SpVault *vault;
  SpVaultPorts ports;
  SpKeeperPlugin *store;
  GPtrArray *notifiers; /* SpKeeperPlugin */
  SpKeeperTunnels *tunnels;
  SpKeeperApply *apply;             /* another config is being opened; NULL: none */
  gboolean processes[SP_MAX_SLOTS]; /* asked for, and not ended yet */
  guint killers[SP_MAX_SLOTS];      /* timers: it has been told to end */
  guint wake;
  SpSecret *vault_key;
  SpSecret *tls;
  gboolean plain_allowed;
  char *vault_id, *statement;
  GBytes *signature;
};

/* ---- keeper-gate.c: what agents ask ------------------------------------------------------------------- */
void sp_keeper_attach_gate (SpKeeper *keeper, int fd);
/* "locked", "store", "notifier"; NULL: all is well, or nobody owns it. */
const char *sp_keeper_unhealthy (SpKeeper *keeper);
void sp_keeper_tell_gate (SpKeeper *keeper); /* TLS, once it is known */

/* ---- keeper-admin.c: what administrators ask ------------------------------------------------------------ */
void sp_keeper_admin_start (SpKeeper *keeper, int fd);
/* Send @notification with our session in it; FALSE: nobody is there to hear it. */
gboolean sp_keeper_tell_host (SpRpcMessage *notification, gpointer keeper);
void sp_keeper_audit_head (SpKeeper *keeper, guint64 seq, const char *head_hex);
void sp_keeper_flush_audit_head (SpKeeper *keeper); /* now, if one waits */
JsonObject *sp_keeper_status (SpKeeper *keeper);

/* ---- keeper-unlock.c: from locked to open ----------------------------------------------------------------- */
void sp_keeper_unlock (SpKeeper *keeper, const char *id, JsonObject *params, SpSecret *secret);
/* The store plugin changed its state: it may be that it never opens. */
void sp_keeper_store_changed (SpKeeper *keeper);

/* ---- keeper-configure.c: another config while it runs ----------------------------------------------------- */
void sp_keeper_configure (SpKeeper *keeper, const char *id, JsonObject *params, SpSecret *secret);
/* A process has ended, or a notifier has changed its state: it may go on. */
void sp_keeper_configure_go_on (SpKeeper *keeper);
/* The one that is being opened for this place; NULL: none. */
SpKeeperPlugin *sp_keeper_configure_in_slot (SpKeeper *keeper, guint slot);
void sp_keeper_configure_drop (SpKeeper *keeper);

/* ---- keeper-plugins.c: plugin hosts, and the vault's ports to them ------------------------------------------ */
SpKeeperPlugin *
sp_keeper_plugin_new (SpKeeper *keeper, guint slot, gboolean on_host, const SpPluginSetup *setup);
void sp_keeper_plugin_free (SpKeeperPlugin *plugin);
/* The process there has lost its plugin: it is killed where it does not end by itself. */
void sp_keeper_plugin_end (SpKeeperPlugin *plugin);
void sp_keeper_slot_ended (SpKeeper *keeper, guint slot);
/* The process of @client, on the host, has ended.  @data: the keeper. */
void sp_keeper_hosted_ended (const SpPluginClient *client, gpointer data);
/* A place for a notifier where nothing runs and nothing is to run; 0: there is none. */
guint sp_keeper_free_slot (SpKeeper *keeper);
/* Whether it works, as far as is known. */
gboolean sp_keeper_plugin_usable (const SpKeeperPlugin *plugin);
SpKeeperPlugin *sp_keeper_plugin_in_slot (SpKeeper *keeper, guint slot);
void sp_keeper_fill_ports (SpKeeper *keeper);
