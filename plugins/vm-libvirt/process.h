/* process.h - the QEMU of a domain, as the kernel shows it: libvirt does not tell its number */
#pragma once

#include <glib.h>
#include <sys/types.h>

/* The process of @user that has the machine's id after -uuid among its arguments; 0: none, or several. */
gint64 sp_libvirt_process_find (const char *id, uid_t user);
/* The same, as a descriptor that no other process can be meant by, and @ret_pid; -1: none, or several. */
int sp_libvirt_process_open (const char *id, uid_t user, gint64 *ret_pid);

/* Whether the network guard in it says that it is there. */
gboolean sp_libvirt_process_is_guarded (gint64 pid);

/* A word for this process, that no later one has. */
char *sp_libvirt_process_word (void);
/* Whether the process of that word runs. */
gboolean sp_libvirt_process_lives (const char *word);
