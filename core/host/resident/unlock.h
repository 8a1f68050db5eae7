/* unlock.h - what the keeper gets at each boot, its configuration and its keys; and a changed configuration
 *
 * docs/admin-channel.md describes the message.  It is made anew each time, so that a changed file with
 * a bot token counts at the next boot, and held no longer than it takes to send it.
 */
#pragma once

#include "base/config.h"
#include "base/rpc.h"
#include "host/resident/anchor.h"
#include "host/keys.h"

typedef struct {
  const SpConfig *config;
  const SpConfigVault *vault;
  SpHostKeys *keys;
  SpAnchor *anchor;
  SpSecret *marks_key;    /* of this process: for what the vault may compare and not know */
  const char *plugin_dir; /* NULL: the default one */
  /* Where the keeper finds a plugin, and its options; unset: in @plugin_dir, as configured. */
  gboolean (*map) (const SpConfigInstance *instance, char **ret_path, GVariant **ret_options,
                   gpointer data, GError **error);
  gpointer map_data;
  const char *trust;
  const char *image; /* what boots; NULL: it runs in no machine */
  guint index;       /* how often that was exchanged */
  gboolean tls_required;
  const char *statement, *signature;
} SpUnlock;

/* The request `vault.unlock` with the id @id. */
SpRpcMessage *sp_unlock_message (const SpUnlock *unlock, const char *id, GError **error);
/* The request `vault.configure`, without an id: what of it may change while the vault is unlocked. */
SpRpcMessage *sp_configure_message (const SpUnlock *unlock, gboolean dry_run, GError **error);
