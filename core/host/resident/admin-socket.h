/* admin-socket.h - `admin.sock` in a vault's folder: make it, and reach it
 *
 * Who may use it: root and the user that the vault runs as, by the kernel's word (SO_PEERCRED), and
 * by the modes of folder (0700) and socket (0600).  A path longer than sun_path works, since both ends
 * go through the descriptor of the folder.
 */
#pragma once

#include <gio/gio.h>

#define SP_ADMIN_SOCKET "admin.sock"

/* Take the lock of the folder: one resident process for each vault.  Returns the descriptor that holds
 * it, or -1 with SP_PROBLEM_CONFLICT ("is already running (pid N)"). */
int sp_admin_lock (int folder, GError **error);

/* The process that holds it; 0: none. */
pid_t sp_admin_lock_holder (int folder);

/* Listen; only for the holder of the lock, since what lies there is replaced.  -1 on failure. */
int sp_admin_listen (int folder, GError **error);
/* The next connection of @listener that may be here, or -1: none is waiting.  Others are closed. */
int sp_admin_accept (int listener);
void sp_admin_unlink (int folder);

/* Connect to that of the folder @path: SP_PROBLEM_UNREACHABLE where nothing runs. */
int sp_admin_connect (const char *path, GError **error);

/* Connect to the socket @name in @folder, a descriptor; -1 with errno set. */
int sp_socket_connect (int folder, const char *name);
