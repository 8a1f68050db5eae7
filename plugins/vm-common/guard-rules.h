/* guard-rules.h - where the network guard (netguard.c) lies, and what it is told to let through */
#pragma once

#include <glib.h>

/* The library beside this plugin, whether it is there or not. */
char *sp_qemu_guard_path (void);

/* The rules in netguard.h's form.  @ports: of the host's loopback, that the guest may reach.  @resolv_conf: a
 * text as in /etc/resolv.conf. */
char *sp_qemu_guard_rules (const char *const *ports, const char *resolv_conf);
/* The same with this machine's resolvers. */
char *sp_qemu_guard_rules_here (const char *const *ports);
