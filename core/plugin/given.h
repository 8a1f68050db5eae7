/* given.h - a plugin's setup from whoever starts its process, instead of from the other end of the link
 *
 * Of a notifier with `where = host` the link leads into the vault.  Which shared object is loaded on the
 * host, with which options and secrets, is the host's to say, whatever the vault says: so the process
 * is handed that through a pipe, and takes of the open call only who the approvers are.
 */
#pragma once

#include "plugin/client.h"

/* kind, path, instance, options, secrets */
#define SP_PLUGIN_GIVEN_TYPE "(sssa{ss}a{say})"

/* The end of a pipe to read from, with all that @setup says but people; -1 on failure. */
int sp_plugin_given_write (const SpPluginSetup *setup, GError **error);
/* Read all of @fd and close it. */
GVariant *sp_plugin_given_read (int fd, GError **error);
