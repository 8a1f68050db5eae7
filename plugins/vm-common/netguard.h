/* netguard.h - what the network guard and the plugin that loads it agree on */
#pragma once

/* Where it says that it works, with one byte. */
#define SP_NETGUARD_FD 9
#define SP_NETGUARD_BYTE 'g'

/* "PORT,PORT,...;ADDRESS,ADDRESS,...": ports of the host's loopback that may be reached, and loopback
 * addresses that answer DNS. */
#define SP_NETGUARD_RULES "SECRET_PROXY_NETGUARD"

/* Set: there is no such descriptor, and it says so by a file without a place, of that name, that it holds open: it
 * is to be found in /proc/PID/fd. */
#define SP_NETGUARD_SHOW "SECRET_PROXY_NETGUARD_SHOW"
#define SP_NETGUARD_SHOWN "secret-proxy-netguard"

#define SP_NETGUARD_FILE "secret-proxy-netguard.so"

#define SP_NETGUARD_MAX_PORTS 64
#define SP_NETGUARD_MAX_RESOLVERS 4
