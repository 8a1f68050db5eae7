/* notifiers.h - notifiers with `where = host`: their processes, and the tunnels to the keeper
 *
 * The keeper wants a process (`plugin.start`), gets one that is started here, and speaks with it through
 * a tunnel over the admin channel; docs/admin-channel.md has the messages.  To the keeper it is a plugin
 * host like any other: deadlines, what it remembers, who may answer are all the keeper's.
 *
 * What must stay true: only notifiers of the config are started, one process each; which shared object,
 * options and secrets it gets is the host's to say, and the keeper's word for it counts nothing; it never
 * runs as root; none outlives the session of the keeper that it was started for.
 */
#pragma once

#include "base/config.h"
#include "base/rpc.h"

typedef struct _SpNotifiers SpNotifiers;

typedef struct {
  const char *path; /* of the vault's folder */
  const char *vault_id;
  const char *plugin_dir; /* NULL: the default one */
  /* The notifier @name where it has `where = host`, as the config is now; else NULL. */
  const SpConfigInstance *(*find) (const char *name, gpointer data);
  /* A notification for the keeper; the session is for the callee to add. */
  void (*tell) (SpRpcMessage *message, gpointer data);
  gpointer data;
} SpNotifiersSetup;

/* @setup is copied, its strings too. */
SpNotifiers *sp_notifiers_new (const SpNotifiersSetup *setup);
/* Ends all, and waits for them. */
void sp_notifiers_free (SpNotifiers *notifiers);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpNotifiers, sp_notifiers_free)

/* A notification "plugin.…" of the keeper's newest session. */
void sp_notifiers_take (SpNotifiers *notifiers, const SpRpcMessage *message);
/* That keeper is no more: let all processes stop. */
void sp_notifiers_stop (SpNotifiers *notifiers);
