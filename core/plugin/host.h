/* host.h - the process that a plugin runs in
 *
 * One open plugin, one process.  The main thread serves the link and watches the clock; the plugin
 * has a thread with a GMainContext of its own.  A plugin that overruns a deadline takes the process
 * with it: the keeper starts another one.
 */
#pragma once

#include <glib.h>

/* Exit statuses, for the parent's log. */
#define SP_PLUGIN_HOST_OK 0      /* the link was closed, the plugin stopped and closed */
#define SP_PLUGIN_HOST_USELESS 1 /* what it was given makes no sense */
#define SP_PLUGIN_HOST_OVERRUN 3 /* the plugin went on after its deadline */

/* For people: what @status, as wait() has it, says about the end of such a process. */
char *sp_plugin_host_why_ended (int status);

/* Serve the keeper on @link_fd (taken) until it closes the link.  The plugin's folder is made as
 * @state_dir/KIND-INSTANCE, 0700; @state_dir must exist, be absolute and belong to this process's
 * user.  @given_fd (taken): the setup is read there, see given.h; -1: it comes over the link.  Returns the
 * exit status; the caller should exit with it at once. */
int sp_plugin_host_run (int link_fd, const char *state_dir, int given_fd);
