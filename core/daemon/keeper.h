/* keeper.h - the process that holds the master key and all rules
 *
 * It reaches no network and no plugin: it has the links to the gate and the plugin hosts, the admin
 * channel, and a socket to the parent to ask for processes.  It begins locked; vault.unlock brings
 * keys and configuration.
 */
#pragma once

/* @admin_fd -1: nobody owns this vault.  Returns the exit status. */
int sp_keeper_run (int control_fd, int admin_fd);
