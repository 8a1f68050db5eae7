/* keeper-tunnel.h - processes of plugins that run on the host, with `where = host`
 *
 * The keeper asks the host for a process, and speaks with it through a tunnel over the admin channel;
 * docs/admin-channel.md has the messages.  The client of the plugin gets one end of a socket pair and
 * sees no difference.  Each process has a random name, its run, so that what comes late from one before
 * it is dropped.
 */
#pragma once

#include "base/rpc.h"
#include "plugin/client.h"

#define SP_KEEPER_NO_HOST "nobody is at the host's end of the admin channel"

typedef struct _SpKeeperTunnels SpKeeperTunnels;

/* Send a notification to the host; FALSE: nobody is there to hear it. */
typedef gboolean (*SpKeeperTell) (SpRpcMessage *message, gpointer data);

/* The process of @client has ended; the client hears of it right after this. */
typedef void (*SpKeeperEnded) (const SpPluginClient *client, gpointer data);

SpKeeperTunnels *sp_keeper_tunnels_new (SpKeeperTell tell, SpKeeperEnded ended, gpointer data);
/* No client may have one any more. */
void sp_keeper_tunnels_free (SpKeeperTunnels *tunnels);

/* For SpPluginEvents: @client wants a process, or wants it gone. */
void sp_keeper_tunnels_start (SpKeeperTunnels *tunnels, SpPluginClient *client);
void sp_keeper_tunnels_kill (SpKeeperTunnels *tunnels, SpPluginClient *client);
/* @client has closed its end: its process stops by itself, or is killed. */
void sp_keeper_tunnels_end (SpKeeperTunnels *tunnels, SpPluginClient *client);
/* @client is about to be freed: its process is let go. */
void sp_keeper_tunnels_forget (SpKeeperTunnels *tunnels, SpPluginClient *client);

/* A notification "plugin.…" of the host's newest session. */
void sp_keeper_tunnels_take (SpKeeperTunnels *tunnels, const SpRpcMessage *message);
/* All processes are gone, because of @why. */
void sp_keeper_tunnels_drop (SpKeeperTunnels *tunnels, const char *why);
