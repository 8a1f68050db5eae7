/* ports.h - what the vault needs from the outside, as a table of calls
 *
 * The rules know no socket, no SQL and no process: the daemon plugs plugin hosts in here, tests plug
 * in memory.  Every call is asynchronous and answers exactly once, never before it returns.
 */
#pragma once

#include "plugin/client.h"

typedef struct {
  void (*write) (gpointer port, const SpBatch *batches, gsize n_batches, SpPluginWritten done,
                 gpointer data);
  void (*read) (gpointer port, const char *table, const char *key, SpPluginRead done,
                gpointer data);
  void (*scan) (gpointer port, const char *table, const char *after, guint limit, SpRowFunc row,
                SpPluginScanned done, gpointer data);

  void (*post) (gpointer port, const char *notifier, const SpNotice *notice, SpPluginDone done,
                gpointer data);
  void (*settle) (gpointer port, const char *notifier, const SpNotice *notice,
                  const SpOutcome *outcome, SpPluginDone done, gpointer data);
  /* Can it show a notice now, as far as is known? */
  gboolean (*usable) (gpointer port, const char *notifier);

  /* The audit log has a new head. */
  void (*audit_head) (gpointer port, guint64 seq, const char *head_hex);
  /* Call sp_vault_tick() in @ms from now; replaces what was asked before; -1: not at all. */
  void (*wake_in) (gpointer port, gint64 ms);
  /* The store and the memory of it disagree: nothing more may be served from this memory. */
  void (*fatal) (gpointer port, const GError *why);

  gpointer port;
} SpVaultPorts;
