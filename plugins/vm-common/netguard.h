/* netguard.h - what the network guard and the plugin that loads it agree on */
#pragma once

/* Where it says that it works, with one byte. */
#define SP_NETGUARD_FD 9
#define SP_NETGUARD_BYTE 'g'

/* "PORT,PORT,...;ADDRESS,ADDRESS,...": ports of the host's loopback that may be reached, and loopback
 * addresses that answer DNS. */
#define SP_NETGUARD_RULES "SECRET_PROXY_NETGUARD"

/* Set: it says nothing, as there is no such descriptor; who started the program then looks whether it is
 * mapped.  Where it can't work the program ends all the same. */
#define SP_NETGUARD_MUTE "SECRET_PROXY_NETGUARD_MUTE"

#define SP_NETGUARD_FILE "secret-proxy-netguard.so"

#define SP_NETGUARD_MAX_PORTS 64
#define SP_NETGUARD_MAX_RESOLVERS 4
